//! From arguments to models and settings.

use std::path::{Path, PathBuf};

use dapple::Flip;
use dapple::data::decode_image;
use dapple::predict::output::{Background, MEMORY_OF_OUTPUTS, OutputSettings};
use dapple::predict::{PredictSettings, Predictor, Tiling};

use super::arguments::{OutputArguments, PredictionArguments};
use crate::cli::common::device::Device;
use crate::cli::common::models::{Foreign, load_on};
use crate::cli::failure::Failure;

/// Loads models that predict together.
pub fn load(
    models: &[PathBuf],
    foreign: &Foreign,
    how: &PredictionArguments,
    device: &Device,
    quiet: bool,
) -> Result<Predictor, Failure> {
    let engine = device.engine(quiet)?;
    let mut members = Vec::new();
    for path in models {
        members.extend(load_on(path, foreign, engine.as_ref(), quiet)?);
    }
    Ok(Predictor::new(members, settings(how)?)?)
}

fn settings(how: &PredictionArguments) -> Result<PredictSettings, Failure> {
    let tile = match (how.tile, how.overlap) {
        (Tiling::Side { side, .. }, overlap) => Tiling::Side { side, overlap },
        (tile, None) => tile,
        (_, Some(_)) => return Err(Failure::input("--overlap needs the side of the tiles: --tile N")),
    };
    Ok(PredictSettings {
        size: how.size,
        tile,
        flip_horizontal: how.flip.is_some_and(Flip::is_horizontal),
        flip_vertical: how.flip.is_some_and(Flip::is_vertical),
        scales: if how.scales.is_empty() { vec![1.0] } else { how.scales.clone() },
        samples: how.samples,
        seed: how.seed,
        threshold: how.threshold,
        value_range: how.value_range.clone(),
        memory_bytes: how.memory.saturating_mul(1 << 20),
    })
}

/// The settings of outputs. Outputs that are not written row by row may take more memory than an image.
pub fn output_settings(
    outputs: &OutputArguments,
    predictor: &Predictor,
    memory: u64,
) -> Result<OutputSettings, Failure> {
    if !(0.0..=1.0).contains(&outputs.opacity) {
        return Err(Failure::input(format!("--opacity {}: give a number from 0 to 1", outputs.opacity)));
    }
    Ok(OutputSettings {
        opacity: outputs.opacity,
        probability: outputs.probability_format,
        keep: kept(&outputs.class, &predictor.classes().names)?,
        refine: outputs.refine,
        background: background(&outputs.background)?,
        min_area: outputs.min_area,
        coco: outputs.coco,
        memory_bytes: memory.saturating_mul(MEMORY_OF_OUTPUTS << 20),
    })
}

/// Labels by name or number; `None` for none.
fn kept(wanted: &[String], names: &[String]) -> Result<Option<Vec<u8>>, Failure> {
    let label = |text: &String| {
        let named = names.iter().position(|name| name == text);
        let label = named.or_else(|| text.parse().ok().filter(|&label: &usize| label < names.len()));
        // A model has at most 256 classes.
        label.map(|label| label as u8).ok_or_else(|| {
            Failure::input(format!("there is no class `{text}`; the classes are {}", names.join(", ")))
        })
    };
    let labels = wanted.iter().map(label).collect::<Result<Vec<_>, _>>()?;
    Ok((!labels.is_empty()).then_some(labels))
}

fn background(text: &str) -> Result<Background, Failure> {
    match text {
        "transparent" => return Ok(Background::Transparent),
        "blur" => return Ok(Background::Blur),
        _ => {}
    }
    if let Some(colour) = Background::colour_of(text) {
        return Ok(Background::Colour(colour));
    }
    if !Path::new(text).is_file() {
        return Err(Failure::input(format!(
            "--background {text}: give transparent, blur, a colour such as #20a0ff, or an image file"
        )));
    }
    Ok(Background::Picture(decode_image(text)?))
}
