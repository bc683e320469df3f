//! Models of folders that transformers saved: `config.json`, weights, and `preprocessor_config.json`.

use std::path::Path;

use dapple_data::Classes;
use dapple_graph::{Network, Shape};
use dapple_model::ModelError;
use dapple_nets::checkpoint::{Class, HubConfig, HubModel, ModelCard, ModelFile, Normalization, PixelMap};
use dapple_onnx::Preparation;

use crate::preprocessor::Steps;
use crate::unfound::FindModelError;

/// Height and width of the input unless they are given: divisible by the strides of all networks.
pub const SIDE: usize = 512;

/// The caller's knowledge about a folder.
pub(crate) struct HubInput<'a> {
    /// Height and width to which images are resized.
    pub size: Option<(usize, usize)>,
    /// Normalization by name.
    pub normalization: Option<Normalization>,
    /// Names of the classes.
    pub classes: &'a [String],
}

/// The model of a folder, with the assumptions about what it does not tell.
pub(crate) fn hub_model(
    folder: &Path,
    config: &HubConfig,
    input: &HubInput<'_>,
) -> Result<(ModelFile, Vec<String>), FindModelError> {
    let steps = Steps::of_folder(folder)?;
    let mut notes = steps.as_ref().map(|steps| steps.notes.clone()).unwrap_or_default();
    let channels = config.in_channels();
    let (normalisation, map) = match (input.normalization, &steps) {
        (Some(normalization), _) => (normalization, None),
        (None, Some(steps)) => {
            notes.push(format!("pixels are prepared as {} says", steps.source));
            prepared(&steps.preparation, channels)
        }
        (None, None) => {
            notes.push(format!(
                "{}: there is no preprocessor_config.json, so that pixels are normalized by mean and deviation of ImageNet",
                folder.display()
            ));
            (Normalization::ImageNet, None)
        }
    };
    let HubModel { config: network, state, unused } = config.read(folder, map.as_ref())?;
    if let [first, ..] = &unused[..] {
        notes.push(format!(
            "{}: {} tensors are of no use to the network, `{}` for one",
            folder.display(),
            unused.len(),
            first.escape_debug()
        ));
    }
    let classes = classes(folder, config, input.classes, &mut notes)?;
    let told = steps.as_ref().and_then(|steps| steps.size).map(|[height, width]| (height, width));
    let (height, width) = input.size.or(told).unwrap_or((SIDE, SIDE));
    if input.size.or(told).is_none() {
        notes.push(format!(
            "images are resized to {height} x {width} (--input-size gives that of the training)"
        ));
    }
    network.build(Shape::new(1, height, width, channels)).map_err(ModelError::from)?;
    let reduced = steps.and_then(|steps| steps.ignore);
    let free = |label: &u8| usize::from(*label) >= classes.len();
    let ignore = reduced.or(config.ignore).filter(free);
    let named = classes.names.into_iter().zip(classes.colours);
    let card = ModelCard {
        network,
        classes: named.map(|(name, colour)| Class { name, colour }).collect(),
        ignore,
        input_size: [height, width],
        normalisation,
        images: None,
        seed: 0,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::from_iter([("source".to_owned(), folder.display().to_string().into())]),
    };
    Ok((ModelFile { card, state }, notes))
}

/// A preparation as one of the normalizations by name, or as a map within the network.
pub(crate) fn prepared(preparation: &Preparation, channels: usize) -> (Normalization, Option<PixelMap>) {
    let Preparation { scale, shift, reversed } = preparation;
    // One mean for all channels.
    let each = |values: &[f32]| match values {
        [value] => vec![*value; channels],
        values => values.to_vec(),
    };
    let (scale, shift) = (each(scale), each(shift));
    let is = |normalization: &Normalization| {
        let [mean, std] = normalization.moments(channels);
        let near = |a: f32, b: f32| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
        scale.len() == channels
            && scale.iter().zip(&std).all(|(&scale, &std)| near(scale, 1.0 / std))
            && shift.iter().zip(mean.iter().zip(&std)).all(|(&shift, (&mean, &std))| near(shift, -mean / std))
    };
    let known = [Normalization::ImageNet, Normalization::Unit, Normalization::Lite];
    match known.into_iter().find(is).filter(|_| !reversed) {
        Some(normalization) => (normalization, None),
        None => (Normalization::Unit, Some(PixelMap { scale, shift, reversed: *reversed })),
    }
}

/// Names and colours of the classes.
fn classes(
    folder: &Path,
    config: &HubConfig,
    given: &[String],
    notes: &mut Vec<String>,
) -> Result<Classes, FindModelError> {
    let count = config.classes();
    let mut classes = if count == 2 { Classes::binary("foreground") } else { Classes::numbered(count) };
    if !given.is_empty() {
        if given.len() != count {
            return Err(FindModelError::ClassNames {
                path: folder.to_owned(),
                classes: count,
                names: given.len(),
            });
        }
        classes.names = given.to_vec();
        return Ok(classes);
    }
    let labels = &config.labels;
    let is_sound =
        |(index, name): (usize, &String)| !name.trim().is_empty() && !labels[..index].contains(name);
    match labels.len() {
        _ if !labels.iter().enumerate().all(is_sound) => {
            notes.push(
                "the names of its classes cannot be told apart; they are called by their numbers".to_owned(),
            );
        }
        1 => classes = Classes::binary(&labels[0]),
        named if named == count => classes.names.clone_from(labels),
        _ => notes
            .push(format!("the classes are called {} (--classes-file names them)", classes.names.join(", "))),
    }
    Ok(classes)
}
