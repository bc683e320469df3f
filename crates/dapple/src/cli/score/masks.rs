//! Reading the masks that are compared: label maps, and probabilities of a foreground.

use std::path::{Path, PathBuf};

use dapple::data::{DataError, MaskValues};
use dapple::metrics::Probabilities;
use serde::{Deserialize, Serialize};

use crate::cli::failure::Failure;

/// The meaning of a mask's values.
#[derive(Clone, Copy, Debug)]
pub struct Meaning {
    /// Number of classes.
    pub classes: usize,
    /// The ignored label.
    pub ignore: Option<u8>,
}

/// A label map with its size.
#[derive(Debug)]
pub struct Labels {
    pub height: usize,
    pub width: usize,
    pub labels: Vec<u8>,
}

/// The occurring values for the foreground of two classes, 1 and white, each with its first file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Foreground {
    one: Option<PathBuf>,
    white: Option<(PathBuf, u16)>,
}

impl Foreground {
    /// Adds the values of further files.
    pub fn merge(&mut self, later: Foreground) {
        self.one = self.one.take().or(later.one);
        self.white = self.white.take().or(later.white);
    }

    /// Refuses a folder with both.
    pub fn check(&self) -> Result<(), Failure> {
        let (Some(one), Some((white_file, white))) = (&self.one, &self.white) else { return Ok(()) };
        Err(Failure::input(format!(
            "{} has the value 1 and {} the value {white}, which cannot both be the foreground; if {white} marks pixels \
             without a label, give --ignore {white}",
            one.display(),
            white_file.display()
        )))
    }
}

/// In a table of labels: a value without a label.
const UNKNOWN: u16 = 256;

impl Meaning {
    /// The labels of a mask's values, and the values of its foreground.
    ///
    /// Values are labels; of two classes, white is the foreground too, unless it is the ignore label.
    pub fn labels(self, mask: &MaskValues, path: &Path) -> Result<(Labels, Foreground), DataError> {
        // The label of each 8-bit value; white of 16 bits lies above the table.
        let mut table = [UNKNOWN; 256];
        for (value, label) in (0_u8..=255).zip(&mut table) {
            if self.ignore == Some(value) || usize::from(value) < self.classes {
                *label = u16::from(value);
            }
        }
        let white = (self.classes == 2).then_some(mask.white);
        if let Some(label) = white.and_then(|white| table.get_mut(usize::from(white)))
            && *label == UNKNOWN
        {
            *label = 1;
        }
        let mut labels = vec![0; mask.values.len()];
        let (mut ones, mut whites) = (false, false);
        for (&value, out) in mask.values.iter().zip(&mut labels) {
            let label = match table.get(usize::from(value)) {
                Some(&label) => label,
                None if white == Some(value) => 1,
                None => UNKNOWN,
            };
            if label == UNKNOWN {
                return Err(DataError::MaskValue { path: path.to_owned(), value, expected: self.expected() });
            }
            ones |= value == 1;
            whites |= label == 1 && value != 1;
            // A label: the only larger number is the unknown one.
            *out = label as u8;
        }
        let foreground = Foreground {
            one: (ones && self.ignore != Some(1)).then(|| path.to_owned()),
            white: whites.then(|| (path.to_owned(), mask.white)),
        };
        Ok((Labels { height: mask.height, width: mask.width, labels }, foreground))
    }

    fn expected(self) -> String {
        let ignored = self.ignore.map(|label| format!(", and {label} is ignored")).unwrap_or_default();
        match self.classes {
            1 => format!("there is 1 class (value 0{ignored})"),
            2 => format!(
                "there are 2 classes (values 0 and 1, or 0 and white{ignored}); if these are probabilities of the \
                 foreground, give --probability"
            ),
            classes => format!("there are {classes} classes (values 0 to {}{ignored})", classes - 1),
        }
    }
}

/// Probabilities of the foreground, as a file has them.
#[derive(Debug)]
pub enum ProbabilityMap {
    Bits8(Vec<u8>),
    Bits16(Vec<u16>),
}

impl ProbabilityMap {
    /// Of grey values, white being 1.
    pub fn new(mask: MaskValues, path: &Path) -> Result<Self, Failure> {
        if mask.indexed {
            return Err(Failure::input(format!(
                "{}: a palette picture, whose values are not grey values; save probabilities as grey PNG of 8 or 16 bits",
                path.display()
            )));
        }
        Ok(match u8::try_from(mask.white) {
            // 255 is divisible by the white of 1, 2 and 4 bits.
            Ok(white) => Self::Bits8(mask.values.iter().map(|&value| value as u8 * (255 / white)).collect()),
            Err(_) => Self::Bits16(mask.values),
        })
    }

    pub fn values(&self) -> Probabilities<'_> {
        match self {
            Self::Bits8(values) => Probabilities::Bits8(values),
            Self::Bits16(values) => Probabilities::Bits16(values),
        }
    }
}

/// The mask at another size: every pixel takes the value of the pixel in which its centre falls.
pub fn resize_nearest(mask: &MaskValues, height: usize, width: usize) -> MaskValues {
    let source = |at: usize, size: usize, from: usize| ((2 * at + 1) * from / (2 * size)).min(from - 1);
    let columns: Vec<usize> = (0..width).map(|x| source(x, width, mask.width)).collect();
    let mut values = Vec::with_capacity(height * width);
    for y in 0..height {
        let row = &mask.values[source(y, height, mask.height) * mask.width..][..mask.width];
        values.extend(columns.iter().map(|&x| row[x]));
    }
    MaskValues { width, height, values, ..*mask }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(width: usize, values: &[u16], white: u16) -> MaskValues {
        let (height, values) = (values.len() / width, values.to_vec());
        MaskValues { width, height, values, white, indexed: false, lossy: false }
    }

    #[test]
    fn white_is_the_foreground_of_two_classes_only() {
        let labels = |classes, ignore, values: &[u16], white| {
            let found =
                Meaning { classes, ignore }.labels(&mask(values.len(), values, white), Path::new("m.png"));
            found.map(|(labels, _)| labels.labels).ok()
        };
        assert_eq!(labels(2, None, &[0, 255, 0], 255), Some(vec![0, 1, 0]));
        assert_eq!(labels(2, None, &[0, 65535], 65535), Some(vec![0, 1]));
        assert_eq!(labels(2, None, &[0, 255], 65535), None);
        assert_eq!(labels(2, Some(255), &[0, 255, 1], 255), Some(vec![0, 255, 1]));
        assert_eq!(labels(3, None, &[0, 255], 255), None);
        let long: Vec<u16> = (0..200).map(|at| u16::from(at > 70) * 2).collect();
        assert_eq!(labels(3, None, &long, 255), Some(long.iter().map(|&value| value as u8).collect()));
    }

    #[test]
    fn one_and_white_in_one_folder_are_refused() {
        let meaning = Meaning { classes: 2, ignore: None };
        let of =
            |values: &[u16], name| meaning.labels(&mask(2, values, 255), Path::new(name)).expect("labels").1;
        let mut foreground = of(&[0, 1], "a.png");
        assert!(foreground.check().is_ok());
        foreground.merge(of(&[0, 255], "b.png"));
        assert!(foreground.check().is_err());
    }

    #[test]
    fn nearest_takes_the_pixel_under_the_centre() {
        let small = mask(2, &[1, 2, 3, 4], 255);
        assert_eq!(resize_nearest(&small, 2, 4).values, [1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(resize_nearest(&mask(4, &[1, 2, 3, 4], 255), 1, 2).values, [2, 4]);
        assert_eq!(resize_nearest(&small, 2, 2).values, small.values);
    }
}
