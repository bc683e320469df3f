//! Annotations, lists and class tables: opening a data set ends with samples that can be loaded or with an error, and no
//! file outside its folder is read.

use std::fs;
use std::path::Path;

use dapple_data::{Channels, Dataset, OpenOptions, Raster, encode_png};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The files that are written, by the first byte of the input.
const FILES: [&str; 19] = [
    "folders/classes.txt",
    "folders/classes.csv",
    "folders/classes.json",
    "folders/classes.toml",
    "folders/labelmap.txt",
    "lists/train.txt",
    "lists/pairs.csv",
    "coco/annotations/instances_train.json",
    "panoptic/annotations/panoptic_train.json",
    "labelme/a.json",
    "voc/ImageSets/Segmentation/train.txt",
    "yolo/labels/a.txt",
    "yolo/data.yaml",
    "via/via.json",
    "cvat/annotations.xml",
    "supervisely/ann/a.png.json",
    "labelstudio/export.json",
    "runs/train.csv",
    "nnunet/dataset.json",
];

/// Width and height of the pictures.
const SIZE: (usize, usize) = (6, 4);

thread_local! {
    /// One folder a format with a picture and a mask, called `a`.
    static FOLDER: TempDir = make_folder();
}

fn make_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let (width, height) = SIZE;
    let image = Raster::new(width, height, 3, (0..72).collect());
    let mask = Raster::new(width, height, 1, (0..24).map(|i| u8::from(i % 6 > 2)).collect());
    let png = |raster: &Raster| encode_png(raster).expect("a small raster");
    let (image, mask) = (png(&image), png(&mask));
    for (path, bytes) in [
        ("folders/images/a.png", &image),
        ("folders/masks/a.png", &mask),
        ("lists/a.png", &image),
        ("lists/b.png", &mask),
        ("coco/train/a.png", &image),
        ("panoptic/train/a.png", &image),
        ("panoptic/annotations/panoptic_train/a.png", &image),
        ("labelme/a.png", &image),
        ("voc/JPEGImages/a.png", &image),
        ("voc/SegmentationClass/a.png", &mask),
        ("yolo/images/a.png", &image),
        ("via/a.png", &image),
        ("cvat/a.png", &image),
        ("supervisely/img/a.png", &image),
        ("labelstudio/a.png", &image),
        ("runs/a.png", &image),
        ("nnunet/imagesTr/a_0000.png", &image),
        ("nnunet/labelsTr/a.png", &mask),
    ] {
        write(&folder.path().join(path), bytes);
    }
    // Without these the files that are written would not be looked at.
    write(&folder.path().join("supervisely/meta.json"), br#"{"classes":[{"title":"horse"}]}"#);
    write(&folder.path().join("yolo/classes.txt"), b"horse\n");
    folder
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a path in the folder")).expect("the folder is writable");
    fs::write(path, bytes).expect("the folder is writable");
}

/// Any of the text files that a data set may have.
pub(crate) fn annotations(bytes: &[u8]) {
    let Some((&first, text)) = bytes.split_first() else { return };
    open_with(FILES[usize::from(first) % FILES.len()], text);
}

/// Corners of a polygon of a COCO file: pairs of 16-bit numbers in eighths of a pixel, perhaps far outside the image.
pub(crate) fn polygons(bytes: &[u8]) {
    let pairs = bytes.as_chunks::<2>().0.iter();
    let corners: Vec<f64> = pairs.map(|&pair| f64::from(i16::from_le_bytes(pair)) / 8.0).collect();
    open_coco(json!([corners]));
}

/// Run lengths of a COCO file: a list of numbers, and the same bytes as a compressed string.
pub(crate) fn run_lengths(bytes: &[u8]) {
    let size = json!([SIZE.1, SIZE.0]);
    let text: String = bytes.iter().map(|&byte| char::from(b'0' + byte % 64)).collect();
    open_coco(json!({ "size": size, "counts": bytes }));
    open_coco(json!({ "size": size, "counts": text }));
}

fn open_coco(segmentation: Value) {
    let annotation = json!({
        "id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": segmentation,
    });
    let file = json!({
        "images": [{ "id": 1, "file_name": "a.png", "width": SIZE.0, "height": SIZE.1 }],
        "categories": [{ "id": 1, "name": "horse" }],
        "annotations": [annotation],
    });
    open_with("coco/annotations/instances_train.json", file.to_string().as_bytes());
}

fn open_with(name: &str, text: &[u8]) {
    FOLDER.with(|folder| {
        let path = folder.path().join(name);
        write(&path, text);
        check(&folder.path().join(name.split('/').next().expect("a name has a first part")));
        fs::remove_file(path).expect("it was just written");
    });
}

fn check(root: &Path) {
    let inside = fs::canonicalize(root).expect("the folder was just made");
    let Ok(dataset) = Dataset::open(root, &OpenOptions::default()) else { return };
    let classes = dataset.classes().len();
    for index in 0..dataset.len() {
        if let Some(image) = dataset.image_path(index) {
            let image = fs::canonicalize(image).expect("a sample's image was found");
            assert!(image.starts_with(&inside), "{} lies outside", image.display());
        }
        if let Ok(sample) = dataset.load(index, Channels::Rgb) {
            let known = |&label: &u8| usize::from(label) < classes || Some(label) == dataset.ignore();
            assert!(sample.labels.labels.iter().all(known));
            let size = (sample.labels.height, sample.labels.width);
            assert_eq!(size, (sample.image.height, sample.image.width));
        }
    }
}

/// One valid text for each file.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let coco = r#"{"images":[{"id":1,"file_name":"a.png","width":6,"height":4}],"categories":[{"id":1,"name":"horse"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"iscrowd":0,"segmentation":[[1,1,5,1,5,3]]}]}"#;
    let panoptic = r#"{"images":[{"id":1,"file_name":"a.png","width":6,"height":4}],"categories":[{"id":1,"name":"sky","isthing":0}],"annotations":[{"image_id":1,"file_name":"a.png","segments_info":[{"id":131328,"category_id":1}]}]}"#;
    let labelme = r#"{"imagePath":"a.png","imageWidth":6,"imageHeight":4,"shapes":[{"label":"horse","shape_type":"polygon","points":[[1,1],[5,1],[5,3]]},{"label":"horse","shape_type":"circle","points":[[2,2],[3,3]]}]}"#;
    let via = r#"{"a.png1":{"filename":"a.png","regions":[{"shape_attributes":{"name":"circle","cx":3,"cy":2,"r":1},"region_attributes":{"kind":"horse"}}]}}"#;
    let cvat = r#"<annotations><image id="0" name="a.png" width="6" height="4"><polygon label="horse" points="1,1;5,1;5,3"/></image></annotations>"#;
    let supervisely = r#"{"size":{"width":6,"height":4},"objects":[{"classTitle":"horse","geometryType":"polygon","points":{"exterior":[[1,1],[5,1],[5,3]],"interior":[]}}]}"#;
    let label_studio = r#"[{"id":1,"data":{"image":"a.png"},"annotations":[{"result":[{"type":"polygonlabels","value":{"points":[[20,20],[80,20],[80,80]],"polygonlabels":["horse"]}}]}]}]"#;
    let nnunet = r#"{"labels":{"background":0,"horse":1},"file_ending":".png"}"#;
    let texts = [
        "background\nhorse 200 100 0\n",
        "name,r,g,b\nbackground,0,0,0\nhorse,200,100,0\n",
        r##"[{"name":"background","color":[0,0,0]},{"name":"horse","color":"#c86400"}]"##,
        "ignore = 255\n[[class]]\nname = \"background\"\n[[class]]\nname = \"horse\"\ncolour = [200, 100, 0]\n",
        "background:0,0,0::\nhorse:200,100,0::\n",
        "a.png b.png\n",
        "image,mask\na.png,b.png\n",
        coco,
        panoptic,
        labelme,
        "a\n",
        "0 0.2 0.2 0.8 0.2 0.8 0.8\n",
        "names: [horse]\n",
        via,
        cvat,
        supervisely,
        label_studio,
        "ImageId,EncodedPixels\na,6 2 10 2\n",
        nnunet,
    ];
    let seed = |(file, text): (u8, &str)| [&[file], text.as_bytes()].concat();
    (0..).zip(texts).map(seed).collect()
}

/// Corners of a triangle, and runs that fill the picture.
pub(crate) fn number_seeds() -> Vec<Vec<u8>> {
    let triangle = [8_i16, 8, 40, 8, 40, 24].iter().flat_map(|v| v.to_le_bytes()).collect();
    vec![triangle, vec![5, 3, 10, 6], vec![24], b"d0:1H".to_vec()]
}
