//! ISIC's challenges: `ISIC2018_Task1-2_Training_Input/ISIC_0000000.jpg` and
//! `ISIC2018_Task1_Training_GroundTruth/ISIC_0000000_segmentation.png`, likewise of 2016 and 2017, with a pair of folders
//! for each part.
//!
//! Codella et al., "Skin lesion analysis toward melanoma detection 2018", arXiv:1902.03368.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::format::found::{Found, Notes};
use crate::format::pairs::{FolderPair, pair_files};
use crate::format::walk::{bad_file, files_below, has_image_extension, subfolders};
use crate::part::Part;

const SUFFIX: &str = "_segmentation";

pub(super) fn probe(root: &Path) -> bool {
    pairs(root).is_ok_and(|pairs| !pairs.is_empty())
}

/// The folders of each part: one of images and one with masks of lesions; those of other tasks have other files.
fn pairs(root: &Path) -> Result<Vec<FolderPair>> {
    let of_isic = |name: &str| name.contains("isic") || name.contains("isbi");
    let folders: Vec<(String, PathBuf)> =
        subfolders(root)?.into_iter().filter(|(name, _)| of_isic(name)).collect();
    let mut pairs = Vec::new();
    for part in Part::ALL {
        let of_part = || folders.iter().filter(move |(name, _)| Part::in_name(name) == Some(part));
        let images = of_part().find(|(name, _)| name.ends_with("_input") || name.ends_with("_data"));
        let mut masks = Vec::new();
        for (_, folder) in of_part().filter(|(name, _)| name.contains("groundtruth")) {
            if !files_below(folder, &is_segmentation)?.is_empty() {
                masks.push(folder);
            }
        }
        if let (Some((_, images)), Some(&masks), 1) = (images, masks.first(), masks.len()) {
            let (images, masks) = (images.clone(), masks.clone());
            pairs.push(FolderPair { part: Some(part), prefix: String::new(), images, masks });
        }
    }
    Ok(pairs)
}

fn is_segmentation(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
    has_image_extension(path) && stem.is_some_and(|stem| stem.ends_with(SUFFIX))
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let pairs = pairs(root)?;
    if pairs.is_empty() {
        return Err(bad_file(
            root,
            "no folder ISIC…_Input or …_Data beside one ISIC…_GroundTruth with files `…_segmentation.png`",
        ));
    }
    let mut records = Vec::new();
    for pair in &pairs {
        records.append(&mut pair_files(pair, notes)?);
    }
    let taken = |pair: &FolderPair| {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("images in {}/, masks in {}/", name(&pair.images), name(&pair.masks))
    };
    let folders = pairs.iter().map(taken).collect();
    Ok(Found { subject: Some("lesion".into()), folders, ..Found::open(records) })
}
