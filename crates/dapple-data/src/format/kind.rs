//! The formats by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    /// Supervisely: `meta.json`, folders `img` and `ann`.
    Supervisely,
    /// nnU-Net: `dataset.json`, `imagesTr`, `labelsTr`.
    #[serde(rename = "nnunet")]
    NnUnet,
    /// CVAT for images: `annotations.xml`.
    CvatXml,
    /// Label Studio: a JSON of tasks.
    LabelStudio,
    /// Label Studio: brush strokes as PNG, a file for each task and class.
    LabelStudioPng,
    /// Oxford-IIIT Pets: `images`, `annotations/trimaps`.
    #[serde(rename = "oxford-pets")]
    Pets,
    /// DRIVE: `training/images`, `1st_manual`, `mask`; the field of view counts.
    Drive,
    /// ISIC's challenges: folders `…_Input` or `…_Data` with `…_GroundTruth`.
    Isic,
    /// LoveDA: `Train/Urban/images_png`, `masks_png`; 0 is no data.
    #[serde(rename = "loveda")]
    LoveDa,
    /// VGG Image Annotator: a JSON with the regions of all images.
    Via,
    /// YOLO segmentation: a text file of polygons for each image.
    Yolo,
    /// Run lengths in a CSV, as Kaggle has them.
    RunLengths,
}

impl Format {
    /// All formats in the order in which they are looked for; [`Format::Colours`] and groupings of CamVid are only used
    /// when they are named.
    pub const ALL: [Self; 25] = [
        Self::Voc,
        Self::Cityscapes,
        Self::CocoPanoptic,
        Self::CocoStuff,
        Self::Coco,
        Self::Ade20k,
        Self::Camvid,
        Self::NnUnet,
        Self::Supervisely,
        Self::CvatXml,
        Self::LabelStudio,
        Self::LabelStudioPng,
        Self::Pets,
        Self::Drive,
        Self::Isic,
        Self::LoveDa,
        Self::Via,
        Self::Labelme,
        Self::Yolo,
        Self::RunLengths,
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
            Self::Supervisely => "supervisely",
            Self::NnUnet => "nnunet",
            Self::CvatXml => "cvat-xml",
            Self::LabelStudio => "label-studio",
            Self::LabelStudioPng => "label-studio-png",
            Self::Pets => "oxford-pets",
            Self::Drive => "drive",
            Self::Isic => "isic",
            Self::LoveDa => "loveda",
            Self::Via => "via",
            Self::Yolo => "yolo",
            Self::RunLengths => "run-lengths",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> std::result::Result<Self, UnknownFormat> {
        let known = |format: &Self| format.name() == name || (name == "cvat" && *format == Self::Voc);
        Self::ALL.into_iter().find(known).ok_or(UnknownFormat)
    }
}

/// A name that is not the name of a [`Format`]; the message lists the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFormat;

impl std::error::Error for UnknownFormat {}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
        write!(f, "give one of {}", names.join(", "))
    }
}
