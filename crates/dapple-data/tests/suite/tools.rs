//! Exports of annotation tools on a small sample each, made as the tools write them, and the shapes that they refuse.

use crate::common::{grey_png, png, put, rgb_png};
use crate::formats::{base64, image, labels, names, open, text};
use dapple_data::{Dataset, Format, OpenOptions, Part};
use png::{BitDepth, ColorType};
use tempfile::{TempDir, tempdir};

/// The message about a folder that cannot be opened.
fn refusal(root: &TempDir) -> String {
    Dataset::open(root.path(), &OpenOptions::default()).expect_err("it is refused").to_string()
}

#[test]
fn yolo() {
    for (images, texts) in [("images/train", "labels/train"), ("train/images", "train/labels")] {
        let root = tempdir().unwrap();
        for name in ["a", "empty", "none"] {
            image(&root, &format!("{images}/{name}.png"));
        }
        // The left half of 4 x 3 pixels, and on it a pixel of another class, which comes first in the file.
        text(&root, &format!("{texts}/a.txt"), "0 0 0 0.25 0 0.25 0.3334 0 0.3334\n1 0 0 0.5 0 0.5 1 0 1\n");
        text(&root, &format!("{texts}/empty.txt"), "");
        text(&root, "data.yaml", "path: .\ntrain: images/train\nnc: 2\nnames:\n  0: coin\n  1: note\n");
        let dataset = open(&root, Format::Yolo);
        assert_eq!(dataset.classes().names, ["background", "coin", "note"]);
        assert_eq!(names(&dataset), ["train/a", "train/empty", "train/none"]);
        assert_eq!(labels(&dataset, 0), [1, 2, 0, 0, 2, 2, 0, 0, 2, 2, 0, 0]);
        assert!(dataset.warnings().iter().any(|said| said.contains("1 images have no text file")));
        for (line, word) in [
            ("0 0.5 0.5 0.2 0.2", "boxes alone"),
            ("0 1 1 3 1 3 3", "shares of the sides"),
            ("0 0.1 0.1 0.9 0.1 0.9", "odd number"),
            ("coin 0.1 0.1 0.9 0.1 0.9 0.9", "not a class"),
        ] {
            text(&root, &format!("{texts}/a.txt"), &format!("0 0 0 1 0 1 1\n{line}\n"));
            let said = refusal(&root);
            assert!(said.contains("a.txt") && said.contains("line 2") && said.contains(word), "{said}");
        }
        text(&root, &format!("{texts}/a.txt"), "2 0 0 1 0 1 1\n");
        assert!(refusal(&root).contains("names 2 classes"), "{}", refusal(&root));
        // Damaged images and texts without an image are left out where the user says so.
        text(&root, &format!("{texts}/a.txt"), "0 0 0 1 0 1 1\n");
        text(&root, &format!("{texts}/x.txt"), "0 0 0 1 0 1 1\n");
        text(&root, &format!("{texts}/y.txt"), "0 0 0 1 0 1 1\n");
        text(&root, &format!("{images}/empty.png"), "no picture");
        let options = OpenOptions { skip_bad: true, ..OpenOptions::default() };
        let dataset = Dataset::open(root.path(), &options).unwrap();
        assert_eq!((names(&dataset), dataset.skipped().len()), (vec!["train/a", "train/none"], 3));
    }
}

#[test]
fn via() {
    let root = tempdir().unwrap();
    image(&root, "train/a.png");
    image(&root, "val/b.png");
    let regions = |attributes: &str| {
        format!(
            r#"{{"a.png99": {{"filename": "a.png", "size": 99, "file_attributes": {{}}, "regions": {{"0": {{
               "shape_attributes": {{"name": "polygon", "all_points_x": [0, 2, 2, 0], "all_points_y": [0, 0, 3, 3]}},
               "region_attributes": {attributes}}}}}}}}}"#
        )
    };
    text(&root, "train/via_region_data.json", &regions("{}"));
    text(
        &root,
        "val/via_region_data.json",
        r#"{"_via_settings": {}, "_via_img_metadata": {"b.png7": {"filename": "b.png", "size": 7, "regions": [
            {"shape_attributes": {"name": "rect", "x": 3, "y": 0, "width": 1, "height": 3}, "region_attributes": {}}]}}}"#,
    );
    let dataset = open(&root, Format::Via);
    assert_eq!(dataset.classes().names, ["background", "object"]);
    assert_eq!((dataset.part(0), dataset.part(1)), (Some(Part::Train), Some(Part::Val)));
    assert_eq!(labels(&dataset, 0)[..4], [1, 1, 0, 0]);
    assert_eq!(labels(&dataset, 1)[..4], [0, 0, 0, 1]);

    std::fs::remove_dir_all(root.path().join("val")).unwrap();
    text(&root, "train/via_region_data.json", &regions(r#"{"type": "balloon"}"#));
    assert_eq!(open(&root, Format::Via).classes().names, ["background", "balloon"]);
    text(&root, "train/via_region_data.json", &regions(r#"{"type": "object"}"#));
    assert!(open(&root, Format::Via).warnings()[0].contains("without the attribute `type`"));
    text(&root, "train/via_region_data.json", &regions(r#"{"type": "balloon", "colour": "red"}"#));
    let said = refusal(&root);
    assert!(said.contains("`colour`, `type`") && said.contains("which of them"), "{said}");
}

#[test]
fn cvat_for_images() {
    let root = tempdir().unwrap();
    image(&root, "images/a.png");
    let file = |shapes: &str| {
        let labels = "<label><name>dog</name></label><label><name>cat</name></label>";
        let image = r#"<image id="0" name="a.png" subset="Train" width="4" height="3">"#;
        let meta = format!("<meta><task><labels>{labels}</labels></task></meta>");
        let start = r#"<?xml version="1.0" encoding="utf-8"?>"#;
        text(
            &root,
            "annotations.xml",
            &format!("{start}<annotations><version>1.1</version>{meta}{image}{shapes}</image></annotations>"),
        );
    };
    file(
        r#"<box label="cat" xtl="0" ytl="0" xbr="1" ybr="1" z_order="2"/>
           <polygon label="dog" points="0,0;2,0;2,3;0,3" z_order="1"><attribute name="a">b</attribute></polygon>
           <mask label="cat" rle="1, 1" left="2" top="2" width="2" height="1" z_order="0"/>"#,
    );
    let dataset = open(&root, Format::CvatXml);
    assert_eq!(dataset.classes().names, ["background", "dog", "cat"]);
    assert_eq!(dataset.part(0), Some(Part::Train));
    assert_eq!(labels(&dataset, 0), [2, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 2]);
    for (shape, word) in [
        (r#"<polyline label="dog" points="0,0;2,0"/>"#, "no area"),
        (r#"<mask label="dog" rle="1, 4" left="0" top="0" width="2" height="1"/>"#, "leave the box"),
        (
            r#"<mask label="dog" rle="0, 4294967296" left="0" top="0" width="65536" height="65536"/>"#,
            "leaves",
        ),
        (r#"<polygon label="cow" points="0,0;2,0;2,3"/>"#, "`cow`"),
    ] {
        file(shape);
        assert!(refusal(&root).contains(word), "{}", refusal(&root));
    }
}

#[test]
fn supervisely() {
    use std::io::Write;
    let root = tempdir().unwrap();
    image(&root, "ds0/img/a.png");
    image(&root, "ds1/img/a.png");
    text(&root, "meta.json", r#"{"classes": [{"title": "dog", "shape": "any", "color": "\#fff"}, {"title": "cat"}]}"#.replace("\\#", "#").as_str());
    let mut zipped = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zipped.write_all(&grey_png(2, 1, &[0, 255])).unwrap();
    let bitmap = base64(&zipped.finish().unwrap());
    text(
        &root,
        "ds0/ann/a.png.json",
        &format!(
            r#"{{"description": "", "size": {{"height": 3, "width": 4}}, "objects": [
             {{"classTitle": "dog", "geometryType": "polygon", "points": {{"exterior": [[0, 0], [4, 0], [4, 3], [0, 3]],
               "interior": [[[1, 1], [2, 1], [2, 2], [1, 2]]]}}}},
             {{"classTitle": "cat", "geometryType": "bitmap", "bitmap": {{"data": "{bitmap}", "origin": [2, 2]}}}}]}}"#
        ),
    );
    // White everywhere, with its shape in the opacity.
    let mut zipped = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    let white = [255, 255, 255, 0, 255, 255, 255, 255];
    zipped.write_all(&png(2, 1, ColorType::Rgba, BitDepth::Eight, &white)).unwrap();
    let bitmap = base64(&zipped.finish().unwrap());
    text(
        &root,
        "ds1/ann/a.png.json",
        &format!(
            r#"{{"size": {{"height": 3, "width": 4}}, "objects": [{{"classTitle": "cat", "geometryType": "bitmap",
               "bitmap": {{"data": "{bitmap}", "origin": [0, 0]}}}}]}}"#
        ),
    );
    let dataset = open(&root, Format::Supervisely);
    assert_eq!(names(&dataset), ["ds0/a", "ds1/a"]);
    assert_eq!(dataset.classes().names, ["background", "dog", "cat"]);
    assert_eq!(labels(&dataset, 0), [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 2]);
    assert_eq!(labels(&dataset, 1)[..3], [0, 2, 0]);
    std::fs::remove_file(root.path().join("ds1/ann/a.png.json")).unwrap();
    assert!(refusal(&root).contains("no mask"), "{}", refusal(&root));
}

/// Bits as a packer writes them, the highest first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: usize, count: usize) {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().enumerate().map(|(i, &bit)| u8::from(bit) << (7 - i)).sum();
        self.0.chunks(8).map(byte).collect()
    }
}

#[test]
fn label_studio() {
    let root = tempdir().unwrap();
    image(&root, "images/photo.png");
    image(&root, "images/b.png");
    // 4 x 3 pixels of RGBA: 20 zeros, then 4 values as they are, then zeros. The fourth value is the alpha of pixel 5.
    let mut bits = Bits::default();
    bits.put(48, 32);
    bits.put(7, 5);
    [2, 3, 4, 5].into_iter().for_each(|size| bits.put(size, 4));
    [(1, 1), (2, 2), (19, 5), (0, 8)].into_iter().for_each(|(value, count)| bits.put(value, count));
    [(0, 1), (0, 2), (3, 3)].into_iter().for_each(|(value, count)| bits.put(value, count));
    [0, 0, 0, 255].into_iter().for_each(|value| bits.put(value, 8));
    [(1, 1), (2, 2), (23, 5), (0, 8)].into_iter().for_each(|(value, count)| bits.put(value, count));
    let rle: Vec<String> = bits.bytes().iter().map(u8::to_string).collect();
    let brush = format!(
        r#"{{"type": "brushlabels", "original_width": 4, "original_height": 3,
            "value": {{"format": "rle", "rle": [{}], "brushlabels": ["cat"]}}}}"#,
        rle.join(",")
    );
    let polygon = r#"{"type": "polygonlabels", "original_width": 4, "original_height": 3,
            "value": {"points": [[50, 0], [100, 0], [100, 100], [50, 100]], "polygonlabels": ["dog"]}}"#;
    let choice = r#"{"type": "choices", "value": {"choices": ["sharp"]}}"#;
    let file = |regions: &str, more: &str| {
        let first = format!(
            r#"{{"id": 1, "data": {{"image": "/data/upload/3/0123abcd-photo.png"}}, "annotations": [{{"result": [{regions}]}}{more}]}}"#
        );
        let second =
            r#"{"id": 2, "data": {"image": "/data/local-files/?d=x/images/b.png"}, "annotations": []}"#;
        text(&root, "export.json", &format!("[{first}, {second}]"));
    };
    file(&format!("{polygon}, {brush}, {choice}"), r#", {"result": [], "was_cancelled": true}"#);
    let dataset = open(&root, Format::LabelStudio);
    assert_eq!(names(&dataset), ["photo"]);
    assert_eq!(dataset.classes().names, ["background", "cat", "dog"]);
    assert_eq!(labels(&dataset, 0), [0, 0, 2, 2, 0, 1, 2, 2, 0, 0, 2, 2]);
    assert!(
        dataset.warnings().iter().any(|said| said.contains("1 tasks without")),
        "{:?}",
        dataset.warnings()
    );
    file(polygon, r#", {"result": []}"#);
    assert!(refusal(&root).contains("2 annotations"), "{}", refusal(&root));
    file(&polygon.replace("polygonlabels", "polygon"), "");
    assert!(refusal(&root).contains("no label"), "{}", refusal(&root));
    file(&polygon.replace("\"original_width\": 4", "\"original_width\": 5"), "");
    assert!(refusal(&root).contains("5 x 3"), "{}", refusal(&root));
    file(&brush.replace("[0,0,0,48", "[0,0,0,49"), "");
    assert!(refusal(&root).contains("49 values"), "{}", refusal(&root));
}

#[test]
fn nn_unet() {
    let root = tempdir().unwrap();
    image(&root, "imagesTr/cell_1_0000.png");
    put(root.path(), "labelsTr/cell_1.png", &grey_png(4, 3, &[0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0]));
    let described = |labels: &str, ending: &str| {
        let channels = r#"{"0": "R", "1": "G", "2": "B"}"#;
        let file = format!(
            r#"{{"channel_names": {channels}, "labels": {labels}, "numTraining": 1, "file_ending": "{ending}"}}"#
        );
        text(&root, "dataset.json", &file);
    };
    described(r#"{"background": 0, "wall": 1, "core": 2, "ignore": 3}"#, ".png");
    let dataset = open(&root, Format::NnUnet);
    assert_eq!(dataset.classes().names, ["background", "wall", "core"]);
    assert_eq!((names(&dataset), dataset.ignore()), (vec!["cell_1"], Some(3)));
    described(r#"{"background": 0, "wall": 1, "core": 2}"#, ".png");
    let options = OpenOptions { ignore: Some(3), ..OpenOptions::default() };
    assert_eq!(Dataset::open(root.path(), &options).unwrap().ignore(), Some(3));
    described(r#"{"background": 0, "whole": [1, 2]}"#, ".png");
    assert!(refusal(&root).contains("regions of several labels"), "{}", refusal(&root));
    described(r#"{"background": 0, "wall": 1}"#, ".nii.gz");
    assert!(refusal(&root).contains("convert their slices"), "{}", refusal(&root));
    described(r#"{"background": 0, "wall": 1, "core": 2, "rim": 3}"#, ".png");
    image(&root, "imagesTr/cell_1_0001.png");
    assert!(refusal(&root).contains("several files"), "{}", refusal(&root));
}

#[test]
fn run_lengths_in_a_csv() {
    let root = tempdir().unwrap();
    put(root.path(), "train_images/a.png", &rgb_png(8, 6));
    put(root.path(), "train_images/b.png", &rgb_png(8, 6));
    // A block of 4 x 4 pixels from (2, 1): down the columns from 2 * 6 + 1, counted from 1.
    let block = "14 4 20 4 26 4 32 4";
    text(
        &root,
        "train.csv",
        &format!("Image_Label,EncodedPixels\na.png_Fish,{block}\na.png_Sugar,\nb.png_Fish,\n"),
    );
    text(&root, "sample_submission.csv", "Image_Label,EncodedPixels\nz.png_Fish,1 1\n");
    let dataset = open(&root, Format::RunLengths);
    assert_eq!(dataset.classes().names, ["background", "Fish"]);
    assert_eq!(names(&dataset), ["train/a", "train/b"]);
    let block_of = |dataset: &Dataset| {
        let labels = labels(dataset, 0);
        (0..48).all(|at| (labels[at] == 1) == ((2..6).contains(&(at % 8)) && (1..5).contains(&(at / 8))))
    };
    assert!(block_of(&dataset) && dataset.warnings().is_empty(), "{:?}", dataset.warnings());

    text(&root, "train.csv", "ImageId,EncodedPixels\na,11 4 19 4 27 4 35 4\nb,-1\n");
    let along = open(&root, Format::RunLengths);
    assert!(block_of(&along));
    assert!(along.warnings().iter().any(|said| said.contains("along the rows")), "{:?}", along.warnings());
    for (cell, word) in [("14", "without a length"), ("0 4", "counted from 1"), ("46 4", "leaves the image")]
    {
        // A good row in front, so that the table is still known for what it is.
        text(&root, "train.csv", &format!("ImageId,EncodedPixels\n{}a,{cell}\n", "b,-1\n".repeat(60)));
        let said = refusal(&root);
        assert!(said.contains("train.csv: line 62") && said.contains(word), "{said}");
    }
    // Runs that overlap, numbers with zeros in front, and an image name that may be two files.
    text(&root, "train.csv", "ImageId,ClassId,EncodedPixels\na,01,1 2 1 3\na,2,6 1\nb,10,1 1\n");
    let dataset = open(&root, Format::RunLengths);
    assert_eq!(dataset.classes().names, ["background", "01", "2", "10"]);
    assert_eq!(dataset.label_counts(0), [(0, 44), (1, 3), (2, 1)]);
    put(root.path(), "test_images/a.png", &rgb_png(8, 6));
    assert!(refusal(&root).contains("`a` may be"), "{}", refusal(&root));
}
