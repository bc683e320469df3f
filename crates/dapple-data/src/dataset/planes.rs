//! Deciding which part of the mask files holds the labels: palette indices, the palette's colours, or the opacity.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dataset::survey::{Alpha, FileValues, PairSurvey, SurveyedMask};
use crate::error::{DataError, Result};
use crate::format::class_table::ClassTable;
use crate::format::found::{Notes, Record};
use crate::format::walk::bad_file;
use crate::mask::colour::pack;
use crate::mask::palettes::{Palettes, grey, shown};
use crate::mask::raw::Plane;

/// The part that holds the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// One plane of values.
    Plane(Plane),
    /// The colours of palettes, for a reason.
    Colours(String),
}

/// The content of some masks with their files.
type Surveyed = [(Record, PairSurvey)];

/// Whether the opacity holds the labels: all masks have one and the same colour, and their opacity varies.
///
/// Among other masks, those whose shape is only in their opacity are bad ones.
pub(crate) fn are_alpha(surveyed: &mut Vec<(Record, PairSurvey)>, notes: &mut Notes) -> Result<bool> {
    let alphas = || surveyed.iter().filter_map(|(_, survey)| survey.alpha.as_ref());
    if !alphas().any(|alpha| alpha.counts.len() > 1) {
        return Ok(false);
    }
    let mut colours: Vec<&SurveyedMask> = surveyed.iter().map(|(_, survey)| &survey.mask).collect();
    colours.dedup_by_key(|mask| only_colour(mask));
    if alphas().count() == surveyed.len() && colours.len() == 1 {
        notes.warn(
            "the masks have one colour and their shape in the opacity (the alpha channel), which is taken for the mask",
        );
        return Ok(true);
    }
    let is_bad = |survey: &PairSurvey| survey.alpha.as_ref().is_some_and(|alpha| alpha.counts.len() > 1);
    for (record, _) in surveyed.extract_if(.., |(_, survey)| is_bad(survey)) {
        let problem = "the mask has its shape only in its opacity (the alpha channel), other masks have it in their \
                       colours, or have another colour; save all alike, as grey or palette PNG";
        notes.bad(bad_file(record.target.path(), problem))?;
    }
    Ok(false)
}

/// The one colour or value of a mask.
fn only_colour(mask: &SurveyedMask) -> Option<u32> {
    match mask {
        SurveyedMask::Values(values) => values.counts.keys().next().map(|&value| u32::from(value)),
        SurveyedMask::Colours { counts, .. } => counts.keys().next().copied(),
        SurveyedMask::Labels { .. } => None,
    }
}

/// How the palettes of the masks are read: by a table's colours, or as they agree with each other.
///
/// # Errors
/// [`DataError::MaskValues`] where indices and colours say different things and neither covers all.
pub(crate) fn reading_of(
    root: &Path,
    surveyed: &Surveyed,
    table: Option<&ClassTable>,
    accept_colours: bool,
) -> Result<Reading> {
    let mut palettes = Palettes::default();
    let (mut coloured, mut greys) = (None, Vec::new());
    for (record, survey) in surveyed {
        match &survey.mask {
            SurveyedMask::Values(FileValues { palette: Some(palette), .. }) => {
                palettes.add(record.target.path(), palette);
            }
            SurveyedMask::Values(values) => greys.extend(values.counts.keys().copied()),
            SurveyedMask::Colours { .. } => coloured = coloured.or(Some(record.target.path())),
            SurveyedMask::Labels { .. } => {}
        }
    }
    if palettes.is_empty() {
        return Ok(Reading::Plane(Plane::Stored));
    }
    match table.filter(|table| table.has_colours) {
        Some(table) => by_table(root, &palettes, table, coloured),
        None if accept_colours => Ok(Reading::Colours("every colour is a class".into())),
        None => Ok(by_themselves(&palettes, &greys, coloured)),
    }
}

pub(super) fn by_table(
    root: &Path,
    palettes: &Palettes,
    table: &ClassTable,
    coloured: Option<&Path>,
) -> Result<Reading> {
    let position = |index: u16, colour: u32| {
        let has = |&p: &usize| pack(table.classes.colours[p]) == colour;
        let all = 0..table.classes.len();
        all.clone().find(|p| has(p) && *p == usize::from(index)).or_else(|| all.clone().find(has))
    };
    let is_ignored = |colour: u32| table.ignored_colours.iter().any(|&ignored| pack(ignored) == colour);
    let (mut other, mut unknown) = (None, None);
    for (index, colour) in palettes.entries() {
        // An ignored index may be drawn in any colour, also that of a class.
        if table.ignore.is_some_and(|label| u16::from(label) == index) {
            continue;
        }
        match position(index, colour) {
            Some(p) if p == usize::from(index) => {}
            Some(_) => other = other.or(Some((index, colour))),
            None if is_ignored(colour) => other = other.or(Some((index, colour))),
            None => unknown = unknown.or(Some((index, colour))),
        }
    }
    let file = table.path.display();
    let reason = match (other, unknown, palettes.conflict()) {
        (None, None, _) if coloured.is_none() => return Ok(Reading::Plane(Plane::Stored)),
        (None, Some(_), None) if coloured.is_none() => return Ok(Reading::Plane(Plane::Stored)),
        (None, None, _) => format!("some masks are colour pictures, so that the colours of {file} decide"),
        (Some((index, colour)), None, _) => format!(
            "palettes of the masks number the classes in another order than {file} (index {index} is {}): \
             the colours decide",
            shown(colour)
        ),
        (other, Some((unknown_index, unknown)), conflict) => {
            let by_index = other.map(|(index, colour)| {
                let class = position(index, colour).map(|p| table.classes.names[p].as_str());
                format!("index {index} has the colour of {}", class.unwrap_or("ignored pixels"))
            });
            let doubt = by_index.or(conflict.map(str::to_owned));
            let doubt = doubt.unwrap_or_else(|| "other masks are colour pictures".into());
            let path = palettes.first_with(unknown_index).unwrap_or(root);
            let problem = format!(
                "the masks can be read in two ways, by the indices or by the colours of their palettes: {doubt}, but the \
                 colour {} in {} is in no class of {file}; complete the colours there, or leave them out so that the \
                 indices decide",
                shown(unknown),
                path.display()
            );
            return Err(DataError::MaskValues { path: root.to_owned(), problem });
        }
    };
    Ok(Reading::Colours(reason))
}

/// Without colours of classes: `greys` are the values of masks without a palette, `coloured` is a colour picture.
pub(super) fn by_themselves(palettes: &Palettes, greys: &[u16], coloured: Option<&Path>) -> Reading {
    let conflict = palettes.conflict();
    if palettes.are_grey() && coloured.is_none() {
        let entries: Vec<(u16, u32)> = palettes.entries().collect();
        let indices_have = |value: &u16| entries.iter().any(|(index, _)| index == value);
        // The order of the classes is the same by both, unless masks without a palette have the greys. A palette that is
        // black from end to end shows nothing.
        let says_nothing = entries.windows(2).all(|pair| pair[0].1 == pair[1].1);
        let stored =
            conflict.is_none() && (says_nothing || palettes.rise()) && greys.iter().all(indices_have);
        return Reading::Plane(if stored { Plane::Stored } else { Plane::Greys });
    }
    match (conflict, coloured) {
        (Some(conflict), _) => Reading::Colours(format!(
            "the palettes of the masks differ, so that their colours count ({conflict})"
        )),
        (None, Some(path)) => {
            Reading::Colours(format!("some masks are colour pictures, such as {}", path.display()))
        }
        (None, None) => Reading::Plane(Plane::Stored),
    }
}

/// Gives every mask the values of the plane that was decided for.
pub(crate) fn take_plane(surveyed: &mut Surveyed, plane: Plane) {
    for (_, survey) in surveyed {
        match (plane, &mut survey.mask, survey.alpha.take()) {
            (Plane::Alpha, mask, Some(Alpha { counts, white })) => {
                *mask = SurveyedMask::Values(FileValues { counts, white, ..FileValues::default() });
            }
            (Plane::Greys, SurveyedMask::Values(values), _) => {
                let Some(palette) = values.palette.take() else { continue };
                let mut greys = BTreeMap::new();
                for (index, n) in std::mem::take(&mut values.counts) {
                    let value = palette.colours.get(&index).and_then(|&colour| grey(colour));
                    // An index beyond the palette is refused when the mask is decoded.
                    *greys.entry(value.unwrap_or(index)).or_insert(0) += n;
                }
                (values.counts, values.white) = (greys, 255);
            }
            _ => {}
        }
    }
}

/// Gives every mask its colours: those of palettes, and greys as colours.
pub(crate) fn take_colours(surveyed: &mut Surveyed) {
    for (_, survey) in surveyed {
        let SurveyedMask::Values(values) = &survey.mask else { continue };
        let colour = |(&value, &n): (&u16, &u64)| match &values.palette {
            Some(palette) => palette.colours.get(&value).map(|&colour| (colour, n)),
            None => {
                let byte = u32::from(value) * 255 / u32::from(values.white.max(1));
                Some((pack([byte.min(255) as u8; 3]), n))
            }
        };
        let mut counts = BTreeMap::new();
        for (colour, n) in values.counts.iter().filter_map(colour) {
            *counts.entry(colour).or_insert(0) += n;
        }
        survey.mask = SurveyedMask::Colours { counts, lossy: values.lossy };
    }
}
