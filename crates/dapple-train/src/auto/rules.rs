//! The rules.

use std::path::Path;

use dapple_data::Augment;
use dapple_graph::{Network, Shape};
use dapple_nets::NetConfig;

use super::choice::{Choice, Chosen};
use super::cost::{Cost, PASSES};
use super::data_facts::DataFacts;
use super::machine_facts::MachineFacts;
use super::pretrained::{ENCODER_RATE, Pretrained, pick};
use super::wishes::{Profile, Wishes};
use super::words::{images, span};
use crate::config::loss::ClassWeights;
use crate::config::small_images::SmallImages;
use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

/// The name of these rules as a recipe.
pub const NAME: &str = "auto";
/// Learns more from an image than a U-Net, at the cost of one of 32 channels (RESULTS.md).
const THOROUGH: &str = "u2net-lite";
/// Part of the profile's images that is enough for [`THOROUGH`].
const THOROUGH_SHOWN: f64 = 0.5;
/// It has seven outputs, which many classes make slow.
const THOROUGH_CLASSES: usize = 12;
/// Widths of U-Net that are tried otherwise.
const WIDTHS: [usize; 6] = [64, 48, 32, 24, 16, 8];
/// Sides of the input are multiples of it, which all networks of five stages take.
const STRIDE: usize = 32;
/// Regions narrower than this, in pixels of the input, are lost in the first stages.
const THIN: f64 = 4.0;
/// Learning rate for batches of [`USUAL_BATCH`]; for others by the square root, as the noise of Adam's steps goes.
const RATE: f64 = 1e-3;
/// That of a decoder above a pretrained encoder, as a multiple: `--lr` on CamVid in RESULTS.md.
const PRETRAINED_RATE: f64 = 4.0;
const USUAL_BATCH: f64 = 8.0;
/// Share of the training with small images.
const SMALL: f64 = 0.5;
/// Share of measuring in the work of a training.
const MEASURING: f64 = 0.1;
/// Share of the memory that a training may take.
const MEMORY: f64 = 0.5;

/// The limits of a profile.
struct Limits {
    /// Pixels of the input.
    pixels: usize,
    /// Images shown in all.
    shown: usize,
    /// Seconds.
    seconds: f64,
}

impl Limits {
    fn of(wishes: &Wishes) -> Self {
        let (side, shown, seconds) = match wishes.profile {
            Profile::Fast => (160, 4_000, 600.0),
            Profile::Balanced => (256, 20_000, 3600.0),
            Profile::Best => (384, 60_000, 6.0 * 3600.0),
        };
        let seconds = wishes.time_budget.map_or(seconds, |span| span.duration().as_secs_f64());
        Self { pixels: side * side, shown, seconds }
    }
}

/// Settings for these data on this machine; `dir` is the data's folder.
///
/// | setting | rule |
/// |---|---|
/// | input | the median image, not enlarged, in multiples of 32, at most as many pixels as the profile has (160², 256², 384²); twice as many where regions are thinner than 4 pixels there |
/// | network | a U-Net on a pretrained encoder, if there is one: of those on this machine, or else of those that can be fetched, the most accurate on ImageNet that the time lets see half of the profile's images, or the fastest |
/// | decoder | half of the published channels on a pretrained encoder, if the user names no network |
/// | encoder's rate | 0.3 if it is pretrained; its batch norms then keep their statistics |
/// | without one | U²-Net lite where there are at most 12 classes and the time lets half of the profile's images be shown (4, 20, 60 thousand); else U-Net, as wide as it lets all of them be shown, of 8 to 64 channels |
/// | batch | 8, less for fewer than 1024 images, which many small steps learn better from (a 128th of them, at least 2), or little memory, of which half may be taken; less than these are accumulated to them |
/// | epochs | the profile's images, 10 to 300 epochs, fewer where the time is too short |
/// | loss | the network's; class weights by median frequency if a class of several has less than a twentieth of an even share |
/// | augmentation | strong below 100 images, medium below 1000, else light; never strong for the fast profile |
/// | measuring | after as many epochs as make it about a tenth of the work |
/// | learning rate | 0.001 for steps of 8 images, by the square root for others; four times that above a pretrained encoder |
/// | small images | for the first half of the training, if there are 200 steps or more |
/// | average | of the weights, over the last twentieth of the steps, if there are 200 steps or more |
///
/// All else is as [`TrainConfig::for_network`] has it.
///
/// # Errors
/// [`TrainError::Network`] for an unknown network, [`TrainError::Graph`] for one that does not take the size.
pub fn choose(
    data: &DataFacts,
    machine: &MachineFacts,
    wishes: &Wishes,
    dir: &Path,
) -> Result<Chosen, TrainError> {
    let limits = Limits::of(wishes);
    let mut choices = Vec::new();
    let mut chose = |key, value: String, reason: String| choices.push(Choice { key, value, reason });

    let (size, reason) = input_size(data, &limits, wishes);
    if wishes.size.is_none() {
        chose("input.height", format!("{} x {}", size.0, size.1), reason);
    }
    let (height, width) = wishes.size.unwrap_or(size);
    let cost = |network: &NetConfig| Cost::of(network, (height, width), machine);
    let shown = wishes.epochs.map_or(limits.shown, |epochs| epochs * data.train_images);

    let wished = wishes.network.as_deref();
    let seconds = |weights: &Pretrained| {
        let mut config = TrainConfig::for_network(&weights.network(wished)?, data.classes, dir).ok()?;
        config.network.decoder_width = Pretrained::decoder_width(&config.network, wished);
        Some(cost(&config.network).ok()?.seconds)
    };
    // The user's network takes the time that it takes.
    let limit = if wished.is_some() { f64::INFINITY } else { limits.seconds };
    let pretrained =
        wishes.width.is_none().then(|| pick(&wishes.pretrained, seconds, shown, limit)).flatten();
    let name = pretrained.and_then(|weights| weights.network(wished)).or_else(|| wishes.network.clone());
    let free = name.is_none() && wishes.width.is_none();
    let thorough = TrainConfig::for_network(THOROUGH, data.classes, dir)?;
    let enough = (shown as f64 * THOROUGH_SHOWN) as usize;
    let fits = |cost: Cost| cost.seconds * enough as f64 <= limits.seconds;
    // A size that the user gave may be one that only other networks take.
    let thoroughly = free && data.classes <= THOROUGH_CLASSES && cost(&thorough.network).is_ok_and(fits);
    let mut config = match name.as_deref() {
        None if thoroughly => thorough,
        name => TrainConfig::for_network(name.unwrap_or("unet"), data.classes, dir)?,
    };
    config.recipe = Some(NAME.to_owned());
    (config.input.height, config.input.width) = (height, width);
    config.network.width = wishes.width.unwrap_or(config.network.width);
    if let Some(weights) = pretrained {
        if wished.is_none() {
            chose("network.name", config.network.name.clone(), weights.reason());
        }
        chose("init", weights.weights.clone(), weights.origin.to_string());
        config.network.decoder_width = Pretrained::decoder_width(&config.network, wished);
        if let Some(width) = config.network.decoder_width {
            let reason = "half of the published decoder, which leaves time for more images".to_owned();
            chose("network.decoder_width", width.to_string(), reason);
        }
        config.encoder_rate = Some(ENCODER_RATE);
        chose("encoder_rate", ENCODER_RATE.to_string(), "the encoder keeps most of its knowledge".into());
        config.freeze_norms = true;
        let reason = "the statistics of ImageNet are steadier than those of small batches".to_owned();
        chose("freeze_norms", "true".to_owned(), reason);
    } else if thoroughly {
        let reason = format!(
            "learns most from an image, and {} threads can train it on {} in {}",
            machine.threads,
            images(enough),
            span(limits.seconds)
        );
        chose("network.name", THOROUGH.to_owned(), reason);
    } else if free {
        for width in WIDTHS {
            config.network.width = width;
            if cost(&config.network)?.seconds * shown as f64 <= limits.seconds {
                break;
            }
        }
        let reason = format!(
            "the widest U-Net that {} threads can train on {} in {}",
            machine.threads,
            images(shown),
            span(limits.seconds)
        );
        chose("network.width", config.network.width.to_string(), reason);
    }
    let cost = cost(&config.network)?;

    // A power of two, and no more than there are images.
    let most = (1 << (data.train_images / 128).max(2).ilog2()).min(8).min(data.train_images.max(1));
    let fitting = (machine.memory as f64 * MEMORY - cost.kept()) / cost.of_image();
    let batch = fitting.clamp(1.0, most as f64) as usize;
    config.batch = wishes.batch.unwrap_or(batch);
    if wishes.batch.is_none() {
        let reason = if batch < most {
            format!("as many as fit half of the memory, {:.1} GB", machine.memory as f64 * MEMORY / 1e9)
        } else if batch < 8 {
            format!("many small steps for {} training images", data.train_images)
        } else {
            "enough for steady batch norms".to_owned()
        };
        chose("batch", batch.to_string(), reason);
        if batch < most {
            config.accumulate = most.div_ceil(batch);
            let reason =
                format!("steps of {} images, of which {batch} fit at once", batch * config.accumulate);
            chose("accumulate", config.accumulate.to_string(), reason);
        }
    }

    let in_step = config.batch * config.accumulate;
    let usual = if pretrained.is_some() { RATE * PRETRAINED_RATE } else { RATE };
    if in_step as f64 != USUAL_BATCH || pretrained.is_some() {
        let rate = (usual * (in_step as f64 / USUAL_BATCH).sqrt() * 1e5).round() / 1e5;
        config.learning_rate = rate;
        let above =
            if pretrained.is_some() { ", and a decoder above an encoder that knows images" } else { "" };
        chose("learning_rate", rate.to_string(), format!("steps of {in_step} images{above}"));
    }

    let wanted = (limits.shown / data.train_images).clamp(10, 300);
    let possible = limits.seconds / (cost.seconds * data.train_images as f64).max(1e-9);
    let epochs = wanted.min((possible as usize).max(1));
    config.epochs = wishes.epochs.unwrap_or(epochs);
    config.time_budget = wishes.time_budget.filter(|_| wishes.epochs.is_none());
    if let Some(span) = config.time_budget {
        chose(
            "time_budget",
            span.to_string(),
            "as given; the first steps tell how many epochs that is".into(),
        );
    } else if wishes.epochs.is_none() {
        let reason = match epochs < wanted {
            true => format!("about {} on {} threads", span(limits.seconds), machine.threads),
            false => format!("{} images shown in all", epochs * data.train_images),
        };
        chose("epochs", epochs.to_string(), reason);
    }

    let rarest =
        data.rarest().filter(|(_, share)| data.classes > 2 && share * 20.0 * (data.classes as f64) < 1.0);
    if let Some((class, share)) = rarest {
        config.loss.class_weights = ClassWeights::MedianFrequency;
        let reason = format!("class {class} has {:.2} % of the pixels", share * 100.0);
        chose("loss.class_weights", "median-frequency".into(), reason);
    } else {
        chose("loss.class_weights", "none".into(), "no class is rare, or Dice takes care of it".into());
    }

    let (augment, word) = match (data.train_images, wishes.profile) {
        (0..100, Profile::Balanced | Profile::Best) => (Augment::strong(), "strong"),
        (0..1000, _) => (Augment::medium(), "medium"),
        _ => (Augment::light(), "light"),
    };
    config.augment = augment;
    chose("augment.flip_horizontal", word.to_owned(), format!("{} training images", data.train_images));

    // Validation images with the weights and with their average, and as many training images.
    let measured = (2 * data.val_images + data.val_images.min(data.train_images)) as f64;
    let every =
        (measured / (PASSES * data.train_images as f64) / MEASURING).round().clamp(1.0, 10.0) as usize;
    config.evaluation.every = every;
    if every > 1 {
        chose("evaluation.every", every.to_string(), format!("{} validation images", data.val_images));
    }

    let steps = config.epochs * (data.train_images / config.batch.max(1)).max(1).div_ceil(config.accumulate);
    if steps >= 200 {
        let decay = (1.0 - 20.0 / steps as f64).clamp(0.9, 0.9995);
        let decay = (decay * 1e4).round() / 1e4;
        config.ema_decay = Some(decay);
        chose("ema_decay", decay.to_string(), format!("a twentieth of about {steps} steps"));
        let small = SmallImages::for_share(SMALL);
        let input = small.input(config.input);
        if config.network.build(Shape::new(1, input.height, input.width, input.channels)).is_ok() {
            config.small_images = Some(small);
            let reason =
                format!("{} x {} teach as much in less than half of the time", input.height, input.width);
            chose("small_images.share", SMALL.to_string(), reason);
        }
    }
    Ok(Chosen { config, choices, pretrained: pretrained.cloned() })
}

/// Height and width of the input, and why.
fn input_size(data: &DataFacts, limits: &Limits, wishes: &Wishes) -> ((usize, usize), String) {
    let (height, width) = (data.size.0.max(1) as f64, data.size.1.max(1) as f64);
    let scale_for = |pixels: usize| (pixels as f64 / (height * width)).sqrt().min(1.0);
    let mut scale = scale_for(limits.pixels);
    let mut reason = match scale < 1.0 {
        true => format!(
            "the median image, {height} x {width}, at the {} profile's number of pixels",
            wishes.profile
        ),
        false => format!("the median image is {height} x {width}"),
    };
    if let Some(thickness) = data.thickness.filter(|t| t * scale < THIN && scale < 1.0) {
        scale = scale_for(2 * limits.pixels);
        reason += &format!(", twice as many since regions are {thickness:.1} pixels wide in it");
    }
    let side = |length: f64| ((length * scale / STRIDE as f64).round() as usize).max(1) * STRIDE;
    ((side(height), side(width)), reason)
}

#[cfg(test)]
mod tests;
