//! The errors of drawing and writing pictures.

use std::path::PathBuf;

use dapple_base::InputFault;

/// An error of this crate; each message names what is wrong and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Two pictures of one sample differ in size.
    #[error(
        "{what} is {} x {} pixels but the image is {} x {}; resize it to the image first",
        found.0, found.1, wanted.0, wanted.1
    )]
    SizeMismatch {
        /// Which input differs, for example "the truth".
        what: String,
        /// Its width and height.
        found: (u32, u32),
        /// The image's width and height.
        wanted: (u32, u32),
    },
    /// An image without pixels.
    #[error("{what} has no pixels; skip it or check how it was read")]
    Empty {
        /// Which input is empty.
        what: String,
    },
    /// A label map holds a label that is neither a class nor the ignore index.
    #[error(
        "label {label} at column {x}, row {y} is not one of the {classes} classes; \
         add the class, or declare the label as the ignore index"
    )]
    UnknownLabel {
        /// The label found.
        label: u8,
        /// Its column.
        x: u32,
        /// Its row.
        y: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// The list of class names and the palette do not fit each other.
    #[error("{names} class names and {colours} colours; give 1 to 256 classes, one name and one colour each")]
    ClassCount {
        /// How many names were given.
        names: usize,
        /// How many colours were given.
        colours: usize,
    },
    /// A buffer of probabilities has the wrong length.
    #[error("{found} probabilities where {wanted} ({shape}) are needed; pass them as one contiguous buffer")]
    ProbabilityCount {
        /// How many values were given.
        found: usize,
        /// How many are needed.
        wanted: usize,
        /// The shape wanted, in words.
        shape: String,
    },
    /// A drawing was asked for with nothing in it.
    #[error("there is nothing to draw in {what}; add at least one {needed}")]
    NothingToDraw {
        /// The picture asked for.
        what: &'static str,
        /// The content that it needs.
        needed: &'static str,
    },
    /// A picture would be larger than viewers and the rasterizer can handle.
    #[error(
        "the picture would be {width} x {height} pixels, more than {limit} a side; draw fewer samples in one picture"
    )]
    TooLarge {
        /// Its width.
        width: u64,
        /// Its height.
        height: u64,
        /// The longest side allowed.
        limit: u32,
    },
    /// The picture could not be encoded.
    #[error("cannot encode {}: {source}", path.display())]
    Encode {
        /// The file to be written.
        path: PathBuf,
        /// The encoder's reason.
        source: image::ImageError,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] dapple_base::WriteError),
}

impl InputFault for ReportError {
    /// Never: what is drawn was checked before, and what remains is the disk.
    fn is_input_fault(&self) -> bool {
        false
    }
}
