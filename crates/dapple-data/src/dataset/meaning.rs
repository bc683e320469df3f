//! Learning what the masks of a folder mean: from its format, from a table of classes, or from the masks.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dataset::advice::{colours_without_table, propose_classes};
use crate::dataset::infer::{AllValues, Asked, decide_coding};
use crate::dataset::open::{Meaning, Opening};
use crate::dataset::planes::{Reading, are_alpha, reading_of, take_colours, take_plane};
use crate::dataset::survey::{COLOUR_LIMIT, Look, PairSurvey, SurveyedMask};
use crate::error::Result;
use crate::format::class_table::ClassTable;
use crate::format::found::{IGNORED, Record};
use crate::format::walk::bad_file;
use crate::image::decode::read_file;
use crate::mask::classes::Classes;
use crate::mask::coding::LabelCoding;
use crate::mask::colour::{ColourTable, pack};
use crate::mask::decoder::{Code, MaskDecoder, ValueTable};
use crate::mask::raw::{Plane, RawMask};

impl Opening<'_> {
    /// The format knows it all.
    pub(super) fn by_format(
        &self,
        classes: Classes,
        decoder: MaskDecoder,
        ignore: Option<u8>,
    ) -> Result<Meaning> {
        if let (Some(wanted), Some(of_format)) = (self.options.ignore, ignore)
            && wanted != of_format
        {
            let problem = format!(
                "the format ignores what its labels leave out, as label {of_format}; \
                 leave the ignore label {wanted} out, or name another format"
            );
            return Err(bad_file(self.root, problem));
        }
        let count = agreed_count(self.root, self.options.classes, &classes)?;
        let ignore = ignore.or(self.options.ignore);
        Ok(Meaning { decoder, count, classes: Some(classes), ignore })
    }

    /// A table lists the values of each class.
    pub(super) fn by_values(&self, table: ClassTable) -> Result<Meaning> {
        let ClassTable { path, classes, ignore, from, ignored_values, .. } = table;
        let count = agreed_count(self.root, self.options.classes, &classes)?;
        let ignore = self.options.ignore.or(ignore).or((!ignored_values.is_empty()).then_some(IGNORED));
        if let Some(label) = ignore.filter(|&label| usize::from(label) < count) {
            let problem = format!(
                "the ignore label {label} is the number of the class `{}`; list the values that are ignored as \
                 `ignore_from = [{label}]` instead",
                classes.names[usize::from(label)]
            );
            return Err(bad_file(&path, problem));
        }
        let mut labels: BTreeMap<u16, u8> =
            ignore.map(|label| (u16::from(label), label)).into_iter().collect();
        labels.extend(ignored_values.into_iter().zip(std::iter::repeat(ignore.unwrap_or(IGNORED))));
        for (values, label) in from.unwrap_or_default().into_iter().zip(0..) {
            labels.extend(values.into_iter().map(|value| (value, label)));
        }
        let unknown = format!("{} gives it to no class with `from`", path.display());
        let code = Code::Table(ValueTable { labels, unknown }.into());
        Ok(Meaning { decoder: MaskDecoder::stored(code), count, classes: Some(classes), ignore })
    }

    /// The masks are colour-coded by a table.
    pub(super) fn by_colours(&mut self, mut table: ClassTable) -> Result<Meaning> {
        let taken = table.take_ignored();
        if !taken.is_empty() {
            self.notes.warn(format!("pixels of {} are ignored", taken.join(", ")));
        }
        let count = agreed_count(self.root, self.options.classes, &table.classes)?;
        let ignored = !table.ignored_colours.is_empty();
        let ignore = self.options.ignore.or(table.ignore).or(ignored.then_some(IGNORED));
        let colours = ColourTable::new(&table.classes, &table.ignored_colours, ignore);
        let colours = colours.map_err(|problem| bad_file(&table.path, problem))?;
        Ok(Meaning { decoder: MaskDecoder::colours(colours), count, classes: Some(table.classes), ignore })
    }

    /// The masks and perhaps a table say what is meant.
    pub(super) fn by_masks(
        &mut self,
        table: Option<ClassTable>,
        ignore_of_format: Option<u8>,
        accept_colours: bool,
    ) -> Result<Meaning> {
        let table = table.map(|table| ClassTable { ignore: self.options.ignore.or(table.ignore), ..table });
        let (plane, reason) = self.decide_plane(table.as_ref(), accept_colours)?;
        if self.are_colour_coded() {
            let colours = self.all_colours();
            let meaning = match table {
                Some(table) if table.has_colours => {
                    self.notes.warnings.extend(reason);
                    self.by_colours(table)?
                }
                _ if accept_colours => self.accept_colours()?,
                _ => {
                    let lossy = self.lossy_colours();
                    return Err(colours_without_table(self.root, &colours, lossy, reason.as_deref()));
                }
            };
            let records = std::mem::take(&mut self.surveyed).into_iter().map(|(record, _)| record).collect();
            self.survey_decoded(records, &meaning)?;
            return Ok(meaning);
        }
        self.refuse_coloured()?;
        let ignore =
            self.options.ignore.or(table.as_ref().and_then(|table| table.ignore)).or(ignore_of_format);
        let all = all_values(&self.surveyed);
        if let Some(table) = &table
            && grey_table_applies(table, &all, ignore)
        {
            let meaning = self.by_colours(table.clone())?;
            let records = std::mem::take(&mut self.surveyed).into_iter().map(|(record, _)| record).collect();
            self.survey_decoded(records, &meaning)?;
            return Ok(meaning);
        }
        let classes = table.map(|table| table.classes);
        let known = match &classes {
            Some(classes) => Some(agreed_count(self.root, self.options.classes, classes)?),
            None => self.options.classes,
        };
        let (code, count) = if self.surveyed.is_empty() {
            (Code::Values(LabelCoding::Indices), 2)
        } else {
            let asked = Asked { ignore, classes: known, coding: self.options.coding };
            decide_coding(self.root, &all, asked, &mut self.notes.warnings)?
        };
        Ok(Meaning { decoder: MaskDecoder { plane, code }, count, classes, ignore })
    }

    /// The part of the files that holds the labels, which the masks are reduced to; and why colours of palettes count,
    /// if they do.
    fn decide_plane(
        &mut self,
        table: Option<&ClassTable>,
        accept_colours: bool,
    ) -> Result<(Plane, Option<String>)> {
        if self.options.coding.is_some() {
            return Ok((Plane::Stored, None));
        }
        if are_alpha(&mut self.surveyed, &mut self.notes)? {
            take_plane(&mut self.surveyed, Plane::Alpha);
            return Ok((Plane::Alpha, None));
        }
        match reading_of(self.root, &self.surveyed, table, accept_colours)? {
            Reading::Plane(plane) => {
                if plane == Plane::Greys {
                    self.notes.warn(
                        "palettes of the masks have greys in another order than their indices: the greys are taken for \
                         the values, so that white is the foreground",
                    );
                }
                take_plane(&mut self.surveyed, plane);
                Ok((plane, None))
            }
            Reading::Colours(reason) => {
                take_colours(&mut self.surveyed);
                Ok((Plane::Stored, Some(reason)))
            }
        }
    }

    /// Every colour of the masks is a class.
    fn accept_colours(&mut self) -> Result<Meaning> {
        let records = self.surveyed.iter().map(|(record, _)| record.clone()).collect();
        self.surveyed.clear();
        self.survey(records, Look::Colours)?;
        let classes = propose_classes(self.root, &self.all_colours(), self.lossy_colours())?;
        let count = agreed_count(self.root, self.options.classes, &classes)?;
        let table = ColourTable::new(&classes, &[], None).map_err(|problem| bad_file(self.root, problem))?;
        self.notes
            .warn(format!("no file names the {count} colours of the masks; each is a class of its own"));
        let decoder = MaskDecoder::colours(table);
        Ok(Meaning { decoder, count, classes: Some(classes), ignore: self.options.ignore })
    }

    /// Whether most masks that show anything are coloured.
    fn are_colour_coded(&self) -> bool {
        let (mut coloured, mut others) = (0, 0);
        for (_, survey) in &self.surveyed {
            match &survey.mask {
                SurveyedMask::Colours { .. } => coloured += 1,
                SurveyedMask::Values(values) if values.counts.keys().any(|&value| value != 0) => others += 1,
                _ => {}
            }
        }
        coloured > others
    }

    /// Coloured masks among others are bad ones.
    fn refuse_coloured(&mut self) -> Result<()> {
        let surveyed = std::mem::take(&mut self.surveyed);
        for (record, survey) in surveyed {
            if !matches!(survey.mask, SurveyedMask::Colours { .. }) {
                self.surveyed.push((record, survey));
                continue;
            }
            let path = record.target.path();
            if let Err(error) = RawMask::decode(&read_file(path)?, path).and_then(|raw| raw.into_values(path))
            {
                self.notes.bad(error)?;
            }
        }
        Ok(())
    }

    /// A coloured mask of a lossy format.
    fn lossy_colours(&self) -> Option<&Path> {
        let is_lossy = |survey: &PairSurvey| matches!(survey.mask, SurveyedMask::Colours { lossy: true, .. });
        self.surveyed.iter().find(|(_, survey)| is_lossy(survey)).map(|(record, _)| record.target.path())
    }

    fn all_colours(&self) -> BTreeMap<u32, u64> {
        let mut all = BTreeMap::new();
        for (_, survey) in &self.surveyed {
            if let SurveyedMask::Colours { counts, .. } = &survey.mask {
                for (&colour, &n) in counts {
                    *all.entry(colour).or_insert(0) += n;
                }
            }
            if all.len() > COLOUR_LIMIT {
                break;
            }
        }
        all
    }
}

/// The values of masks that have some.
fn all_values(surveyed: &[(Record, PairSurvey)]) -> AllValues<'_> {
    AllValues::new(surveyed.iter().filter_map(|(record, survey)| match &survey.mask {
        SurveyedMask::Values(values) => Some((record.target.path(), values)),
        _ => None,
    }))
}

/// Whether grey masks are coloured in the greys of a table: their values are not indices but all in the table, or near
/// its greys where masks are lossy.
fn grey_table_applies(table: &ClassTable, all: &AllValues<'_>, ignore: Option<u8>) -> bool {
    let is_index = |&value: &u16| {
        usize::from(value) < table.classes.len() || ignore.is_some_and(|ignore| u16::from(ignore) == value)
    };
    if !table.has_colours || all.counts.keys().all(is_index) {
        return false;
    }
    let colours = ColourTable::new(&table.classes, &table.ignored_colours, Some(IGNORED));
    let greys: Option<Vec<u32>> =
        all.counts.keys().map(|&value| u8::try_from(value).ok().map(|v| pack([v; 3]))).collect();
    let all_grey = table.classes.colours.iter().all(|[r, g, b]| r == g && g == b);
    colours.is_ok_and(|colours| {
        all.lossy().is_some() && all_grey || greys.is_some_and(|greys| colours.has_all(greys.into_iter()))
    })
}

/// The number of classes, if what was asked for agrees with what is named.
fn agreed_count(root: &Path, asked: Option<usize>, named: &Classes) -> Result<usize> {
    match asked {
        Some(asked) if asked != named.len() => {
            let problem =
                format!("the data names {} classes but {asked} were asked for; correct one", named.len());
            Err(bad_file(root, problem))
        }
        _ => Ok(named.len()),
    }
}
