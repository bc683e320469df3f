//! Bitmaps in annotations, and the names of classes and images in them.

use std::io::Write;

use crate::common::{grey_png, png, put, rgb_png};
use crate::formats::{base64, image, labels, names, open, text};
use dapple_data::{Dataset, Format, OpenOptions};
use png::{BitDepth, ColorType};
use tempfile::{TempDir, tempdir};

fn refusal(root: &TempDir) -> String {
    Dataset::open(root.path(), &OpenOptions::default()).expect_err("it is refused").to_string()
}

/// A Supervisely project of one image of 4 x 3 pixels, with a bitmap at its second pixel.
fn supervisely(png: &[u8]) -> TempDir {
    let root = tempdir().unwrap();
    image(&root, "ds0/img/a.png");
    text(&root, "meta.json", r#"{"classes": [{"title": "cat"}]}"#);
    let mut zipped = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zipped.write_all(png).unwrap();
    let data = base64(&zipped.finish().unwrap());
    let bitmap = format!(r#""geometryType": "bitmap", "bitmap": {{"data": "{data}", "origin": [1, 0]}}"#);
    let objects = format!(r#"[{{"classTitle": "cat", {bitmap}}}]"#);
    let file = format!(r#"{{"size": {{"height": 3, "width": 4}}, "objects": {objects}}}"#);
    text(&root, "ds0/ann/a.png.json", &file);
    root
}

#[test]
fn the_opacity_of_a_bitmap_counts_whatever_its_colours() {
    // Black where it is opaque, and two other colours where it is not.
    let pixels = [0, 0, 0, 255, 255, 255, 255, 0, 9, 99, 199, 0];
    let root = supervisely(&png(3, 1, ColorType::Rgba, BitDepth::Eight, &pixels));
    assert_eq!(labels(&open(&root, Format::Supervisely), 0)[..4], [0, 1, 0, 0]);
    let grey = png(2, 1, ColorType::GrayscaleAlpha, BitDepth::Sixteen, &[0, 0, 0, 1, 255, 255, 0, 0]);
    assert_eq!(labels(&open(&supervisely(&grey), Format::Supervisely), 0)[..4], [0, 1, 0, 0]);
    // A palette whose first entry is transparent, as Supervisely itself writes them.
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 3, 1);
    encoder.set_color(ColorType::Indexed);
    encoder.set_palette(vec![0, 0, 0, 255, 255, 255]);
    encoder.set_trns(vec![0]);
    encoder.write_header().unwrap().write_image_data(&[1, 0, 1]).unwrap();
    assert_eq!(labels(&open(&supervisely(&bytes), Format::Supervisely), 0)[..4], [0, 1, 0, 1]);
}

#[test]
fn bitmaps_that_leave_the_image_or_are_empty_are_refused() {
    for (bitmap, word) in [
        (grey_png(4, 1, &[1; 4]), "leaves the image"),
        (grey_png(2, 4, &[1; 8]), "leaves"),
        (grey_png(2, 1, &[0; 2]), "empty"),
    ] {
        let said = refusal(&supervisely(&bitmap));
        assert!(said.contains("object 0") && said.contains(word), "{said}");
        let root = tempdir().unwrap();
        image(&root, "a.png");
        let mask = base64(&bitmap);
        let shape = format!(
            r#"{{"label": "cat", "points": [[1, 0], [3, 1]], "shape_type": "mask", "mask": "{mask}"}}"#
        );
        let file =
            format!(r#"{{"imagePath": "a.png", "imageHeight": 3, "imageWidth": 4, "shapes": [{shape}]}}"#);
        text(&root, "a.json", &file);
        let said = refusal(&root);
        assert!(said.contains("shape 0") && said.contains(word), "{said}");
    }
}

#[test]
fn the_background_is_one_class_however_it_is_spelt() {
    let root = tempdir().unwrap();
    image(&root, "a.png");
    let shape = |label: &str, from: usize| {
        format!(r#"{{"label": "{label}", "points": [[{from}, 0], [4, 0], [4, 3], [{from}, 3]]}}"#)
    };
    let shapes = [shape("cat", 0), shape("Background", 2), shape("_BACKGROUND_", 3)].join(", ");
    let file =
        format!(r#"{{"imagePath": "a.png", "imageHeight": 3, "imageWidth": 4, "shapes": [{shapes}]}}"#);
    text(&root, "a.json", &file);
    let dataset = open(&root, Format::Labelme);
    assert_eq!(dataset.classes().names, ["background", "cat"]);
    assert_eq!(labels(&dataset, 0)[..4], [1, 1, 0, 0]);
}

#[test]
fn images_whose_names_differ_in_case_or_unicode_form_are_found() {
    // On the disk in small letters and composed; in the annotations in capitals and decomposed, below another folder.
    let disk = "images/\u{e4}.png";
    let named = "other/folder/A\u{308}.PNG";
    let via = r#"{"k": {"filename": "A\u0308.PNG", "size": 1, "regions": [{"shape_attributes":
            {"name": "rect", "x": 0, "y": 0, "width": 2, "height": 3}, "region_attributes": {"class": "cat"}}]}}"#
        .to_owned();
    let cvat = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><image id="0" name="{named}" width="4"
            height="3"><box label="cat" xtl="0" ytl="0" xbr="2" ybr="3"/></image></annotations>"#
    );
    let studio = format!(
        r#"[{{"id": 1, "data": {{"image": "/data/local-files/?d={named}"}}, "annotations": [{{"result": [
            {{"type": "rectanglelabels", "value": {{"x": 0, "y": 0, "width": 50, "height": 100, "rectanglelabels": ["cat"]}}}}]}}]}}]"#
    );
    for (format, file, content) in [
        (Format::Via, "via.json", via),
        (Format::CvatXml, "annotations.xml", cvat),
        (Format::LabelStudio, "export.json", studio),
    ] {
        let root = tempdir().unwrap();
        put(root.path(), disk, &rgb_png(4, 3));
        text(&root, file, &content);
        let dataset = open(&root, format);
        assert_eq!(names(&dataset).len(), 1, "{format}");
        assert_eq!(labels(&dataset, 0)[..4], [1, 1, 0, 0], "{format}");
    }
}
