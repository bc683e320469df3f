//! The classes of a folder.

use std::fs;

use dapple_data::Classes;

use super::mask::UNLABELLED;
use super::places::Places;
use crate::error::{Result, StudioError};

/// The classes of a folder, and whether its file gives their values; without a file, background and one class.
pub(super) fn read_classes(places: &Places) -> Result<(Classes, bool)> {
    if !places.classes.is_file() {
        if places.holds_masks() {
            return Err(StudioError::refused(format!(
                "{0}: its masks have no classes.toml, so that their values could mean anything. Take them over into a new folder: \
                 dapple studio NEW --import {0}",
                places.root.display()
            )));
        }
        return Ok((Classes::binary("object"), false));
    }
    let foreign = |why: String| {
        StudioError::refused(format!(
            "{why}\ntake the labels over into a new folder: dapple studio NEW --import {}",
            places.root.display()
        ))
    };
    let (classes, ignore) =
        Classes::read_of_labels(&places.classes).map_err(|error| foreign(error.to_string()))?;
    if let Some(ignore) = ignore.filter(|&ignore| ignore != UNLABELLED) {
        return Err(foreign(format!(
            "{}: pixels without a label have the value {ignore} here, and {UNLABELLED} in the studio",
            places.classes.display()
        )));
    }
    if !(2..=usize::from(UNLABELLED)).contains(&classes.len()) {
        return Err(StudioError::refused(format!(
            "{}: {} classes; the studio needs 2 to 255",
            places.classes.display(),
            classes.len()
        )));
    }
    let text = fs::read_to_string(&places.classes).unwrap_or_default();
    let written = text == classes.to_toml_of_labels(UNLABELLED);
    Ok((classes, written))
}
