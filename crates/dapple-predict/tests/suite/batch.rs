//! Batches, outputs, and images read row by row.

use std::fs;
use std::path::Path;

use crate::common::{batch, model, picture, predicted, predictor, write_tiff};
use dapple_base::{InputFault, Shard, StopFlag};
use dapple_data::{Channels, decode_image, decode_image_as, decode_values, encode_png};
use dapple_nets::checkpoint::Normalization;
use dapple_predict::batch::{BatchSettings, join, parts_in, run};
use dapple_predict::inputs::find;
use dapple_predict::output::{Background, CocoForm, OutputKind, OutputSettings, ProbabilityFormat, Refine};
use dapple_predict::{GeoReference, PredictError, PredictSettings, Tiling, WorkingSize};
use serde_json::Value;

#[test]
fn a_batch_resumes_keeps_and_overwrites() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (photos, out) = (folder.path().join("photos"), folder.path().join("out"));
    fs::create_dir_all(photos.join("inner")).expect("a folder");
    for (name, side) in [("a.png", 40), ("inner/b.png", 33), ("inner/c.png", 64)] {
        let bytes = encode_png(&picture(side, side + 3)).expect("a PNG");
        fs::write(photos.join(name), bytes).expect("a file");
    }
    fs::write(photos.join("broken.jpg"), "no image").expect("a file");
    let predictor = predictor(model("unet", 2, Normalization::ImageNet, 4), PredictSettings::default());
    let mut batch = batch(&out, &OutputKind::ALL);

    let (summary, bad) = predicted(&predictor, &[&photos], &batch);
    assert_eq!((summary.predicted, summary.kept, summary.bad, summary.left), (3, 0, 1, 0));
    assert!(bad[0].contains("broken.jpg"), "{bad:?}");
    for suffix in [".png", "-overlay.png", "-cutout.png", "-contours.geojson", "-uncertainty.png"] {
        assert!(out.join(format!("inner/b{suffix}")).is_file(), "{suffix}");
    }
    let mask = decode_values(out.join("inner/b.png")).expect("a mask");
    let grey = decode_image_as(out.join("inner/b-labels.png"), Channels::Grey).expect("labels");
    assert_eq!((mask.width, mask.height), (33, 36));
    assert!(mask.values.iter().zip(&grey.data).all(|(&a, &b)| a == u16::from(b)));

    // Existing results are kept, missing ones are made.
    fs::remove_file(out.join("a-overlay.png")).expect("it was written");
    let (summary, _) = predicted(&predictor, &[&photos], &batch);
    assert_eq!((summary.predicted, summary.kept, summary.bad), (1, 2, 1));
    batch.force = true;
    let (summary, _) = predicted(&predictor, &[&photos], &batch);
    assert_eq!((summary.predicted, summary.kept), (3, 0));

    // All images together, also those that were kept.
    let areas = fs::read_to_string(out.join("areas.csv")).expect("a table");
    assert_eq!(areas.lines().filter(|line| line.contains(",class 0,0,,")).count(), 3);
    assert_eq!(areas.matches("image,class").count(), 1);
    let coco: Value =
        serde_json::from_str(&fs::read_to_string(out.join("coco.json")).expect("a file")).expect("JSON");
    assert_eq!(coco["images"].as_array().map(Vec::len), Some(3));
    // Nothing but results is left.
    let left: Vec<_> = fs::read_dir(&out).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn shares_make_the_files_of_one_machine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("photos/inner")).expect("a folder");
    for number in 0..7 {
        let bytes = encode_png(&picture(20 + number, 24)).expect("a PNG");
        let name = format!("photos/{}{number}.png", if number % 2 == 0 { "inner/" } else { "" });
        fs::write(path(&name), bytes).expect("a file");
    }
    fs::write(path("photos/broken.jpg"), "no image").expect("a file");
    let predictor = predictor(model("unet", 2, Normalization::ImageNet, 4), PredictSettings::default());
    let kinds = [OutputKind::Mask, OutputKind::Areas, OutputKind::Coco];
    let (summary, _) = predicted(&predictor, &[&path("photos")], &batch(&path("whole"), &kinds));
    assert_eq!((summary.predicted, summary.bad), (7, 1));

    // Four shares write into one folder; each image is in one of them.
    let share = |number| {
        let shard = Some(Shard::new(number, 4).expect("a share"));
        let settings = BatchSettings { shard, ..batch(&path("shared"), &kinds) };
        predicted(&predictor, &[&path("photos")], &settings).0
    };
    let sum = (1..=3).map(share).map(|summary| (summary.predicted, summary.bad));
    let sum = sum.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
    let error = join(&parts_in(&path("shared")), &path("shared"), false).expect_err("one is missing");
    assert!(error.is_input_fault() && error.to_string().contains("missing: shard 4"), "{error}");
    let last = share(4);
    assert_eq!((sum.0 + last.predicted, sum.1 + last.bad), (7, 1));
    // Begun again, it keeps what it has.
    assert_eq!((share(4).predicted, share(4).kept), (0, last.predicted));

    let joined = join(&parts_in(&path("shared")), &path("shared"), false).expect("all shares");
    assert_eq!((joined.shards, joined.images, joined.failed), (4, 7, vec!["broken".to_owned()]));
    for name in ["areas.csv", "coco.json", "1.png", "inner/2.png"] {
        let of = |folder: &str| fs::read(path(folder).join(name)).expect("it was written");
        assert!(of("whole") == of("shared"), "{name}");
    }
    // Joined again, into another folder too; never over a file of somebody else's.
    join(&parts_in(&path("shared")), &path("shared"), false).expect("its own files");
    fs::create_dir_all(path("other")).expect("a folder");
    fs::write(path("other/areas.csv"), "my own").expect("a file");
    assert!(join(&parts_in(&path("shared")), &path("other"), false).is_err());

    let table = path("shared/areas-1-of-4.csv");
    let text = fs::read_to_string(&table).expect("a table");
    fs::write(&table, &text[..text.len() - 1]).expect("a file");
    let error = join(&parts_in(&path("shared")), &path("shared"), false).expect_err("a table was cut");
    assert!(error.to_string().contains("areas-1-of-4.csv"), "{error}");
    fs::write(path("shared/shard-9-of-4x.json"), "{}").expect("a file");
    fs::write(path("shared/shard-2-of-4.json"), "[]").expect("a file");
    assert_eq!(parts_in(&path("shared")).len(), 4);
    let error = join(&parts_in(&path("shared")), &path("shared"), false).expect_err("a file was damaged");
    assert!(error.to_string().contains("shard-2-of-4.json"), "{error}");

    // One machine keeps the results of the shares, whose tables would be outdated by it. A file of somebody else's stays.
    let (summary, _) = predicted(&predictor, &[&path("photos")], &batch(&path("shared"), &kinds));
    assert_eq!((summary.predicted, summary.kept), (0, 7));
    assert_eq!(parts_in(&path("shared")), [path("shared/shard-2-of-4.json")]);
}

#[test]
fn a_raised_flag_stops_a_batch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.png");
    fs::write(&path, encode_png(&picture(20, 20)).expect("a PNG")).expect("a file");
    let predictor = predictor(model("unet", 2, Normalization::Unit, 4), PredictSettings::default());
    let stop = StopFlag::new();
    stop.raise();
    let inputs = find(&[path], None).expect("a file").inputs;
    let summary =
        run(&predictor, &inputs, &batch(&folder.path().join("out"), &[OutputKind::Mask]), &stop, &|_| ());
    assert_eq!(summary.expect("a batch").left, 1);
}

#[test]
fn a_folder_that_cannot_be_made_ends_the_batch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let predictor = predictor(model("unet", 2, Normalization::Unit, 4), PredictSettings::default());
    let inputs = find(std::slice::from_ref(&file), None).expect("a file").inputs;
    let error =
        run(&predictor, &inputs, &batch(&file.join("out"), &[OutputKind::Mask]), &StopFlag::new(), &|_| ());
    assert!(error.is_err_and(|e: PredictError| !e.is_input_fault()));
}

#[test]
fn a_tiff_read_row_by_row_has_the_masks_of_one_in_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("field.tif");
    let image = picture(900, 500);
    write_tiff(&path, &image, true);
    let tile = Tiling::Side { side: 256, overlap: None };
    let of = |memory_bytes, out: &str| {
        let settings = PredictSettings { tile, memory_bytes, ..PredictSettings::default() };
        let predictor = predictor(model("unet", 3, Normalization::U2Net, 9), settings);
        let out = folder.path().join(out);
        let kinds = [
            OutputKind::Mask,
            OutputKind::Overlay,
            OutputKind::Probability,
            OutputKind::Areas,
            OutputKind::Contours,
        ];
        let (summary, bad) = predicted(&predictor, &[&path], &batch(&out, &kinds));
        assert_eq!(summary.predicted, 1, "{bad:?}");
        out
    };
    // 1.35 MB of pixels: more than one MiB, less than two.
    let (rows, whole) = (of(1 << 20, "rows"), of(2 << 20, "whole"));
    for name in ["field.tif", "field-overlay.png", "field-probability-class-1.png", "field-areas.csv"] {
        let read = |folder: &Path| fs::read(folder.join(name)).expect("a result");
        assert!(read(&rows) == read(&whole), "{name}");
    }
    let text = fs::read_to_string(rows.join("field-contours.geojson")).expect("outlines");
    let outlines: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(outlines["crs"]["properties"]["name"], "urn:ogc:def:crs:EPSG::32633");
    let ring = &outlines["features"][0]["geometry"]["coordinates"][0];
    for point in ring.as_array().expect("a ring") {
        let (x, y) = (point[0].as_f64().expect("x"), point[1].as_f64().expect("y"));
        assert!((300.0..=750.0).contains(&x) && (775.0..=900.0).contains(&y), "{point}");
    }
}

#[test]
fn where_a_tiff_lies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.tif");
    write_tiff(&path, &picture(8, 8), true);
    let geo = GeoReference::of_file(&path).expect("tags").expect("it is georeferenced");
    assert_eq!(
        (geo.epsg, geo.ground(0.0, 0.0), geo.ground(8.0, 4.0)),
        (Some(32633), [300.0, 900.0], [304.0, 899.0])
    );
    write_tiff(&path, &picture(8, 8), false);
    assert_eq!(GeoReference::of_file(&path).expect("no place"), None);
}

#[test]
fn every_setting_of_outputs_gives_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.png");
    fs::write(&path, encode_png(&picture(50, 30)).expect("a PNG")).expect("a file");
    let settings =
        PredictSettings { size: WorkingSize::Image, threshold: Some(0.4), ..PredictSettings::default() };
    let predictor = predictor(model("unet", 3, Normalization::Unit, 2), settings);
    let default = OutputSettings::default();
    let backgrounds = [Background::Colour([1, 2, 3]), Background::Blur, Background::Picture(picture(9, 4))];
    for (number, background) in backgrounds.into_iter().enumerate() {
        let out = folder.path().join(number.to_string());
        let batch = BatchSettings {
            output: OutputSettings {
                background,
                keep: Some(vec![0, 2]),
                refine: [Refine::Off, Refine::Guided, Refine::ClosedForm][number],
                probability: [ProbabilityFormat::Png16, ProbabilityFormat::Npy][number % 2],
                coco: CocoForm::Polygons,
                ..default.clone()
            },
            ..batch(&out, &[OutputKind::Cutout, OutputKind::Probability, OutputKind::Coco, OutputKind::Mask])
        };
        let (summary, bad) = predicted(&predictor, &[&path], &batch);
        assert_eq!(summary.predicted, 1, "{bad:?}");
        let cutout = decode_image(out.join("a-cutout.png")).expect("a cut-out");
        assert_eq!((cutout.width, cutout.height), (50, 30));
    }
    let npy = fs::read(folder.path().join("1/a-probability.npy")).expect("an array");
    assert_eq!(npy.len() % 64, (50 * 30 * 3 * 4) % 64);
    assert!(String::from_utf8_lossy(&npy[..128]).contains("'shape': (30, 50, 3)"));
}
