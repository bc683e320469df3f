//! `preprocessor_config.json` of Hugging Face, the description of how images are prepared, and the names of classes in the
//! `config.json` beside it.
//!
//! Here, images are always resized to the network's input as a whole. Steps that do otherwise are told in notes, and a step that
//! cannot be understood is refused.

use std::path::Path;

use dapple_base::{Size, read_regular};
use dapple_onnx::Preparation;
use serde_json::Value;

use crate::unfound::FindModelError;

/// Most bytes of a description beside a model.
const MOST_BYTES: u64 = 16 << 20;

/// The file in which Hugging Face describes the preparation of images.
pub(crate) const PREPROCESSOR: &str = "preprocessor_config.json";

/// Pillow's number of bilinear interpolation.
const BILINEAR: u64 = 2;

/// The steps that have a meaning here, or none for a segmentation.
const KNOWN: [&str; 9] = [
    "do_resize",
    "do_rescale",
    "do_normalize",
    "do_center_crop",
    "do_pad",
    "do_reduce_labels",
    "reduce_labels",
    "do_flip_channel_order",
    "do_convert_rgb",
];

/// How images are prepared.
#[derive(Debug)]
pub(crate) struct Steps {
    /// From values between 0 and 1 to the network's.
    pub preparation: Preparation,
    /// Height and width to which images are resized, if there is one size.
    pub size: Option<[usize; 2]>,
    /// Label of pixels that training ignored, where the labels of its masks were reduced.
    pub ignore: Option<u8>,
    /// The file.
    pub source: String,
    /// What is done otherwise here.
    pub notes: Vec<String>,
}

impl Steps {
    /// The steps of the description in a folder, if there is one.
    pub fn of_folder(folder: &Path) -> Result<Option<Self>, FindModelError> {
        let place = folder.join(PREPROCESSOR);
        if !place.is_file() {
            return Ok(None);
        }
        Self::read(&json(&place)?, &place).map(Some)
    }

    fn read(steps: &Value, place: &Path) -> Result<Self, FindModelError> {
        let fails = || unclear(place, "this description");
        let does = |key: &str, default: bool| match &steps[key] {
            Value::Null => Ok(default),
            Value::Bool(does) => Ok(*does),
            _ => Err(fails()),
        };
        let rescale = match (does("do_rescale", true)?, &steps["rescale_factor"]) {
            (false, _) => 1.0,
            (true, Value::Null) => 1.0 / 255.0,
            (true, factor) => factor.as_f64().ok_or_else(fails)?,
        };
        let factor = (255.0 * rescale) as f32;
        let (mean, std) = if does("do_normalize", true)? {
            let (mean, std) = (numbers(&steps["image_mean"]), numbers(&steps["image_std"]));
            (mean.ok_or_else(fails)?, std.ok_or_else(fails)?)
        } else {
            (vec![0.0; 3], vec![1.0; 3])
        };
        let is_finite = mean.iter().chain(&std).chain([&factor]).all(|value| value.is_finite());
        if mean.is_empty() || mean.len() != std.len() || std.iter().any(|&std| std <= 0.0) || !is_finite {
            return Err(fails());
        }
        let reversed = does("do_flip_channel_order", false)?;
        let preparation = Preparation { reversed, ..by_moments(&mean, &std, factor) };
        let source = place.display().to_string();
        let mut notes = Vec::new();
        let mut tell = |what: &str| notes.push(format!("{source} {what}"));
        let mut size = match does("do_resize", true)? {
            true => resized(&steps["size"], &mut tell).map_err(|()| fails())?,
            false => {
                tell(
                    "has images keep their size (`do_resize` is off); here they are resized to the input, unless --tile shows \
                     them in full resolution",
                );
                None
            }
        };
        if does("do_center_crop", false)? {
            tell(
                "crops images to their centre; here they are resized as a whole, so that margins have classes too",
            );
            let cropped = resized(&steps["crop_size"], &mut |_| ()).map_err(|()| fails())?;
            size = cropped.or(size);
        }
        if does("do_pad", false)? {
            tell("pads images; here they are resized as a whole");
        }
        if does("do_resize", true)? && steps["resample"].as_u64().is_some_and(|filter| filter != BILINEAR) {
            tell("resizes with another filter than the bilinear one that is used here");
        }
        for key in ["size_divisor", "ensure_multiple_of", "keep_aspect_ratio"] {
            if !matches!(steps[key], Value::Null | Value::Bool(false)) && steps[key].as_u64() != Some(1) {
                tell(&format!(
                    "has the setting `{key}`, which is not followed here: images are resized to one size"
                ));
            }
        }
        let more = steps.as_object().into_iter().flatten();
        for (key, value) in more.filter(|(key, _)| key.starts_with("do_") && !KNOWN.contains(&key.as_str())) {
            if value.as_bool() != Some(false) && !value.is_null() {
                let key: String = key.escape_debug().take(40).collect();
                tell(&format!("has the step `{key}`, which is left out here"));
            }
        }
        let reduces = does("do_reduce_labels", false)? || does("reduce_labels", false)?;
        if reduces {
            tell(
                "counts the labels of its masks from 1 and ignores 0 (`do_reduce_labels`); the labels here begin at 0, and masks \
                 to score with have 255 where nothing is to be scored",
            );
        }
        Ok(Self { preparation, size, ignore: reduces.then_some(255), source, notes })
    }
}

/// The size that images are resized to, if it is one; `Err` for a size that no image has.
fn resized(size: &Value, tell: &mut dyn FnMut(&str)) -> Result<Option<[usize; 2]>, ()> {
    let side = |value: &Value| match value {
        Value::Null => Ok(None),
        value => {
            let side = value.as_u64().filter(|side| (1..=Size::MOST_INPUT_PIXELS).contains(side));
            side.map(Some).ok_or(())
        }
    };
    let found = match size {
        Value::Object(_) => {
            let [height, width] = [side(&size["height"])?, side(&size["width"])?];
            match (height, width, side(&size["shortest_edge"])?) {
                (Some(height), Some(width), _) => Some([height, width]),
                (None, None, Some(edge)) => {
                    tell("keeps the proportions of images; here they are resized to a square");
                    Some([edge; 2])
                }
                _ => {
                    tell("has a `size` without height and width, which is not followed here");
                    None
                }
            }
        }
        size => side(size)?.map(|side| [side; 2]),
    };
    match found {
        Some([height, width]) if height.saturating_mul(width) > Size::MOST_INPUT_PIXELS => Err(()),
        found => Ok(found.map(|sides| sides.map(|side| side as usize))),
    }
}

/// The names of `id2label`, if the file is there and has them for 0, 1, 2 …
pub(crate) fn label_names(path: &Path) -> Result<Vec<String>, FindModelError> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let config = json(path)?;
    let Some(labels) = config["id2label"].as_object() else { return Ok(Vec::new()) };
    let name = |number: usize| labels.get(&number.to_string()).and_then(Value::as_str).map(str::to_owned);
    Ok((0..labels.len()).map(name).collect::<Option<Vec<_>>>().unwrap_or_default())
}

fn json(path: &Path) -> Result<Value, FindModelError> {
    let bytes = read_regular(path, MOST_BYTES)
        .map_err(|error| FindModelError::Pixels(format!("{}: {error}", path.display())))?;
    serde_json::from_slice(&bytes).map_err(|_| unclear(path, "this description"))
}

/// The refusal of a description.
pub(crate) fn unclear(path: &Path, what: &str) -> FindModelError {
    FindModelError::Pixels(format!(
        "{}: {what} cannot be understood; give --mean, --std and --range",
        path.display()
    ))
}

/// A list of numbers.
pub(crate) fn numbers(value: &Value) -> Option<Vec<f32>> {
    value.as_array()?.iter().map(|value| value.as_f64().map(|value| value as f32)).collect()
}

/// `(value factor - mean) / std` of values between 0 and 1.
pub(crate) fn by_moments(mean: &[f32], std: &[f32], factor: f32) -> Preparation {
    let scale = std.iter().map(|std| factor / std).collect();
    let shift = mean.iter().zip(std).map(|(mean, std)| -mean / std).collect();
    Preparation { scale, shift, reversed: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(steps: &Value) -> Result<Steps, FindModelError> {
        Steps::read(steps, Path::new("preprocessor_config.json"))
    }

    #[test]
    fn steps_that_are_not_followed_are_told() {
        let plain = json!({"image_mean": [0.5], "image_std": [0.5], "size": {"height": 32, "width": 48}, "resample": 2});
        let steps = read(&plain).expect("a description");
        assert!(steps.notes.is_empty() && steps.size == Some([32, 48]), "{steps:?}");
        let cases = [
            ("do_resize", json!(false), "do_resize", None),
            ("size", json!({"shortest_edge": 64}), "proportions", Some([64, 64])),
            ("size", json!({"longest_edge": 64}), "not followed", None),
            ("do_center_crop", json!(true), "crops", Some([32, 48])),
            ("do_pad", json!(true), "pads", Some([32, 48])),
            ("resample", json!(3), "filter", Some([32, 48])),
            ("size_divisor", json!(32), "size_divisor", Some([32, 48])),
            ("do_thumbnail", json!(true), "do_thumbnail", Some([32, 48])),
            ("do_reduce_labels", json!(true), "from 1", Some([32, 48])),
        ];
        for (key, value, word, size) in cases {
            let mut changed = plain.clone();
            changed[key] = value;
            let steps = read(&changed).expect("a description");
            assert!(steps.notes.len() == 1 && steps.notes[0].contains(word), "{key}: {:?}", steps.notes);
            assert_eq!((steps.size, steps.ignore.is_some()), (size, key == "do_reduce_labels"), "{key}");
        }
    }

    #[test]
    fn values_of_other_kinds_are_refused() {
        let plain = json!({"image_mean": [0.5], "image_std": [0.5]});
        for (key, value) in [
            ("do_resize", json!("yes")),
            ("do_rescale", json!(1)),
            ("rescale_factor", json!("1/255")),
            ("rescale_factor", json!(1e300)),
            ("image_mean", json!([0.5, 0.5])),
            ("image_mean", json!("0.5")),
            ("image_std", json!([0.0])),
            ("image_std", json!([1e300])),
            ("size", json!(-1)),
            ("size", json!("512")),
            ("size", json!({"height": 0, "width": 4})),
            ("size", json!({"height": 100_000_000, "width": 100_000_000})),
            ("size", json!(u64::MAX)),
        ] {
            let mut changed = plain.clone();
            changed[key] = value;
            let error = read(&changed).expect_err(key).to_string();
            assert!(error.contains("preprocessor_config.json"), "{error}");
        }
    }
}
