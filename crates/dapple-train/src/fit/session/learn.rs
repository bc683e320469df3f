//! One step of the optimizer, and the diagnosis of NaN and infinite values.

use dapple_data::Batch;
use dapple_graph::{DropoutState, Inference, Shape, Tensor};

use super::Session;
use crate::error::{NotFinite, TrainError};

/// A loss this many times as large as the first one (or than 1, where that was less) has exploded: the weights are
/// beyond repair although they are still finite.
const EXPLODED: f64 = 1e4;

/// Names of images, and the place of the first unusable value in what the network makes of them.
type Found = (Vec<String>, Option<String>);

/// A batch that was run, to be run again for a diagnosis.
pub(super) struct Run {
    pub images: Tensor,
    pub labels: Vec<u8>,
    indices: Vec<usize>,
    /// The state of dropout before it.
    dropout: DropoutState,
}

impl Session<'_> {
    /// One step with the mean of the batches' gradients. Batch norms take the statistics of each batch by itself, as
    /// they do without accumulation.
    pub(super) fn learn(&mut self, group: Vec<Batch>) -> Result<(), TrainError> {
        let scale = 1.0 / group.len() as f32;
        let mut runs = Vec::with_capacity(group.len());
        let mut losses = 0.0;
        for batch in group {
            let run = Run {
                images: Tensor::new(Shape::new(batch.n, batch.h, batch.w, batch.c), batch.images),
                labels: batch.labels,
                indices: batch.indices,
                dropout: self.executor.dropout_state(),
            };
            let loss = self.accumulate(&run, scale)?;
            self.position.batches_done += 1;
            let first = *self.position.first_loss.get_or_insert(loss);
            runs.push(run);
            if !loss.is_finite() || loss.abs() > EXPLODED * first.abs().max(1.0) {
                let last = runs.split_off(runs.len() - 1);
                return Err(self.diagnosed("loss", loss, last));
            }
            losses += loss;
            self.learn_unlabelled(scale)?;
        }
        self.sum_gradient()?;
        let rate = self.next_rate() as f32;
        let norm = f64::from(self.executor.step(rate, self.setup.config.clip_norm)?);
        if !norm.is_finite() {
            return Err(self.diagnosed("gradient", norm, runs));
        }
        self.position.steps += 1;
        self.position.loss_sum += losses;
        self.position.gradient_norm_sum += norm;
        if let Some(decay) = self.setup.config.ema_decay {
            self.executor.update_average(warmed_up(decay, self.position.steps));
        }
        Ok(())
    }

    /// Adds the gradient of the batch without labels that belongs to the last one with labels; nothing before the first step, when
    /// there is no average, and where the average is sure of nothing.
    fn learn_unlabelled(&mut self, scale: f32) -> Result<(), TrainError> {
        let share = self.share_done();
        let (Some(unlabelled), Some(settings)) = (&mut self.unlabelled, &self.setup.config.unlabelled) else {
            return Ok(());
        };
        let factor = settings.factor(share);
        if self.position.steps == 0 || factor == 0.0 {
            return Ok(());
        }
        let per_epoch = self.loader.batches_per_epoch();
        let number = (self.position.epochs_done * per_epoch + self.position.batches_done - 1) as u64;
        let [plain, strong] = unlabelled.batch(number, self.position.small)?;
        // Both show the same places.
        let shape = Shape::new(plain.n, plain.h, plain.w, plain.c);
        self.executor.swap_ema();
        let seen = self.executor.infer(&Tensor::new(shape, plain.images), Inference::Predict);
        self.executor.swap_ema();
        let (labels, sure) = unlabelled.sure_labels(&seen?.swap_remove(0), &plain.labels, settings.threshold);
        if sure > 0.0 {
            let scale = scale * factor * sure as f32;
            self.executor.accumulate(&Tensor::new(shape, strong.images), &labels, &unlabelled.loss, scale)?;
        }
        Ok(())
    }

    /// Finds the layer at fault by running the batches again with the same weights.
    fn diagnosed(&mut self, what: &'static str, value: f64, runs: Vec<Run>) -> TrainError {
        // Each rank looks at its own images; they may find it at different layers.
        self.executor.join(None);
        let own = self.fault_of(runs);
        let own = serde_json::to_vec(&own).expect("names are text");
        let all = match self.ranks.gather(&own) {
            Ok(all) => all,
            Err(error) => return error.into(),
        };
        let mut found: Vec<Found> =
            all.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
        match found.iter().position(|(_, place)| place.is_some()) {
            Some(first) => {
                let (names, place) = found.swap_remove(first);
                self.not_finite(what, value, names, place)
            }
            None => {
                self.not_finite(what, value, found.into_iter().flat_map(|(names, _)| names).collect(), None)
            }
        }
    }

    /// The first batch with a fault, with its place; else all of them.
    fn fault_of(&mut self, runs: Vec<Run>) -> Found {
        let mut names = Vec::new();
        for run in runs {
            self.executor.set_dropout_state(run.dropout);
            let name = |&sample: &usize| self.setup.dataset.name(sample).to_owned();
            let own: Vec<String> = run.indices.iter().map(name).collect();
            // An engine that fails here has nothing to add to the diagnosis.
            if let Ok(Some(fault)) = self.executor.find_fault(&run.images, &run.labels, &self.loss) {
                return (own, Some(fault.to_string()));
            }
            names.extend(own);
        }
        (names, None)
    }

    pub(super) fn not_finite(
        &self,
        what: &'static str,
        value: f64,
        names: Vec<String>,
        place: Option<String>,
    ) -> TrainError {
        let files = &self.files;
        let exists = |path: std::path::PathBuf| path.exists().then_some(path);
        // Without a step since, the weights of the checkpoint are those that overflow.
        let (last, cause) = match self.resumed_at == Some(self.position.steps) {
            true => (None, exists(files.last())),
            false => (exists(files.last()), None),
        };
        TrainError::NotFinite(Box::new(NotFinite {
            what,
            value,
            epoch: self.position.epochs_done + 1,
            batch: self.position.batches_done,
            names,
            place,
            last,
            cause,
            best: exists(files.best()),
        }))
    }
}

/// The decay after a number of steps: averages begin short and soon forget the first weights.
fn warmed_up(decay: f64, steps: u64) -> f32 {
    let steps = steps as f64;
    decay.min((1.0 + steps) / (10.0 + steps)) as f32
}
