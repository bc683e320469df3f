//! COCO: one JSON with a run-length mask for each connected region.

use dapple_predict::outlines;
use dapple_predict::output::{CocoForm, coco_annotation};
use serde_json::{Value, json};

use super::archive::Archive;
use super::material::Material;
use crate::error::Result;
use crate::store::UNLABELLED;

pub(super) fn write(material: &Material<'_>, archive: &mut Archive) -> Result<()> {
    let objects = material.objects();
    // COCO counts categories from 1.
    let category = |label: u8| objects.iter().position(|(object, _)| *object == label).map(|place| place + 1);
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for (number, image) in (1..).zip(&material.images) {
        let size = (image.size.width, image.size.height);
        images.push(json!({ "id": number, "file_name": image.id, "width": size.0, "height": size.1 }));
        let mask = material.mask(image)?;
        for region in outlines(&mask.labels, mask.width, UNLABELLED) {
            let Some(category) = category(region.label) else { continue };
            let mut annotation = coco_annotation(&region, size, CocoForm::Runs);
            annotation["id"] = (annotations.len() + 1).into();
            annotation["image_id"] = Value::from(number);
            annotation["category_id"] = category.into();
            annotations.push(annotation);
        }
    }
    let categories: Vec<Value> = (1..)
        .zip(&objects)
        .map(|(id, (_, name))| json!({ "id": id, "name": name, "supercategory": "" }))
        .collect();
    let document = json!({ "images": images, "annotations": annotations, "categories": categories });
    archive.add("annotations.json", document.to_string().as_bytes())
}
