//! The samples that a format finds in a folder, before any mask is decoded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{DataError, Result};
use crate::format::class_table::ClassTable;
use crate::mask::classes::Classes;
use crate::mask::decoder::{MaskDecoder, SegmentLabels};
use crate::mask::merged::MaskPart;
use crate::mask::regions::Regions;
use crate::part::Part;

/// One sample of a data set: its files.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Unique in the data set; behind `train/`, `val/` or `test/` where there are official parts.
    pub name: String,
    pub part: Option<Part>,
    pub image: PathBuf,
    pub target: Target,
}

impl Record {
    pub fn of_files(name: String, part: Option<Part>, image: PathBuf, mask: PathBuf) -> Self {
        Self { name, part, image, target: Target::Mask(mask) }
    }
}

/// Where the labels of a sample come from.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A mask file, decoded as all of the data set's are.
    Mask(PathBuf),
    /// A PNG of segment ids, and the label of each.
    Segments { path: PathBuf, labels: Arc<SegmentLabels> },
    /// Regions that an annotation file describes.
    Regions { path: PathBuf, regions: Arc<Regions> },
    /// Several mask files, each of one region or class, drawn in this order over label 0.
    Merged(Vec<MaskPart>),
}

impl Target {
    /// The files that hold the labels.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Merged(parts) => parts.iter().map(|part| part.path.as_path()).collect(),
            Self::Mask(_) | Self::Segments { .. } | Self::Regions { .. } => vec![self.path()],
        }
    }

    /// The file that holds the labels, or the first of them, for messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::Mask(path) | Self::Segments { path, .. } | Self::Regions { path, .. } => path,
            Self::Merged(parts) => parts.first().map_or(Path::new(""), |part| &part.path),
        }
    }
}

/// The samples of a folder, and what the format says about their masks.
#[derive(Debug)]
pub(crate) struct Found {
    pub records: Vec<Record>,
    /// The classes, where the format or one of its files names them.
    pub classes: Option<Classes>,
    /// The label that counts nowhere, where the format has one.
    pub ignore: Option<u8>,
    /// How masks are decoded, where the format says so; otherwise their values and a class table decide.
    pub decoder: Option<MaskDecoder>,
    /// The class table that the format stands for, where values or colours of the masks decide between its numbers and
    /// its colours; a table in the folder otherwise.
    pub table: Option<ClassTable>,
    /// Colours of masks without a table are taken for classes.
    pub accept_colours: bool,
    /// The file by whose order of classes masks of several classes lie over each other, later ones over earlier ones.
    pub order: Option<PathBuf>,
    /// The name of the one foreground class, where a folder's name tells it.
    pub subject: Option<String>,
    /// The folders that images and masks are taken from, in words, where they were found by their names.
    pub folders: Vec<String>,
}

impl Found {
    /// Samples whose masks say themselves what they mean, or whose class table does.
    pub fn open(records: Vec<Record>) -> Self {
        Self {
            records,
            classes: None,
            ignore: None,
            decoder: None,
            table: None,
            accept_colours: false,
            order: None,
            subject: None,
            folders: Vec::new(),
        }
    }

    /// Samples of a format that knows its classes and how to decode its masks. 255 is ignored.
    pub fn fixed(records: Vec<Record>, classes: Classes, decoder: MaskDecoder) -> Self {
        Self { classes: Some(classes), ignore: Some(IGNORED), decoder: Some(decoder), ..Self::open(records) }
    }
}

/// The label of ignored pixels in formats that have some.
pub(crate) const IGNORED: u8 = 255;

/// The folder beside `train/` and so on for samples that belong to no part.
pub(crate) const UNASSIGNED: &str = "unassigned";

/// The file in a folder to which a conversion was not finished.
pub(crate) const UNFINISHED: &str = "unfinished-conversion.json";

/// Bad pairs and warnings, collected while a folder is read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Whether bad pairs are left out instead of ending the search.
    pub skip_bad: bool,
    /// What the names of masks add to those of their images, where the user says it.
    pub mask_suffix: Option<String>,
    /// Why pairs were left out.
    pub skipped: Vec<DataError>,
    /// Interpretations that the user should know of.
    pub warnings: Vec<String>,
}

impl Notes {
    /// Records a bad pair, or returns the error if bad pairs end the search.
    pub fn bad(&mut self, error: DataError) -> Result<()> {
        if !self.skip_bad {
            return Err(error.of_a_pair());
        }
        self.skipped.push(error);
        Ok(())
    }

    /// The value, or `None` for a bad pair that is left out.
    pub fn kept<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.bad(error).map(|()| None),
        }
    }

    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}
