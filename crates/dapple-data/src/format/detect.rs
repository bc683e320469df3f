//! Finding a folder's format and its samples: the one place that knows the modules of all formats.

use std::path::Path;

use super::kind::Format;
use super::{
    ade20k, camvid, cityscapes, coco, coco_stuff, cvat_xml, drive, folders, isic, label_studio,
    label_studio_png, labelme, lists, loveda, nnunet, panoptic, pets, run_lengths, supervisely, via, voc,
    yolo,
};
use crate::error::Result;
use crate::format::found::{Found, Notes};

impl Format {
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
            Self::Supervisely => supervisely::probe(root),
            Self::NnUnet => nnunet::probe(root),
            Self::CvatXml => cvat_xml::probe(root),
            Self::LabelStudio => label_studio::probe(root),
            Self::LabelStudioPng => label_studio_png::probe(root),
            Self::Pets => pets::probe(root),
            Self::Drive => drive::probe(root),
            Self::Isic => isic::probe(root),
            Self::LoveDa => loveda::probe(root),
            Self::Via => via::probe(root),
            Self::Yolo => yolo::probe(root),
            Self::RunLengths => run_lengths::probe(root),
            Self::Folders => folders::find_folders(root, None).is_ok(),
            Self::Lists => lists::probe(root),
            Self::Colours | Self::Camvid11 | Self::Camvid12 => false,
        }
    }

    /// The format of a folder by what lies in it.
    ///
    /// # Errors
    /// [`DataError::Read`](crate::DataError::Read) if the folder cannot be read, [`DataError::NoLayout`](crate::DataError::NoLayout) if no format is recognized.
    pub fn detect(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        match Self::ALL.into_iter().find(|format| format.probe(root)) {
            Some(format) => Ok(format),
            None => folders::find_folders(root, None).map(|_| Self::Folders),
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
            Self::Supervisely => supervisely::find(root, notes),
            Self::NnUnet => nnunet::find(root, notes),
            Self::CvatXml => cvat_xml::find(root, notes),
            Self::LabelStudio => label_studio::find(root, notes),
            Self::LabelStudioPng => label_studio_png::find(root, notes),
            Self::Pets => pets::find(root, notes),
            Self::Drive => drive::find(root, notes),
            Self::Isic => isic::find(root, notes),
            Self::LoveDa => loveda::find(root, notes),
            Self::Via => via::find(root, notes),
            Self::Yolo => yolo::find(root, notes),
            Self::RunLengths => run_lengths::find(root, notes),
        }
    }
}
