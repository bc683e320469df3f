//! The settings of a training: everything that is needed to repeat it, as it stands in a run's `config.toml`.

use std::path::{Path, PathBuf};

use dapple_base::write_atomic;
use dapple_data::{
    Augment, CacheSettings, ClassStatistics, Dataset, Fold, Format, InputSettings, LabelCoding, Split,
    SplitSettings,
};
use dapple_graph::{Loss, LossTerm, Optimizer, Precision};
use dapple_nets::NetConfig;
use serde::{Deserialize, Serialize};

mod comments;
pub(crate) mod defaults;
pub(crate) mod schedule;
pub(crate) mod small_images;

use crate::{Schedule, SmallImages, TrainError};
use comments::with_comments;
use dapple_base::with_suggestion;
use dapple_base::{ByteSize, TimeSpan};

/// All settings of a training.
///
/// Unknown keys are errors. The comments of the file that [`TrainConfig::to_toml`] writes say what each key means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The recipe that the settings began with; for the reader, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Why some settings are what they are, key and reason: comments of the file, without effect.
    #[serde(skip)]
    pub reasons: Vec<(String, String)>,
    /// Seed of initial values, order of the images and augmentation.
    pub seed: u64,
    /// Passes over the training images, at least 1.
    pub epochs: usize,
    /// Images in a batch, at least 1; all training images where there are fewer. Images left over at the end of an
    /// epoch wait for the next one.
    pub batch: usize,
    /// Learning rate before the schedule, above 0.
    pub learning_rate: f64,
    /// Longest gradient (Euclidean norm over all parameters); a longer one is scaled down. Not limited if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f32>,
    /// Batches whose gradients are averaged for a step, at least 1; fewer at the end of an epoch. Batch norms still take
    /// the statistics of each batch by itself.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Decay of the moving average of the weights, 0 to below 1, which grows from 0.2 to this over the first steps
    /// (`(1 + step) / (10 + step)`). The average is scored beside the weights, and the best model is the better of the
    /// two. No average if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// End after this many epochs without a better one. Never, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// Train for a span of time, `"30m"` for instance, instead of `epochs`: the learning rate's course follows the clock
    /// (see [`Pace`](crate::Pace)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_budget: Option<TimeSpan>,
    /// Factor of the encoder's learning rate, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder_rate: Option<f64>,
    /// Epochs in which the encoder does not learn; after them a quarter of it more with each epoch, the deepest layers
    /// first. Its batch norms still take the statistics of the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_encoder: Option<usize>,
    /// Engine, as `--device` takes it.
    pub device: String,
    /// What convolutions and attention are computed in; the engine on the processor has fp32 only.
    #[serde(default, skip_serializing_if = "is_single")]
    pub precision: Precision,
    /// Threads of the engine; all cores if left out. Without effect on the results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Memory for maps, parameters and the optimiser, as `"2GiB"`; what does not fit is computed again, which takes
    /// longer. No limit if left out. Without effect on the results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<ByteSize>,
    /// Weights to start from: a safetensors file of this network or of its encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// The network.
    pub network: NetConfig,
    /// Where the data are and how they are divided.
    pub data: DataConfig,
    /// What the network sees of an image.
    pub input: InputSettings,
    /// Random changes of training images.
    pub augment: Augment,
    /// What is minimised.
    pub loss: LossConfig,
    /// The update rule.
    pub optimizer: Optimizer,
    /// The learning rate's course.
    pub schedule: Schedule,
    /// Begin with small images. All of them at the input's size if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_images: Option<SmallImages>,
    /// What is measured after an epoch.
    pub evaluation: EvaluationConfig,
    /// When the state is saved.
    pub checkpoint: CheckpointConfig,
}

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(value: &usize) -> bool {
    *value == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_single(precision: &Precision) -> bool {
    *precision == Precision::Fp32
}

/// Where the data are and how they are divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The folder of images and masks.
    pub dir: PathBuf,
    /// The format of the folder, found from its files if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Label of pixels that count neither in the loss nor in the scores. None if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<u8>,
    /// What the values of the mask files mean; found from the masks if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<LabelCoding>,
    /// Share of the images for training, where the data set has no parts of its own.
    pub train_fraction: f64,
    /// Seed of the division.
    pub split_seed: u64,
    /// A division made before, a `split.json`; it stands above all that says how to divide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<PathBuf>,
    /// Give training and validation their share of the images of each class.
    #[serde(default)]
    pub stratified: bool,
    /// Regular expression on the names; images with the same first group (or match) stay together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Divide into this many folds and validate with the fold `fold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// The fold to validate with, from 0.
    #[serde(default)]
    pub fold: usize,
    /// Leave bad pairs out with a warning instead of stopping.
    pub skip_bad: bool,
    /// Background threads that decode images. Without effect on the results.
    pub threads: usize,
    /// Where decoded images are kept. Without effect on the results.
    #[serde(default)]
    pub cache: CachePlace,
    /// Memory for decoded images in MiB. Without effect on the results.
    pub cache_mib: usize,
}

/// Where decoded images are kept over the epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CachePlace {
    /// Nowhere: they are decoded each time.
    None,
    /// In memory, up to [`DataConfig::cache_mib`].
    #[default]
    Ram,
    /// In a temporary file.
    Disk,
}

impl CachePlace {
    /// What one of the loaders is told, which may have one of `shares` parts of the memory.
    pub(crate) fn settings(self, mib: usize, shares: usize) -> CacheSettings {
        match self {
            Self::None => CacheSettings::None,
            Self::Ram => CacheSettings::Ram { bytes: (mib << 20) / shares },
            Self::Disk => CacheSettings::Disk,
        }
    }
}

/// What is minimised: the sum of the terms, taken for every output of the network and summed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Weights of the classes.
    pub class_weights: ClassWeights,
    /// A factor for each output of the network, 1 where the list ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_weights: Vec<f32>,
    /// The addends.
    pub terms: Vec<LossTerm>,
}

/// Weights of the classes in the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All alike.
    None,
    /// Median frequency over frequency, from the training masks (Eigen and Fergus 2015, section 4.3).
    MedianFrequency,
    /// One number a class.
    #[serde(untagged)]
    Given(Vec<f32>),
}

/// What is measured after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Epochs from one measurement to the next, at least 1; the first and the last epoch are always measured.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub every: usize,
    /// How many training images are scored, unchanged, for the training curves: a fixed choice, spread evenly. As many
    /// as there are validation images if left out, none if 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// How many validation images are drawn, a fixed choice, spread evenly.
    pub pictures: usize,
}

/// When the state is saved besides the end of each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointConfig {
    /// After this many minutes within an epoch.
    pub minutes: f64,
    /// After this many batches within an epoch. By time only if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<usize>,
}

impl DataConfig {
    /// Divides the data.
    ///
    /// # Errors
    /// [`TrainError::Data`] for a share, fold or regular expression that cannot be, and for a file that is no division of
    /// these data.
    pub fn divide(&self, dataset: &Dataset) -> Result<Split, TrainError> {
        if let Some(path) = &self.split {
            let split = Split::load(path)?;
            split.indices(dataset)?;
            return Ok(split);
        }
        let settings = SplitSettings {
            stratified: self.stratified,
            group: self.group.clone(),
            fold: self.folds.map(|count| Fold { index: self.fold, count }),
            ..SplitSettings::new(self.split_seed, self.train_fraction)
        };
        Ok(Split::with(dataset, &settings)?)
    }
}

impl LossConfig {
    /// The terms with factor 1 each and no class weights.
    pub fn sum_of(kinds: &[dapple_graph::LossKind]) -> Self {
        let terms = kinds.iter().map(|&kind| LossTerm::new(kind, 1.0)).collect();
        Self { class_weights: ClassWeights::None, output_weights: Vec::new(), terms }
    }

    /// The loss with the class weights in numbers; `statistics` are those of the training masks.
    pub fn resolve(&self, ignore: Option<u8>, statistics: &ClassStatistics) -> Loss {
        let class_weights = match &self.class_weights {
            ClassWeights::None => None,
            ClassWeights::MedianFrequency => Some(statistics.median_frequency_weights()),
            ClassWeights::Given(weights) => Some(weights.clone()),
        };
        Loss { terms: self.terms.clone(), ignore, class_weights, output_weights: self.output_weights.clone() }
    }
}

impl TrainConfig {
    /// Reads and checks a `config.toml`.
    ///
    /// # Errors
    /// [`TrainError::Read`]; [`TrainError::BadRunFile`] for what cannot be parsed, with the nearest key for an unknown
    /// one; those of [`TrainConfig::check`].
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TrainError::Read { path: path.to_owned(), source })?;
        let config = Self::from_toml(&text)
            .map_err(|problem| TrainError::BadRunFile { path: path.to_owned(), problem })?;
        config.check()?;
        Ok(config)
    }

    /// Parses TOML; the error is a message with the place and, for an unknown key, the nearest one.
    ///
    /// # Errors
    /// A message for the reader.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| with_suggestion(e.to_string()))
    }

    /// The settings as TOML with a comment at every key.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string(self).expect("settings are numbers, words, lists and tables of these");
        with_comments(&text, &self.reasons)
    }

    /// Writes [`TrainConfig::to_toml`].
    ///
    /// # Errors
    /// [`TrainError::Data`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        Ok(write_atomic(path, self.to_toml().as_bytes())?)
    }

    /// Checks every setting that is not checked by those who use it.
    ///
    /// # Errors
    /// [`TrainError::Config`], [`TrainError::Network`], [`TrainError::Data`] with what is wrong and what is allowed.
    pub fn check(&self) -> Result<(), TrainError> {
        self.network.check()?;
        self.input.validate()?;
        self.augment.validate(&self.input)?;
        let weights_fit = match &self.loss.class_weights {
            ClassWeights::Given(weights) => {
                weights.len() == self.network.classes && weights.iter().all(|w| w.is_finite() && *w >= 0.0)
            }
            _ => true,
        };
        let share = |value: f64| (0.0..1.0).contains(&value);
        let softmax_only = |term: &LossTerm| term.kind == dapple_graph::LossKind::CrossEntropy;
        let problem = if self.epochs == 0 || self.batch == 0 {
            Some("epochs and batch must be at least 1".to_owned())
        } else if !self.batch_fits() {
            let (batch, height, width) = (self.batch, self.input.height, self.input.width);
            Some(format!("{batch} images of {height} x {width} are too large a batch; give a smaller one"))
        } else if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            Some(format!(
                "the learning rate is {}; give a number above 0, 0.001 for instance",
                self.learning_rate
            ))
        } else if self.clip_norm.is_some_and(|norm| norm.is_nan() || norm <= 0.0) {
            Some("clip_norm must be above 0; leave it out to have no limit".to_owned())
        } else if self.accumulate == 0 || self.patience == Some(0) {
            Some("accumulate and patience must be at least 1".to_owned())
        } else if self.evaluation.every == 0 {
            Some("evaluation.every must be at least 1".to_owned())
        } else if self.ema_decay.is_some_and(|decay| !share(decay)) {
            Some("ema_decay must be a number from 0 to below 1, 0.999 for instance".to_owned())
        } else if let Some(problem) = self.small_images.and_then(|small| small.problem()) {
            Some(problem)
        } else if self.small_images.is_some() && self.augment.crop.is_some() {
            Some("small_images and augment.crop cannot be had together; leave one of them out".to_owned())
        } else if self.encoder_rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            Some("encoder_rate must be above 0; freeze_encoder keeps the encoder from learning".to_owned())
        } else if let Some(error) = self.loss.terms.iter().find_map(|term| term.check().err()) {
            Some(error.to_string())
        } else if self.network.in_channels != self.input.channels {
            let (network, input) = (self.network.in_channels, self.input.channels);
            Some(format!("the network takes {network} channels but the input has {input}; make them equal"))
        } else if !weights_fit {
            Some(format!("class_weights must be {} numbers of at least 0, one a class", self.network.classes))
        } else if self.loss.terms.is_empty() {
            Some("the loss has no terms; give one, cross-entropy for instance".to_owned())
        } else if self.network.logits() == 1 && self.loss.terms.iter().any(softmax_only) {
            Some(
                "cross-entropy needs one logit a class but this network has one for the foreground only; \
                 use bce, or the softmax activation"
                    .to_owned(),
            )
        } else if self.checkpoint.minutes.is_nan() || self.checkpoint.minutes <= 0.0 {
            Some("checkpoint.minutes must be above 0".to_owned())
        } else {
            self.schedule.problem()
        };
        problem.map_or(Ok(()), |problem| Err(TrainError::Config(problem)))
    }

    /// Whether a batch has at most 2^28 values (1 GiB): activations take many times as much, and the engine says
    /// whether they fit the machine.
    fn batch_fits(&self) -> bool {
        [self.batch, self.input.height, self.input.width, self.input.channels]
            .into_iter()
            .try_fold(1usize, |product, extent| product.checked_mul(extent))
            .is_some_and(|values| values <= 1 << 28)
    }
}
