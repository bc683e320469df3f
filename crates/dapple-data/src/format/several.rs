//! Several masks of one image: a file for each region (`a_mask.png`, `a_mask_1.png`; `masks/` of one image) or for each
//! class (`a_road.png`, `a_sky.png`; `masks/road/a.png`).
//!
//! Their names decide which they are, over the whole data set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::class_table::{ClassTable, is_ignored_name, read_class_table};
use crate::format::found::{Found, IGNORED, Notes, Record, Target};
use crate::format::mask_names::{Tag, bare, beginnings};
use crate::format::pairs::Pairing;
use crate::format::walk::bad_file;
use crate::mask::classes::{Classes, palette};
use crate::mask::decoder::MaskDecoder;
use crate::mask::merged::MaskPart;
use crate::part::Part;

const BACKGROUND: &str = "background";

/// A mask that belongs to an image by more than its name.
struct Extra {
    /// The pairing and the stem of the mask in it.
    pairing: usize,
    mask: String,
    image: String,
    tag: Tag,
    /// A folder stands for what the mask adds.
    by_folder: bool,
}

/// The samples of pairings. Masks that the pairing leaves are taken for further masks of the images, where their names say so.
///
/// # Errors
/// [`DataError::MaskValues`] where names can be read in two ways; bad pairs unless `notes` takes them.
pub(super) fn gather(
    root: &Path,
    pairings: Vec<Pairing>,
    subject: Option<&str>,
    notes: &mut Notes,
) -> Result<Found> {
    let table = read_class_table(root)?;
    let extras = if notes.mask_suffix.is_some() { Vec::new() } else { extras(&pairings, table.as_ref()) };
    let mut pairings = pairings;
    if extras.is_empty() || take_as_suffix(&extras, &mut pairings, table.as_ref(), notes) {
        let mut records = Vec::new();
        for pairing in pairings {
            records.append(&mut pairing.records(notes)?);
        }
        return Ok(Found::open(records));
    }
    refuse_doubt(root, &extras, &pairings)?;
    let named: BTreeSet<&str> =
        extras.iter().map(|extra| &*extra.tag.class).filter(|class| !class.is_empty()).collect();
    let (classes, ignores) = classes_of(root, &named, table.as_ref(), subject)?;
    let label = |class: &str| match class {
        "" => 1,
        class if is_ignored_name(class) => IGNORED,
        class => classes.names.iter().position(|name| name == class).unwrap_or_default() as u8,
    };
    let mut parts: BTreeMap<(usize, String), Vec<MaskPart>> = BTreeMap::new();
    for extra in &extras {
        let Some(path) = pairings[extra.pairing].left.remove(&extra.mask) else { continue };
        let part = MaskPart { path, label: label(&extra.tag.class), outside: false };
        parts.entry((extra.pairing, extra.image.clone())).or_default().push(part);
    }
    let (mut records, mut several) = (Vec::new(), 0);
    for (number, mut pairing) in pairings.into_iter().enumerate() {
        let alone = pairing.images.len() == 1 && pairing.is_apart();
        let prefix = pairing.folders.prefix.trim_end_matches('/').to_owned();
        for (stem, image) in std::mem::take(&mut pairing.images) {
            let mut masks = parts.remove(&(number, stem.clone())).unwrap_or_default();
            masks.extend(pairing.found.remove(&stem).map(|path| MaskPart { path, label: 1, outside: false }));
            if masks.is_empty() {
                notes.bad(DataError::MissingMask { image, stem, folder: pairing.folders.masks.clone() })?;
                continue;
            }
            several += usize::from(masks.len() > 1);
            // A folder of one image has its name.
            let name = if alone && prefix == stem {
                prefix.clone()
            } else {
                format!("{}{stem}", pairing.folders.prefix)
            };
            let part = pairing.folders.part;
            let name = Part::prefixed(part, &name);
            records.push(merged_record(name, part, image, masks));
        }
        for (stem, mask) in pairing.left {
            notes.bad(DataError::MissingImage { mask, stem, folder: pairing.folders.images.clone() })?;
        }
    }
    notes.warn(if named.is_empty() {
        format!(
            "{several} of {} images have several masks, which are put together: a pixel is `{}` where one of them is",
            records.len(),
            classes.names[1]
        )
    } else {
        let named: Vec<&str> = named.into_iter().collect();
        format!(
            "the images have a mask for each class ({}), which are put together; pixels in none of them are `{}`",
            named.join(", "),
            classes.names[0]
        )
    });
    Ok(merged(records, classes, ignores, table))
}

/// A sample of several masks.
pub(super) fn merged_record(
    name: String,
    part: Option<Part>,
    image: PathBuf,
    mut masks: Vec<MaskPart>,
) -> Record {
    masks.sort_by(|a, b| (a.label, &a.path).cmp(&(b.label, &b.path)));
    Record { name, part, image, target: Target::Merged(masks) }
}

/// Samples of several masks each, of these classes and perhaps of ignored pixels; a class table gives the order of drawing.
pub(super) fn merged(
    records: Vec<Record>,
    classes: Classes,
    ignores: bool,
    table: Option<ClassTable>,
) -> Found {
    let order = table.map(|table| table.path).filter(|_| classes.len() > 2);
    let (decoder, ignore) = (Some(MaskDecoder::indices()), ignores.then_some(IGNORED));
    Found { classes: Some(classes), decoder, ignore, order, ..Found::open(records) }
}

/// The masks that are left and belong to an image, where their names agree over the data set.
fn extras(pairings: &[Pairing], table: Option<&ClassTable>) -> Vec<Extra> {
    let mut extras = Vec::new();
    // Folders of one image each, whose masks are named after none: all of them are the image's.
    let is_of_one = |pairing: &Pairing| {
        pairing.images.len() == 1
            && pairing.found.is_empty()
            && !pairing.left.is_empty()
            && pairing.is_apart()
    };
    let one_image_each = pairings.len() > 1 && pairings.iter().all(is_of_one);
    for (number, pairing) in pairings.iter().enumerate() {
        let mut images: BTreeMap<&str, &String> =
            pairing.images.keys().map(|stem| (bare(stem), stem)).collect();
        images.extend(pairing.images.keys().map(|stem| (&**stem, stem)));
        for mask in pairing.left.keys() {
            let by_name = beginnings(mask).find_map(|(base, tail)| Some((*images.get(base)?, tail)));
            let (image, tag, by_folder) = if let Some((image, tail)) = by_name {
                (image, Tag::of(tail), tail.starts_with('/'))
            } else if let Some((folder, image, tail)) = by_folder(mask, &images) {
                let number = Tag::of(tail).number;
                (image, Tag { text: folder.to_owned(), class: folder.to_owned(), number }, false)
            } else if let (Some(image), true) = (pairing.images.keys().next(), one_image_each) {
                (image, Tag::of(mask), true)
            } else {
                continue;
            };
            extras.push(Extra { pairing: number, mask: mask.clone(), image: image.clone(), tag, by_folder });
        }
    }
    let listed = |text: &str| table.is_some_and(|table| table.classes.names.iter().any(|name| name == text));
    for extra in &mut extras {
        if listed(&extra.tag.text) {
            extra.tag = Tag { class: extra.tag.text.clone(), number: None, ..extra.tag.clone() };
        }
    }
    // A class is shared by images; what each image has for itself are names of regions in folders of their own.
    let mut images_of: BTreeMap<&str, BTreeSet<(usize, &str)>> = BTreeMap::new();
    for extra in extras.iter().filter(|extra| !extra.tag.class.is_empty()) {
        images_of.entry(&extra.tag.class).or_default().insert((extra.pairing, &extra.image));
    }
    let all: BTreeSet<(usize, &str)> = extras.iter().map(|extra| (extra.pairing, &*extra.image)).collect();
    let are_classes = images_of
        .iter()
        .any(|(class, images)| listed(class) || images.len() > 1 || all.len() == 1 && images_of.len() > 1);
    let by_folder: BTreeSet<bool> = extras.iter().map(|extra| extra.by_folder).collect();
    if !are_classes {
        let are_regions = by_folder.contains(&true);
        extras.retain_mut(|extra| {
            if are_regions && extra.by_folder {
                extra.tag.class.clear();
            }
            extra.tag.class.is_empty()
        });
    }
    extras
}

/// The folder of a class, the image and the rest of the name: `road/a_1` for the image `a`.
fn by_folder<'a>(
    mask: &'a str,
    images: &BTreeMap<&str, &'a String>,
) -> Option<(&'a str, &'a String, &'a str)> {
    mask.match_indices('/').find_map(|(at, _)| {
        let (folder, name) = (&mask[..at], &mask[at + 1..]);
        let whole = std::iter::once((name, ""));
        let (image, tail) =
            whole.chain(beginnings(name)).find_map(|(base, tail)| Some((*images.get(base)?, tail)))?;
        Some((folder, image, tail))
    })
}

/// Takes one addition that all masks have for a suffix, with one mask for each image: their values then mean the same as in
/// any other masks.
fn take_as_suffix(
    extras: &[Extra],
    pairings: &mut [Pairing],
    table: Option<&ClassTable>,
    notes: &mut Notes,
) -> bool {
    let images: BTreeSet<(usize, &str)> = extras.iter().map(|extra| (extra.pairing, &*extra.image)).collect();
    let is_paired = |extra: &Extra| pairings[extra.pairing].found.contains_key(&extra.image);
    let text = &extras[0].tag.text;
    let many_classes =
        table.is_some_and(|table| table.classes.len() > 2 && table.classes.names.contains(text));
    if images.len() < extras.len()
        || many_classes
        || extras.iter().any(|extra| extra.tag.text != *text || is_paired(extra))
    {
        return false;
    }
    for extra in extras {
        let Pairing { found, left, .. } = &mut pairings[extra.pairing];
        found.extend(left.remove(&extra.mask).map(|path| (extra.image.clone(), path)));
    }
    notes.warn(format!(
        "{} masks are paired by what all their names add to those of the images: `{text}`",
        extras.len()
    ));
    true
}

/// Refuses masks whose names can be read in two ways.
fn refuse_doubt(root: &Path, extras: &[Extra], pairings: &[Pairing]) -> Result<()> {
    let refused = |problem: String| Err(DataError::MaskValues { path: root.to_owned(), problem });
    let of_class = extras.iter().find(|extra| !extra.tag.class.is_empty());
    let plain = pairings.iter().find_map(|pairing| pairing.found.values().next());
    let unnamed = extras.iter().find(|extra| extra.tag.class.is_empty());
    let unnamed = unnamed.map(|extra| extra.mask.clone()).or(plain.map(|path| path.display().to_string()));
    if let (Some(extra), Some(unnamed)) = (of_class, unnamed) {
        return refused(format!(
            "the masks can be read in two ways: `{unnamed}` names no class, `{}` names the class `{}`; take one kind only \
             with --mask-suffix, or move the others away",
            extra.mask, extra.tag.class
        ));
    }
    // The numbers of each image's masks, by class; an image may have one without a number besides.
    let mut numbers: BTreeMap<(&str, usize, &str), BTreeSet<Option<&str>>> = BTreeMap::new();
    for extra in extras {
        let of_image = numbers.entry((&extra.tag.class, extra.pairing, &extra.image)).or_default();
        of_image.insert(extra.tag.number.as_deref());
        if pairings[extra.pairing].found.contains_key(&extra.image) {
            of_image.insert(None);
        }
    }
    let classes: BTreeSet<&str> = numbers.keys().map(|key| key.0).collect();
    for class in classes {
        let mut sets = numbers.iter().filter(|(key, _)| key.0 == class).map(|(_, set)| set);
        let Some(first) = sets.next() else { continue };
        if first.len() > 1 && !first.contains(&None) && sets.all(|set| set == first) {
            let example =
                extras.iter().find(|extra| extra.tag.class == class).map_or("", |extra| &extra.mask);
            let all: Vec<&str> = first.iter().flatten().copied().collect();
            return refused(format!(
                "every image has masks of the same numbers ({}), such as `{example}`, which can be read in two ways: classes of \
                 these numbers, or regions of one class. Name classes in a classes.txt (background, {}) or by words \
                 (NAME_road.png); name regions NAME_mask.png, NAME_mask_1.png and so on",
                all.join(", "),
                all.join(", ")
            ));
        }
    }
    Ok(())
}

/// The classes, and whether one of the masks shows ignored pixels.
///
/// # Errors
/// [`DataError::BadFile`] for more classes than there are labels, and for a class table that does not fit the names.
pub(super) fn classes_of(
    root: &Path,
    named: &BTreeSet<&str>,
    table: Option<&ClassTable>,
    subject: Option<&str>,
) -> Result<(Classes, bool)> {
    let ignores = named.iter().any(|class| is_ignored_name(class));
    // The last label is that of ignored pixels.
    let checked = |classes: Classes| match classes.len() {
        count if count > usize::from(IGNORED) => {
            let problem =
                format!("the masks are of {count} classes, the background included; 255 can be learned");
            Err(bad_file(root, problem))
        }
        _ => Ok((classes, ignores)),
    };
    let Some(table) = table else {
        if named.is_empty() {
            return Ok((Classes::binary(subject.unwrap_or("foreground")), false));
        }
        let others = named.iter().filter(|name| **name != BACKGROUND && !is_ignored_name(name)).copied();
        return checked(Classes::named(std::iter::once(BACKGROUND).chain(others)));
    };
    let mut classes = table.classes.clone();
    if named.is_empty() {
        return if classes.len() == 2 {
            Ok((classes, false))
        } else {
            let problem = format!(
                "it lists {} classes, but the masks of each image are regions of one class",
                classes.len()
            );
            Err(bad_file(&table.path, problem))
        };
    }
    if let Some(unknown) =
        named.iter().find(|name| !is_ignored_name(name) && !classes.names.iter().any(|n| n == *name))
    {
        return Err(bad_file(
            &table.path,
            format!("masks are named after the class `{unknown}`, which it lacks; add it"),
        ));
    }
    // A first class without masks of its own is the background.
    if classes.names[0] != BACKGROUND && named.contains(&*classes.names[0]) {
        classes.names.insert(0, BACKGROUND.into());
        classes.colours.insert(0, palette(0));
    }
    checked(classes)
}
