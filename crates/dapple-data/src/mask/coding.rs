//! Label maps, and what the numbers that masks store mean.
//!
//! Decoding has two steps. [`decode_values`] reads the numbers that the file stores; [`LabelCoding`] says which class a
//! number means. The second needs to know all masks of a data set (is 255 the foreground, or one class of many?), the
//! first only one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// The meaning of the numbers in mask files.
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

pub(crate) fn mask_value_error(path: &Path, value: u16, coding: LabelCoding, classes: usize) -> DataError {
    DataError::MaskValue { path: path.to_owned(), value, expected: coding.expected(classes) }
}
