//! What an ONNX file and the files beside it tell about images and classes.

use std::path::Path;

use dapple_base::ValueRange;
use dapple_nets::Activation;
use dapple_nets::checkpoint::Normalization;
use dapple_onnx::{OnnxFile, Preparation};
use serde_json::Value;

use crate::preprocessor::{Steps, by_moments, label_names, numbers, unclear};
use crate::unfound::FindModelError;

/// What is told; nothing of it where nothing tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub pixels: Option<Pixels>,
    pub size: Option<[usize; 2]>,
    pub classes: Vec<String>,
    pub colours: Vec<[u8; 3]>,
    pub ignore: Option<u8>,
    /// The values of images that become black and white, where those of their type do not.
    pub range: Option<ValueRange>,
    pub activation: Option<Activation>,
    /// What was told and is done otherwise here.
    pub notes: Vec<String>,
}

/// The preparation of pixels.
#[derive(Debug)]
pub(crate) struct Pixels {
    pub normalization: Normalization,
    pub preparation: Option<Preparation>,
    /// Where it was found.
    pub source: String,
}

/// What a file, or the files beside it, tell.
pub(crate) fn told(path: &Path, file: &OnnxFile) -> Result<Told, FindModelError> {
    if let Some(text) = file.entry("preprocessing") {
        return of_dapple(path, file, text);
    }
    if file.entry("author") == Some("Ultralytics") {
        return Ok(of_ultralytics(file));
    }
    of_hugging_face(path)
}

fn sides(value: &Value) -> Option<[usize; 2]> {
    let side =
        |value: &Value| value.as_u64().and_then(|side| usize::try_from(side).ok()).filter(|&side| side > 0);
    match value.as_array()?.as_slice() {
        [height, width] => Some([side(height)?, side(width)?]),
        _ => None,
    }
}

/// The metadata that `dapple export` writes.
fn of_dapple(path: &Path, file: &OnnxFile, text: &str) -> Result<Told, FindModelError> {
    let what = "the entry `preprocessing` of its metadata";
    let steps: Value = serde_json::from_str(text).map_err(|_| unclear(path, what))?;
    let (Some(mean), Some(std)) = (numbers(&steps["mean"]), numbers(&steps["std"])) else {
        return Err(unclear(path, what));
    };
    if mean.len() != std.len() || std.iter().any(|&std| std <= 0.0) {
        return Err(unclear(path, what));
    }
    let channels = mean.len();
    let is = |normalization: Normalization| normalization.moments(channels) == [mean.clone(), std.clone()];
    let (normalization, preparation) = if steps["included"].as_bool() == Some(true) {
        let (scale, shift) = (vec![255.0; channels], vec![0.0; channels]);
        (Normalization::Unit, Some(Preparation { scale, shift, reversed: false }))
    } else if steps["divisor"].as_str() == Some("image maximum") {
        if !is(Normalization::U2Net) {
            return Err(unclear(path, what));
        }
        (Normalization::U2Net, None)
    } else if steps["divisor"].as_f64() != Some(255.0) {
        return Err(unclear(path, what));
    } else {
        let known = [Normalization::ImageNet, Normalization::Unit, Normalization::Lite];
        match known.into_iter().find(|&normalization| is(normalization)) {
            Some(normalization) => (normalization, None),
            None => (Normalization::Unit, Some(by_moments(&mean, &std, 1.0))),
        }
    };
    let range = match &steps["value_range"] {
        Value::Null => None,
        given => {
            let range = given.as_str().and_then(|text| text.parse::<ValueRange>().ok());
            Some(range.ok_or_else(|| unclear(path, what))?)
        }
    };
    let listed: Value =
        file.entry("classes").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let listed = listed.as_array().cloned().unwrap_or_default();
    let colour = |class: &Value| -> Option<[u8; 3]> {
        let values = class["colour"].as_array()?;
        let values = values.iter().map(|value| value.as_u64().and_then(|value| u8::try_from(value).ok()));
        values.collect::<Option<Vec<u8>>>()?.try_into().ok()
    };
    Ok(Told {
        pixels: Some(Pixels { normalization, preparation, source: "its metadata".to_owned() }),
        size: sides(&steps["size"]),
        classes: listed.iter().filter_map(|class| class["name"].as_str().map(str::to_owned)).collect(),
        colours: listed.iter().filter_map(colour).collect(),
        ignore: file.entry("ignore_label").and_then(|label| label.parse().ok()),
        range,
        activation: match file.entry("activation") {
            Some("softmax") => Some(Activation::Softmax),
            Some("sigmoid") => Some(Activation::Sigmoid),
            _ => None,
        },
        notes: Vec::new(),
    })
}

/// Ultralytics' metadata: pixels between 0 and 1, red first; names as Python writes a dictionary.
fn of_ultralytics(file: &OnnxFile) -> Told {
    let pixels = Pixels {
        normalization: Normalization::Unit,
        preparation: None,
        source: "the metadata of Ultralytics".to_owned(),
    };
    let size = file.entry("imgsz").and_then(|text| serde_json::from_str(text).ok()).as_ref().and_then(sides);
    let classes = file.entry("names").and_then(python_names).unwrap_or_default();
    Told { pixels: Some(pixels), size, classes, ..Told::default() }
}

/// The values of `{0: 'person', 1: "bird's nest"}`, in the order of their numbers, which must be 0, 1, 2 …
fn python_names(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (number, after) = rest.split_once(':')?;
        if number.trim().parse() != Ok(names.len()) {
            return None;
        }
        let mut letters = after.trim_start().chars();
        let quote = letters.next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let mut name = String::new();
        loop {
            match letters.next()? {
                '\\' => name.push(letters.next()?),
                letter if letter == quote => break,
                letter => name.push(letter),
            }
        }
        names.push(name);
        rest = letters.as_str().trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(names)
}

/// Hugging Face's description beside the file, or above a folder `onnx`.
fn of_hugging_face(path: &Path) -> Result<Told, FindModelError> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let above = folder.file_name().is_some_and(|name| name == "onnx").then(|| folder.join(".."));
    let mut places = std::iter::once(folder).chain(above);
    let Some((folder, steps)) = places
        .find_map(|folder| {
            Steps::of_folder(&folder).map(|steps| steps.map(|steps| (folder, steps))).transpose()
        })
        .transpose()?
    else {
        return Ok(Told::default());
    };
    let Steps { preparation, size, ignore, source, notes } = steps;
    let classes = label_names(&folder.join("config.json"))?;
    let pixels = Pixels { normalization: Normalization::Unit, preparation: Some(preparation), source };
    Ok(Told { pixels: Some(pixels), size, classes, ignore, notes, ..Told::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_python_dictionary_are_read() {
        let names = python_names(r#"{0: 'person', 1: "bird's nest", 2: 'a\'b'}"#);
        assert_eq!(names, Some(vec!["person".to_owned(), "bird's nest".to_owned(), "a'b".to_owned()]));
        assert_eq!(python_names("{}"), Some(Vec::new()));
        for wrong in ["", "{1: 'a'}", "{0: a}", "{0: 'a", "['a']"] {
            assert_eq!(python_names(wrong), None, "{wrong}");
        }
    }
}
