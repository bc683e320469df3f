//! Opening a folder: from its files to a data set whose labels are known to be right.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use image::metadata::Orientation;

use crate::dataset::infer::{AllValues, colours_without_table, decide_coding, propose_classes};
use crate::dataset::samples::{Dataset, OpenOptions, Sample, Source, check_labels};
use crate::dataset::survey::{COLOUR_LIMIT, Look, PairSurvey, SurveyedMask, survey};
use crate::error::{DataError, Result};
use crate::format::Format;
use crate::format::class_table::{ClassTable, read_class_table};
use crate::format::found::{Found, IGNORED, Notes, Record};
use crate::format::walk::bad_file;
use crate::image::decode::read_file;
use crate::mask::classes::Classes;
use crate::mask::coding::{LabelCoding, mask_value_error};
use crate::mask::colour::{ColourTable, pack};
use crate::mask::decoder::MaskDecoder;
use crate::mask::raw::RawMask;

impl Dataset {
    /// Opens a folder: recognizes its format, pairs images with masks, and reads every mask once to learn the classes, the
    /// pixel counts and whether each mask fits its image.
    ///
    /// A file in the folder may name the classes: `classes.toml`, `classes.txt` (`name` or `name red green blue` a line),
    /// `classes.csv`, `classes.json`, `class_dict.csv`, `label_colors.txt` or `labelmap.txt`.
    ///
    /// # Errors
    /// Any [`DataError`] of formats, pairs and masks; see [`OpenOptions::skip_bad`] for which of them may be skipped.
    pub fn open(root: impl AsRef<Path>, options: &OpenOptions) -> Result<Self> {
        let root = root.as_ref();
        if let Some(classes) = options.classes.filter(|n| !(2..=256).contains(n)) {
            return Err(DataError::setting("classes", classes, "2 to 256, background included"));
        }
        let format = options.format.map_or_else(|| Format::detect(root), Ok)?;
        let mut notes = Notes { skip_bad: options.skip_bad, ..Notes::default() };
        let found = format.find(root, &mut notes)?;
        let table = if found.classes.is_none() { read_class_table(root)? } else { None };
        let opening = Opening { root, options, notes, surveyed: Vec::new() };
        let mut dataset = opening.read(found, table)?;
        dataset.format = Some(format);
        Ok(dataset)
    }
}

/// The meaning of the masks of a data set.
struct Meaning {
    decoder: MaskDecoder,
    /// The number of classes.
    count: usize,
    /// Their names, where a format or a table gives them.
    classes: Option<Classes>,
    ignore: Option<u8>,
}

struct Opening<'a> {
    root: &'a Path,
    options: &'a OpenOptions,
    notes: Notes,
    surveyed: Vec<(Record, PairSurvey)>,
}

impl Opening<'_> {
    fn read(mut self, found: Found, table: Option<ClassTable>) -> Result<Dataset> {
        let Found { records, classes, ignore, decoder, accept_colours, subject } = found;
        let meaning = match (classes, decoder, table) {
            (Some(classes), Some(decoder), _) => {
                let meaning = self.by_format(classes, decoder, ignore)?;
                self.survey_decoded(records, &meaning)?;
                meaning
            }
            (_, _, Some(table)) if table.means_colours && table.has_colours => {
                let meaning = self.by_colours(table)?;
                self.survey_decoded(records, &meaning)?;
                meaning
            }
            (_, _, table) => {
                self.survey(records, Look::AsStored)?;
                self.by_masks(table, ignore, accept_colours)?
            }
        };
        self.finish(meaning, subject)
    }

    /// The format knows it all.
    fn by_format(&self, classes: Classes, decoder: MaskDecoder, ignore: Option<u8>) -> Result<Meaning> {
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
        Ok(Meaning { decoder, count, classes: Some(classes), ignore })
    }

    /// The masks are colour-coded by a table.
    fn by_colours(&mut self, mut table: ClassTable) -> Result<Meaning> {
        let taken = table.take_ignored();
        if !taken.is_empty() {
            self.notes.warn(format!("pixels of {} are ignored", taken.join(", ")));
        }
        let count = agreed_count(self.root, self.options.classes, &table.classes)?;
        let ignored = !table.ignored_colours.is_empty();
        let ignore = self.options.ignore.or(table.ignore).or(ignored.then_some(IGNORED));
        let colours = ColourTable::new(&table.classes, &table.ignored_colours, ignore);
        let colours = colours.map_err(|problem| bad_file(&table.path, problem))?;
        let decoder = MaskDecoder::Colours(colours.into());
        Ok(Meaning { decoder, count, classes: Some(table.classes), ignore })
    }

    /// The masks and perhaps a table say what is meant.
    fn by_masks(
        &mut self,
        table: Option<ClassTable>,
        ignore_of_format: Option<u8>,
        accept_colours: bool,
    ) -> Result<Meaning> {
        if self.are_colour_coded() {
            let colours = self.all_colours();
            let meaning = match table {
                Some(table) if table.has_colours => self.by_colours(table)?,
                _ if accept_colours => self.accept_colours()?,
                _ => return Err(colours_without_table(self.root, &colours)),
            };
            let records = std::mem::take(&mut self.surveyed).into_iter().map(|(record, _)| record).collect();
            self.survey_decoded(records, &meaning)?;
            return Ok(meaning);
        }
        self.refuse_coloured()?;
        let ignore =
            self.options.ignore.or(table.as_ref().and_then(|table| table.ignore)).or(ignore_of_format);
        let all = self.all_values();
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
        let (coding, count) = if self.surveyed.is_empty() {
            (LabelCoding::Indices, 2)
        } else {
            let warnings = &mut self.notes.warnings;
            decide_coding(self.root, &all, ignore, known, self.options.coding, warnings)?
        };
        Ok(Meaning { decoder: MaskDecoder::Values(coding), count, classes, ignore })
    }

    /// Every colour of the masks is a class.
    fn accept_colours(&mut self) -> Result<Meaning> {
        let records = self.surveyed.iter().map(|(record, _)| record.clone()).collect();
        self.surveyed.clear();
        self.survey(records, Look::Colours)?;
        let classes = propose_classes(self.root, &self.all_colours())?;
        let count = agreed_count(self.root, self.options.classes, &classes)?;
        let table = ColourTable::new(&classes, &[], None).map_err(|problem| bad_file(self.root, problem))?;
        self.notes
            .warn(format!("no file names the {count} colours of the masks; each is a class of its own"));
        let decoder = MaskDecoder::Colours(table.into());
        Ok(Meaning { decoder, count, classes: Some(classes), ignore: self.options.ignore })
    }

    fn survey(&mut self, records: Vec<Record>, look: Look<'_>) -> Result<()> {
        for (survey, record) in survey(&records, look, self.options.skip_bad).into_iter().zip(records) {
            match survey {
                Ok(survey) => self.surveyed.push((record, survey)),
                Err(error) => self.notes.bad(error)?,
            }
        }
        Ok(())
    }

    fn survey_decoded(&mut self, records: Vec<Record>, meaning: &Meaning) -> Result<()> {
        self.survey(records, Look::Decoded(&meaning.decoder, meaning.count, meaning.ignore))
    }

    /// Whether most masks that show anything are coloured.
    fn are_colour_coded(&self) -> bool {
        let (mut coloured, mut others) = (0, 0);
        for (_, survey) in &self.surveyed {
            match &survey.mask {
                SurveyedMask::Colours(_) => coloured += 1,
                SurveyedMask::Values { values, .. } if values.keys().any(|&value| value != 0) => others += 1,
                _ => {}
            }
        }
        coloured > others
    }

    /// Coloured masks among others are bad ones.
    fn refuse_coloured(&mut self) -> Result<()> {
        let surveyed = std::mem::take(&mut self.surveyed);
        for (record, survey) in surveyed {
            if !matches!(survey.mask, SurveyedMask::Colours(_)) {
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

    fn all_values(&self) -> AllValues {
        let mut all = AllValues::default();
        for (_, survey) in &self.surveyed {
            if let SurveyedMask::Values { values, inexact } = &survey.mask {
                all.inexact |= inexact;
                for (&value, &n) in values {
                    *all.counts.entry(value).or_insert(0) += n;
                }
            }
        }
        all
    }

    fn all_colours(&self) -> BTreeMap<u32, u64> {
        let mut all = BTreeMap::new();
        for (_, survey) in &self.surveyed {
            if let SurveyedMask::Colours(colours) = &survey.mask {
                for (&colour, &n) in colours {
                    *all.entry(colour).or_insert(0) += n;
                }
            }
            if all.len() > COLOUR_LIMIT {
                break;
            }
        }
        all
    }

    fn finish(mut self, meaning: Meaning, subject: Option<String>) -> Result<Dataset> {
        let Meaning { decoder, count, classes, ignore } = meaning;
        let coding = match decoder {
            MaskDecoder::Values(coding) => coding,
            _ => LabelCoding::Indices,
        };
        let mut samples = Vec::with_capacity(self.surveyed.len());
        let mut guessed = 0;
        let mut names = HashSet::new();
        for (record, survey) in std::mem::take(&mut self.surveyed) {
            if !names.insert(record.name.clone()) {
                let problem = format!("a second sample is named `{}`; rename one of them", record.name);
                self.notes.bad(bad_file(&record.image, problem))?;
                continue;
            }
            guessed += usize::from(survey.turn_is_guessed);
            let turn = survey.turn;
            match counts(&record, &survey, coding, count, ignore) {
                Ok(counts) => samples.push(sample(record, (survey.width, survey.height), turn, counts)),
                Err(error) => self.notes.bad(error)?,
            }
        }
        if guessed > 0 {
            self.notes.warn(format!(
                "{guessed} images have an EXIF orientation that leaves their size as it is, and masks without one: the \
                 masks are turned with the images; if they were drawn on the upright images, remove the EXIF data"
            ));
        }
        let Notes { skipped, warnings, .. } = self.notes;
        if samples.is_empty() {
            let first = skipped.first().map_or_else(|| "none was found".into(), DataError::to_string);
            return Err(DataError::NothingLeft { path: self.root.to_owned(), dropped: skipped.len(), first });
        }
        let classes = classes.unwrap_or_else(|| known_classes(subject.as_deref(), &samples, count));
        Ok(Dataset { samples, classes, ignore, decoder, format: None, skipped, warnings })
    }
}

/// Whether grey masks are coloured in the greys of a table: their values are not indices but all in the table.
fn grey_table_applies(table: &ClassTable, all: &AllValues, ignore: Option<u8>) -> bool {
    let is_index = |&value: &u16| {
        usize::from(value) < table.classes.len() || ignore.is_some_and(|ignore| u16::from(ignore) == value)
    };
    let greys: Option<Vec<u32>> =
        all.counts.keys().map(|&value| u8::try_from(value).ok().map(|v| pack([v; 3]))).collect();
    table.has_colours
        && !all.counts.keys().all(is_index)
        && ColourTable::new(&table.classes, &table.ignored_colours, Some(IGNORED))
            .is_ok_and(|colours| greys.is_some_and(|greys| colours.has_all(greys.into_iter())))
}

fn sample(
    record: Record,
    (width, height): (usize, usize),
    turn: Orientation,
    counts: Vec<(u8, u64)>,
) -> Sample {
    let Record { name, part, image, target } = record;
    Sample { name, part, width, height, counts, source: Source::Files { image, target, turn } }
}

/// How many pixels have each label.
fn counts(
    record: &Record,
    survey: &PairSurvey,
    coding: LabelCoding,
    classes: usize,
    ignore: Option<u8>,
) -> Result<Vec<(u8, u64)>> {
    let path = record.target.path();
    let mut counts: Vec<(u8, u64)> = Vec::new();
    match &survey.mask {
        SurveyedMask::Labels(labels) => counts.clone_from(labels),
        SurveyedMask::Values { values, .. } => {
            for (&value, &n) in values {
                let label = coding.label(value, ignore);
                let label = label.ok_or_else(|| mask_value_error(path, value, coding, classes))?;
                match counts.iter_mut().find(|count| count.0 == label) {
                    Some(count) => count.1 += n,
                    None => counts.push((label, n)),
                }
            }
        }
        SurveyedMask::Colours(_) => unreachable!("coloured masks are decoded by a table or refused before"),
    }
    check_labels(path, &counts, coding, classes, ignore)?;
    Ok(counts)
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

/// Names and colours of `count` classes without a classes file: CamVid's, those of a binary mask, or numbers.
fn known_classes(subject: Option<&str>, samples: &[Sample], count: usize) -> Classes {
    /// The CamVid sequences, whose names begin every file name.
    const CAMVID_SEQUENCES: [&str; 4] = ["0001TP_", "0006R0_", "0016E5_", "Seq05VD_"];
    let is_camvid = |sample: &Sample| {
        let stem = sample.name.rsplit('/').next().unwrap_or_default();
        sample.part.is_some() && CAMVID_SEQUENCES.iter().any(|sequence| stem.starts_with(sequence))
    };
    match count {
        11 | 12 if samples.iter().all(is_camvid) => Classes::camvid(count),
        2 => Classes::binary(subject.unwrap_or("foreground")),
        _ => Classes::numbered(count),
    }
}
