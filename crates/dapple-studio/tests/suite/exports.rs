//! Exports, read again by the readers of their formats.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use dapple_data::{Dataset, OpenOptions};
use dapple_studio::store::{LabelStore, Patch};
use dapple_studio::{ExportFormat, export};
use zip::ZipArchive;

use crate::common::{SIDE, folder, id, truth};

/// Unpacks an archive beside the photographs, and opens the result.
fn opened(store: &LabelStore, format: ExportFormat) -> (tempfile::TempDir, Dataset) {
    let out = tempfile::tempdir().unwrap();
    let mut archive = ZipArchive::new(Cursor::new(export(store, format).unwrap().archive)).unwrap();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let path = out.path().join(&*file.name().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        fs::write(path, content).unwrap();
    }
    let beside = match format {
        ExportFormat::Labelme | ExportFormat::Cvat | ExportFormat::Coco => out.path().to_owned(),
        ExportFormat::Yolo | ExportFormat::Palette => out.path().join("images"),
    };
    fs::create_dir_all(&beside).unwrap();
    for image in store.images() {
        fs::copy(&image.path, beside.join(&image.id)).unwrap();
    }
    let dataset =
        Dataset::open(out.path(), &OpenOptions::default()).unwrap_or_else(|e| panic!("{format:?}: {e}"));
    (out, dataset)
}

fn labels(dataset: &Dataset, index: usize) -> Vec<u8> {
    let place = (0..dataset.len())
        .find(|&place| Path::new(dataset.name(place)).ends_with(format!("photo-{index}")))
        .expect("it was exported");
    dataset.labels(place).unwrap().labels
}

const ALL: [ExportFormat; 5] = [
    ExportFormat::Coco,
    ExportFormat::Labelme,
    ExportFormat::Yolo,
    ExportFormat::Cvat,
    ExportFormat::Palette,
];

#[test]
fn every_format_gives_the_labels_back() {
    let folder = folder(3);
    let store = LabelStore::open(folder.path()).unwrap();
    for index in 0..3 {
        let mut mask = truth(index);
        // A hole in the disc, with a dot in it.
        let centre = mask.labels.iter().position(|label| *label == 1).unwrap() + 8 * SIDE;
        for row in 0..5 {
            mask.labels[centre + row * SIDE..][..5].fill(0);
        }
        mask.labels[centre + 2 * SIDE + 2] = 1;
        store.fill(&id(index), 0, &mask).unwrap();
    }
    for format in ALL {
        let (_out, dataset) = opened(&store, format);
        assert_eq!(dataset.classes().names, ["background", "object"], "{format:?}");
        for index in 0..3 {
            let wanted = store.mask(&id(index)).unwrap().0.labels;
            let found = labels(&dataset, index);
            let wrong = found.iter().zip(&wanted).filter(|(a, b)| a != b).count();
            assert_eq!(wrong, 0, "{format:?}, photograph {index}");
        }
    }
}

#[test]
fn unlabelled_pixels_are_said_or_the_photograph_is_left_out() {
    let folder = folder(2);
    let store = LabelStore::open(folder.path()).unwrap();
    let part = Patch { width: 20, height: SIDE, labels: vec![Some(1); 20 * SIDE] };
    store.draw(&id(0), 0, (30, 0), &part).unwrap();
    for format in [ExportFormat::Coco, ExportFormat::Yolo] {
        let message = export(&store, format).unwrap_err().to_string();
        assert!(message.contains("labelled as a whole"), "{message}");
    }
    store.fill(&id(1), 0, &truth(1)).unwrap();
    let exported = export(&store, ExportFormat::Coco).unwrap();
    assert_eq!(exported.left_out, 1);
    let mut archive = ZipArchive::new(Cursor::new(exported.archive)).unwrap();
    let mut left = String::new();
    archive.by_name("left-out.txt").unwrap().read_to_string(&mut left).unwrap();
    assert!(left.contains("photo-0.png") && !left.contains("photo-1.png"), "{left}");
    for format in [ExportFormat::Labelme, ExportFormat::Cvat, ExportFormat::Palette] {
        let (_out, dataset) = opened(&store, format);
        assert_eq!(labels(&dataset, 0), store.mask(&id(0)).unwrap().0.labels, "{format:?}");
    }
}

#[test]
fn masks_that_cannot_be_read_are_named_in_every_format() {
    let folder = folder(3);
    let store = LabelStore::open(folder.path()).unwrap();
    store.fill(&id(0), 0, &truth(0)).unwrap();
    fs::write(folder.path().join("masks/photo-1.png"), "no mask").unwrap();
    store.refresh().unwrap();
    for format in ALL {
        let exported = export(&store, format).unwrap();
        assert_eq!(exported.left_out, 1, "{format:?}");
        let mut archive = ZipArchive::new(Cursor::new(exported.archive)).unwrap();
        let mut left = String::new();
        archive.by_name("left-out.txt").unwrap().read_to_string(&mut left).unwrap();
        assert!(left.contains("photo-1.png") && !left.contains("photo-2.png"), "{format:?}: {left}");
    }
    fs::remove_file(folder.path().join("masks/photo-0.png")).unwrap();
    store.refresh().unwrap();
    let message = export(&store, ExportFormat::Palette).unwrap_err().to_string();
    assert!(message.contains("no mask can be read") && message.contains("photo-1.png"), "{message}");
}
