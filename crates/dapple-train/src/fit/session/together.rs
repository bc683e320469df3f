//! What the ranks of a training do together: one batch, one gradient, one decision.
//!
//! Each rank has the same weights and takes the same steps; rank 0 alone writes. Whatever depends on a clock, a signal or a
//! file is decided by rank 0, or by all where one asks, so that all ranks stay at the same place.

use dapple_base::RanksError;
use dapple_graph::{DropoutState, Joint};

use super::Session;
use super::learn::Run;
use super::part::Part;
use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

impl Session<'_> {
    /// Tells the engine of the other ranks.
    pub(super) fn join(&mut self) -> Result<(), TrainError> {
        let (rank, size) = (self.ranks.rank(), self.ranks.size());
        if size == 1 {
            return Ok(());
        }
        self.check_same_beginning()?;
        let first = dapple_base::share(self.batch, rank, size).start;
        let norms = self.setup.config.sync_norms.unwrap_or(true);
        let joint = Joint { ranks: self.ranks.clone(), norms, images: self.batch, first };
        if self.executor.join(Some(joint.clone())) {
            self.part = Part::Joint(joint);
            return Ok(());
        }
        let refused = |what: &str| TrainError::Config(format!("{what}; --device cpu can do it"));
        if self.setup.config.sync_norms == Some(true) {
            return Err(refused(
                "this engine cannot take the statistics of batch norms over several processes",
            ));
        }
        if self.loss.divisor(&[], self.setup.config.network.logits()).is_none() {
            return Err(refused(
                "this loss is taken over the whole batch, which this engine cannot see from several processes: leave its \
                 terms but cross-entropy, binary cross-entropy or focal loss out",
            ));
        }
        self.part = Part::Weighed;
        let passes = self.executor.dropout_state().passes;
        // Ranks that drew alike would drop the same values of different images.
        let seed = self.setup.config.seed.wrapping_add((rank as u64) << 32);
        self.executor.set_dropout_state(DropoutState { seed, passes });
        Ok(())
    }

    /// Refuses ranks with other settings, data or weights than rank 0.
    fn check_same_beginning(&self) -> Result<(), TrainError> {
        // The reasons for settings are rank 0's alone.
        let config = TrainConfig { reasons: Vec::new(), ..self.setup.config.clone() }.to_toml();
        let parts = &self.setup.parts;
        let names = parts.train.iter().chain(&parts.val).map(|&sample| self.setup.dataset.name(sample));
        let names: Vec<&str> = names.collect();
        self.check_same(
            config.as_bytes(),
            "settings (machines of other kinds get other choices: give --config)",
        )?;
        self.check_same(
            names.join("\n").as_bytes(),
            "samples (all hosts need the same data at the same place)",
        )?;
        let position = &self.position;
        let position = format!("{} {} {}", position.epochs_done, position.batches_done, position.steps);
        self.check_same(
            position.as_bytes(),
            "epochs behind it (a run that is resumed must lie on a disk that all hosts share)",
        )?;
        self.check_same_weights()
    }

    fn check_same_weights(&self) -> Result<(), TrainError> {
        let values: Vec<u8> = self.executor.state().values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.check_same(
            &values,
            "weights (processors of other kinds round otherwise: set DAPPLE_SIMD to a level that all hosts have)",
        )
    }

    fn check_same(&self, bytes: &[u8], what: &str) -> Result<(), TrainError> {
        let own = crc32fast::hash(bytes).to_le_bytes();
        let all = self.ranks.gather(&own)?;
        match all.iter().position(|other| *other != all[0]) {
            None => Ok(()),
            Some(rank) => Err(RanksError(format!("rank {rank} has other {what} than rank 0")).into()),
        }
    }

    /// Whether any rank was asked to stop.
    pub(super) fn is_stopped(&self) -> Result<bool, TrainError> {
        let mut asked = [f64::from(self.stop.is_raised())];
        self.ranks.sum_f64(&mut asked)?;
        Ok(asked[0] > 0.0)
    }

    /// The loss of the whole batch, of which `run` is this rank's part; its gradient is added.
    pub(super) fn accumulate(&mut self, run: &Run, scale: f32) -> Result<f64, TrainError> {
        let Part::Weighed = self.part else {
            return Ok(self.executor.accumulate(&run.images, &run.labels, &self.loss, scale)?);
        };
        let own = self.loss.divisor(&run.labels, self.setup.config.network.logits()).unwrap_or_default();
        let mut whole = [own];
        self.ranks.sum_f64(&mut whole)?;
        let share = if whole[0] == 0.0 { 0.0 } else { own / whole[0] };
        let loss = self.executor.accumulate(&run.images, &run.labels, &self.loss, scale * share as f32)?;
        let mut sum = [share * loss];
        self.ranks.sum_f64(&mut sum)?;
        Ok(sum[0])
    }

    /// Replaces the gradient by its sum over the ranks, in one flat buffer.
    pub(super) fn sum_gradient(&mut self) -> Result<(), TrainError> {
        if self.ranks.size() == 1 {
            return Ok(());
        }
        Ok(self.executor.sum_gradients(self.ranks.as_ref())?)
    }

    /// Makes one network of the ranks': running statistics that each took of its own images are averaged, and so are those in
    /// the moving average; weights must be the same already.
    pub(super) fn settle(&mut self) -> Result<(), TrainError> {
        if self.ranks.size() == 1 {
            return Ok(());
        }
        let joint = matches!(&self.part, Part::Joint(joint) if joint.norms);
        if !joint {
            let mut state = self.executor.state();
            self.average(&mut state.statistics)?;
            self.executor.set_state(&state)?;
            if let Some(mut average) = self.executor.average() {
                self.average(&mut average.statistics)?;
                self.executor.set_average(&average)?;
            }
        }
        self.check_same_weights()
    }

    fn average(&self, values: &mut [f32]) -> Result<(), TrainError> {
        self.ranks.sum_f32(values)?;
        let size = self.ranks.size() as f32;
        values.iter_mut().for_each(|value| *value /= size);
        Ok(())
    }
}
