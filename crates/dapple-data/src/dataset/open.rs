//! Opening a folder: from its files to a data set whose labels are known to be right.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use image::metadata::Orientation;

use crate::dataset::options::OpenOptions;
use crate::dataset::overlaps;
use crate::dataset::samples::{Dataset, Sample, Source, check_labels, labels_of};
use crate::dataset::survey::{Look, PairSurvey, SurveyedMask, survey};
use crate::dataset::turns;
use crate::dataset::values::{ImageFacts, Values};
use crate::error::{DataError, Result};
use crate::format::Format;
use crate::format::class_table::{ClassTable, read_class_table};
use crate::format::found::{Found, Notes, Record, UNFINISHED};
use crate::format::walk::bad_file;
use crate::mask::classes::Classes;
use crate::mask::coding::LabelCoding;
use crate::mask::decoder::{Code, MaskDecoder};
use crate::mask::palettes::Palettes;

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
        if root.join(UNFINISHED).is_file() {
            let problem = "its conversion was interrupted, so that pairs are missing; run `dapple data convert` again to finish \
                           it, or delete the folder";
            return Err(bad_file(root, problem));
        }
        let mask_suffix = options.mask_suffix.clone();
        let format = match (options.format, &mask_suffix) {
            (None, None) => Format::detect(root)?,
            (None, Some(_)) => Format::Folders,
            (Some(format), _) => format,
        };
        if let Some(suffix) = &mask_suffix
            && (suffix.is_empty() || !matches!(format, Format::Folders | Format::Colours))
        {
            return Err(DataError::setting(
                "mask_suffix",
                suffix,
                "an ending of names of masks in folders of images and masks",
            ));
        }
        let mut notes = Notes { skip_bad: options.skip_bad, mask_suffix, ..Notes::default() };
        let mut found = format.find(root, &mut notes)?;
        let table = match found.table.take() {
            Some(table) => Some(table),
            None if found.classes.is_none() => read_class_table(root)?,
            None => None,
        };
        let opening = Opening { root, options, notes, surveyed: Vec::new() };
        let folders = std::mem::take(&mut found.folders);
        let mut dataset = opening.read(found, table)?;
        (dataset.format, dataset.folders) = (Some(format), folders);
        Ok(dataset)
    }
}

/// The meaning of the masks of a data set.
pub(super) struct Meaning {
    pub(super) decoder: MaskDecoder,
    /// The number of classes.
    pub(super) count: usize,
    /// Their names, where a format or a table gives them.
    pub(super) classes: Option<Classes>,
    pub(super) ignore: Option<u8>,
}

/// A folder while it is read.
pub(super) struct Opening<'a> {
    pub(super) root: &'a Path,
    pub(super) options: &'a OpenOptions,
    pub(super) notes: Notes,
    pub(super) surveyed: Vec<(Record, PairSurvey)>,
}

impl Opening<'_> {
    fn read(mut self, found: Found, table: Option<ClassTable>) -> Result<Dataset> {
        let Found { mut records, classes, ignore, decoder, accept_colours, subject, order, .. } = found;
        if let Some(classes) = &classes {
            overlaps::decide(self.root, &mut records, classes, order.as_deref(), &mut self.notes)?;
        }
        let meaning = match (classes, decoder, table) {
            (Some(classes), Some(decoder), _) => {
                let meaning = self.by_format(classes, decoder, ignore)?;
                self.survey_decoded(records, &meaning)?;
                meaning
            }
            (_, _, Some(table)) if table.from.is_some() => {
                let meaning = self.by_values(table)?;
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

    pub(super) fn survey(&mut self, records: Vec<Record>, look: Look<'_>) -> Result<()> {
        let OpenOptions { skip_bad, mask_orientation, .. } = *self.options;
        for (survey, record) in survey(&records, look, skip_bad, mask_orientation).into_iter().zip(records) {
            match survey {
                Ok(survey) => self.surveyed.push((record, survey)),
                Err(error) => self.notes.bad(error)?,
            }
        }
        Ok(())
    }

    pub(super) fn survey_decoded(&mut self, records: Vec<Record>, meaning: &Meaning) -> Result<()> {
        self.survey(records, Look::Decoded(&meaning.decoder, meaning.count, meaning.ignore))?;
        if matches!(meaning.decoder.code, Code::Colours(_)) {
            return Ok(());
        }
        // Indices that the format or a table gives a meaning to: they must be the same in all files.
        let mut palettes = Palettes::default();
        for (record, survey) in &self.surveyed {
            if let SurveyedMask::Labels { palette: Some(palette), .. } = &survey.mask {
                palettes.add(record.target.path(), palette);
            }
        }
        match palettes.conflict() {
            Some(conflict) => {
                let problem = format!(
                    "the palettes of the masks differ ({conflict}), so that their indices cannot all be the classes; \
                     save the masks with one palette, or as grey PNG"
                );
                Err(DataError::MaskValues { path: self.root.to_owned(), problem })
            }
            None => Ok(()),
        }
    }

    fn finish(mut self, meaning: Meaning, subject: Option<String>) -> Result<Dataset> {
        let labels = |record: &Record, turn| {
            labels_of(&record.target, &meaning.decoder, turn, meaning.count, meaning.ignore)
        };
        turns::decide(self.root, &mut self.surveyed, &labels, &mut self.notes)?;
        let facts: Vec<ImageFacts> = self.surveyed.iter().map(image_facts).collect();
        let OpenOptions { value_range, training, .. } = self.options;
        let warnings = &mut self.notes.warnings;
        let values = Values::decide(self.root, &facts, value_range.as_ref(), training.as_ref(), warnings)?;
        let Meaning { decoder, count, classes, ignore } = meaning;
        let mut samples = Vec::with_capacity(self.surveyed.len());
        let mut loss = Loss::default();
        let mut names = HashSet::new();
        for (record, survey) in std::mem::take(&mut self.surveyed) {
            if !names.insert(record.name.clone()) {
                let problem = format!("a second sample is named `{}`; rename one of them", record.name);
                self.notes.bad(bad_file(&record.image, problem))?;
                continue;
            }
            let turn = survey.turn.orientation();
            match counts(&record, &survey, &decoder.code, count, ignore, &mut loss) {
                Ok(counts) => samples.push(sample(record, (survey.width, survey.height), turn, counts)),
                Err(error) => self.notes.bad(error)?,
            }
        }
        self.notes.warnings.extend(loss.warning());
        let Notes { skipped, warnings, .. } = self.notes;
        if samples.is_empty() {
            let first = skipped.first().map_or_else(|| "none was found".into(), DataError::to_string);
            return Err(DataError::NothingLeft { path: self.root.to_owned(), dropped: skipped.len(), first });
        }
        let classes = classes.unwrap_or_else(|| known_classes(subject.as_deref(), &samples, count));
        let dataset = Dataset::of_samples(samples, classes, ignore, decoder, values);
        Ok(Dataset { skipped, warnings, ..dataset })
    }
}

/// The pixels of lossy masks that took the label of the nearest value or colour.
#[derive(Default)]
struct Loss {
    moved: u64,
    pixels: u64,
    files: usize,
}

impl Loss {
    fn add(&mut self, moved: u64, pixels: u64) {
        if moved > 0 {
            (self.moved, self.pixels, self.files) =
                (self.moved + moved, self.pixels + pixels, self.files + 1);
        }
    }

    fn warning(&self) -> Option<String> {
        let share = 100.0 * self.moved as f64 / self.pixels.max(1) as f64;
        (self.moved > 0).then(|| {
            format!(
                "{} masks are JPEG or lossy WebP pictures, which change values: {share:.2} % of their pixels were moved to \
                 the nearest class; masks saved as PNG would be exact",
                self.files
            )
        })
    }
}

fn image_facts((record, survey): &(Record, PairSurvey)) -> ImageFacts {
    let PairSurvey { width, height, values, bands, .. } = *survey;
    ImageFacts { path: record.image.clone(), values, bands, size: [height, width] }
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
    code: &Code,
    classes: usize,
    ignore: Option<u8>,
    loss: &mut Loss,
) -> Result<Vec<(u8, u64)>> {
    let path = record.target.path();
    let pixels = (survey.width * survey.height) as u64;
    match &survey.mask {
        SurveyedMask::Labels { counts, moved, .. } => {
            loss.add(*moved, pixels);
            check_labels(path, counts, LabelCoding::Indices, classes, ignore)?;
            Ok(counts.clone())
        }
        SurveyedMask::Values(values) => {
            let (mut labels, mut moved): (BTreeMap<u8, u64>, _) = (BTreeMap::new(), 0);
            for (&value, &n) in &values.counts {
                let label = code.label(value, classes, ignore).or_else(|| {
                    moved += n;
                    values.lossy.then(|| code.nearest(value, classes, ignore)).flatten()
                });
                let label = label.ok_or_else(|| code.unknown(path, value, classes))?;
                *labels.entry(label).or_insert(0) += n;
            }
            loss.add(moved, pixels);
            Ok(labels.into_iter().collect())
        }
        SurveyedMask::Colours { .. } => {
            unreachable!("coloured masks are decoded by a table or refused before")
        }
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
