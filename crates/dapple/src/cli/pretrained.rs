//! The weights that an automatic training starts from: chosen, announced, fetched.

use std::path::{Path, PathBuf};

use dapple::pretrained::{StartWeights, candidates, entry_named, missed};
use dapple::train::auto::{Chosen, Origin, Pretrained};
use dapple::weights::Store;

use super::common::models::{fetch, store};
use super::failure::Failure;

/// The user's words on where to start.
pub struct PretrainedStart<'a> {
    pub weights: &'a StartWeights,
    /// The network, if one was named.
    pub network: Option<&'a str>,
    /// Whether the network keeps the width of the weights.
    pub published: bool,
    pub offline: bool,
    pub quiet: bool,
}

impl PretrainedStart<'_> {
    /// The settings that `choose` makes with the pretrained encoders at hand, with the file of the one that it takes. Where that
    /// cannot be fetched, and no one has asked for it by name, the choice is made again without.
    pub fn choose(
        &self,
        choose: &dyn Fn(Vec<Pretrained>) -> Result<Chosen, Failure>,
    ) -> Result<Chosen, Failure> {
        // Damaged files would be fetched again.
        let offline = self.offline || *self.weights == StartWeights::Offline;
        // Without a folder for a cache, nothing is kept and nothing fetched.
        let (store, mut among) = match store(offline) {
            Ok(store) => {
                let among = candidates(self.weights, self.network, &store)?;
                (Some(store), among)
            }
            Err(error) if matches!(self.weights, StartWeights::Of(_)) => return Err(error),
            Err(_) => (None, Vec::new()),
        };
        if let Some(asked) = among.iter().find(|weights| weights.origin == Origin::Asked) {
            self.check(asked)?;
        }
        if among.is_empty() {
            self.name_the_missed(store.as_ref());
        }
        loop {
            let mut chosen = choose(among.clone())?;
            let Some(weights) = chosen.pretrained.clone() else { return Ok(chosen) };
            match self.file(&weights, store.as_ref()) {
                Ok(file) => {
                    chosen.config.init = Some(std::path::absolute(&file).unwrap_or(file));
                    return Ok(chosen);
                }
                Err(error) if weights.origin == Origin::Asked => return Err(error),
                Err(error) => {
                    note!(
                        "note: {} cannot be had, so that the training starts without: {error}",
                        weights.weights
                    );
                    // One failed download is enough to wait for.
                    among.retain(|other| *other != weights && other.origin == Origin::Here);
                }
            }
        }
    }

    /// The name and the file of an encoder that is small enough to learn along: the one that was asked for, one that is here, or one
    /// that is fetched. None where there is none, or it cannot be fetched.
    pub fn smallest(&self) -> Result<Option<(&'static str, PathBuf)>, Failure> {
        /// Encoders that are fast on processors, the fastest first.
        const FAST: [&str; 5] = [
            "efficientnet-lite0",
            "efficientnet-lite1",
            "mobilenetv3-large",
            "efficientnet-lite2",
            "resnet18",
        ];
        let offline = self.offline || *self.weights == StartWeights::Offline;
        let (store, among) = match store(offline) {
            Ok(store) => {
                let among = candidates(self.weights, self.network, &store)?;
                (Some(store), among)
            }
            Err(error) if matches!(self.weights, StartWeights::Of(_)) => return Err(error),
            Err(_) => (None, Vec::new()),
        };
        let of = |origin: Origin, name: &str| {
            among.iter().find(|weights| weights.origin == origin && weights.encoder == name)
        };
        let asked = among.iter().find(|weights| weights.origin == Origin::Asked);
        let here = FAST.iter().find_map(|name| of(Origin::Here, name));
        let fetched = FAST.iter().find_map(|name| of(Origin::Fetched, name));
        let Some(weights) = asked.or(here).or(fetched) else { return Ok(None) };
        match self.file(weights, store.as_ref()) {
            Ok(file) => Ok(Some((weights.encoder, file))),
            Err(error) if weights.origin == Origin::Asked => Err(error),
            Err(error) => {
                note!(
                    "note: {} cannot be had, so that nothing is known beforehand: {error}",
                    weights.weights
                );
                Ok(None)
            }
        }
    }

    /// Refuses weights of another encoder than the network's, and those that do not fit its width.
    fn check(&self, asked: &Pretrained) -> Result<(), Failure> {
        let Pretrained { encoder, weights, .. } = asked;
        if let Some(network) = self.network
            && asked.network(Some(network)).is_none()
        {
            return Err(Failure::input(format!(
                "--weights {weights}: these are of the encoder {encoder}, which `{network}` does not stand on; leave --model \
                 out, or give a network on {encoder}"
            )));
        }
        if !self.published {
            return Err(Failure::input(format!(
                "--weights {weights}: these fit the encoder's published width only; leave --width out"
            )));
        }
        Ok(())
    }

    /// The file of weights; a download is announced.
    fn file(&self, weights: &Pretrained, store: Option<&Store>) -> Result<PathBuf, Failure> {
        let is_file = weights.origin == Origin::Asked && Path::new(&weights.weights).is_file();
        let (entry, store) = match (entry_named(weights), store) {
            (Some(entry), Some(store)) if !is_file => (entry, store),
            _ => return Ok(weights.weights.clone().into()),
        };
        if !store.is_offline() && !store.path(entry).is_file() {
            // Said whatever is kept quiet: nobody asked for a download.
            note!(
                "fetching {}: {} MB from {}, licence {}; it is kept for the next training (--weights none starts without)",
                entry.name,
                entry.megabytes,
                store.url(entry),
                entry.licence
            );
        }
        fetch(store, entry, self.quiet)
    }

    /// Names the pretrained weights that are missed, where there might have been some.
    fn name_the_missed(&self, store: Option<&Store>) {
        let wanted = matches!(self.weights, StartWeights::Auto | StartWeights::Offline);
        let free = self.network.is_none() && self.published;
        let Some(entry) = missed().filter(|_| wanted && free && store.is_some() && !self.quiet) else {
            return;
        };
        say!(
            "starts from random weights: no pretrained encoder is on this machine, and downloads are not allowed. From weights \
             that know ImageNet, a network learns more from the same images in the same time; `dapple weights get {}` fetches \
             them ({} MB, licence {})",
            entry.name,
            entry.megabytes,
            entry.licence
        );
    }
}
