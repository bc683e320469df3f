//! The content of a response to a prediction request, made piece by piece: one file, or several in one JSON object.

use std::collections::VecDeque;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dapple_predict::PredictError;
use dapple_predict::output::OutputFile;
use serde_json::{Value, json};

use crate::request::parameters::Wanted;
use crate::response::encoding::{Encoding, Material};

/// A part of the content.
enum Part {
    Text(String),
    File(OutputFile, Form),
}

/// How a file stands in the content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it is: the only file, or JSON in JSON.
    Raw,
    /// In base64.
    Base64,
    /// As a JSON text.
    Text,
}

/// The content, made on request.
pub(crate) struct Answer {
    /// Its media type.
    pub media_type: &'static str,
    /// The name for a single file.
    pub file_name: Option<String>,
    material: Material,
    parts: VecDeque<Part>,
    current: Option<(Encoding, Form, Vec<u8>)>,
}

impl Answer {
    /// The requested outputs of a prediction.
    pub fn new(model: &str, material: Material, wanted: &Wanted) -> Self {
        let names = material.classes.names();
        let files: Vec<OutputFile> =
            wanted.kinds.iter().flat_map(|kind| kind.files(names, &material.settings)).collect();
        let (media_type, file_name, parts) = match &files[..] {
            [file] if wanted.kinds.len() == 1 => {
                let media_type = file.kind.media_type(&material.settings);
                (media_type, Some(plain_name(file)), VecDeque::from([Part::File(file.clone(), Form::Raw)]))
            }
            _ => ("application/json", None, parts_of_object(model, &material, files)),
        };
        Self { media_type, file_name, material, parts, current: None }
    }

    /// The next piece, which may be empty; `None` at the end. This takes time and belongs on a blocking thread.
    pub fn piece(&mut self) -> Result<Option<Vec<u8>>, PredictError> {
        if let Some((encoding, form, rest)) = &mut self.current {
            if let Some(bytes) = encoding.step(&self.material)? {
                return Ok(Some(match form {
                    Form::Raw => bytes,
                    Form::Base64 => base64_of(rest, bytes),
                    Form::Text => {
                        rest.extend(bytes);
                        Vec::new()
                    }
                }));
            }
            let end = match form {
                Form::Raw => Vec::new(),
                Form::Base64 => BASE64_STANDARD.encode(rest).into_bytes(),
                Form::Text => Value::from(String::from_utf8_lossy(rest)).to_string().into_bytes(),
            };
            self.current = None;
            return Ok(Some(end));
        }
        Ok(match self.parts.pop_front() {
            None => None,
            Some(Part::Text(text)) => Some(text.into_bytes()),
            Some(Part::File(file, form)) => {
                self.current = Some((Encoding::begin(&file, &self.material)?, form, Vec::new()));
                Some(Vec::new())
            }
        })
    }
}

/// The base64 of what is left and of the bytes, as far as it does not depend on those that follow.
fn base64_of(rest: &mut Vec<u8>, bytes: Vec<u8>) -> Vec<u8> {
    rest.extend(bytes);
    let whole = rest.len() / 3 * 3;
    let encoded = BASE64_STANDARD.encode(&rest[..whole]);
    rest.drain(..whole);
    encoded.into_bytes()
}

/// An object with all files in a list: JSON and text as they are, anything else in base64.
fn parts_of_object(model: &str, material: &Material, files: Vec<OutputFile>) -> VecDeque<Part> {
    let head = json!({ "model": model, "width": material.info.width, "height": material.info.height });
    let mut parts = VecDeque::from([Part::Text(opened(&head) + ",\"outputs\":[")]);
    for (number, file) in files.into_iter().enumerate() {
        let media_type = file.kind.media_type(&material.settings);
        let (encoding, form) = match media_type {
            kind if kind.ends_with("json") => ("json", Form::Raw),
            kind if kind.starts_with("text/") => ("text", Form::Text),
            _ => ("base64", Form::Base64),
        };
        let mut described = json!({ "kind": file.kind.name(), "media_type": media_type });
        if let Some(class) = file.class {
            described["class"] = material.classes.names()[class].clone().into();
        }
        described["encoding"] = encoding.into();
        let (comma, quote) =
            (if number > 0 { "," } else { "" }, if form == Form::Base64 { "\"" } else { "" });
        parts.push_back(Part::Text(format!("{comma}{},\"data\":{quote}", opened(&described))));
        parts.push_back(Part::File(file, form));
        parts.push_back(Part::Text(format!("{quote}}}")));
    }
    parts.push_back(Part::Text("]}".into()));
    parts
}

/// An object without its last brace.
fn opened(object: &Value) -> String {
    let mut text = object.to_string();
    text.pop();
    text
}

/// The name of a file for a header. Class names may contain any character; a header may not.
fn plain_name(file: &OutputFile) -> String {
    let name = file.suffix.trim_start_matches('-');
    let name = if name.starts_with('.') { format!("mask{name}") } else { name.to_owned() };
    name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_base64_join_to_the_whole() {
        let bytes: Vec<u8> = (0..100).collect();
        for size in [1, 2, 3, 7, 100] {
            let mut rest = Vec::new();
            let mut text = Vec::new();
            bytes.chunks(size).for_each(|piece| text.extend(base64_of(&mut rest, piece.to_vec())));
            text.extend(BASE64_STANDARD.encode(rest).into_bytes());
            assert_eq!(String::from_utf8(text).expect("ASCII"), BASE64_STANDARD.encode(&bytes), "{size}");
        }
    }
}
