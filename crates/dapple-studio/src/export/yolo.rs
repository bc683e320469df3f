//! YOLO segmentation: a text file of polygons for each photograph, and `data.yaml`.

use std::fmt::Write;

use dapple_predict::outlines;
use serde_json::Value;

use super::archive::Archive;
use super::material::{Material, stem};
use super::shapes::with_holes;
use crate::error::Result;
use crate::store::UNLABELLED;

pub(super) fn write(material: &Material<'_>, archive: &mut Archive) -> Result<()> {
    let objects = material.objects();
    for image in &material.images {
        let mask = material.mask(image)?;
        let mut text = String::new();
        for region in outlines(&mask.labels, mask.width, UNLABELLED) {
            let Some(class) = objects.iter().position(|(label, _)| *label == region.label) else { continue };
            write!(text, "{class}").expect("a string takes it");
            for (x, y) in with_holes(&region) {
                let (x, y) = (f64::from(x) / mask.width as f64, f64::from(y) / mask.height as f64);
                write!(text, " {x:.7} {y:.7}").expect("a string takes it");
            }
            text.push('\n');
        }
        archive.add(&format!("labels/{}.txt", stem(&image.id)), text.as_bytes())?;
    }
    let mut yaml =
        String::from("# Put the photographs into images/.\npath: .\ntrain: images\nval: images\nnames:\n");
    for (number, (_, name)) in objects.iter().enumerate() {
        // A JSON text is one of YAML.
        writeln!(yaml, "  {number}: {}", Value::from(*name)).expect("a string takes it");
    }
    archive.add("data.yaml", yaml.as_bytes())
}
