//! The formats of data sets, one module each: which files belong together and what the labels in them mean.
//!
//! A format is found by the folders and files that only it has ([`Format::probe`]), or named by the user. Its module
//! lists the samples ([`Record`]) and says how their masks are decoded; nothing is decoded here.

mod ade20k;
mod camvid;
mod cityscapes;
mod coco;
mod coco_names;
mod coco_stuff;
mod folders;
mod labelme;
mod lists;
mod panoptic;
pub(crate) mod voc;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::decoder::{MaskDecoder, SegmentLabels};
use crate::error::{DataError, Result};
use crate::part::Part;
use crate::regions::Regions;

/// How a data set is laid out and what its masks mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// A folder of images and a folder of masks, with or without parts and folders in them.
    Folders,
    /// Folders as above whose masks are colour-coded without a table: every colour found is a class.
    Colours,
    /// Text files with the paths of an image and its mask on each line (txt, csv).
    Lists,
    /// Pascal VOC: `ImageSets/Segmentation`, `JPEGImages`, `SegmentationClass`; also as CVAT and Datumaro write it, with
    /// the classes in `labelmap.txt`.
    Voc,
    /// CamVid with the original colours: 31 classes, void ignored.
    Camvid,
    /// CamVid in SegNet's 11 classes, from its indices or from the original colours; all else is ignored.
    #[serde(rename = "camvid-11")]
    Camvid11,
    /// CamVid in SegNet's 11 classes and "unlabelled" as the twelfth.
    #[serde(rename = "camvid-12")]
    Camvid12,
    /// Cityscapes: `leftImg8bit`, `gtFine` or `gtCoarse`; the 19 classes of the benchmark.
    Cityscapes,
    /// ADE20K as in the scene parsing challenge: 150 classes, 0 ignored.
    Ade20k,
    /// COCO JSON with polygons or run lengths; crowd regions are ignored.
    Coco,
    /// COCO-stuff: masks of category ids less one, 171 classes, 255 ignored.
    CocoStuff,
    /// COCO panoptic: PNG files of segment ids with a JSON that says what they are.
    CocoPanoptic,
    /// Labelme: one JSON with polygons for each image.
    Labelme,
}

impl Format {
    /// All formats in the order in which they are looked for; [`Format::Colours`] and groupings of CamVid are only used
    /// when they are named.
    pub const ALL: [Self; 13] = [
        Self::Voc,
        Self::Cityscapes,
        Self::CocoPanoptic,
        Self::CocoStuff,
        Self::Coco,
        Self::Ade20k,
        Self::Camvid,
        Self::Labelme,
        Self::Folders,
        Self::Lists,
        Self::Colours,
        Self::Camvid11,
        Self::Camvid12,
    ];

    /// The name by which `--format` knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folders => "folders",
            Self::Colours => "colours",
            Self::Lists => "lists",
            Self::Voc => "voc",
            Self::Camvid => "camvid",
            Self::Camvid11 => "camvid-11",
            Self::Camvid12 => "camvid-12",
            Self::Cityscapes => "cityscapes",
            Self::Ade20k => "ade20k",
            Self::Coco => "coco",
            Self::CocoStuff => "coco-stuff",
            Self::CocoPanoptic => "coco-panoptic",
            Self::Labelme => "labelme",
        }
    }

    /// Whether `root` has the files that tell this format from all others.
    fn probe(self, root: &Path) -> bool {
        match self {
            Self::Voc => voc::probe(root),
            Self::Cityscapes => cityscapes::probe(root),
            Self::CocoPanoptic => panoptic::probe(root),
            Self::CocoStuff => coco_stuff::probe(root),
            Self::Coco => coco::probe(root),
            Self::Ade20k => ade20k::probe(root),
            Self::Camvid => camvid::probe(root),
            Self::Labelme => labelme::probe(root),
            Self::Folders => folders::find_folders(root).is_ok(),
            Self::Lists => lists::probe(root),
            Self::Colours | Self::Camvid11 | Self::Camvid12 => false,
        }
    }

    /// The format of a folder by what lies in it.
    ///
    /// # Errors
    /// [`DataError::Read`] if the folder cannot be read, [`DataError::NoLayout`] if nothing is recognised.
    pub fn detect(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        match Self::ALL.into_iter().find(|format| format.probe(root)) {
            Some(format) => Ok(format),
            None => folders::find_folders(root).map(|_| Self::Folders),
        }
    }

    /// The samples of a folder in this format.
    pub(crate) fn find(self, root: &Path, notes: &mut Notes) -> Result<Found> {
        match self {
            Self::Folders => folders::find(root, notes),
            Self::Colours => Ok(Found { accept_colours: true, ..folders::find(root, notes)? }),
            Self::Lists => lists::find(root, notes),
            Self::Voc => voc::find(root, notes),
            Self::Camvid => camvid::find(root, camvid::Grouping::Original, notes),
            Self::Camvid11 => camvid::find(root, camvid::Grouping::Eleven, notes),
            Self::Camvid12 => camvid::find(root, camvid::Grouping::Twelve, notes),
            Self::Cityscapes => cityscapes::find(root, notes),
            Self::Ade20k => ade20k::find(root, notes),
            Self::Coco => coco::find(root, notes),
            Self::CocoStuff => coco_stuff::find(root, notes),
            Self::CocoPanoptic => panoptic::find(root, notes),
            Self::Labelme => labelme::find(root, notes),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let known = |format: &Self| format.name() == name || (name == "cvat" && *format == Self::Voc);
        Self::ALL.into_iter().find(known).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
            format!("give one of {}", names.join(", "))
        })
    }
}

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
    fn of_files(name: String, part: Option<Part>, image: PathBuf, mask: PathBuf) -> Self {
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
}

impl Target {
    /// The file that holds the labels, for messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::Mask(path) | Self::Segments { path, .. } | Self::Regions { path, .. } => path,
        }
    }
}

/// What a format's module found.
#[derive(Debug)]
pub(crate) struct Found {
    pub records: Vec<Record>,
    /// The classes, where the format or one of its files names them.
    pub classes: Option<Classes>,
    /// The label that counts nowhere, where the format has one.
    pub ignore: Option<u8>,
    /// How masks are decoded, where the format says so; otherwise their values and a class table decide.
    pub decoder: Option<MaskDecoder>,
    /// Colours of masks without a table are taken for classes.
    pub accept_colours: bool,
    /// What the one foreground class is, where a folder's name tells it.
    pub subject: Option<String>,
}

impl Found {
    /// Samples whose masks say themselves what they mean, or whose class table does.
    fn open(records: Vec<Record>) -> Self {
        Self { records, classes: None, ignore: None, decoder: None, accept_colours: false, subject: None }
    }

    /// Samples of a format that knows its classes and how to decode its masks. 255 is ignored.
    fn fixed(records: Vec<Record>, classes: Classes, decoder: MaskDecoder) -> Self {
        Self { classes: Some(classes), ignore: Some(IGNORED), decoder: Some(decoder), ..Self::open(records) }
    }
}

/// The label of ignored pixels in formats that have some.
pub(crate) const IGNORED: u8 = 255;

/// The folder beside `train/` and so on for samples that belong to no part.
pub(crate) const UNASSIGNED: &str = "unassigned";

/// What was odd while a folder was read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Whether bad pairs are left out instead of ending the search.
    pub skip_bad: bool,
    /// Why pairs were left out.
    pub skipped: Vec<DataError>,
    /// What was understood in a way that the user should know of.
    pub warnings: Vec<String>,
}

impl Notes {
    /// Takes note of a bad pair, or passes the error on if bad pairs end the search.
    pub fn bad(&mut self, error: DataError) -> Result<()> {
        if !self.skip_bad {
            return Err(error);
        }
        self.skipped.push(error);
        Ok(())
    }

    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}
