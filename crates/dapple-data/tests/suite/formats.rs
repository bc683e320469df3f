//! Every format on a small sample made as the real data sets are, and the same labels again after conversion.

use std::path::Path;

use crate::common::{grey_png, palette_png, put, rgb_mask_png, rgb_png};
use dapple_data::{Channels, DataError, Dataset, Format, OpenOptions, Part};
use tempfile::{TempDir, tempdir};

/// Opens a folder, checks its format, and that converting it loses nothing.
pub fn open(root: &TempDir, format: Format) -> Dataset {
    open_with(root, format, &OpenOptions::default())
}

pub fn open_with(root: &TempDir, format: Format, options: &OpenOptions) -> Dataset {
    let dataset = Dataset::open(root.path(), options).unwrap();
    assert_eq!(dataset.format(), Some(format));
    let out = tempdir().unwrap();
    dataset.convert(out.path()).unwrap();
    let again = Dataset::open(out.path(), &OpenOptions::default()).unwrap();
    assert_eq!(again.format(), Some(Format::Folders));
    assert_eq!(again.classes(), dataset.classes());
    assert_eq!(again.ignore(), dataset.ignore());
    assert_eq!(again.len(), dataset.len());
    for index in 0..dataset.len() {
        assert_eq!(again.name(index), dataset.name(index));
        assert_eq!(again.part(index), dataset.part(index));
        assert_eq!(again.load(index, Channels::Rgb).unwrap(), dataset.load(index, Channels::Rgb).unwrap());
        assert_eq!(again.label_counts(index), dataset.label_counts(index));
    }
    dataset
}

pub fn names(dataset: &Dataset) -> Vec<&str> {
    (0..dataset.len()).map(|i| dataset.name(i)).collect()
}

pub fn labels(dataset: &Dataset, index: usize) -> Vec<u8> {
    dataset.labels(index).unwrap().labels
}

pub fn image(root: &TempDir, file: &str) {
    put(root.path(), file, &rgb_png(4, 3));
}

/// A 4 x 3 grey mask that begins with `values`, the rest of it `rest`.
fn grey(root: &TempDir, file: &str, values: &[u8], rest: u8) {
    let mut data = values.to_vec();
    data.resize(12, rest);
    put(root.path(), file, &grey_png(4, 3, &data));
}

/// A 4 x 3 colour mask that begins with `colours`, the rest of it the first.
fn coloured(root: &TempDir, file: &str, colours: &[[u8; 3]]) {
    put(root.path(), file, &rgb_mask_png(4, 3, colours));
}

pub fn text(root: &TempDir, file: &str, content: &str) {
    put(root.path(), file, content.as_bytes());
}

#[test]
fn nested_folders() {
    let root = tempdir().unwrap();
    for (image_file, mask) in [("images/a/x.png", "masks/a/x.png"), ("images/b/x.png", "masks/b/x_mask.png")]
    {
        image(&root, image_file);
        grey(&root, mask, &[0, 1], 0);
    }
    assert_eq!(names(&open(&root, Format::Folders)), ["a/x", "b/x"]);
}

#[test]
fn folders_in_several_places_and_images_beside_masks() {
    let root = tempdir().unwrap();
    for site in ["north", "south"] {
        image(&root, &format!("{site}/images/1.png"));
        grey(&root, &format!("{site}/masks/1.png"), &[0, 1], 0);
    }
    assert_eq!(names(&open(&root, Format::Folders)), ["north/1", "south/1"]);

    let root = tempdir().unwrap();
    for part in ["train", "valid"] {
        image(&root, &format!("{part}/1_jpg.rf.abc.png"));
        grey(&root, &format!("{part}/1_jpg.rf.abc_mask.png"), &[0, 1, 2], 0);
        text(&root, &format!("{part}/_classes.csv"), "Pixel Value, Class\n0, background\n1, cat\n2, dog\n");
    }
    let dataset = open(&root, Format::Folders);
    assert_eq!(names(&dataset), ["train/1_jpg.rf.abc", "val/1_jpg.rf.abc"]);
    assert_eq!(dataset.classes().names, ["background", "cat", "dog"]);

    let root = tempdir().unwrap();
    image(&root, "7_sat.png");
    grey(&root, "7_mask.png", &[0, 255], 0);
    assert_eq!(names(&open(&root, Format::Folders)), ["7_sat"]);
}

#[test]
fn lists_of_pairs() {
    let root = tempdir().unwrap();
    for name in ["a", "b c"] {
        image(&root, &format!("pictures/of/{name}.png"));
        grey(&root, &format!("drawn/{name}.png"), &[0, 1], 1);
    }
    text(&root, "train.txt", "/SegNet/CamVid/pictures/of/a.png /SegNet/CamVid/drawn/a.png\n");
    text(&root, "val.txt", "pictures/of/b c.png\tdrawn\\b c.png\n");
    text(&root, "licence.txt", "Do what you like.\n");
    let dataset = open(&root, Format::Lists);
    assert_eq!(names(&dataset), ["train/pictures/of/a", "val/pictures/of/b c"]);

    std::fs::remove_file(root.path().join("train.txt")).unwrap();
    std::fs::remove_file(root.path().join("val.txt")).unwrap();
    text(
        &root,
        "pairs.csv",
        "image,mask,split\npictures/of/a.png,drawn/a.png,test\n\"pictures/of/b c.png\",drawn/b c.png,train\n",
    );
    let dataset = open(&root, Format::Lists);
    assert_eq!(dataset.part(0), Some(Part::Train));
    assert_eq!(names(&dataset), ["train/pictures/of/b c", "test/pictures/of/a"]);
}

#[test]
fn pascal_voc() {
    let root = tempdir().unwrap();
    for name in ["2007_000032", "2007_000033", "2007_000039"] {
        image(&root, &format!("JPEGImages/{name}.png"));
        let mut indices = vec![0, 1, 15, 20, 255];
        indices.resize(12, 0);
        put(
            root.path(),
            &format!("SegmentationClass/{name}.png"),
            &palette_png(4, 3, &indices, &voc_palette()),
        );
    }
    image(&root, "JPEGImages/2007_000001.png");
    text(&root, "Annotations/2007_000032.xml", "<annotation/>");
    text(&root, "ImageSets/Segmentation/train.txt", "2007_000032\n");
    text(&root, "ImageSets/Segmentation/val.txt", "2007_000033\n");
    text(&root, "ImageSets/Segmentation/trainval.txt", "2007_000032\n2007_000033\n2007_000039\n");
    let dataset = open(&root, Format::Voc);
    assert_eq!(names(&dataset), ["train/2007_000032", "val/2007_000033", "2007_000039"]);
    assert_eq!(dataset.classes().names[15], "person");
    assert_eq!(dataset.classes().colours[15], [192, 128, 128]);
    assert_eq!(dataset.ignore(), Some(255));
    assert_eq!(labels(&dataset, 0)[..5], [0, 1, 15, 20, 255]);

    // The same masks as true-colour pictures.
    for name in ["2007_000032", "2007_000033", "2007_000039"] {
        let colours = [[0, 0, 0], [128, 0, 0], [192, 128, 128], [0, 64, 128], [224, 224, 192]];
        coloured(&root, &format!("SegmentationClass/{name}.png"), &colours);
    }
    assert_eq!(labels(&open(&root, Format::Voc), 0)[..5], [0, 1, 15, 20, 255]);
}

/// The VOC colour map, written down another way than in the program.
fn voc_palette() -> Vec<u8> {
    let mut palette = Vec::new();
    for i in 0..256_u32 {
        let (mut r, mut g, mut b, mut c) = (0, 0, 0, i);
        for j in 0..8 {
            r |= (c & 1) << (7 - j);
            g |= (c >> 1 & 1) << (7 - j);
            b |= (c >> 2 & 1) << (7 - j);
            c >>= 3;
        }
        palette.extend([r as u8, g as u8, b as u8]);
    }
    palette
}

#[test]
fn cvat_and_datumaro_label_maps() {
    let root = tempdir().unwrap();
    image(&root, "JPEGImages/a.png");
    coloured(&root, "SegmentationClass/a.png", &[[0, 0, 0], [250, 50, 83], [51, 221, 255], [1, 1, 1]]);
    text(&root, "ImageSets/Segmentation/default.txt", "a\n");
    text(
        &root,
        "labelmap.txt",
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar: red:250,50,83::\nroad:51,221,255::\nignore:1,1,1::\n",
    );
    let dataset = open(&root, Format::Voc);
    assert_eq!(dataset.classes().names, ["background", "car: red", "road"]);
    assert_eq!(labels(&dataset, 0)[..4], [0, 1, 2, 255]);
    assert!(dataset.warnings()[0].contains("ignore"), "{:?}", dataset.warnings());

    // As a palette picture, whose indices mean nothing.
    let palette = [51, 221, 255, 0, 0, 0, 250, 50, 83];
    put(
        root.path(),
        "SegmentationClass/a.png",
        &palette_png(4, 3, &[0, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1], &palette),
    );
    assert_eq!(labels(&open(&root, Format::Voc), 0)[..3], [2, 0, 1]);
}

#[test]
fn camvid_in_its_original_colours() {
    let root = tempdir().unwrap();
    image(&root, "701_StillsRaw_full/0001TP_006690.png");
    image(&root, "701_StillsRaw_full/0001TP_006691.png");
    // Sky, road, lane marking, child, void, road shoulder.
    let colours =
        [[128, 128, 128], [128, 64, 128], [128, 0, 192], [192, 128, 64], [0, 0, 0], [128, 128, 192]];
    coloured(&root, "LabeledApproved_full/0001TP_006690_L.png", &colours);
    text(&root, "label_colors.txt", "64 128 64\tAnimal\n");
    let dataset = open(&root, Format::Camvid);
    assert_eq!((dataset.len(), dataset.classes().len()), (1, 31));
    let found = labels(&dataset, 0);
    let named: Vec<&str> =
        found[..4].iter().map(|&l| dataset.classes().names[usize::from(l)].as_str()).collect();
    assert_eq!(named, ["Sky", "Road", "LaneMkgsDriv", "Child"]);
    assert_eq!(found[4], 255);

    let named = |format| OpenOptions { format: Some(format), ..OpenOptions::default() };
    let eleven = open_with(&root, Format::Camvid11, &named(Format::Camvid11));
    assert_eq!(labels(&eleven, 0)[..6], [0, 3, 3, 9, 255, 4]);
    let twelve = open_with(&root, Format::Camvid12, &named(Format::Camvid12));
    assert_eq!(labels(&twelve, 0)[..6], [0, 3, 3, 9, 11, 4]);
    assert_eq!(twelve.classes().names[11], "unlabelled");
}

#[test]
fn camvid_in_segnets_indices() {
    let root = tempdir().unwrap();
    image(&root, "train/0001TP_006690.png");
    grey(&root, "trainannot/0001TP_006690.png", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 0);
    let eleven = OpenOptions { format: Some(Format::Camvid11), ..OpenOptions::default() };
    let dataset = open_with(&root, Format::Camvid11, &eleven);
    assert_eq!(labels(&dataset, 0)[9..], [9, 10, 255]);
    assert_eq!(open(&root, Format::Folders).classes().len(), 12);
}

#[test]
fn cityscapes() {
    let root = tempdir().unwrap();
    for (part, city) in [("train", "aachen"), ("val", "lindau")] {
        image(&root, &format!("leftImg8bit/{part}/{city}/{city}_000000_000019_leftImg8bit.png"));
        let stem = format!("gtFine/{part}/{city}/{city}_000000_000019_gtFine_");
        grey(&root, &format!("{stem}labelIds.png"), &[7, 8, 33, 0, 4, 29, 26], 11);
        grey(&root, &format!("{stem}instanceIds.png"), &[1], 11);
        text(&root, &format!("{stem}polygons.json"), "{}");
    }
    let dataset = open(&root, Format::Cityscapes);
    assert_eq!(names(&dataset), ["train/aachen/aachen_000000_000019", "val/lindau/lindau_000000_000019"]);
    assert_eq!(dataset.classes().names[13], "car");
    assert_eq!(labels(&dataset, 0)[..8], [0, 1, 18, 255, 255, 255, 13, 2]);
    grey(&root, "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png", &[77], 0);
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::MaskValue { value: 77, .. }), "{error}");
}

#[test]
fn ade20k() {
    let root = tempdir().unwrap();
    image(&root, "images/training/ADE_train_00000001.png");
    grey(&root, "annotations/training/ADE_train_00000001.png", &[0, 1, 2, 150], 13);
    let dataset = open(&root, Format::Ade20k);
    assert_eq!(dataset.classes().len(), 150);
    assert_eq!(labels(&dataset, 0)[..5], [255, 0, 1, 149, 12]);
    assert_eq!((&*dataset.classes().names[12], &*dataset.classes().names[149]), ("person", "flag"));
}

const COCO: &str = r#"{"info": {}, "images": [
    {"id": 7, "file_name": "000000000007.png", "height": 3, "width": 4},
    {"id": 9, "file_name": "000000000009.png", "height": 3, "width": 4}],
  "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 1, "name": "person"}],
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 1, "iscrowd": 0, "area": 2, "bbox": [0, 0, 1, 1],
     "segmentation": [[0, 0, 1, 0, 1, 1, 0, 1]]},
    {"id": 2, "image_id": 7, "category_id": 18, "iscrowd": 0, "segmentation": [[0, 0, 4, 0, 4, 2, 0, 2]]},
    {"id": 3, "image_id": 7, "category_id": 1, "iscrowd": 1,
     "segmentation": {"size": [3, 4], "counts": [1, 2, 3, 6]}},
    {"id": 4, "image_id": 9, "category_id": 18, "iscrowd": 0,
     "segmentation": {"size": [3, 4], "counts": "1216"}}]}"#;

#[test]
fn coco_polygons_run_lengths_and_crowds() {
    let root = tempdir().unwrap();
    image(&root, "train2017/000000000007.png");
    image(&root, "train2017/000000000009.png");
    text(&root, "annotations/instances_train2017.json", COCO);
    text(&root, "annotations/captions_train2017.json", "{}");
    let dataset = open(&root, Format::Coco);
    assert_eq!(names(&dataset), ["train/000000000007", "train/000000000009"]);
    assert_eq!(dataset.classes().names, ["background", "person", "dog"]);
    // The person over the dog over the crowd; runs go down the columns.
    assert_eq!(labels(&dataset, 0), [1, 2, 2, 2, 2, 2, 2, 2, 255, 0, 255, 255]);
    // 1 outside, 2 inside, 1 outside, 6 + 2 inside (the difference to the run two before).
    assert_eq!(labels(&dataset, 1), [0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
}

#[test]
fn coco_stuff_pixel_maps() {
    let root = tempdir().unwrap();
    image(&root, "images/train2017/000000000009.png");
    grey(&root, "annotations/train2017/000000000009.png", &[0, 12, 181, 255, 91], 0);
    let dataset = open(&root, Format::CocoStuff);
    assert_eq!(dataset.classes().len(), 171);
    let found = labels(&dataset, 0);
    let name = |i: usize| dataset.classes().names[usize::from(found[i])].as_str();
    assert_eq!([name(0), name(1), name(2), name(4)], ["person", "stop sign", "wood", "banner"]);
    assert_eq!(found[3], 255);
}

#[test]
fn coco_panoptic() {
    let root = tempdir().unwrap();
    image(&root, "val2017/000000000139.png");
    // Ids 5, 256 + 3 and 65536 * 2, and void.
    coloured(
        &root,
        "annotations/panoptic_val2017/000000000139.png",
        &[[5, 0, 0], [3, 1, 0], [0, 0, 2], [0, 0, 0]],
    );
    text(
        &root,
        "annotations/panoptic_val2017.json",
        r#"{"images": [{"id": 139, "file_name": "000000000139.jpg", "width": 4, "height": 3}],
            "categories": [{"id": 200, "name": "rug", "isthing": 0}, {"id": 1, "name": "person", "isthing": 1}],
            "annotations": [{"image_id": 139, "file_name": "000000000139.png", "segments_info": [
              {"id": 5, "category_id": 1, "iscrowd": 0}, {"id": 259, "category_id": 200, "iscrowd": 0},
              {"id": 131072, "category_id": 1, "iscrowd": 1}]}]}"#,
    );
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("000000000139.jpg"), "{error}");
    put(root.path(), "val2017/000000000139.jpg", &rgb_png(4, 3));
    let dataset = open(&root, Format::CocoPanoptic);
    assert_eq!(dataset.classes().names, ["person", "rug"]);
    assert_eq!(labels(&dataset, 0)[..4], [0, 1, 255, 255]);
}

#[test]
fn labelme() {
    let root = tempdir().unwrap();
    image(&root, "a.png");
    image(&root, "photos/b.png");
    // A 2 x 1 bitmap with both pixels set.
    let bitmap = base64(&grey_png(2, 1, &[1, 1]));
    text(
        &root,
        "a.json",
        &format!(
            r#"{{"version": "5.0", "flags": {{}}, "imagePath": "a.png", "imageData": null, "imageHeight": 3, "imageWidth": 4,
            "shapes": [
              {{"label": "dog", "points": [[0, 0], [4, 3]], "shape_type": "rectangle", "flags": {{}}}},
              {{"label": "cat", "points": [[0, 0], [2, 0], [2, 1], [0, 1]], "shape_type": "polygon", "group_id": null}},
              {{"label": "__ignore__", "points": [[3.5, 2.5], [3.5, 3.0]], "shape_type": "circle"}},
              {{"label": "cat", "points": [[1, 2], [2, 2]], "shape_type": "mask", "mask": "{bitmap}"}}]}}"#
        ),
    );
    text(
        &root,
        "b.json",
        r#"{"imagePath": "photos\\b.png", "imageHeight": 3, "imageWidth": 4, "shapes": [
             {"label": "_background_", "points": [[0, 0], [1, 0], [1, 1]]}]}"#,
    );
    let dataset = open(&root, Format::Labelme);
    assert_eq!(dataset.classes().names, ["background", "cat", "dog"]);
    assert_eq!(labels(&dataset, 0), [1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 1, 255]);
    text(&root, "labels.txt", "__ignore__\n_background_\ndog\ncat\n");
    assert_eq!(open(&root, Format::Labelme).classes().names, ["background", "dog", "cat"]);
    // A shape that draws nothing is no background.
    text(
        &root,
        "b.json",
        r#"{"imagePath": "photos/b.png", "imageHeight": 3, "imageWidth": 4, "shapes": [
             {"label": "dog", "points": [[9, 9], [12, 9], [12, 12]]}]}"#,
    );
    let said = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
    assert!(said.contains("b.json: shape 0") && said.contains("outside"), "{said}");
}

pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn colours_with_a_class_table() {
    let tables = [
        ("class_dict.csv", "name,r,g,b\nsky,0,0,0\nsea,10,20,30\nsand,200,0,0\n"),
        ("classes.csv", "Name, R, G, B\nsky, 0, 0, 0\nsea, 10, 20, 30\nsand, 200, 0, 0\n"),
        ("classes.txt", "sky 0 0 0\nsea 10 20 30\nsand 200,0,0\n"),
        (
            "classes.json",
            r##"[{"name": "sky", "color": [0, 0, 0]}, {"name": "sea", "color": "#0a141e"}, {"name": "sand", "color": [200, 0, 0]}]"##,
        ),
        ("classes.json", r#"{"sky": [0, 0, 0], "sea": [10, 20, 30], "sand": [200, 0, 0]}"#),
        ("label_colors.txt", "0 0 0\t\tsky\n10 20 30\tsea\n200 0 0\tsand\n"),
        ("labelmap.txt", "sky:0,0,0::\nsea:10,20,30::\nsand:200,0,0::\n"),
    ];
    for (file, content) in tables {
        let root = tempdir().unwrap();
        image(&root, "images/a.png");
        image(&root, "images/b.png");
        coloured(&root, "masks/a.png", &[[0, 0, 0], [10, 20, 30], [200, 0, 0]]);
        coloured(&root, "masks/b.png", &[[0, 0, 0]]);
        text(&root, file, content);
        let dataset = open(&root, Format::Folders);
        assert_eq!(dataset.classes().names, ["sky", "sea", "sand"], "{file}");
        assert_eq!(labels(&dataset, 0)[..3], [0, 1, 2], "{file}");
        coloured(&root, "masks/b.png", &[[0, 0, 0], [10, 20, 31]]);
        let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
        assert!(error.contains("b.png") && error.contains("10, 20, 31"), "{error}");
    }
}

#[test]
fn colours_without_a_table_are_proposed_as_classes() {
    let root = tempdir().unwrap();
    image(&root, "images/a.png");
    coloured(&root, "masks/a.png", &[[0, 0, 0], [255, 0, 0], [0, 128, 0], [0, 128, 0]]);
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
    for part in ["3 colours", "0 128 0", "classes.txt", "`colours`", "75.00 %"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let options = OpenOptions { format: Some(Format::Colours), ..OpenOptions::default() };
    let dataset = open_with(&root, Format::Colours, &options);
    assert_eq!(dataset.classes().names, ["#000000", "#008000", "#ff0000"]);
    assert_eq!(labels(&dataset, 0)[..3], [0, 2, 1]);
}

#[test]
fn greys_that_a_table_lists_are_colours() {
    let root = tempdir().unwrap();
    image(&root, "images/a.png");
    grey(&root, "masks/a.png", &[255, 0], 0);
    text(&root, "classes.txt", "paper 255 255 255\nink 0 0 0\n");
    assert_eq!(labels(&open(&root, Format::Folders), 0)[..2], [0, 1]);
}

#[test]
fn two_classes_of_one_colour_are_refused() {
    let root = tempdir().unwrap();
    image(&root, "images/a.png");
    coloured(&root, "masks/a.png", &[[0, 0, 0], [255, 0, 0]]);
    text(&root, "classes.txt", "a 255 0 0\nb 255 0 0\n");
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
    assert!(error.contains("`a` and `b`"), "{error}");
}

#[test]
fn names_of_formats() {
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
        assert_eq!(serde_json::to_string(&format).unwrap(), format!("\"{}\"", format.name()));
    }
    assert_eq!("cvat".parse(), Ok(Format::Voc));
    assert!("vok".parse::<Format>().unwrap_err().to_string().contains("voc"));
}

#[test]
fn the_ignored_label_of_a_format_cannot_be_another() {
    let root = tempdir().unwrap();
    image(&root, "images/training/ADE_train_1.png");
    grey(&root, "annotations/training/ADE_train_1.png", &[0, 1], 2);
    let with =
        |ignore| Dataset::open(root.path(), &OpenOptions { ignore: Some(ignore), ..OpenOptions::default() });
    assert!(with(255).is_ok());
    assert!(with(0).unwrap_err().to_string().contains("255"));
}

#[test]
fn a_folder_that_is_not_empty_is_not_written_to() {
    let root = tempdir().unwrap();
    image(&root, "images/a.png");
    grey(&root, "masks/a.png", &[0, 1], 0);
    let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    let error = dataset.convert(root.path()).unwrap_err().to_string();
    assert!(error.contains("not empty"), "{error}");
    assert!(Path::new(root.path()).join("masks/a.png").is_file());
}
