//! Images and masks in one folder: told apart by what the masks' names add, or by two extensions of one name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::found::Notes;
use crate::format::mask_names::{Tag, bare, base_of_mask, beginnings, is_mask_stem, numbered_base};
use crate::format::stems::{Files, stems_of};
use crate::format::walk::{entries, files_below, has_mask_extension, relative_stem};
use crate::image::decode::read_file;
use crate::mask::raw::RawMask;
use crate::parallel::in_parallel;

/// The most pairs of one name that are looked into.
const COMPARED: usize = 32;

/// How many times more colours photographs have than masks.
const MORE_COLOURS: usize = 3;

/// The most colours that are counted in a file.
const MOST_COLOURS: usize = 4096;

/// Whether a folder directly holds images and masks.
pub(super) fn is_mixed(folder: &Path, suffix: Option<&str>) -> Result<bool> {
    let paths: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| has_mask_extension(path)).collect();
    let stems: BTreeSet<String> =
        paths.iter().filter_map(|path| path.file_stem()?.to_str().map(str::to_owned)).collect();
    Ok(!masks_among(&stems, suffix).is_empty() || suffix.is_none() && !doubled(folder, &paths).is_empty())
}

/// The images and the masks below a folder that holds both.
pub(super) fn divide(folder: &Path, notes: &mut Notes) -> Result<(Files, Files)> {
    let paths = files_below(folder, &has_mask_extension)?;
    let stems: BTreeSet<String> = paths.iter().filter_map(|path| relative_stem(folder, path)).collect();
    let masks = masks_among(&stems, notes.mask_suffix.as_deref());
    if masks.is_empty() && notes.mask_suffix.is_none() {
        let doubled = doubled(folder, &paths);
        if !doubled.is_empty() {
            let mask_extension = extension_of_masks(folder, &doubled, notes)?;
            let (masks, images): (Vec<_>, Vec<_>) =
                paths.into_iter().partition(|path| extension(path) == mask_extension);
            return Ok((stems_of(folder, images, notes)?, stems_of(folder, masks, notes)?));
        }
    }
    let files = stems_of(folder, paths, notes)?;
    let (masks, images) = files.into_iter().partition(|(stem, _)| masks.contains(stem));
    Ok((images, masks))
}

/// The stems that are masks, where any of them has its image among the others; otherwise none.
fn masks_among(stems: &BTreeSet<String>, suffix: Option<&str>) -> BTreeSet<String> {
    // A mask may add to all of its image's name, or to the rest of it.
    let names = |stem: &String| [stem.clone(), bare(stem).to_owned()];
    if let Some(suffix) = suffix {
        let images: BTreeSet<String> =
            stems.iter().filter(|stem| !stem.ends_with(suffix)).flat_map(names).collect();
        let has_image = |stem: &String| stem.strip_suffix(suffix).is_some_and(|base| images.contains(base));
        let any = stems.iter().any(has_image);
        return stems.iter().filter(|stem| any && stem.ends_with(suffix)).cloned().collect();
    }
    let images: BTreeSet<String> = stems.iter().filter(|stem| !is_mask_stem(stem)).flat_map(names).collect();
    let numbered = |stem: &str| numbered_base(stem).is_some_and(|base| images.contains(base));
    let has_image =
        |stem: &String| numbered(stem) || base_of_mask(stem).is_some_and(|base| images.contains(base));
    if stems.iter().any(has_image) {
        return stems.iter().filter(|stem| is_mask_stem(stem) || numbered(stem)).cloned().collect();
    }
    masks_of_classes(stems)
}

/// Masks named after an image and a class: `a_road`, `a_sky`, beside `a`. A class of one image only is one if the image has
/// a mask of another class.
fn masks_of_classes(stems: &BTreeSet<String>) -> BTreeSet<String> {
    let bares: BTreeSet<&str> = stems.iter().map(|stem| bare(stem)).collect();
    // The longest base, and what is added to it.
    let base = |stem: &'_ str| {
        let mut bases =
            beginnings(stem).filter(|(base, tail)| !tail.starts_with('/') && bares.contains(base));
        bases.next().map(|(base, tail)| (base.to_owned(), Tag::of(tail).class))
    };
    let derived: BTreeMap<&String, (String, String)> =
        stems.iter().filter_map(|stem| Some((stem, base(stem)?))).collect();
    let mut images_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (base, class) in derived.values().filter(|(_, class)| class.chars().any(char::is_alphabetic)) {
        images_of.entry(class).or_default().insert(base);
    }
    let usual: BTreeSet<&str> =
        images_of.into_iter().filter(|(_, images)| images.len() > 1).map(|(class, _)| class).collect();
    let images: BTreeSet<&str> =
        derived.values().filter(|(_, class)| usual.contains(&**class)).map(|(base, _)| &**base).collect();
    let is_mask = |stem: &&String| {
        derived.get(stem).is_some_and(|(base, _)| images.contains(&**base)) && !images.contains(bare(stem))
    };
    stems.iter().filter(is_mask).cloned().collect()
}

/// The pairs of files of one stem, where most stems have two files.
fn doubled(folder: &Path, paths: &[PathBuf]) -> Vec<[PathBuf; 2]> {
    let mut by_stem: BTreeMap<String, Vec<&PathBuf>> = BTreeMap::new();
    for path in paths {
        if let Some(stem) = relative_stem(folder, path) {
            by_stem.entry(stem).or_default().push(path);
        }
    }
    let stems = by_stem.len();
    let pair = |paths: Vec<&PathBuf>| match paths[..] {
        [first, second] => Some([first.clone(), second.clone()]),
        _ => None,
    };
    let pairs: Vec<[PathBuf; 2]> = by_stem.into_values().filter_map(pair).collect();
    if 2 * pairs.len() > stems { pairs } else { Vec::new() }
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The extension of the masks among pairs of one name: the one whose files have far fewer colours than the others.
fn extension_of_masks(folder: &Path, pairs: &[[PathBuf; 2]], notes: &mut Notes) -> Result<String> {
    let [first, second] = &pairs[0];
    let common = |wanted: &String| {
        pairs.iter().all(|pair| pair.iter().filter(|path| extension(path) == *wanted).count() == 1)
    };
    let candidates: Vec<String> = [extension(first), extension(second)].into_iter().filter(common).collect();
    // No image is an array.
    if candidates.iter().any(|extension| extension == "npy") {
        return Ok("npy".into());
    }
    let step = pairs.len().div_ceil(COMPARED);
    let chosen: Vec<&[PathBuf; 2]> = pairs.iter().step_by(step).collect();
    let counted = in_parallel(chosen.len(), |i| [colours(&chosen[i][0]), colours(&chosen[i][1])]);
    let decided = candidates.into_iter().find_map(|candidate| {
        let (mut own, mut other, mut fewer, mut known) = (0, 0, 0, 0);
        for (pair, counts) in chosen.iter().zip(&counted) {
            let [Some(a), Some(b)] = *counts else { continue };
            let (mask, image) = if extension(&pair[0]) == candidate { (a, b) } else { (b, a) };
            (own, other, known, fewer) =
                (own + mask, other + image, known + 1, fewer + usize::from(mask < image));
        }
        (known > 0 && own * MORE_COLOURS <= other && fewer * 10 >= known * 9)
            .then_some((candidate, own, other, known))
    });
    let Some((mask, own, other, known)) = decided else {
        let problem = format!(
            "{} and {} have one name ({} such pairs), and neither their extensions nor their colours tell which is the image \
             and which its mask; move the masks to a folder masks/ beside images/, or add _mask to their names",
            first.display(),
            second.display(),
            pairs.len()
        );
        return Err(DataError::MaskValues { path: folder.to_owned(), problem });
    };
    notes.warn(format!(
        "images and masks have the same names: the .{mask} files are taken for the masks, which have {} colours or values on \
         average, the others {}",
        own / known,
        other / known
    ));
    Ok(mask)
}

/// The number of different colours or values in a file; `None` if it cannot be decoded.
fn colours(path: &Path) -> Option<usize> {
    let raw = RawMask::decode(&read_file(path).ok()?, path).ok()?;
    if !raw.is_coloured() {
        return Some(raw.runs().collect::<BTreeSet<u16>>().len().min(MOST_COLOURS));
    }
    let mut found = BTreeSet::new();
    for run in raw.into_colours(path).ok()?.1.chunk_by(|a, b| a == b) {
        found.insert(run[0]);
        if found.len() == MOST_COLOURS {
            break;
        }
    }
    Some(found.len())
}
