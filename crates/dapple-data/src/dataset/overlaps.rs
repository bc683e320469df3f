//! Masks of several classes of one image, one file each, that cover the same pixels: which lies over which.
//!
//! A pixel has one label. Where the files of two classes overlap, the order of the classes in a class table decides; without
//! one, a class that lies within another wherever they meet is drawn over it. Anything else is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::found::{Notes, Record, Target};
use crate::mask::classes::Classes;
use crate::mask::merged::{MaskPart, Region};
use crate::parallel::in_parallel;

/// The common pixels of two classes over all images; the second has the higher label.
struct Overlap {
    /// Images in which they meet.
    images: usize,
    /// The pixels they share in one of these, and its two files.
    example: (usize, PathBuf, PathBuf),
    /// Whether the first lies within the second wherever they meet, and the second within the first.
    within: [bool; 2],
}

/// Two labels, the lower one first, and how they meet in one image: the shared pixels and whether one lies within the other.
type Meeting = ((u8, u8), usize, [bool; 2]);

/// Brings the parts of all masks into the order in which they are drawn.
///
/// # Errors
/// [`DataError::MaskValues`] that names both classes, where nothing tells which of them a pixel has.
pub(super) fn decide(
    root: &Path,
    records: &mut [Record],
    classes: &Classes,
    table: Option<&Path>,
    notes: &mut Notes,
) -> Result<()> {
    let overlaps = overlaps_of(records);
    if overlaps.is_empty() {
        return Ok(());
    }
    let name = |label: u8| classes.names.get(usize::from(label)).map_or("ignored pixels", String::as_str);
    let images: usize = overlaps.values().map(|overlap| overlap.images).max().unwrap_or(0);
    let pairs = || {
        let pairs: Vec<String> =
            overlaps.keys().map(|&(a, b)| format!("`{}` and `{}`", name(a), name(b))).collect();
        pairs.join(", ")
    };
    let ranks: BTreeMap<u8, usize> = if let Some(table) = table {
        notes.warn(format!(
            "masks of {} overlap, in {images} images: classes that {} lists later lie over earlier ones",
            pairs(),
            table.display()
        ));
        (0..=u8::MAX).map(|label| (label, usize::from(label))).collect()
    } else {
        let refused = |(a, b): (u8, u8), overlap: &Overlap| {
            let (pixels, first, second) = &overlap.example;
            let problem = format!(
                "{pixels} pixels have two classes: `{}` by {} and `{}` by {} (the two meet in {} images). Say which lies over \
                 the other with a classes.txt in the data's folder, a class a line, later ones over earlier ones; or, if both \
                 are drawings of the same thing, take the masks of one of them with --mask-suffix",
                name(a),
                first.display(),
                name(b),
                second.display(),
                overlap.images
            );
            DataError::MaskValues { path: root.to_owned(), problem }
        };
        // The lower and the upper of two that meet.
        let mut order = Vec::new();
        for (&(a, b), overlap) in &overlaps {
            match overlap.within {
                [true, false] => order.push((b, a)),
                [false, true] => order.push((a, b)),
                _ => return Err(refused((a, b), overlap)),
            }
        }
        let mut ranks: BTreeMap<u8, usize> = order.iter().flat_map(|&(a, b)| [(a, 0), (b, 0)]).collect();
        for _ in 0..ranks.len() {
            for (lower, upper) in &order {
                ranks.insert(*upper, ranks[upper].max(ranks[lower] + 1));
            }
        }
        // Three that lie within each other in a circle, each in other images, have no order.
        if let Some((lower, upper)) = order.iter().find(|(lower, upper)| ranks[lower] >= ranks[upper]) {
            let pair = (*lower.min(upper), *lower.max(upper));
            return Err(refused(pair, &overlaps[&pair]));
        }
        for (lower, upper) in order {
            let overlap = &overlaps[&(lower.min(upper), lower.max(upper))];
            notes.warn(format!(
                "the masks of `{}` lie within those of `{}` in all {} images where they meet, and are drawn over them",
                name(upper),
                name(lower),
                overlap.images
            ));
        }
        ranks
    };
    for record in records {
        if let Target::Merged(parts) = &mut record.target {
            parts.sort_by_key(|part| {
                (part.outside, ranks.get(&part.label).copied().unwrap_or_default(), part.label)
            });
        }
    }
    Ok(())
}

fn overlaps_of(records: &[Record]) -> BTreeMap<(u8, u8), Overlap> {
    let has_several = |record: &&Record| {
        let Target::Merged(parts) = &record.target else { return false };
        drawn(parts).any(|part| drawn(parts).any(|other| other.label != part.label))
    };
    let several: Vec<&Record> = records.iter().filter(has_several).collect();
    let meetings = in_parallel(several.len(), |i| meetings(several[i]));
    let mut overlaps: BTreeMap<(u8, u8), Overlap> = BTreeMap::new();
    // A damaged file is found, and named, when the pairs are looked at.
    for (record, meetings) in several.into_iter().zip(meetings) {
        for (labels, pixels, within) in meetings.unwrap_or_default() {
            let file = |label: u8| {
                let Target::Merged(parts) = &record.target else { return PathBuf::new() };
                let part = drawn(parts).find(|part| part.label == label);
                part.map(|part| part.path.clone()).unwrap_or_default()
            };
            let here = (pixels, file(labels.0), file(labels.1));
            let overlap = overlaps.entry(labels).or_insert_with(|| Overlap {
                images: 0,
                example: here.clone(),
                within: [true; 2],
            });
            overlap.images += 1;
            let both = [overlap.within[0] && within[0], overlap.within[1] && within[1]];
            // The image that shows that there is no order.
            if overlap.within != both && both == [false; 2] {
                overlap.example = here;
            }
            overlap.within = both;
        }
    }
    overlaps
}

/// The parts that show regions of classes; the background lies below all of them.
fn drawn(parts: &[MaskPart]) -> impl Iterator<Item = &MaskPart> {
    parts.iter().filter(|part| !part.outside && part.label != 0)
}

/// The classes of one image that meet.
fn meetings(record: &Record) -> Result<Vec<Meeting>> {
    let Target::Merged(parts) = &record.target else { return Ok(Vec::new()) };
    let mut regions: BTreeMap<u8, Vec<bool>> = BTreeMap::new();
    for part in drawn(parts) {
        let bits = Region::read(&part.path)?.bits;
        match regions.get_mut(&part.label) {
            Some(all) => all.iter_mut().zip(bits).for_each(|(all, bit)| *all |= bit),
            None => {
                regions.insert(part.label, bits);
            }
        }
    }
    let area = |bits: &[bool]| bits.iter().filter(|bit| **bit).count();
    let areas: BTreeMap<u8, usize> = regions.iter().map(|(&label, bits)| (label, area(bits))).collect();
    let mut meetings = Vec::new();
    for (&a, first) in &regions {
        for (&b, second) in regions.range((std::ops::Bound::Excluded(a), std::ops::Bound::Unbounded)) {
            let shared = first.iter().zip(second).filter(|(one, two)| **one && **two).count();
            if shared > 0 {
                meetings.push(((a, b), shared, [shared == areas[&a], shared == areas[&b]]));
            }
        }
    }
    Ok(meetings)
}
