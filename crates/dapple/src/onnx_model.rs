//! Models of ONNX files that any program wrote.
//!
//! A file holds the network, but seldom how images are prepared for it. That is taken, in this order, from the caller, from the
//! metadata that dapple or Ultralytics wrote, and from the `preprocessor_config.json` of Hugging Face beside the file; where
//! nothing tells it, the file is refused. An input of bytes takes pixels as they are.

use std::path::Path;

use dapple_base::{TrainingImages, plain_name};
use dapple_data::Classes;
use dapple_nets::checkpoint::{Class, ModelCard, ModelFile, Normalization};
use dapple_nets::{Activation, ImportedNetwork, NetConfig};
use dapple_onnx::{Ending, ImportOptions, Imported, Layout, OnnxFile, Preparation};

use crate::onnx_told::{Told, told};
use crate::unfound::FindModelError;

/// How pixels become what an ONNX file takes, where the file does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PixelSettings<'a> {
    /// Mean of each channel, in units of `range`; one for all, or one each.
    pub mean: &'a [f32],
    /// Deviation of each channel, likewise.
    pub std: &'a [f32],
    /// The values of black and white before mean and deviation; 0 and 1 where only these are given.
    pub range: Option<[f32; 2]>,
    /// The order of the input's axes.
    pub layout: Option<Layout>,
    /// Whether the file takes blue, green, red; mean and deviation are then in this order.
    pub reversed: bool,
}

impl PixelSettings<'_> {
    /// Whether something is given.
    pub fn is_given(&self) -> bool {
        *self != PixelSettings::default()
    }
}

/// The caller's knowledge about an ONNX file.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnnxSettings<'a> {
    /// Preparation of pixels.
    pub pixels: PixelSettings<'a>,
    /// Height and width to which images are resized.
    pub size: Option<(usize, usize)>,
    /// Normalization by name, in place of mean and deviation.
    pub normalization: Option<Normalization>,
    /// Factors of the channels behind that, for a network whose deviations are others; none if empty.
    pub factors: &'a [f32],
    /// Names of the classes.
    pub classes: &'a [String],
}

/// Whether a path is that of an ONNX file.
pub fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) && path.is_file()
}

/// A model of an ONNX file, with the assumptions about what the file does not tell.
///
/// # Errors
/// [`FindModelError::Onnx`] for a file that cannot be read, [`FindModelError::Preprocessing`] where nothing tells how images are
/// prepared, and those of class names.
pub fn onnx_model(
    path: &Path,
    settings: &OnnxSettings<'_>,
) -> Result<(ModelFile, Vec<String>), FindModelError> {
    let failed = |source| FindModelError::Onnx { path: path.to_owned(), source };
    let file = OnnxFile::read(path).map_err(failed)?;
    let layout = file.layout(settings.pixels.layout).map_err(failed)?;
    let channels = file.channels(layout).map_err(failed)?;
    let told = told(path, &file)?;
    let mut notes = told.notes.clone();
    let Prepared { normalization, preparation } =
        prepared(path, settings, &file, &told, channels, &mut notes)?;
    let preparation = match settings.pixels.reversed {
        true => Some(reversed(path, preparation, channels)?),
        false => preparation,
    };
    let fixed = file.size(layout);
    let wanted = settings.size.map(|(height, width)| [height, width]).or(told.size);
    let free = fixed.contains(&None);
    let size = match settings.size {
        Some((height, width)) => Some([height, width]),
        None => wanted.filter(|_| free).map(|size| [0, 1].map(|axis| fixed[axis].unwrap_or(size[axis]))),
    };
    let options = ImportOptions { layout: Some(layout), size, preparation };
    let Imported { network, state, logits, ending, quantized } = file.import(&options).map_err(failed)?;
    let [height, width] = network.size();
    if free && wanted.is_none() {
        notes.push(format!(
            "images are resized to {height} x {width}, since the file takes any size (--input-size gives that of the training)"
        ));
    }
    let activation = activation(ending, logits, &told, &mut notes);
    if quantized > 0 {
        notes.push(format!(
            "{quantized} quantized maps are computed as fractions (fp32), within their ranges"
        ));
    }
    if let [first, second, ..] = file.outputs() {
        notes.push(format!(
            "the first of its outputs, `{}`, is read; `{}` and others are not",
            first.escape_debug(),
            second.escape_debug()
        ));
    }
    let classes = classes(path, settings.classes, &told, logits, &mut notes)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = classes.names.into_iter().zip(classes.colours);
    let classes: Vec<Class> = named.map(|(name, colour)| Class { name, colour }).collect();
    let ignore = told.ignore.filter(|&label| usize::from(label) >= classes.len());
    let network =
        NetConfig::of_imported(name, [channels, classes.len()], activation, ImportedNetwork::new(network));
    let card = ModelCard {
        network,
        classes,
        ignore,
        input_size: [height, width],
        normalisation: normalization,
        images: told.range.map(|range| TrainingImages { range, ..TrainingImages::unknown() }),
        seed: 0,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::from_iter([("source".to_owned(), path.display().to_string().into())]),
    };
    Ok((ModelFile { card, state }, notes))
}

/// The normalization of pixels before the network, and what is left to its first operation.
struct Prepared {
    normalization: Normalization,
    preparation: Option<Preparation>,
}

fn prepared(
    path: &Path,
    settings: &OnnxSettings<'_>,
    file: &OnnxFile,
    told: &Told,
    channels: usize,
    notes: &mut Vec<String>,
) -> Result<Prepared, FindModelError> {
    let PixelSettings { mean, std, range, .. } = settings.pixels;
    let is_given = !mean.is_empty() || !std.is_empty() || range.is_some();
    // An input of bytes can take nothing else, whatever stands beside the file.
    if file.takes_bytes() {
        let is_same = mean.is_empty() && std.is_empty() && range.is_none_or(|range| range == [0.0, 255.0]);
        if !is_same || settings.normalization.is_some() {
            return Err(FindModelError::Pixels(format!(
                "{}: its input is of bytes, which take pixels as they are, 0 to 255; leave --mean, --std and --range out",
                path.display()
            )));
        }
        notes.push("its input is of bytes, so that pixels are given to it as they are, 0 to 255".to_owned());
        let preparation =
            Preparation { scale: vec![255.0; channels], shift: vec![0.0; channels], reversed: false };
        return Ok(Prepared { normalization: Normalization::Unit, preparation: Some(preparation) });
    }
    if let (Some(normalization), false) = (settings.normalization, is_given) {
        let scale = settings.factors.to_vec();
        if !scale.is_empty() && scale.len() != channels {
            return Err(FindModelError::Pixels(format!(
                "{}: its input has {channels} channels, not the {} that its publisher documents",
                path.display(),
                scale.len()
            )));
        }
        let shift = vec![0.0; channels];
        let preparation = (!scale.is_empty()).then_some(Preparation { scale, shift, reversed: false });
        return Ok(Prepared { normalization, preparation });
    }
    if is_given {
        let each = |values: &[f32], default: f32, name: &str| match values {
            [] => Ok(vec![default; channels]),
            [value] => Ok(vec![*value; channels]),
            values if values.len() == channels => Ok(values.to_vec()),
            values => Err(FindModelError::Pixels(format!(
                "{name} has {} values; give one, or one for each of the {channels} channels of {}",
                values.len(),
                path.display()
            ))),
        };
        let (mean, std) = (each(mean, 0.0, "--mean")?, each(std, 1.0, "--std")?);
        let [low, high] = range.unwrap_or([0.0, 1.0]);
        let wrong = mean.iter().chain(&std).chain([&low, &high]).any(|value| !value.is_finite());
        if wrong || high <= low || std.iter().any(|&std| std <= 0.0) {
            return Err(FindModelError::Pixels(
                "--std must be above 0, and --range two rising numbers such as 0..255".into(),
            ));
        }
        let scale = std.iter().map(|std| (high - low) / std).collect();
        let shift = mean.iter().zip(&std).map(|(mean, std)| (low - mean) / std).collect();
        let preparation = Some(Preparation { scale, shift, reversed: false });
        return Ok(Prepared { normalization: Normalization::Unit, preparation });
    }
    if let Some(pixels) = &told.pixels {
        notes.push(format!("pixels are prepared as {} says", pixels.source));
        let preparation = pixels.preparation.clone();
        if preparation.as_ref().is_some_and(|preparation| preparation.scale.len() != channels) {
            return Err(FindModelError::Pixels(format!(
                "{}: {} is of other channels than the {channels} of its input; give --mean, --std and --range",
                path.display(),
                pixels.source
            )));
        }
        return Ok(Prepared { normalization: pixels.normalization, preparation });
    }
    Err(FindModelError::Preprocessing(path.to_owned()))
}

/// The preparation of pixels for a file that takes blue, green, red.
fn reversed(
    path: &Path,
    preparation: Option<Preparation>,
    channels: usize,
) -> Result<Preparation, FindModelError> {
    if channels != 3 {
        return Err(FindModelError::Pixels(format!(
            "{}: its input has {channels} channels; --bgr is for three",
            path.display()
        )));
    }
    let plain = Preparation { scale: vec![1.0; channels], shift: vec![0.0; channels], reversed: true };
    Ok(preparation.map_or(plain, |preparation| Preparation { reversed: true, ..preparation }))
}

/// The function from logits to probabilities.
fn activation(ending: Ending, logits: usize, told: &Told, notes: &mut Vec<String>) -> Activation {
    let left_out = |name: &str| format!("the {name} at its end is left out, and computed here");
    let by_softmax = "each pixel has one class, the most probable (softmax over the network's outputs)";
    match (ending, logits) {
        (Ending::Sigmoid, 2) => {
            notes.push(
                "its two sigmoids are read as the logits of two classes: the larger one wins".to_owned(),
            );
            Activation::Softmax
        }
        (Ending::Sigmoid, _) => {
            notes.push(left_out("sigmoid"));
            if logits > 2 && told.activation.is_none() {
                notes.push(format!(
                    "each pixel has one class, that of the largest of its {logits} values, also where all of them are small: one of \
                     them must be the background's"
                ));
            }
            Activation::Sigmoid
        }
        (Ending::Threshold, _) => {
            notes.push(left_out("threshold"));
            Activation::Sigmoid
        }
        (Ending::Softmax, _) => {
            notes.push(left_out("softmax"));
            Activation::Softmax
        }
        (Ending::ArgMax, _) => {
            notes.push(left_out("choice of the largest value"));
            Activation::Softmax
        }
        (Ending::Logits, 1) => {
            if told.activation.is_none() {
                notes.push("its values are logits: those above 0 are of the foreground".to_owned());
            }
            Activation::Sigmoid
        }
        (Ending::Logits, 2) => {
            if told.activation.is_none() {
                notes.push(by_softmax.to_owned());
            }
            Activation::Softmax
        }
        (Ending::Logits, _) => told.activation.unwrap_or_else(|| {
            notes.push(by_softmax.to_owned());
            Activation::Softmax
        }),
    }
}

/// Names and colours of the classes.
fn classes(
    path: &Path,
    given: &[String],
    told: &Told,
    logits: usize,
    notes: &mut Vec<String>,
) -> Result<Classes, FindModelError> {
    let count = logits.max(2);
    // Names of a file may be anything; they stand in lines of text.
    let own: Vec<String> = told.classes.iter().map(|name| plain_name(name).into_owned()).collect();
    let names = if given.is_empty() { &own[..] } else { given };
    let twice = |(index, name): &(usize, &String)| name.trim().is_empty() || names[..*index].contains(name);
    if let Some((_, name)) = names.iter().enumerate().find(twice).filter(|_| !given.is_empty()) {
        return Err(FindModelError::ClassName(name.clone()));
    }
    let mut classes = if count == 2 { Classes::binary("foreground") } else { Classes::numbered(count) };
    match names.len() {
        0 => notes
            .push(format!("the classes are called {} (--classes-file names them)", classes.names.join(", "))),
        1 if logits == 1 => classes = Classes::binary(&names[0]),
        named if named == count => classes.names = names.to_vec(),
        names if !given.is_empty() => {
            return Err(FindModelError::ClassNames { path: path.to_owned(), classes: count, names });
        }
        named => notes.push(format!(
            "the file names {named} classes for {count}; they are called {} (--classes-file names them)",
            classes.names.join(", ")
        )),
    }
    if given.is_empty() && told.colours.len() == count {
        classes.colours.clone_from(&told.colours);
    }
    Ok(classes)
}
