//! Deciding what the values of masks mean, from those of all masks and from what the user says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::dataset::advice::{from_table, problem};
use crate::dataset::levels::levels;
use crate::dataset::survey::FileValues;
use crate::error::{DataError, Result};
use crate::mask::coding::LabelCoding;
use crate::mask::decoder::{Code, ValueTable};
use crate::mask::palettes::{UsedPalette, grey};

/// From this value on a soft mask is foreground.
const THRESHOLD: u16 = 128;

/// The share of pixels that are nearly black or nearly white in a soft or lossy mask of two classes.
const DECIDED_SHARE: f64 = 0.9;

/// The values of all masks, file by file.
#[derive(Debug, Default)]
pub(crate) struct AllValues<'a> {
    pub files: Vec<(&'a Path, &'a FileValues)>,
    /// The pixels of each value.
    pub counts: BTreeMap<u16, u64>,
}

/// The wishes of the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub ignore: Option<u8>,
    pub classes: Option<usize>,
    pub coding: Option<LabelCoding>,
}

impl<'a> AllValues<'a> {
    /// Of the values of files.
    pub fn new(files: impl Iterator<Item = (&'a Path, &'a FileValues)>) -> Self {
        let mut all = Self { files: files.collect(), counts: BTreeMap::new() };
        for (_, file) in &all.files {
            for (&value, &n) in &file.counts {
                *all.counts.entry(value).or_insert(0) += n;
            }
        }
        all
    }

    /// The first lossy file and how many there are.
    pub fn lossy(&self) -> Option<(&'a Path, usize)> {
        let mut lossy = self.files.iter().filter(|(_, file)| file.lossy).map(|(path, _)| *path);
        let first = lossy.next()?;
        Some((first, 1 + lossy.count()))
    }

    /// Whether these are masks of two classes whose borders are soft: many values, nearly all of them dark or bright.
    fn are_soft(&self) -> bool {
        let pixels: u64 = self.counts.values().sum();
        let decided: u64 =
            self.counts.iter().filter(|&(v, _)| *v <= 32 || (223..=255).contains(v)).map(|(_, n)| n).sum();
        let dark = self.counts.range(..=32).next().is_some();
        let bright = self.counts.range(223..=255).next().is_some();
        let bytes = self.counts.last_key_value().is_none_or(|(largest, _)| *largest <= 255);
        (self.lossy().is_some() || self.counts.len() > 32)
            && self.counts.len() > 2
            && dark
            && bright
            && bytes
            && decided as f64 >= DECIDED_SHARE * pixels as f64
    }

    /// The foreground values of masks that draw it in several ways: 1 in some files, white in others, both in none.
    /// With classes or an ignored label, some file would have two of them.
    fn mixed_foregrounds(&self) -> Option<BTreeMap<u16, &'a Path>> {
        let mut foregrounds = BTreeMap::new();
        for (path, file) in &self.files {
            let mut values = file.counts.keys().copied().filter(|&value| value != 0);
            match (values.next(), values.next()) {
                (None, _) => {}
                (Some(value), None) if value == 1 || is_white(file, value) => {
                    foregrounds.entry(value).or_insert(*path);
                }
                _ => return None,
            }
        }
        let reaches_white = foregrounds.last_key_value().is_some_and(|(value, _)| *value >= 255);
        (foregrounds.len() > 1 && reaches_white).then_some(foregrounds)
    }

    /// A mask without loss whose foreground is 1, where others are thresholded at a high value.
    fn dark_foreground(&self) -> Option<&'a Path> {
        let is_dark =
            |file: &FileValues| !file.lossy && file.counts.last_key_value().is_some_and(|l| *l.0 == 1);
        self.files.iter().find(|(_, file)| is_dark(file)).map(|(path, _)| *path)
    }
}

/// Whether a value is white by the file's bit depth or by 8 bits. An index is if its palette has that grey.
fn is_white(file: &FileValues, value: u16) -> bool {
    let palette_agrees =
        |palette: &UsedPalette| palette.colours.iter().all(|(&index, &colour)| grey(colour) == Some(index));
    (value == 255 || value == file.white) && file.palette.as_ref().is_none_or(palette_agrees)
}

/// Decides what the values of the masks mean and how many classes there are. `root` is named in errors.
pub(crate) fn decide_coding(
    root: &Path,
    all: &AllValues<'_>,
    asked: Asked,
    warnings: &mut Vec<String>,
) -> Result<(Code, usize)> {
    let Asked { ignore, classes, coding } = asked;
    let values = |coding, count| Ok((Code::Values(coding), count));
    if let Some(coding) = coding {
        let count = all.counts.keys().filter(|&&value| ignore.map(u16::from) != Some(value)).max();
        let count = count.map_or(0, |&largest| usize::from(largest) + 1);
        let found = if coding == LabelCoding::Indices { count.clamp(2, 256) } else { 2 };
        return values(coding, classes.unwrap_or(found));
    }
    let refused = |problem: String| DataError::MaskValues { path: root.to_owned(), problem };
    let mixed = all.mixed_foregrounds();
    if let (Some(foregrounds), None | Some(2)) = (&mixed, classes) {
        match ignore {
            Some(label) if foregrounds.contains_key(&u16::from(label)) => {
                warnings.push(format!(
                    "no mask has both {label} and another value of the foreground: {label} is probably the foreground \
                     of masks such as {}, which is ignored now; leave the ignore label out if so",
                    foregrounds[&u16::from(label)].display()
                ));
            }
            _ => {
                warnings.push(mixture(foregrounds));
                let labels = foregrounds.keys().map(|&value| (value, 1)).chain([(0, 0)]);
                return Ok((table(labels.collect(), ignore), 2));
            }
        }
    }
    let mut found_values: BTreeSet<u16> = all.counts.keys().copied().collect();
    if let Some(ignore) = ignore {
        found_values.remove(&u16::from(ignore));
    }
    let two = match found_values.iter().copied().collect::<Vec<_>>()[..] {
        [background, foreground] => Some(LabelCoding::Binary { background, foreground }),
        _ => None,
    };
    if classes.is_none_or(|n| n == 2) && two.is_none() && all.are_soft() {
        if let Some(path) = all.dark_foreground() {
            return Err(refused(format!(
                "{} has only the values 0 and 1, others are soft masks of 0 to 255; save all alike, with 0 and 255",
                path.display()
            )));
        }
        warnings.push(format!(
            "the masks have {} grey values, nearly all dark or bright: {THRESHOLD} and above is taken for the foreground; \
             masks saved as PNG without smoothing would be exact",
            found_values.len()
        ));
        return values(LabelCoding::Threshold(THRESHOLD), 2);
    }
    if let (Some(lossy), None) = (all.lossy(), two) {
        return decide_lossy(all, lossy, asked, warnings).map_err(refused);
    }
    let found = found_values.last().map_or(0, |&largest| usize::from(largest) + 1);
    match (classes, two) {
        (Some(2), Some(binary)) if found > 2 => values(binary, 2),
        (Some(classes), _) => values(LabelCoding::Indices, classes),
        (None, Some(_)) if found == 2 => values(LabelCoding::Indices, 2),
        (None, Some(binary)) => values(binary, 2),
        // The value 255 is a foreground, an ignore label or the top of a soft mask, hardly ever a class.
        (None, None) if found > 2 && found < 256 && 2 * found_values.len() >= found => {
            values(LabelCoding::Indices, found)
        }
        (None, None) => Err(refused(problem(&found_values))),
    }
}

fn mixture(foregrounds: &BTreeMap<u16, &Path>) -> String {
    let each: Vec<String> =
        foregrounds.iter().map(|(v, path)| format!("{v} in {}", path.display())).collect();
    let largest = foregrounds.last_key_value().map_or(255, |(value, _)| *value);
    format!(
        "the masks draw the foreground with different values ({}), no mask with two of them: each is taken for the \
         foreground; if {largest} marks pixels without a label, make it the ignore label",
        each.join(", ")
    )
}

fn table(mut labels: BTreeMap<u16, u8>, ignore: Option<u8>) -> Code {
    if let Some(ignore) = ignore {
        labels.insert(u16::from(ignore), ignore);
    }
    let known: Vec<String> = labels.keys().map(u16::to_string).collect();
    let unknown = format!("the other masks have only {}", known.join(", "));
    Code::Table(ValueTable { labels, unknown }.into())
}

/// Lossy masks of several classes: their values are near the true ones only, so that their number tells no classes.
fn decide_lossy(
    all: &AllValues<'_>,
    (first, files): (&Path, usize),
    asked: Asked,
    warnings: &mut Vec<String>,
) -> std::result::Result<(Code, usize), String> {
    let Some(classes) = asked.classes else {
        return Err(format!(
            "{files} of the masks are JPEG or lossy WebP pictures, such as {}, which change values: the {} values found \
             are no classes; save the masks as PNG, or give the number of classes or a classes.toml with the values of \
             each class ({}): every pixel then takes the nearest class",
            first.display(),
            all.counts.len(),
            from_table([0, 120, 240])
        ));
    };
    let Some((levels, ignored)) = levels(&all.counts, classes, asked.ignore) else {
        return Err(format!(
            "{files} of the masks are JPEG or lossy WebP pictures, such as {}, and their {} values do not lie around \
             {classes} levels; save the masks as PNG, or give a classes.toml with the values of each class ({})",
            first.display(),
            all.counts.len(),
            from_table([0, 120, 240])
        ));
    };
    let shown: Vec<String> = levels.iter().map(u16::to_string).collect();
    warnings.push(format!(
        "masks are saved as JPEG or lossy WebP, which changes values: the classes are taken to lie at {}, and every pixel \
         takes the nearest; masks saved as PNG would be exact",
        shown.join(", ")
    ));
    let labels = levels.into_iter().zip(0..).chain(ignored.zip(asked.ignore)).collect();
    Ok((table(labels, None), classes))
}
