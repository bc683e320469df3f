//! The errors of this crate: maps and settings that cannot be scored.

use std::fmt;

use dapple_base::InputFault;

/// Which of the two maps of an image an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// The map that the model made.
    Prediction,
    /// The annotation.
    Truth,
}

impl fmt::Display for MapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MapKind::Prediction => "prediction",
            MapKind::Truth => "truth",
        })
    }
}

/// Errors of this crate. Positions are counted from zero, from the top left corner.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MetricsError {
    /// A label that is neither a class nor the ignore label.
    #[error(
        "the {map} has label {value} at row {row}, column {column}, but the classes are 0 to {}{}: \
         name more classes, or make {value} the ignore label",
        classes - 1,
        ignore.map(|label| format!(" and the ignore label is {label}")).unwrap_or_default()
    )]
    UnknownLabel {
        /// The map that has the label.
        map: MapKind,
        /// The label found.
        value: u8,
        /// Row of the first such pixel.
        row: usize,
        /// Column of the first such pixel.
        column: usize,
        /// Number of classes.
        classes: usize,
        /// The ignore label, if there is one.
        ignore: Option<u8>,
    },
    /// A map has another number of pixels than its height and width say.
    #[error("the {map} has {found} pixels, but {height} rows of {width} pixels need {}", height.saturating_mul(*width))]
    WrongLength {
        /// The map of the wrong length.
        map: MapKind,
        /// Its length.
        found: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// An image without a pixel.
    #[error("an image of {height} rows and {width} columns has no pixel to score")]
    EmptyImage {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// No class, or more than labels of eight bits can name.
    #[error("{0} classes were asked for; label maps of eight bits have 1 to 256")]
    ClassCount(usize),
    /// Two accumulators of different classes, ignore labels or settings cannot be merged.
    #[error("cannot merge results that were measured under different settings: {0}")]
    Mismatch(String),
    /// A setting outside its range.
    #[error("{name} is {value}, but must be {expected}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The range allowed, in words.
        expected: &'static str,
    },
    /// A probability below 0, above 1 or not a number.
    #[error(
        "the prediction is {value} at row {row}, column {column}, but probabilities are 0 to 1: \
         apply the sigmoid or softmax before scoring"
    )]
    NotAProbability {
        /// The number found.
        value: f32,
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// Two lists that must be of one length are not.
    #[error("there are {found} {what}, but {expected} are needed, one a pixel")]
    WrongCount {
        /// The things counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        expected: usize,
    },
    /// Two score files that do not speak of the same images.
    #[error("{0}")]
    NotPaired(String),
    /// An error in one image of several.
    #[error("{image}: {source}")]
    Image {
        /// The image's name, as given by the caller.
        image: String,
        /// The problem.
        source: Box<MetricsError>,
    },
}

/// Checks that both maps have `height * width` pixels and that there is at least one.
pub(crate) fn check_lengths(
    prediction: usize,
    truth: usize,
    height: usize,
    width: usize,
) -> Result<(), MetricsError> {
    if height == 0 || width == 0 {
        return Err(MetricsError::EmptyImage { height, width });
    }
    for (map, found) in [(MapKind::Prediction, prediction), (MapKind::Truth, truth)] {
        if height.checked_mul(width) != Some(found) {
            return Err(MetricsError::WrongLength { map, found, height, width });
        }
    }
    Ok(())
}

impl InputFault for MetricsError {
    /// Always: maps and settings come from the user.
    fn is_input_fault(&self) -> bool {
        true
    }
}
