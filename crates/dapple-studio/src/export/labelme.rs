//! Labelme: a JSON beside each photograph. Pixels without a label are `__ignore__`.

use serde_json::{Value, json};

use super::archive::Archive;
use super::material::{Material, stem};
use super::shapes::shapes;
use crate::error::Result;
use crate::store::UNLABELLED;

/// Labelme's name of what does not count.
const IGNORE: &str = "__ignore__";

pub(super) fn write(material: &Material<'_>, archive: &mut Archive) -> Result<()> {
    let background = material.background();
    let name = |label: u8| match label {
        UNLABELLED => IGNORE,
        label => material.classes.names[usize::from(label)].as_str(),
    };
    for image in &material.images {
        let mask = material.mask(image)?;
        let shapes: Vec<Value> = shapes(&mask, background)
            .into_iter()
            .map(|shape| {
                json!({
                    "label": name(shape.label),
                    "points": shape.ring.iter().map(|&(x, y)| [x, y]).collect::<Vec<_>>(),
                    "group_id": null,
                    "shape_type": "polygon",
                    "flags": {},
                })
            })
            .collect();
        let file = image.id.rsplit('/').next().unwrap_or(&image.id);
        let document = json!({
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": file,
            "imageData": null,
            "imageHeight": mask.height,
            "imageWidth": mask.width,
        });
        archive.add(&format!("{}.json", stem(&image.id)), document.to_string().as_bytes())?;
    }
    let names: Vec<&str> =
        [IGNORE].into_iter().chain(material.classes.names.iter().map(String::as_str)).collect();
    archive.add("labels.txt", (names.join("\n") + "\n").as_bytes())
}
