//! Oxford-IIIT Pets: `images/Abyssinian_1.jpg` and `annotations/trimaps/Abyssinian_1.png`, whose values are 1 for the pet,
//! 2 for the background and 3 for the border, which is not classified. `annotations/trainval.txt` and `test.txt` list the
//! images of the parts.
//!
//! Parkhi et al., "Cats and Dogs", CVPR 2012.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::format::class_table::read_class_table;
use crate::format::found::{Found, IGNORED, Notes};
use crate::format::pairs::{FolderPair, pair_files};
use crate::format::walk::read_text;
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::part::Part;

/// The labels of the values.
const TRIMAP: [(u16, u8); 3] = [(1, 1), (2, 0), (3, IGNORED)];

pub(super) fn probe(root: &Path) -> bool {
    root.join("images").is_dir() && root.join("annotations").join("trimaps").is_dir()
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let annotations = root.join("annotations");
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for (list, part) in [("trainval.txt", Part::Train), ("test.txt", Part::Test)] {
        let list = annotations.join(list);
        if list.is_file() {
            let text = read_text(&list)?;
            let names = text.lines().filter_map(|line| line.split_whitespace().next());
            parts.extend(names.map(|name| (name.to_owned(), part)));
        }
    }
    let (images, masks) = (root.join("images"), annotations.join("trimaps"));
    let folders = FolderPair { part: None, prefix: String::new(), images, masks };
    let mut records = pair_files(&folders, notes)?;
    let all = records.len();
    records.retain(|record| parts.is_empty() || parts.contains_key(&record.name));
    let unlisted = all - records.len();
    for record in &mut records {
        record.part = parts.get(&record.name).copied();
        record.name = Part::prefixed(record.part, &record.name);
    }
    records.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    if unlisted > 0 {
        notes.warn(format!("{unlisted} images are in neither trainval.txt nor test.txt, and are left out"));
    }
    // A table of values says it otherwise, such as with the border as a class.
    if read_class_table(root)?.is_some_and(|table| table.from.is_some()) {
        return Ok(Found::open(records));
    }
    notes.warn(
        "trimaps: 1 is the pet, 2 the background, and 3, the border, is ignored; a classes.toml with `from` gives the values \
         another meaning",
    );
    Ok(Found::fixed(records, Classes::binary("pet"), MaskDecoder::ids(TRIMAP.into())))
}
