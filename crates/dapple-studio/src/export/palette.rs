//! Palette PNG: masks whose values are the labels and whose palette shows the classes, with `classes.toml`.

use dapple_data::encode_indexed_png;

use super::archive::Archive;
use super::material::{Material, stem};
use crate::error::Result;
use crate::store::UNLABELLED;

pub(super) fn write(material: &Material<'_>, archive: &mut Archive) -> Result<()> {
    for image in &material.images {
        let mask = material.mask(image)?;
        let (width, height) = (mask.width as u32, mask.height as u32);
        let png = encode_indexed_png(width, height, &mask.labels, &material.classes.colours)?;
        archive.add(&format!("masks/{}.png", stem(&image.id)), &png)?;
    }
    archive.add("classes.toml", material.classes.to_toml_of_labels(UNLABELLED).as_bytes())
}
