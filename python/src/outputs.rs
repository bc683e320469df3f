//! The outputs of `dapple predict`, in memory and as files.

use std::path::Path;

use dapple::data::{Channels, Raster, decode_image, decode_image_bytes};
use dapple::predict::output::{
    Background, OutputFile, OutputKind, OutputSettings, ProbabilityFormat, Refine, Target, output,
};
use dapple::program::Failure;
use pyo3::prelude::*;

use crate::prediction::Prediction;

/// The settings of an output, checked in Python for their types.
#[derive(FromPyObject)]
pub struct Choices {
    /// Weight of the colours of an overlay, 0 to 1.
    #[pyo3(item)]
    opacity: f32,
    /// The classes that a cut-out keeps.
    #[pyo3(item)]
    keep: Option<Vec<u8>>,
    /// The background of a cut-out: transparent, blur, a colour, or an image file.
    #[pyo3(item)]
    background: String,
    /// `off`, `guided` or `closed-form`.
    #[pyo3(item)]
    refine: String,
    /// The smallest region in pixels.
    #[pyo3(item)]
    min_area: u64,
    /// Whether probabilities and uncertainties are NumPy files.
    #[pyo3(item)]
    npy: bool,
}

impl Choices {
    fn settings(&self, classes: usize) -> Result<OutputSettings, Failure> {
        if !(0.0..=1.0).contains(&self.opacity) {
            return Err(Failure::input(format!("opacity {}: give a number from 0 to 1", self.opacity)));
        }
        let unknown = |label: &&u8| usize::from(**label) >= classes;
        if let Some(label) = self.keep.as_ref().and_then(|keep| keep.iter().find(unknown)) {
            return Err(Failure::input(format!(
                "there is no class {label}; the classes are 0 to {}",
                classes - 1
            )));
        }
        Ok(OutputSettings {
            opacity: self.opacity,
            probability: if self.npy { ProbabilityFormat::Npy } else { ProbabilityFormat::Png8 },
            keep: self.keep.clone(),
            refine: match self.refine.as_str() {
                "off" => Refine::Off,
                "guided" => Refine::Guided,
                "closed-form" => Refine::ClosedForm,
                other => {
                    return Err(Failure::input(format!("refine `{other}`: give off, guided or closed-form")));
                }
            },
            background: background(&self.background)?,
            min_area: self.min_area,
            ..OutputSettings::default()
        })
    }
}

fn background(text: &str) -> Result<Background, Failure> {
    match (text, Background::colour_of(text)) {
        ("transparent", _) => Ok(Background::Transparent),
        ("blur", _) => Ok(Background::Blur),
        (_, Some(colour)) => Ok(Background::Colour(colour)),
        _ if Path::new(text).is_file() => Ok(Background::Picture(decode_image(text)?)),
        _ => Err(Failure::input(format!(
            "background `{text}`: give transparent, blur, a colour such as #20a0ff, or an image file"
        ))),
    }
}

/// The file of a kind: there is one, except that probabilities of several classes as pictures have one each.
fn file_of(
    prediction: &Prediction,
    kind: OutputKind,
    settings: &OutputSettings,
) -> Result<OutputFile, Failure> {
    match &kind.files(prediction.palette().names(), settings)[..] {
        [file] => Ok(file.clone()),
        _ => Err(Failure::input(
            "probabilities of several classes are a picture each: save them as a NumPy file (.npy), or take \
             Prediction.probabilities",
        )),
    }
}

fn write(
    prediction: &Prediction,
    file: &OutputFile,
    settings: &OutputSettings,
    target: Target,
) -> Result<Vec<u8>, Failure> {
    let mut made = output(file, prediction.info(), prediction.palette(), settings, target.clone())?;
    let wants = made.wants();
    prediction.each_row(wants, &mut |row| made.row(row))?;
    made.finish()?;
    Ok(target.commit()?)
}

/// The bytes of an output.
pub fn bytes(prediction: &Prediction, kind: OutputKind, choices: &Choices) -> Result<Vec<u8>, Failure> {
    let settings = choices.settings(prediction.palette().count())?;
    let file = file_of(prediction, kind, &settings)?;
    write(prediction, &file, &settings, Target::memory())
}

/// Writes an output under its name, whole or not at all. Masks of an image whose tags place it on the ground become TIFF
/// files where the name ends so.
pub fn save(
    prediction: &Prediction,
    path: &Path,
    kind: OutputKind,
    choices: &Choices,
) -> Result<(), Failure> {
    let settings = choices.settings(prediction.palette().count())?;
    let file = file_of(prediction, kind, &settings)?;
    let ends = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    let is_mask = matches!(kind, OutputKind::Mask | OutputKind::Labels);
    let file = match ends("tif") || ends("tiff") {
        true if is_mask && prediction.info().geo.is_some() => file.on_ground(),
        true => {
            return Err(Failure::input(format!(
                "{}: only masks of an image with a place on the ground are TIFF files; give a name that ends with {}",
                path.display(),
                ending_of(&file)
            )));
        }
        false => file,
    };
    write(prediction, &file, &settings, Target::file(path)?).map(|_| ())
}

fn ending_of(file: &OutputFile) -> &str {
    file.suffix.rfind('.').map_or("", |at| &file.suffix[at..])
}

/// The picture of an output.
pub fn picture(
    prediction: &Prediction,
    kind: OutputKind,
    channels: usize,
    choices: &Choices,
) -> Result<Raster, Failure> {
    let bytes = bytes(prediction, kind, choices)?;
    let channels = if channels == 3 { Channels::Rgb } else { Channels::First(channels) };
    Ok(decode_image_bytes(&bytes, kind.name(), channels)?)
}
