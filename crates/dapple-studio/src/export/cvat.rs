//! CVAT for images: `annotations.xml`. Pixels without a label are `__ignore__`.

use std::fmt::Write;

use super::archive::Archive;
use super::material::Material;
use super::shapes::shapes;
use crate::error::Result;
use crate::store::{UNLABELLED, colour_text};

const IGNORE: &str = "__ignore__";

pub(super) fn write(material: &Material<'_>, archive: &mut Archive) -> Result<()> {
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>\n");
    text += "<meta><task><labels>\n";
    let names =
        material.classes.names.iter().map(String::as_str).zip(material.classes.colours.iter().copied());
    for (name, colour) in names.chain([(IGNORE, [128; 3])]) {
        let line = format!(
            "<label><name>{}</name><color>{}</color><type>polygon</type></label>\n",
            escaped(name),
            colour_text(colour)
        );
        text += &line;
    }
    text += "</labels></task></meta>\n";
    let background = material.background();
    for (number, image) in material.images.iter().enumerate() {
        let mask = material.mask(image)?;
        text += &format!(
            "<image id=\"{number}\" name=\"{}\" width=\"{}\" height=\"{}\">\n",
            escaped(&image.id),
            mask.width,
            mask.height
        );
        for (layer, shape) in shapes(&mask, background).into_iter().enumerate() {
            let name = match shape.label {
                UNLABELLED => IGNORE,
                label => material.classes.names[usize::from(label)].as_str(),
            };
            let mut points = String::new();
            for (place, (x, y)) in shape.ring.iter().enumerate() {
                let comma = if place > 0 { ";" } else { "" };
                write!(points, "{comma}{x},{y}").expect("a string takes it");
            }
            text += &format!(
                "<polygon label=\"{}\" source=\"manual\" occluded=\"0\" points=\"{points}\" z_order=\"{layer}\"></polygon>\n",
                escaped(name)
            );
        }
        text += "</image>\n";
    }
    text += "</annotations>\n";
    archive.add("annotations.xml", text.as_bytes())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
