//! The formats by name.

use serde::Deserialize;

use super::archive::Archive;
use super::material::{Material, left_out};
use super::{coco, cvat, labelme, palette, yolo};
use crate::error::Result;
use crate::store::LabelStore;

/// A form of labels that other programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// COCO JSON with run lengths; photographs that are labelled as a whole.
    Coco,
    /// A JSON of polygons for each photograph.
    Labelme,
    /// A text file of polygons for each photograph; photographs that are labelled as a whole.
    Yolo,
    /// CVAT for images.
    Cvat,
    /// Masks as palette PNG.
    Palette,
}

impl ExportFormat {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coco => "coco",
            Self::Labelme => "labelme",
            Self::Yolo => "yolo",
            Self::Cvat => "cvat",
            Self::Palette => "palette",
        }
    }
}

/// Labels in another form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// A ZIP archive of the labels, without the photographs.
    pub archive: Vec<u8>,
    /// The number of photographs with labels that are not in it; `left-out.txt` in the archive names them, and why.
    pub left_out: usize,
}

/// The labels of a folder in another form.
///
/// # Errors
/// [`StudioError::Refused`](crate::StudioError::Refused) without a labelled photograph, and where the format cannot say what the
/// masks say.
pub fn export(store: &LabelStore, format: ExportFormat) -> Result<Export> {
    let mut material = Material::of(store)?;
    let mut archive = Archive::new();
    match format {
        ExportFormat::Coco => coco::write(material.keep_complete("COCO")?, &mut archive)?,
        ExportFormat::Labelme => labelme::write(&material, &mut archive)?,
        ExportFormat::Yolo => yolo::write(material.keep_complete("YOLO")?, &mut archive)?,
        ExportFormat::Cvat => cvat::write(&material, &mut archive)?,
        ExportFormat::Palette => palette::write(&material, &mut archive)?,
    }
    if !material.left.is_empty() {
        archive.add("left-out.txt", left_out(&material.left).as_bytes())?;
    }
    Ok(Export { archive: archive.finish()?, left_out: material.left.len() })
}
