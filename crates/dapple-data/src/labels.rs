//! Label maps, and what the numbers that masks store mean.
//!
//! Decoding has two steps. [`decode_values`] reads the numbers that the file stores; [`LabelCoding`] says which class a
//! number means. The second needs to know all masks of a data set (is 255 the foreground, or one class of many?), the
//! first only one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::decoder::{MaskDecoder, UPRIGHT};
use crate::error::{DataError, Result};
use crate::image_file::read_file;
use crate::raw_mask::RawMask;

/// A label map, `[height, width]`, rows from the top: the class of every pixel, or the ignore label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` labels.
    pub labels: Vec<u8>,
}

/// The numbers stored in a mask file, `[height, width]`: palette indices or grey values, not scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskValues {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` values.
    pub values: Vec<u16>,
    /// The value of white at the file's bit depth: 255 for 8 bits, 65535 for 16.
    pub white: u16,
    /// Whether the values are indices into a palette.
    pub indexed: bool,
}

/// What the numbers of a mask file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelCoding {
    /// The value is the class.
    Indices,
    /// Two values: background (class 0) and foreground (class 1), such as 0 and 255.
    Binary {
        /// The value of class 0.
        background: u16,
        /// The value of class 1.
        foreground: u16,
    },
    /// Soft masks: class 1 from this value on, class 0 below it.
    Threshold(u16),
}

impl LabelCoding {
    /// The class of a stored value; `None` where the coding gives it none. The ignore label stays itself.
    pub fn label(self, value: u16, ignore: Option<u8>) -> Option<u8> {
        if let Some(ignore) = ignore
            && value == u16::from(ignore)
        {
            return Some(ignore);
        }
        match self {
            Self::Indices => u8::try_from(value).ok(),
            Self::Binary { background, .. } if value == background => Some(0),
            Self::Binary { foreground, .. } if value == foreground => Some(1),
            Self::Binary { .. } => None,
            Self::Threshold(threshold) => Some(u8::from(value >= threshold)),
        }
    }

    fn expected(self, classes: usize) -> String {
        match self {
            Self::Binary { background, foreground } => {
                format!("all others have only {background} (background) and {foreground} (foreground)")
            }
            _ if classes == 1 => "there is 1 class (value 0)".into(),
            _ => format!("there are {classes} classes (values 0 to {})", classes - 1),
        }
    }
}

/// Decodes the values that a mask file stores.
///
/// Palette PNGs give their indices, grey pictures their values at their own bit depth (a 1-bit PNG gives 0 and 1), RGB
/// pictures whose three channels agree everywhere their grey value; alpha is dropped.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`], [`DataError::TooLarge`], and [`DataError::ColourMask`] for a colour picture.
pub fn decode_values(path: impl AsRef<Path>) -> Result<MaskValues> {
    let path = path.as_ref();
    decode_values_bytes(&read_file(path)?, path)
}

/// Decodes a mask in memory as [`decode_values`] does; `name` is what errors call it.
///
/// # Errors
/// Those of [`decode_values`] but for [`DataError::Read`].
pub fn decode_values_bytes(bytes: &[u8], name: impl AsRef<Path>) -> Result<MaskValues> {
    let name = name.as_ref();
    RawMask::decode(bytes, name)?.into_values(name)
}

/// Decodes a mask file to labels below `classes` or equal to `ignore`.
///
/// # Errors
/// Those of [`decode_values`], and [`DataError::MaskValue`].
pub fn decode_labels(
    path: impl AsRef<Path>,
    coding: LabelCoding,
    classes: usize,
    ignore: Option<u8>,
) -> Result<LabelMap> {
    MaskDecoder::Values(coding).decode(path.as_ref(), UPRIGHT, classes, ignore)
}

pub(crate) fn mask_value_error(path: &Path, value: u16, coding: LabelCoding, classes: usize) -> DataError {
    DataError::MaskValue { path: path.to_owned(), value, expected: coding.expected(classes) }
}
