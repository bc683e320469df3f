//! The palettes of mask files: whether an index means the same in all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::mask::colour::unpack;

/// The palette of one mask as far as its pixels use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsedPalette {
    /// The colour of each index in use, as [`pack`](crate::mask::colour::pack) makes it.
    pub colours: BTreeMap<u16, u32>,
    /// The same number for palettes that are equal as a whole.
    whole: u64,
}

impl UsedPalette {
    /// Of the palette and the indices in use; an index beyond the palette is left to the decoder, which refuses it.
    pub fn new(palette: &[[u8; 3]], indices: impl Iterator<Item = u16>) -> Self {
        let mut hasher = DefaultHasher::new();
        palette.hash(&mut hasher);
        let colour = |index: u16| {
            let colour = palette.get(usize::from(index))?;
            Some((index, super::colour::pack(*colour)))
        };
        Self { colours: indices.filter_map(colour).collect(), whole: hasher.finish() }
    }
}

/// The palettes of many masks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Palettes {
    /// The colours of each index, and the first file that has it.
    by_index: BTreeMap<u16, (BTreeSet<u32>, PathBuf)>,
    /// The indices of each colour, and the first file that has it.
    by_colour: BTreeMap<u32, (BTreeSet<u16>, PathBuf)>,
    wholes: BTreeSet<u64>,
    conflict: Option<String>,
}

impl Palettes {
    /// Adds the palette of a file.
    pub fn add(&mut self, path: &Path, used: &UsedPalette) {
        self.wholes.insert(used.whole);
        let mut indices: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
        for (&index, &colour) in &used.colours {
            indices.entry(colour).or_default().insert(index);
            let (colours, first) =
                self.by_index.entry(index).or_insert_with(|| (BTreeSet::new(), path.to_owned()));
            if colours.insert(colour) && colours.len() == 2 && self.conflict.is_none() {
                let other = colours.iter().copied().find(|&other| other != colour).unwrap_or(colour);
                self.conflict = Some(format!(
                    "index {index} is {} in {} but {} in {}",
                    shown(other),
                    first.display(),
                    shown(colour),
                    path.display()
                ));
            }
        }
        for (colour, indices) in indices {
            let entry = self.by_colour.entry(colour).or_insert_with(|| (indices.clone(), path.to_owned()));
            if self.conflict.is_none() && entry.0.is_disjoint(&indices) {
                self.conflict = Some(contradiction(colour, &entry.0, &entry.1, &indices, path));
            }
            entry.0.extend(indices);
        }
    }

    /// No palette was added.
    pub fn is_empty(&self) -> bool {
        self.wholes.is_empty()
    }

    /// Two files that draw an index in two colours, or a colour by two indices, in words.
    pub fn conflict(&self) -> Option<&str> {
        if self.wholes.len() < 2 { None } else { self.conflict.as_deref() }
    }

    /// A colour that these and the others draw by different indices, in words. Colours of their own are no conflict.
    pub fn contradiction(&self, other: &Self) -> Option<String> {
        self.by_colour.iter().find_map(|(&colour, (indices, path))| {
            let (others, other_path) = other.by_colour.get(&colour)?;
            others.is_disjoint(indices).then(|| contradiction(colour, indices, path, others, other_path))
        })
    }

    /// Every index in use with each of its colours.
    pub fn entries(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
        self.by_index.iter().flat_map(|(&index, (colours, _))| colours.iter().map(move |&c| (index, c)))
    }

    /// The first file that uses an index.
    pub fn first_with(&self, index: u16) -> Option<&Path> {
        self.by_index.get(&index).map(|(_, path)| path.as_path())
    }

    /// Whether all colours in use are greys.
    pub fn are_grey(&self) -> bool {
        self.by_colour.keys().all(|&colour| grey(colour).is_some())
    }

    /// Whether the greys become lighter with the index, so that the order of both is the same.
    pub fn rise(&self) -> bool {
        let greys: Vec<u32> = self.entries().map(|(_, colour)| colour).collect();
        greys.windows(2).all(|pair| pair[0] < pair[1])
    }
}

/// The value of a grey.
pub(crate) fn grey(colour: u32) -> Option<u16> {
    let [r, g, b] = unpack(colour);
    (r == g && g == b).then_some(u16::from(r))
}

pub(crate) fn shown(colour: u32) -> String {
    let [r, g, b] = unpack(colour);
    format!("({r}, {g}, {b})")
}

fn contradiction(
    colour: u32,
    indices: &BTreeSet<u16>,
    path: &Path,
    others: &BTreeSet<u16>,
    other: &Path,
) -> String {
    let first = |indices: &BTreeSet<u16>| indices.first().copied().unwrap_or_default();
    format!(
        "the colour {} is index {} in {} but index {} in {}",
        shown(colour),
        first(indices),
        path.display(),
        first(others),
        other.display()
    )
}
