//! Deciding what the masks of a data set mean, from the values of all of them and from what the user says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::dataset::survey::COLOUR_LIMIT;
use crate::error::{DataError, Result};
use crate::mask::classes::Classes;
use crate::mask::coding::LabelCoding;
use crate::mask::colour::{pack, unpack};

/// From this value on a soft mask is foreground.
const THRESHOLD: u16 = 128;

/// The share of pixels that are nearly black or nearly white in a soft or JPEG-compressed mask of two classes.
const DECIDED_SHARE: f64 = 0.9;

/// Values of all masks with their pixels, and whether some of the files are JPEGs.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllValues {
    pub counts: BTreeMap<u16, u64>,
    pub inexact: bool,
}

impl AllValues {
    /// Whether these are masks of two classes whose borders are soft: many values, nearly all of them dark or bright.
    fn are_soft(&self) -> bool {
        let pixels: u64 = self.counts.values().sum();
        let decided: u64 =
            self.counts.iter().filter(|&(v, _)| *v <= 32 || (223..=255).contains(v)).map(|(_, n)| n).sum();
        let dark = self.counts.range(..=32).next().is_some();
        let bright = self.counts.range(223..=255).next().is_some();
        let bytes = self.counts.last_key_value().is_none_or(|(largest, _)| *largest <= 255);
        (self.inexact || self.counts.len() > 32)
            && self.counts.len() > 2
            && dark
            && bright
            && bytes
            && decided as f64 >= DECIDED_SHARE * pixels as f64
    }
}

/// Decides what the values of the masks mean and how many classes there are.
///
/// `all` are the values of all masks, `classes` and `coding` what the user said, if anything. `root` is named in errors.
pub(crate) fn decide_coding(
    root: &Path,
    all: &AllValues,
    ignore: Option<u8>,
    classes: Option<usize>,
    coding: Option<LabelCoding>,
    warnings: &mut Vec<String>,
) -> Result<(LabelCoding, usize)> {
    let mut values: BTreeSet<u16> = all.counts.keys().copied().collect();
    if let Some(ignore) = ignore {
        values.remove(&u16::from(ignore));
    }
    let two = match values.iter().copied().collect::<Vec<_>>()[..] {
        [background, foreground] => Some(LabelCoding::Binary { background, foreground }),
        _ => None,
    };
    if coding.is_none() && classes.is_none_or(|n| n == 2) && two.is_none() && all.are_soft() {
        warnings.push(format!(
            "the masks have {} grey values, nearly all dark or bright: {THRESHOLD} and above is taken for the foreground; \
             masks saved as PNG without smoothing would be exact",
            values.len()
        ));
        return Ok((LabelCoding::Threshold(THRESHOLD), 2));
    }
    if all.inexact && coding.is_none_or(|coding| coding == LabelCoding::Indices) && two.is_none() {
        warnings.push(
            "masks of several classes are saved as JPEG, which changes labels at borders; save them as PNG"
                .into(),
        );
    }
    let found = values.last().map_or(0, |&largest| usize::from(largest) + 1);
    match (coding, classes) {
        (Some(LabelCoding::Indices), None) => Ok((LabelCoding::Indices, found.clamp(2, 256))),
        (Some(coding), classes) => Ok((coding, classes.unwrap_or(2))),
        (None, Some(2)) if found > 2 && two.is_some() => Ok((two.unwrap_or(LabelCoding::Indices), 2)),
        (None, Some(classes)) => Ok((LabelCoding::Indices, classes)),
        (None, None) => match two {
            Some(_) if found == 2 => Ok((LabelCoding::Indices, 2)),
            Some(binary) => Ok((binary, 2)),
            // The value 255 is a foreground, an ignore label or the top of a soft mask, hardly ever a class.
            None if found > 2 && found < 256 && 2 * values.len() >= found => {
                Ok((LabelCoding::Indices, found))
            }
            None => Err(DataError::MaskValues { path: root.to_owned(), problem: problem(&values) }),
        },
    }
}

/// Says why `values` are not taken for classes without a further word.
fn problem(values: &BTreeSet<u16>) -> String {
    let shown: Vec<_> = values.iter().take(12).map(u16::to_string).collect();
    let more =
        if values.len() > shown.len() { format!(", … ({} in all)", values.len()) } else { String::new() };
    let list = shown.join(", ") + &more;
    if values.len() < 2 {
        return format!(
            "all masks have the one value {list}, so that there is nothing to learn; check the masks, \
             or give the number of classes if the others are only missing here"
        );
    }
    let soft = values.len() > 32;
    let advice = if soft && (values.contains(&255) || values.contains(&65535)) {
        "they look like soft or JPEG-compressed masks: give a threshold (128, say), or save them as PNG"
    } else if values.contains(&255) {
        "255 usually marks pixels without a label: make it the ignore label, or give the number of classes"
    } else {
        "give the number of classes if they are class indices, or save the masks with the values 0, 1, 2, …"
    };
    format!(
        "the masks have the values {list}, neither two values nor 0, 1, 2, … without large gaps; {advice}"
    )
}

/// A class for every colour, black first, the others in the order of their red, green and blue: the same colours give
/// the same labels, whatever their number of pixels.
///
/// # Errors
/// [`DataError::MaskValues`] if there are too few or too many.
pub(crate) fn propose_classes(root: &Path, colours: &BTreeMap<u32, u64>) -> Result<Classes> {
    if !(2..=255).contains(&colours.len()) {
        let found =
            if colours.len() >= COLOUR_LIMIT { "thousands of".into() } else { colours.len().to_string() };
        let problem = format!(
            "the masks have {found} colours, which cannot be classes; masks that were smoothed, resized or saved as JPEG \
             have such colours: save them as PNG, or list the true colours in classes.txt (name red green blue)"
        );
        return Err(DataError::MaskValues { path: root.to_owned(), problem });
    }
    let colours: Vec<[u8; 3]> = colours.keys().map(|&colour| unpack(colour)).collect();
    let name = |[r, g, b]: &[u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
    Ok(Classes { names: colours.iter().map(name).collect(), colours })
}

/// Says what colours there are and how to make classes of them.
pub(crate) fn colours_without_table(root: &Path, colours: &BTreeMap<u32, u64>) -> DataError {
    let classes = match propose_classes(root, colours) {
        Ok(classes) => classes,
        Err(error) => return error,
    };
    let pixels: u64 = colours.values().sum();
    let line = |(name, colour): (&String, &[u8; 3])| {
        let [r, g, b] = colour;
        let share = 100.0 * colours[&pack(*colour)] as f64 / pixels as f64;
        format!("  class-{} {r} {g} {b}    ({share:.2} % of the pixels)", &name[1..])
    };
    let list: Vec<String> = classes.names.iter().zip(&classes.colours).take(64).map(line).collect();
    let problem = format!(
        "the masks are colour-coded and no file says what the colours mean; they have {} colours:\n{}\n\
         write them with their true names into classes.txt in this folder (a class a line: name red green blue), \
         or accept them as classes with the format `colours`",
        colours.len(),
        list.join("\n")
    );
    DataError::MaskValues { path: root.to_owned(), problem }
}
