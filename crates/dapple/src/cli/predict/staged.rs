//! Images and results in object storage: what a command needs is brought to a temporary folder, and its results are taken back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dapple::data::has_image_extension;
use dapple::predict::inputs::Input;
use dapple::predict::results::RECORD;
use dapple::predict::video::is_video;
use dapple_base::{Shard, WriteError};
use dapple_cloud::{Cloud, CloudSettings, Found, Location, Mirror};
use tempfile::TempDir;

use super::named::Named;
use super::result_file::is_file_name;
use crate::cli::common::remote::address;
use crate::cli::failure::Failure;

/// The temporary folder of a command, which ends with it.
pub struct Stage {
    folder: TempDir,
    cloud: Cloud,
    results: Option<Mirror>,
}

impl Stage {
    /// Whether there is an address among the images or it is where the results go.
    pub fn is_needed(named: &Named) -> bool {
        let inputs = named.listed.inputs.iter().map(|input| &input.path).chain(&named.listed.videos);
        named.images.iter().chain(inputs).chain([&named.out]).any(|path| address(path).is_some())
    }

    /// Brings the share's images, and its earlier results if those are at an address too, and puts their local paths in place of the
    /// addresses. Images of other shares are named and not brought.
    pub fn open(named: &mut Named, shard: Option<Shard>, quiet: bool) -> Result<Self, Failure> {
        let folder = TempDir::with_prefix("dapple-").map_err(|source| {
            Failure::other(format!(
                "no temporary folder can be made: {source}; TMPDIR names another disk for it"
            ))
        })?;
        let cloud = Cloud::new(CloudSettings::default())?;
        let mut stage = Self { folder, cloud, results: None };
        let mut wanted: Vec<(Found, PathBuf)> = Vec::new();
        let (remote, local): (Vec<PathBuf>, Vec<PathBuf>) =
            named.images.drain(..).partition(|path| address(path).is_some());
        named.images = local;
        for (number, path) in remote.iter().enumerate() {
            let inputs = stage.objects(path, &format!("images-{number}"), &mut wanted)?;
            named.listed.inputs.extend(inputs);
        }
        if let Some(video) = named.listed.videos.iter().find_map(|path| address(path)) {
            return Err(Failure::input(format!(
                "{video}: videos are not read from addresses; copy it first"
            )));
        }
        for (number, input) in named.listed.inputs.iter_mut().enumerate() {
            // The rows of a manifest have names of their own.
            let Some(text) = address(&input.path) else { continue };
            let location: Location = text.parse()?;
            let file = location.below(location.key()).to_owned();
            let is_held = shard.is_none_or(|shard| shard.holds(&input.key()));
            input.path = stage.path(&format!("rows/{number}/{file}"));
            if !is_held {
                continue;
            }
            let found = stage.cloud.list(&location)?;
            let [found] = <[Found; 1]>::try_from(found).map_err(|_| {
                Failure::input(format!("{location}: a folder, where a manifest names an image in each row"))
            })?;
            wanted.push((found, input.path.clone()));
        }
        let held = |input: &&Input| shard.is_none_or(|shard| shard.holds(&input.key()));
        let share: BTreeSet<&Path> =
            named.listed.inputs.iter().filter(held).map(|input| input.path.as_path()).collect();
        wanted.retain(|(_, path)| share.contains(path.as_path()));
        if !quiet && !wanted.is_empty() {
            let bytes: u64 = wanted.iter().map(|(found, _)| found.bytes).sum();
            note!(
                "note: bringing {} images, {:.1} MiB, to {}",
                wanted.len(),
                bytes as f64 / 1_048_576.0,
                stage.folder.path().display()
            );
        }
        for (_, path) in &wanted {
            let parent = path.parent().unwrap_or(path);
            fs::create_dir_all(parent).map_err(|source| WriteError::new(parent, source))?;
        }
        stage.cloud.download(&wanted).into_iter().collect::<Result<(), _>>()?;
        if let Some(text) = address(&named.out) {
            let location: Location = text.parse()?;
            let is_file = is_file_name(Path::new(location.key()));
            if location.scheme().is_web() || location.is_pattern() || is_file {
                return Err(Failure::input(format!(
                    "--out {location}: give a folder at s3://, gs:// or az://"
                )));
            }
            let keys: BTreeSet<String> = named.listed.inputs.iter().filter(held).map(Input::key).collect();
            let suffix = shard.map(Shard::suffix).unwrap_or_default();
            let folder = stage.path("results");
            // The names of results of this machine's folders are not known yet.
            let is_all = shard.is_none() || !named.images.is_empty();
            let is_own = |key: &str| is_all || is_of(key, &keys, &suffix);
            stage.results = Some(Mirror::open(&stage.cloud, &location, &folder, &is_own)?);
            named.out = folder;
        }
        Ok(stage)
    }

    /// The images of an address, each with its file below a folder of the stage.
    fn objects(
        &self,
        path: &Path,
        folder: &str,
        wanted: &mut Vec<(Found, PathBuf)>,
    ) -> Result<Vec<Input>, Failure> {
        let location: Location = path.to_string_lossy().parse()?;
        let found = self.cloud.list(&location)?;
        let is_itself = found.len() == 1 && found[0].location.key() == location.key();
        let mut inputs = Vec::new();
        for found in found {
            let below = location.below(found.location.key()).to_owned();
            let file = Path::new(&below);
            // Of a folder, the images; a pattern and a name say what they mean.
            if !(is_itself || location.is_pattern() || has_image_extension(file)) {
                continue;
            }
            if is_video(file) {
                let video = &found.location;
                return Err(Failure::input(format!(
                    "{video}: videos are not read from addresses; copy it first"
                )));
            }
            let path = self.path(folder).join(file);
            inputs.push(Input { path: path.clone(), name: file.with_extension(""), result: None });
            wanted.push((found, path));
        }
        if inputs.is_empty() {
            return Err(Failure::input(format!("{location}: no images in this folder")));
        }
        Ok(inputs)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Takes new and changed results back: the record first, which knows them as dapple's, and last what says that they are complete.
    pub fn deliver(mut self, out: &Path, quiet: bool) -> Result<(), Failure> {
        let Some(mut results) = self.results.take() else { return Ok(()) };
        let written = results.deliver(&self.cloud, &|key| match key {
            _ if key.starts_with(RECORD) => 0,
            _ if key.starts_with("shard-") => 2,
            _ => 1,
        })?;
        if !quiet {
            say!("{written} files taken to {}", out.display());
        }
        Ok(())
    }
}

/// Whether a result belongs to a share: to one of its images, by the name that it begins with, to the share itself, or to a record.
fn is_of(key: &str, images: &BTreeSet<String>, suffix: &str) -> bool {
    let ends = key.char_indices().filter(|(_, c)| matches!(c, '.' | '-')).map(|(place, _)| place);
    let stem = key.rsplit_once('.').map_or(key, |(stem, _)| stem);
    key.starts_with(RECORD)
        || stem.ends_with(suffix)
        || ends.into_iter().any(|end| images.contains(&key[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_belong_to_the_share_of_their_image() {
        let images: BTreeSet<String> = ["a/photo", "b.v1"].map(str::to_owned).into();
        for (key, holds) in [
            ("a/photo.png", true),
            ("a/photo-overlay.png", true),
            ("a/photo-areas.csv", true),
            ("b.v1.png.aux.xml", true),
            ("a/photograph.png", false),
            ("photo.png", false),
            (".dapple-results-1-of-2", true),
            ("areas-2-of-2.csv", true),
            ("shard-2-of-2.json", true),
            ("areas-1-of-2.csv", false),
        ] {
            assert_eq!(is_of(key, &images, "-2-of-2"), holds, "{key}");
        }
    }
}
