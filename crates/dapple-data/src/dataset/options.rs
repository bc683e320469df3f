//! The ways to open a folder.

use std::str::FromStr;

use dapple_base::{TrainingImages, ValueRange};
use serde::{Deserialize, Serialize};

use crate::format::Format;
use crate::mask::coding::LabelCoding;

/// How to open a folder; the default finds everything by itself and stops at the first bad file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenOptions {
    /// The format of the folder; found from its files if not given.
    pub format: Option<Format>,
    /// The number of classes, 2 to 256; found from the masks if not given.
    pub classes: Option<usize>,
    /// The label of pixels that count neither in the loss nor in any metric. None by default.
    pub ignore: Option<u8>,
    /// The meaning of the values in masks; found from the masks if not given.
    pub coding: Option<LabelCoding>,
    /// How masks lie on images that EXIF data turn; found from all of them if not given.
    pub mask_orientation: Option<MaskOrientation>,
    /// What the names of masks add to those of their images, as `_manual1`; found from the names if not given.
    pub mask_suffix: Option<String>,
    /// Drop bad pairs with a warning each ([`Dataset::skipped`](crate::Dataset::skipped)) instead of stopping. All images are
    /// then decoded once while opening, so that none can turn out to be damaged later.
    pub skip_bad: bool,
    /// The values of the images that become black and white; found from the images if not given.
    pub value_range: Option<ValueRange>,
    /// The images that a model was trained on: these are read as those were, and refused where that is a guess.
    pub training: Option<TrainingImages>,
}

/// How masks without an orientation of their own lie on images that EXIF data turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskOrientation {
    /// As the pixels of the image are stored: they are turned with it.
    AsImage,
    /// On the upright image, as viewers show it.
    Upright,
}

impl FromStr for MaskOrientation {
    type Err = &'static str;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        match name {
            "as-image" => Ok(Self::AsImage),
            "upright" => Ok(Self::Upright),
            _ => Err("give as-image or upright"),
        }
    }
}
