//! Default settings, for data about which nothing is known.

use std::path::{Path, PathBuf};
use std::thread;

use dapple_data::{Augment, DEFAULT_TRAIN_FRACTION, InputSettings};
use dapple_graph::{LossKind, Optimizer};
use dapple_nets::{Activation, NetConfig};

use super::data::{CachePlace, DataConfig};
use super::loss::LossConfig;
use super::measuring::{CheckpointConfig, EvaluationConfig};
use super::schedule::Schedule;
use super::train_config::TrainConfig;
use crate::error::TrainError;

/// Height and width of the network's input unless it is set.
pub const DEFAULT_SIZE: usize = 224;

impl TrainConfig {
    /// The settings for network `name` with colour input and `classes` classes, for data about which nothing else is
    /// known.
    ///
    /// | | unet, unet-bilinear | u2net | u2net-lite | segnet |
    /// |---|---|---|---|---|
    /// | input | 224 x 224, ImageNet normalization | same | same | same |
    /// | loss | cross-entropy + Dice | BCE + Dice, summed over 7 outputs | same | cross-entropy + Dice |
    /// | optimizer | AdamW 1e-3, decay 0.01 on weights | same | same | same |
    /// | schedule | cosine, 5 % warm-up, down to 1 % | same | same | same |
    /// | gradient | clipped to norm 1 | same | same | same |
    /// | batch | 4 | 4 | 8 | 4 |
    /// | epochs | 40 | 40 | 40 | 60 |
    /// | augmentation | flip, zoom to 1.25, colour 20 % | same | same | same |
    ///
    /// All others are trained as `unet` is, on an encoder with the normalization of its published weights; auxiliary
    /// heads count half in the loss, and PIDNet's outputs as its paper has it.
    ///
    /// U²-Net has one sigmoid logit for two classes. With more classes it gets a softmax over one logit each, and with it
    /// cross-entropy + Dice, because each pixel has exactly one class.
    ///
    /// # Errors
    /// [`TrainError::Network`] for an unknown name or a bad number of classes.
    pub fn for_network(name: &str, classes: usize, dir: &Path) -> Result<Self, TrainError> {
        let mut network = NetConfig::new(name, 3, classes)?;
        if classes > 2 {
            network.activation = Activation::Softmax;
        }
        Self::for_config(network, dir)
    }

    /// The settings for a network with its channels, classes and other settings.
    ///
    /// # Errors
    /// [`TrainError::Network`] if there is no such network.
    pub fn for_config(network: NetConfig, dir: &Path) -> Result<Self, TrainError> {
        let mut loss = loss_for(network.activation);
        let entry = network.check()?;
        loss.output_weights = entry.output_weights.to_vec();
        loss.boundary_aware = entry.boundary_aware;
        let (batch, epochs) = match network.name.as_str() {
            "u2net-lite" => (8, 40),
            "segnet" => (4, 60),
            _ => (4, 40),
        };
        Ok(Self {
            recipe: None,
            reasons: Vec::new(),
            seed: 0,
            epochs,
            batch,
            learning_rate: 1e-3,
            clip_norm: Some(1.0),
            accumulate: 1,
            ema_decay: None,
            patience: None,
            time_budget: None,
            small_images: None,
            unlabelled: None,
            encoder_rate: None,
            freeze_encoder: None,
            freeze_norms: false,
            sync_norms: None,
            device: "auto".to_owned(),
            precision: Default::default(),
            threads: None,
            memory_limit: None,
            init: None,
            data: data_at(dir),
            input: InputSettings {
                channels: network.in_channels,
                // That of its published weights.
                normalization: entry.encoder.map(|encoder| encoder.normalization).unwrap_or_default(),
                ..InputSettings::new(DEFAULT_SIZE, DEFAULT_SIZE)
            },
            network,
            augment: Augment::light(),
            loss,
            optimizer: Optimizer::adamw(0.01),
            schedule: Schedule::Cosine { warm_up: 0.05, floor: 0.01 },
            evaluation: EvaluationConfig { every: 1, train_images: None, pictures: 6 },
            checkpoint: CheckpointConfig { minutes: 10.0, batches: None },
        })
    }
}

/// The loss that suits the activation.
fn loss_for(activation: Activation) -> LossConfig {
    LossConfig::sum_of(match activation {
        Activation::Softmax => &[LossKind::CrossEntropy, LossKind::Dice],
        Activation::Sigmoid => &[LossKind::BinaryCrossEntropy, LossKind::Dice],
    })
}

fn data_at(dir: &Path) -> DataConfig {
    let cores = thread::available_parallelism().map_or(1, |n| n.get());
    DataConfig {
        dir: PathBuf::from(dir),
        format: None,
        ignore: None,
        coding: None,
        mask_orientation: None,
        mask_suffix: None,
        value_range: None,
        train_fraction: DEFAULT_TRAIN_FRACTION,
        split_seed: 0,
        split: None,
        stratified: false,
        group: None,
        folds: None,
        fold: 0,
        skip_bad: false,
        threads: (cores / 2).clamp(1, 4),
        cache: CachePlace::Ram,
        cache_mib: 1024,
    }
}
