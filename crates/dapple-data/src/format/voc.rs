//! Pascal VOC: `ImageSets/Segmentation/train.txt` names the images of a part, `JPEGImages` and `SegmentationClass` have
//! them and their palette masks; 255 is the void at borders and is ignored.
//!
//! CVAT ("Segmentation mask") and Datumaro write the same folders with classes of their own in `labelmap.txt`; their masks
//! are colour-coded. Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2010.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::class_table::{ClassTable, FILES};
use crate::format::found::{Found, IGNORED, Notes, Record};
use crate::format::stems::files_by_stem;
use crate::format::walk::{bad_file, entries, has_extension, inside, read_text, shown};
use crate::mask::classes::Classes;
use crate::part::Part;

/// The colour of the void at borders, entry 255 of the palette.
const VOID: [u8; 3] = [224, 224, 192];

pub(super) fn probe(root: &Path) -> bool {
    root.join("SegmentationClass").is_dir()
        && (lists_folder(root).is_dir() || root.join("labelmap.txt").is_file())
}

fn lists_folder(root: &Path) -> PathBuf {
    root.join("ImageSets").join("Segmentation")
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let masks = files_by_stem(&root.join("SegmentationClass"), notes)?;
    let folder = root.join("JPEGImages");
    let images = files_by_stem(&folder, notes)?;
    let mut records = Vec::new();
    for (name, part) in members(root, &masks)? {
        let Some(mask) = masks.get(&name) else {
            let (image, folder) = (folder.join(&name), root.join("SegmentationClass"));
            notes.bad(DataError::MissingMask { image, stem: name, folder })?;
            continue;
        };
        match images.get(&name) {
            Some(image) => {
                let (image, mask) = (image.clone(), mask.clone());
                records.push(Record::of_files(Part::prefixed(part, &name), part, image, mask));
            }
            None => {
                notes.bad(DataError::MissingImage {
                    mask: mask.clone(),
                    stem: name,
                    folder: folder.clone(),
                })?;
            }
        }
    }
    // With a table of classes, `labelmap.txt` or another, it decides.
    if FILES.iter().any(|file| root.join(file).is_file()) {
        return Ok(Found { ignore: Some(IGNORED), ..Found::open(records) });
    }
    // The masks are palette pictures, grey or, from tools that know no palettes, true-colour ones.
    let table = ClassTable {
        ignore: Some(IGNORED),
        ignored_colours: vec![VOID],
        ..ClassTable::of_colours(root.join("SegmentationClass"), Classes::voc())
    };
    Ok(Found { table: Some(table), ignore: Some(IGNORED), ..Found::open(records) })
}

/// The names in the lists and their parts; those of all masks where there is no list. A name in `trainval.txt` or another
/// list without a part has one only if another list gives it.
fn members(root: &Path, masks: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, Option<Part>>> {
    let mut members: BTreeMap<String, Option<Part>> = BTreeMap::new();
    let folder = lists_folder(root);
    if !folder.is_dir() {
        return Ok(masks.keys().map(|name| (name.clone(), None)).collect());
    }
    for list in entries(&folder)?.into_iter().filter(|path| has_extension(path, &["txt"])) {
        let part = list.file_stem().and_then(|stem| stem.to_str()).and_then(Part::in_name);
        for line in read_text(&list)?.lines() {
            // Some lists have a second column, whether the class is seen.
            let Some(name) = line.split_whitespace().next() else { continue };
            if inside(root, root, name).is_none() {
                return Err(bad_file(&list, format!("`{}` leaves the folder", shown(name))));
            }
            let entry = members.entry(name.to_owned()).or_default();
            match (*entry, part) {
                (Some(first), Some(second)) if first != second => {
                    let (first, second) = (first.name(), second.name());
                    return Err(bad_file(
                        &list,
                        format!("`{name}` is in {first} and {second}; take it out of one"),
                    ));
                }
                (None, Some(_)) => *entry = part,
                _ => {}
            }
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use crate::mask::classes::voc_colour;

    #[test]
    fn the_palette_is_the_published_one() {
        let first = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]];
        assert_eq!(std::array::from_fn::<_, 5, _>(|i| voc_colour(i as u8)), first);
        assert_eq!(voc_colour(20), [0, 64, 128]);
        assert_eq!(voc_colour(255), super::VOID);
    }
}
