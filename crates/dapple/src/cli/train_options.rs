//! Settings of how a training goes: averages, accumulation, encoders, time.

use std::path::PathBuf;

use clap::Args;
use dapple::graph::LossKind;
use dapple::train::auto::Profile;
use dapple::train::{SmallImages, TrainConfig};
use dapple_base::TimeSpan;

use super::common::values::at_least_one;
use super::failure::Failure;

/// Settings that stand above those of a recipe or a file.
#[derive(Debug, Args)]
#[group(id = "TrainOptions", multiple = true)]
#[command(next_help_heading = "Course of the training")]
pub struct TrainOptions {
    /// How much time --recipe auto plans for: fast (minutes), balanced (an hour), best (hours) [default: balanced]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub profile: Option<Profile>,
    /// Train for this long instead of a number of epochs: 30m, 1h 30m …
    #[arg(long, value_name = "SPAN", conflicts_with = "epochs")]
    pub time_budget: Option<TimeSpan>,
    /// Begin with small images, two thirds as high and wide, which take less than half of the time: for this share of the
    /// training, 0.5 for instance; 0 for none
    #[arg(long, value_name = "SHARE")]
    pub small_images: Option<f64>,
    /// Measure after every so many epochs, and after the first and the last [default: 1; with --recipe auto, so that it
    /// takes about a tenth of the time]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub evaluate_every: Option<usize>,
    /// End after this many epochs without a better one
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub patience: Option<usize>,
    /// Average the gradients of this many batches for a step
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub accumulate: Option<usize>,
    /// Decay of a moving average of the weights, 0.999 for instance; 0 for none
    #[arg(long, value_name = "DECAY")]
    pub ema: Option<f64>,
    /// Cross-entropy: share of the truth that is spread over all classes, 0.1 for instance
    #[arg(long, value_name = "SHARE")]
    pub label_smoothing: Option<f32>,
    /// Deep supervision: a factor of the loss for each output of the network, separated by commas
    #[arg(long, value_name = "FACTORS", value_delimiter = ',')]
    pub output_weights: Option<Vec<f32>>,
    /// Factor of the encoder's learning rate, 0.1 for instance
    #[arg(long, value_name = "X")]
    pub encoder_rate: Option<f64>,
    /// Train with this many seeds, from --seed upwards, into RUN/seed-0 and so on; prints mean and deviation
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub seeds: Option<usize>,
    /// Train nothing: try 100 rising learning rates on the first batches, draw the losses, and suggest a rate
    #[arg(long, value_name = "PNG", num_args = 0..=1, default_missing_value = "learning-rates.png")]
    pub find_lr: Option<PathBuf>,
    /// Epochs in which the encoder does not learn; then a quarter of it more with each epoch, the deepest first
    #[arg(long, value_name = "N")]
    pub freeze_encoder: Option<usize>,
}

impl TrainOptions {
    /// Lets the flags that were given stand above the settings.
    pub fn apply(&self, config: &mut TrainConfig) -> Result<(), Failure> {
        config.time_budget = self.time_budget.or(config.time_budget);
        config.evaluation.every = self.evaluate_every.unwrap_or(config.evaluation.every);
        if let Some(share) = self.small_images {
            config.small_images = (share != 0.0).then(|| SmallImages::for_share(share));
        }
        config.patience = self.patience.or(config.patience);
        config.accumulate = self.accumulate.unwrap_or(config.accumulate);
        if let Some(decay) = self.ema {
            config.ema_decay = (decay != 0.0).then_some(decay);
        }
        config.encoder_rate = self.encoder_rate.or(config.encoder_rate);
        config.freeze_encoder = self.freeze_encoder.or(config.freeze_encoder);
        if let Some(smoothing) = self.label_smoothing {
            let is_smoothed = |kind| kind == LossKind::CrossEntropy;
            let mut terms = config.loss.terms.iter_mut().filter(|term| is_smoothed(term.kind)).peekable();
            if terms.peek().is_none() {
                return Err(Failure::input(
                    "--label-smoothing is for cross-entropy; give --loss ce or ce+dice too",
                ));
            }
            terms.for_each(|term| term.smoothing = Some(smoothing));
        }
        if let Some(weights) = &self.output_weights {
            config.loss.output_weights.clone_from(weights);
        }
        Ok(())
    }
}
