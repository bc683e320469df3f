//! ISIC's challenges: `ISIC2018_Task1-2_Training_Input/ISIC_0000000.jpg` and
//! `ISIC2018_Task1_Training_GroundTruth/ISIC_0000000_segmentation.png`, likewise of 2016 and 2017, with a pair of folders
//! for each part.
//!
//! Codella et al., "Skin lesion analysis toward melanoma detection 2018", arXiv:1902.03368.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::format::folders::taken;
use crate::format::found::{Found, Notes};
use crate::format::pairs::{FolderPair, pair_all};
use crate::format::walk::{bad_file, files_below, has_image_extension, subfolders};
use crate::part::Part;

const SUFFIX: &str = "_segmentation";

pub(super) fn probe(root: &Path) -> bool {
    pairs(root).is_ok_and(|(pairs, _)| !pairs.is_empty())
}

/// The folders of each part: one of images and one with masks of lesions; those of other tasks have other files. Then the
/// folders of images that no folder of masks belongs to, or several.
fn pairs(root: &Path) -> Result<(Vec<FolderPair>, Vec<PathBuf>)> {
    let of_isic = |name: &str| name.contains("isic") || name.contains("isbi");
    let folders: Vec<(String, PathBuf)> =
        subfolders(root)?.into_iter().filter(|(name, _)| of_isic(name)).collect();
    let (mut pairs, mut left_out) = (Vec::new(), Vec::new());
    for part in Part::ALL {
        let of_part = || folders.iter().filter(move |(name, _)| Part::in_name(name) == Some(part));
        let is_of_images = |name: &str| name.ends_with("_input") || name.ends_with("_data");
        let Some((_, images)) = of_part().find(|(name, _)| is_of_images(name)) else { continue };
        let mut masks = Vec::new();
        for (_, folder) in of_part().filter(|(name, _)| name.contains("groundtruth")) {
            if !files_below(folder, &is_segmentation)?.is_empty() {
                masks.push(folder);
            }
        }
        let images = images.clone();
        if let [masks] = masks[..] {
            let masks = masks.clone();
            pairs.push(FolderPair { part: Some(part), prefix: String::new(), images, masks });
        } else {
            left_out.push(images);
        }
    }
    Ok((pairs, left_out))
}

fn is_segmentation(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
    has_image_extension(path) && stem.is_some_and(|stem| stem.ends_with(SUFFIX))
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let (pairs, left_out) = pairs(root)?;
    if pairs.is_empty() {
        return Err(bad_file(
            root,
            "no folder ISIC…_Input or …_Data beside one ISIC…_GroundTruth with files `…_segmentation.png`",
        ));
    }
    for images in left_out {
        notes.warn(format!(
            "{} is left out: no folder …_GroundTruth holds masks of its images, or several do",
            images.display()
        ));
    }
    let records = pair_all(&pairs, notes)?;
    let folders = pairs.iter().map(|pair| taken(root, pair)).collect();
    Ok(Found { subject: Some("lesion".into()), folders, ..Found::open(records) })
}
