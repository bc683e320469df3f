//! The errors of this crate: each names the file, says what is wrong and proposes the way out.

use std::path::{Path, PathBuf};

use dapple_base::InputFault;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, DataError>;

/// An error about data: each message names the file, says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("{}: cannot be read: {source}{}", path.display(), reading_hint(source))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] dapple_base::WriteError),
    /// The bytes are not an image that can be decoded: truncated, damaged, or of another format.
    #[error(
        "{}: cannot be decoded: {reason}; save it again as PNG or JPEG",
        path.display()
    )]
    Decode {
        /// The file, or the name given to bytes in memory.
        path: PathBuf,
        /// The decoder's reason.
        reason: String,
    },
    /// An image of a kind that is not read, or that can be read in two ways.
    #[error("{}: {problem}", path.display())]
    Image {
        /// The file, or the name given to bytes in memory.
        path: PathBuf,
        /// The problem and the way out.
        problem: String,
    },
    /// The image is larger than the decoder is allowed to hold.
    #[error(
        "{}: {width} x {height} pixels need more than the {limit_mib} MiB allowed for one image; \
         make it smaller or cut it into tiles",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width its header claims, in pixels.
        width: u32,
        /// Height its header claims, in pixels.
        height: u32,
        /// The limit in MiB.
        limit_mib: u64,
    },
    /// An image and its mask differ in size.
    #[error(
        "{}: the mask is {mask_width} x {mask_height} but its image {} is {image_width} x {image_height}; \
         export the mask again at the size of the image{}",
        mask.display(), image.display(), orientation_hint(*image_width, *image_height, *mask_width, *mask_height)
    )]
    SizeMismatch {
        /// The image file.
        image: PathBuf,
        /// Width of the image after its EXIF orientation is applied.
        image_width: u32,
        /// Height of the image after its EXIF orientation is applied.
        image_height: u32,
        /// The mask file.
        mask: PathBuf,
        /// Width of the mask.
        mask_width: u32,
        /// Height of the mask.
        mask_height: u32,
    },
    /// An image without a mask.
    #[error(
        "{}: no mask with the name `{stem}` in {}; add it, remove the image, or skip bad pairs",
        image.display(), folder.display()
    )]
    MissingMask {
        /// The image without a partner.
        image: PathBuf,
        /// The file stem looked for.
        stem: String,
        /// The folder it was looked for in.
        folder: PathBuf,
    },
    /// A mask without an image.
    #[error(
        "{}: no image with the name `{stem}` in {}; add it, remove the mask, or skip bad pairs",
        mask.display(), folder.display()
    )]
    MissingImage {
        /// The mask without a partner.
        mask: PathBuf,
        /// The file stem looked for.
        stem: String,
        /// The folder it was looked for in.
        folder: PathBuf,
    },
    /// Two files of one folder have the same stem, so that the pair is ambiguous.
    #[error("{} and {} have the same name but for the extension; keep one of them", first.display(), second.display())]
    DuplicateStem {
        /// The first file.
        first: PathBuf,
        /// The second file.
        second: PathBuf,
    },
    /// A file name that is not UTF-8 and could not be written to a split file.
    #[error("{}: the file name is not UTF-8; rename it", path.display())]
    NameNotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// A colour mask whose channels differ.
    #[error(
        "{}: a colour picture where a mask is expected (pixel {x}, {y} is {r}, {g}, {b}); \
         save masks as grey or palette PNG whose values are class indices 0, 1, 2, …",
        path.display()
    )]
    ColourMask {
        /// The mask.
        path: PathBuf,
        /// Column of the first coloured pixel.
        x: u32,
        /// Row of the first coloured pixel.
        y: u32,
        /// Red.
        r: u16,
        /// Green.
        g: u16,
        /// Blue.
        b: u16,
    },
    /// A mask holds a value outside the classes.
    #[error(
        "{}: the mask has the value {value} but {expected}; correct the mask, give the right number of classes, \
         or make {value} the ignore label",
        path.display()
    )]
    MaskValue {
        /// The mask.
        path: PathBuf,
        /// The value found.
        value: u16,
        /// The values expected, as a clause.
        expected: String,
    },
    /// The values of all masks together make no sensible set of classes.
    #[error("{}: {problem}", path.display())]
    MaskValues {
        /// The folder of the data set.
        path: PathBuf,
        /// The problem and the way out.
        problem: String,
    },
    /// The folder holds no layout that is known.
    #[error(
        "{}: no images with masks found; looked for\n{looked_for}\nfound {found}; rename the folders to one of these",
        path.display()
    )]
    NoLayout {
        /// The folder.
        path: PathBuf,
        /// The layouts tried, one a line.
        looked_for: String,
        /// The content found instead.
        found: String,
    },
    /// A folder of the layout holds no pair.
    #[error("{}: no image (PNG, JPEG, BMP, TIFF, WebP, PNM, GIF) in this folder; put the images there", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// No pair is left after bad ones were dropped.
    #[error("{}: all {dropped} pairs are bad, so that nothing is left; the first: {first}", path.display())]
    NothingLeft {
        /// The folder of the data set.
        path: PathBuf,
        /// How many were dropped.
        dropped: usize,
        /// Why the first was dropped.
        first: String,
    },
    /// A text file (classes, split) that cannot be understood.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The problem and the way out.
        problem: String,
    },
    /// A split names a sample that the data set lacks.
    #[error(
        "the split names `{name}`, which the data set lacks ({missing} names are missing in all); \
         restore the files or make a new split"
    )]
    UnknownName {
        /// The first missing name.
        name: String,
        /// How many are missing.
        missing: usize,
    },
    /// A setting outside its range.
    #[error("{setting} is {value}: {expected}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// The range allowed.
        expected: &'static str,
    },
    /// A thread of the loader ended by a panic; the panic message is on standard error.
    #[error("a loader thread ended unexpectedly; its message is above on standard error")]
    LoaderStopped,
}

impl DataError {
    pub(crate) fn image(path: &Path, problem: impl Into<String>) -> Self {
        Self::Image { path: path.to_owned(), problem: problem.into() }
    }

    /// The error of a file of a data set, which can do without the file.
    pub(crate) fn of_a_pair(self) -> Self {
        match self {
            Self::Decode { path, reason } => {
                let problem = format!(
                    "cannot be decoded: {reason}; save it again as PNG or JPEG, remove it with its partner, or skip bad \
                     pairs"
                );
                Self::BadFile { path, problem }
            }
            other => other,
        }
    }

    pub(crate) fn setting(setting: &'static str, value: impl ToString, expected: &'static str) -> Self {
        Self::Setting { setting, value: value.to_string(), expected }
    }
}

impl InputFault for DataError {
    /// Everything but a failed write and a loader thread that panicked.
    fn is_input_fault(&self) -> bool {
        !matches!(self, Self::Write(_) | Self::LoaderStopped)
    }
}

/// The way out of an error of reading, where the error does not say it.
fn reading_hint(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{FileTooLarge, InvalidInput};
    match error.kind() {
        InvalidInput | FileTooLarge => "",
        _ => "; check that it exists and that you may read it",
    }
}

/// A further sentence where the two sizes are each other's transpose.
fn orientation_hint(iw: u32, ih: u32, mw: u32, mh: u32) -> &'static str {
    if iw != ih && iw == mh && ih == mw {
        " (one is the other turned by 90 degrees: perhaps the mask was drawn without the image's EXIF orientation)"
    } else {
        ""
    }
}
