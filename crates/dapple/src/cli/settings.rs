//! The settings of a training on the command line: what they take, and how they stand above those of a recipe or a file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dapple::data::{Augment, Format, Normalization};
use dapple::graph::{LossKind, Optimizer};
use dapple::nets::Activation;
use dapple::train::{CachePlace, ClassWeights, Schedule, TrainConfig};

use super::common::values::{at_least_one, size};
use super::loss_terms::{Terms, terms};

/// Settings that stand above those of a recipe or a file.
#[derive(Debug, Args)]
#[group(id = "Settings", multiple = true)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Size of the network's input
    #[arg(long, value_name = "N|HxW", value_parser = size)]
    pub size: Option<(usize, usize)>,
    /// Passes over the training images
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub epochs: Option<usize>,
    /// Images in a batch
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub batch: Option<usize>,
    /// Learning rate
    #[arg(long, value_name = "X", value_parser = above_zero)]
    pub lr: Option<f64>,
    /// Share of the images for training, where the data have no parts of their own [default: 0.85]
    #[arg(long, value_name = "X")]
    pub train_fraction: Option<f64>,
    /// How to divide: random, stratified (each class gets its share), or a split.json made before [default: random]
    #[arg(long, value_name = "HOW|FILE")]
    pub split: Option<String>,
    /// Regular expression on image names: those with the same first group stay in one part, as the frames of a video
    #[arg(long, value_name = "REGEX")]
    pub group: Option<String>,
    /// Divide into this many folds and validate with one of them
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// The fold to validate with, from 0; or all, to train with each of them into RUN/fold-0 and so on and to put their
    /// models into one file [default: 0]
    #[arg(long, value_name = "N|all", value_parser = fold_name)]
    pub fold: Option<FoldName>,
    /// Seed of the division, of initial values and of the order of images [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Weights to start from: a file (a model, or published weights, safetensors or PyTorch), a folder that
    /// segmentation_models_pytorch saved, a name of `dapple weights list`, or imagenet for those of the network's encoder
    #[arg(long, value_name = "FILE|DIR|NAME")]
    pub init: Option<PathBuf>,
    /// Channels of the network's first stage; all others scale with it
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub width: Option<usize>,
    /// Largest stride of the encoder's maps, 8 or 16: for deeplabv3plus, deeplabv3, deeplabv3-smp, fcn and lraspp
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub output_stride: Option<usize>,
    /// Rate of the network's dropout, 0 for none [default: the published one]
    #[arg(long, value_name = "X", value_parser = rate)]
    pub dropout: Option<f32>,
    /// Rate of stochastic depth in the encoder (EfficientNet, ConvNeXt, MiT), 0 for none [default: the published one]
    #[arg(long, value_name = "X", value_parser = rate)]
    pub drop_path: Option<f32>,
    /// 3 for colour, 1 for grey, more for pictures with more channels [default: 3]
    #[arg(long, value_name = "N", value_parser = channels)]
    pub channels: Option<usize>,
    /// Classes, the background included [default: found from the masks]
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// Label of pixels that do not count
    #[arg(long, value_name = "LABEL")]
    pub ignore: Option<u8>,
    /// Format of the data: folders, lists, voc, camvid, cityscapes, ade20k, coco, labelme … [default: found by itself]
    #[arg(long, value_name = "NAME")]
    pub format: Option<Format>,
    /// Weights of the classes in the loss: none, median-frequency, or numbers separated by commas
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights)]
    pub class_weights: Option<ClassWeights>,
    /// ce (cross-entropy), bce (binary cross-entropy), dice, focal, tversky, lovasz, boundary, ohem, or sums such as
    /// ce+dice, focal+lovasz, ce+0.01*boundary
    #[arg(long, value_name = "LOSS", value_parser = terms)]
    pub loss: Option<Terms>,
    /// Update rule
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<OptimizerName>,
    /// Course of the learning rate
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<ScheduleName>,
    /// Longest gradient; 0 for no limit
    #[arg(long, value_name = "NORM")]
    pub clip: Option<f32>,
    /// Random changes of training images
    #[arg(long, value_name = "NAME")]
    pub augment: Option<AugmentName>,
    /// Where decoded images are kept over the epochs: memory (1 GiB; cache_mib in config.toml) or a temporary file
    #[arg(long, value_name = "PLACE")]
    pub cache: Option<CacheName>,
    /// How pixel values are normalised
    #[arg(long, value_name = "NAME", value_parser = normalise)]
    pub normalise: Option<Normalization>,
    /// Leave bad pairs out with a warning instead of stopping
    #[arg(long)]
    pub skip_bad: bool,
}

impl Settings {
    /// Lets the flags that were given stand above the settings.
    pub fn apply(&self, config: &mut TrainConfig) {
        if let Some((height, width)) = self.size {
            (config.input.height, config.input.width) = (height, width);
        }
        config.epochs = self.epochs.unwrap_or(config.epochs);
        if self.epochs.is_some() {
            config.time_budget = None;
        }
        config.batch = self.batch.unwrap_or(config.batch);
        config.learning_rate = self.lr.unwrap_or(config.learning_rate);
        config.data.train_fraction = self.train_fraction.unwrap_or(config.data.train_fraction);
        match self.split.as_deref() {
            None => {}
            Some("random") => (config.data.split, config.data.stratified) = (None, false),
            Some("stratified") => (config.data.split, config.data.stratified) = (None, true),
            Some(file) => config.data.split = Some(std::path::absolute(file).unwrap_or(file.into())),
        }
        config.data.group = self.group.clone().or(config.data.group.take());
        config.data.folds = self.folds.or(config.data.folds);
        if let Some(FoldName::One(fold)) = self.fold {
            config.data.fold = fold;
        }
        if let Some(seed) = self.seed {
            (config.seed, config.data.split_seed) = (seed, seed);
        }
        config.network.width = self.width.unwrap_or(config.network.width);
        config.network.output_stride = self.output_stride.or(config.network.output_stride);
        config.network.dropout = self.dropout.or(config.network.dropout);
        config.network.drop_path = self.drop_path.or(config.network.drop_path);
        if let Some(channels) = self.channels {
            (config.network.in_channels, config.input.channels) = (channels, channels);
        }
        if let Some(Terms(terms)) = &self.loss {
            config.loss.terms.clone_from(terms);
            // Cross-entropy needs a logit a class; one against the rest is what sigmoids are for.
            let has = |kind| terms.iter().any(|term| term.kind == kind);
            if has(LossKind::CrossEntropy) {
                config.network.activation = Activation::Softmax;
            } else if has(LossKind::BinaryCrossEntropy) {
                config.network.activation = Activation::Sigmoid;
            }
        }
        if let Some(weights) = &self.class_weights {
            config.loss.class_weights = weights.clone();
        }
        match self.optimizer {
            Some(OptimizerName::Sgd) => config.optimizer = Optimizer::sgd(0.9, 0.0),
            Some(OptimizerName::Rmsprop) => config.optimizer = Optimizer::rmsprop(0.9),
            Some(OptimizerName::Adam) => config.optimizer = Optimizer::adam(),
            Some(OptimizerName::Adamw) => config.optimizer = Optimizer::adamw(0.01),
            Some(OptimizerName::Lion) => {
                config.optimizer = Optimizer::lion(0.1);
                // Every value moves by the whole rate (Chen et al. 2023, section 5: 3 to 10 times less than AdamW's).
                if self.lr.is_none() {
                    config.learning_rate /= 5.0;
                }
            }
            Some(OptimizerName::Muon) => config.optimizer = Optimizer::muon(0.01),
            None => {}
        }
        match self.schedule {
            Some(ScheduleName::Constant) => config.schedule = Schedule::Constant,
            Some(ScheduleName::Poly) => config.schedule = Schedule::Poly { power: 0.9 },
            Some(ScheduleName::Cosine) => config.schedule = Schedule::Cosine { warm_up: 0.05, floor: 0.01 },
            None => {}
        }
        if let Some(clip) = self.clip {
            config.clip_norm = (clip != 0.0).then_some(clip);
        }
        if let Some(name) = self.augment {
            config.augment = name.settings();
        }
        match self.cache {
            Some(CacheName::None) => config.data.cache = CachePlace::None,
            Some(CacheName::Ram) => config.data.cache = CachePlace::Ram,
            Some(CacheName::Disk) => config.data.cache = CachePlace::Disk,
            None => {}
        }
        config.input.normalization = self.normalise.unwrap_or(config.input.normalization);
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OptimizerName {
    /// Momentum 0.9
    Sgd,
    /// Momentum 0.9
    Rmsprop,
    Adam,
    /// Weight decay 0.01
    Adamw,
    /// Weight decay 0.1, a fifth of the learning rate
    Lion,
    /// Weight decay 0.01
    Muon,
}

/// Which folds are trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldName {
    One(usize),
    All,
}

fn fold_name(text: &str) -> Result<FoldName, String> {
    match text {
        "all" => Ok(FoldName::All),
        number => number.parse().map(FoldName::One).map_err(|_| "give a number from 0, or all".into()),
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ScheduleName {
    Constant,
    /// Power 0.9
    Poly,
    /// With 5 % warm-up
    Cosine,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum AugmentName {
    None,
    /// Left-right flips
    Flip,
    /// Flips, zoom to 1.25, mild changes of colour
    Light,
    /// Flips, rotation, size, shear, colour, some blur and noise
    Medium,
    /// All of it and more: perspective, elastic, JPEG, cut-out, CutMix, mosaic
    Strong,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CacheName {
    None,
    Ram,
    Disk,
}

impl AugmentName {
    /// The settings of this name.
    pub fn settings(self) -> Augment {
        match self {
            Self::None => Augment::none(),
            Self::Flip => Augment { flip_horizontal: 0.5, ..Augment::none() },
            Self::Light => Augment::light(),
            Self::Medium => Augment::medium(),
            Self::Strong => Augment::strong(),
        }
    }
}

fn above_zero(text: &str) -> Result<f64, String> {
    let above = |x: &f64| x.is_finite() && *x > 0.0;
    text.parse().ok().filter(above).ok_or_else(|| "give a number above 0".into())
}

fn channels(text: &str) -> Result<usize, String> {
    let give = "give 3 (colour), 1 (grey), or the number of channels that the images have, at most 64";
    text.parse().ok().filter(|n| (1..=64).contains(n)).ok_or_else(|| give.into())
}

fn rate(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|x| (0.0..1.0).contains(x))
        .ok_or_else(|| "give a number from 0 to below 1".into())
}

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    match text {
        "none" => Ok(ClassWeights::None),
        "median-frequency" => Ok(ClassWeights::MedianFrequency),
        numbers => {
            let weights: Result<Vec<f32>, _> = numbers.split(',').map(|n| n.trim().parse()).collect();
            let problem =
                |_| "give none, median-frequency, or one number a class, separated by commas".into();
            weights.map(ClassWeights::Given).map_err(problem)
        }
    }
}

fn normalise(text: &str) -> Result<Normalization, String> {
    match text {
        "imagenet" => Ok(Normalization::ImageNet),
        "unit" => Ok(Normalization::Unit),
        "u2net" => Ok(Normalization::U2Net),
        _ => Err("give imagenet, unit or u2net".into()),
    }
}
