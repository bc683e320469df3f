//! Formats that are known but not read: where a folder holds no data set, files of theirs are named with a way out.

use std::io::Read;
use std::path::{Path, PathBuf};

use dapple_base::open_regular;

use crate::format::walk::{files_below, has_extension};

/// Extensions in lower case, the format, and what to do about it.
const KNOWN: [(&[&str], &str, &str); 11] = [
    (&["zip", "tar", "gz", "tgz", "bz2", "xz", "7z", "rar"], "an archive", "unpack it"),
    (
        &["dcm", "dicom"],
        "DICOM",
        "save slices and masks as PNG or TIFF (DCMTK's dcm2img --write-png, or pydicom)",
    ),
    (
        &["nii", "mha", "mhd", "nrrd"],
        "a medical volume (NIfTI, MetaImage, NRRD)",
        "save slices of images and masks as PNG or TIFF (med2image, or nibabel or SimpleITK in Python)",
    ),
    (&["mat"], "MATLAB", "save the label maps in it as PNG"),
    (&["npz"], "archives of NumPy arrays", "save each label map as PNG or .npy"),
    (&["h5", "hdf5"], "HDF5", "save the images and masks in it as PNG"),
    (&["tfrecord", "tfrecords"], "TFRecord", "save the images and masks in it as PNG"),
    (
        &["parquet", "arrow", "mdb"],
        "a table (Parquet, Arrow, LMDB)",
        "save the images and masks in it as PNG",
    ),
    (&["geojson", "shp", "gpkg", "kml"], "outlines on a map", "draw them into masks (gdal_rasterize does)"),
    (&["svg"], "SVG", "draw the outlines into masks and save these as PNG"),
    (&["ndjson", "jsonl"], "JSON lines (Labelbox)", "export COCO JSON or masks as PNG"),
];

/// Boxes around objects, which are no masks.
const BOXES: (&str, &str) = ("boxes of Pascal VOC", "boxes are no masks; export polygons or masks");

/// The formats of files below a folder in words, the first file of each and what to do; empty if none is known.
pub(super) fn known_files(root: &Path) -> String {
    let kind = |path: &Path| {
        let by_name = KNOWN.iter().find(|(extensions, ..)| has_extension(path, extensions));
        by_name.map(|(_, name, remedy)| (*name, *remedy)).or_else(|| is_boxes(path).then_some(BOXES))
    };
    // `.nii.gz` is a volume, not an archive.
    let is_volume = |path: &Path| path.to_string_lossy().to_lowercase().ends_with(".nii.gz");
    let mut found: Vec<((&str, &str), PathBuf, usize)> = Vec::new();
    for path in files_below(root, &|path| !has_extension(path, &["png", "jpg", "jpeg"])).unwrap_or_default() {
        let kind = if is_volume(&path) { Some((KNOWN[2].1, KNOWN[2].2)) } else { kind(&path) };
        let Some(kind) = kind else { continue };
        match found.iter_mut().find(|(known, ..)| *known == kind) {
            Some((.., count)) => *count += 1,
            None => found.push((kind, path, 1)),
        }
    }
    let line = |((name, remedy), path, count): &((&str, &str), PathBuf, usize)| {
        let path = path.strip_prefix(root).unwrap_or(path).display();
        let more = if *count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        format!("{path}{more}: {name}, which is not read; {remedy}")
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n  ")
}

/// Whether an XML file begins as the boxes of Pascal VOC do.
fn is_boxes(path: &Path) -> bool {
    let mut start = Vec::new();
    has_extension(path, &["xml"])
        && open_regular(path).and_then(|file| file.take(4096).read_to_end(&mut start)).is_ok()
        && String::from_utf8_lossy(&start).contains("<bndbox>")
}
