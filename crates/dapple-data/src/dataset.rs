//! A data set: named pairs of an image and a label map, in files or in memory, and their classes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::classes::{Classes, read_classes_file};
use crate::error::{DataError, Result};
use crate::image_file::{Raster, decode_image};
use crate::labels::{LabelCoding, LabelMap, decode_labels, mask_value_error};
use crate::layout::{FilePair, FolderPair, Part, find_folders, pair_files, subject};
use crate::survey::{PairSurvey, decide_coding, survey};
use crate::weights::ClassStatistics;

/// How to open a folder; the default finds everything by itself and stops at the first bad file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// The number of classes, 2 to 256; found from the masks if not given.
    pub classes: Option<usize>,
    /// The label of pixels that count neither in the loss nor in any metric. None by default.
    pub ignore: Option<u8>,
    /// What the values of the masks mean; found from the masks if not given.
    pub coding: Option<LabelCoding>,
    /// Drop bad pairs with a warning each ([`Dataset::skipped`]) instead of stopping. All images are then decoded once
    /// while opening, so that none can turn out to be damaged later.
    pub skip_bad: bool,
}

/// One pair of image and label map.
#[derive(Debug, Clone)]
struct Sample {
    name: String,
    part: Option<Part>,
    width: usize,
    height: usize,
    /// How many pixels have each label, the ignore label included.
    counts: Vec<(u8, u64)>,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Files { image: PathBuf, mask: PathBuf },
    Memory { image: Raster, labels: LabelMap },
}

/// An image and its label map, of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImage {
    /// The image, `[height, width, channels]`.
    pub image: Raster,
    /// The labels, `[height, width]`.
    pub labels: LabelMap,
}

/// Named pairs of image and label map with their classes. Samples are numbered from 0 in the order of parts and names.
#[derive(Debug)]
pub struct Dataset {
    samples: Vec<Sample>,
    classes: Classes,
    ignore: Option<u8>,
    coding: LabelCoding,
    folders: Vec<FolderPair>,
    skipped: Vec<DataError>,
}

impl Dataset {
    /// Opens a folder: recognises its layout, pairs images with masks by file stem, and reads every mask once to learn
    /// the classes, the pixel counts and whether each mask fits its image.
    ///
    /// `classes.toml` or `classes.txt` in the folder names the classes, one a line in the text form with an optional
    /// `red green blue` behind the name.
    ///
    /// # Errors
    /// Any [`DataError`] of layouts, pairs and masks; see [`OpenOptions::skip_bad`] for which of them may be skipped.
    pub fn open(root: impl AsRef<Path>, options: &OpenOptions) -> Result<Self> {
        let root = root.as_ref();
        if let Some(classes) = options.classes.filter(|n| !(2..=256).contains(n)) {
            return Err(DataError::setting("classes", classes, "2 to 256, background included"));
        }
        let mut skipped = Vec::new();
        let mut on_bad = |error| {
            if !options.skip_bad {
                return Err(error);
            }
            skipped.push(error);
            Ok(())
        };

        let file = read_classes_file(root)?;
        let ignore = options.ignore.or(file.as_ref().and_then(|file| file.ignore));
        let named = file.map(|file| file.classes);
        let classes = agreed_count(root, options.classes, named.as_ref())?;

        let folders = find_folders(root)?;
        let mut pairs = Vec::new();
        for folder in &folders {
            pairs.append(&mut pair_files(folder, &mut on_bad)?);
        }
        let mut surveyed = Vec::with_capacity(pairs.len());
        for (survey, pair) in survey(&pairs, options.skip_bad).into_iter().zip(pairs) {
            match survey {
                Ok(survey) => surveyed.push((pair, survey)),
                Err(error) => on_bad(error)?,
            }
        }

        let values: BTreeSet<u16> = surveyed.iter().flat_map(|(_, s)| s.values.keys().copied()).collect();
        let (coding, count) = if surveyed.is_empty() {
            (LabelCoding::Indices, 2)
        } else {
            decide_coding(root, values, ignore, classes, options.coding)?
        };
        let mut samples = Vec::with_capacity(surveyed.len());
        for (pair, survey) in surveyed {
            match Sample::from_survey(pair, survey, coding, count, ignore) {
                Ok(sample) => samples.push(sample),
                Err(error) => on_bad(error)?,
            }
        }
        if samples.is_empty() {
            let first = skipped.first().map_or_else(|| "none was found".into(), DataError::to_string);
            return Err(DataError::NothingLeft { path: root.to_owned(), dropped: skipped.len(), first });
        }
        let classes = named.unwrap_or_else(|| known_classes(&folders, &samples, count));
        Ok(Self { samples, classes, ignore, coding, folders, skipped })
    }

    /// A data set of pairs in memory, named `name` each.
    ///
    /// # Errors
    /// [`DataError::SizeMismatch`] and [`DataError::MaskValue`], with the name for a path.
    pub fn from_memory(
        pairs: impl IntoIterator<Item = (String, LabelledImage)>,
        classes: Classes,
        ignore: Option<u8>,
    ) -> Result<Self> {
        let coding = LabelCoding::Indices;
        let mut samples = Vec::new();
        for (name, LabelledImage { image, labels }) in pairs {
            if (image.width, image.height) != (labels.width, labels.height) {
                return Err(DataError::SizeMismatch {
                    image: name.clone().into(),
                    image_width: image.width as u32,
                    image_height: image.height as u32,
                    mask: name.into(),
                    mask_width: labels.width as u32,
                    mask_height: labels.height as u32,
                });
            }
            let mut counts = [0_u64; 256];
            for &label in &labels.labels {
                counts[usize::from(label)] += 1;
            }
            let counts: Vec<(u8, u64)> = (0..=255).zip(counts).filter(|&(_, n)| n > 0).collect();
            check_labels(Path::new(&name), &counts, coding, classes.len(), ignore)?;
            let (width, height) = (image.width, image.height);
            samples.push(Sample {
                name,
                part: None,
                width,
                height,
                counts,
                source: Source::Memory { image, labels },
            });
        }
        Ok(Self { samples, classes, ignore, coding, folders: Vec::new(), skipped: Vec::new() })
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample; an opened folder has at least one.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The name of sample `index`, unique in the data set; in layouts with official parts `train/…` and so on.
    pub fn name(&self, index: usize) -> &str {
        &self.samples[index].name
    }

    /// The official part of sample `index`, if the layout has parts.
    pub fn part(&self, index: usize) -> Option<Part> {
        self.samples[index].part
    }

    /// Width and height of sample `index` in pixels.
    pub fn size(&self, index: usize) -> (usize, usize) {
        (self.samples[index].width, self.samples[index].height)
    }

    /// The image file of sample `index`; `None` for one in memory.
    pub fn image_path(&self, index: usize) -> Option<&Path> {
        match &self.samples[index].source {
            Source::Files { image, .. } => Some(image),
            Source::Memory { .. } => None,
        }
    }

    /// The classes in the order of their labels.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The label that counts nowhere, if any.
    pub fn ignore(&self) -> Option<u8> {
        self.ignore
    }

    /// What the values of the mask files mean.
    pub fn coding(&self) -> LabelCoding {
        self.coding
    }

    /// The folders found; none for a data set in memory.
    pub fn folders(&self) -> &[FolderPair] {
        &self.folders
    }

    /// Why pairs were dropped, one error each; empty unless [`OpenOptions::skip_bad`].
    pub fn skipped(&self) -> &[DataError] {
        &self.skipped
    }

    /// Decodes the image of sample `index` to `channels` (1 or 3) channels.
    ///
    /// # Errors
    /// Those of [`decode_image`].
    pub fn image(&self, index: usize, channels: usize) -> Result<Raster> {
        match &self.samples[index].source {
            Source::Files { image, .. } => decode_image(image, channels),
            Source::Memory { image, .. } => Ok(image.clone().with_channels(channels)),
        }
    }

    /// Decodes the label map of sample `index`: labels below the number of classes, or the ignore label.
    ///
    /// # Errors
    /// Those of [`decode_labels`].
    pub fn labels(&self, index: usize) -> Result<LabelMap> {
        match &self.samples[index].source {
            Source::Files { mask, .. } => decode_labels(mask, self.coding, self.classes.len(), self.ignore),
            Source::Memory { labels, .. } => Ok(labels.clone()),
        }
    }

    /// Decodes sample `index`.
    ///
    /// # Errors
    /// Those of [`Dataset::image`] and [`Dataset::labels`], and [`DataError::SizeMismatch`] where a file has changed since
    /// the folder was opened.
    pub fn load(&self, index: usize, channels: usize) -> Result<LabelledImage> {
        let (image, labels) = (self.image(index, channels)?, self.labels(index)?);
        if let Source::Files { image: image_path, mask } = &self.samples[index].source
            && (image.width, image.height) != (labels.width, labels.height)
        {
            return Err(DataError::SizeMismatch {
                image: image_path.clone(),
                image_width: image.width as u32,
                image_height: image.height as u32,
                mask: mask.clone(),
                mask_width: labels.width as u32,
                mask_height: labels.height as u32,
            });
        }
        Ok(LabelledImage { image, labels })
    }

    /// Pixel counts of the classes over the given samples, at the size of the masks.
    pub fn class_statistics(&self, indices: &[usize]) -> ClassStatistics {
        let mut statistics = ClassStatistics::new(self.classes.len());
        for sample in indices.iter().map(|&index| &self.samples[index]) {
            let counts = sample.counts.iter().copied().filter(|&(label, _)| Some(label) != self.ignore);
            statistics.add_image((sample.width * sample.height) as u64, counts);
        }
        statistics
    }
}

impl Sample {
    fn from_survey(
        pair: FilePair,
        survey: PairSurvey,
        coding: LabelCoding,
        classes: usize,
        ignore: Option<u8>,
    ) -> Result<Self> {
        let mut counts: Vec<(u8, u64)> = Vec::new();
        for (value, n) in survey.values {
            let label = coding
                .label(value, ignore)
                .ok_or_else(|| mask_value_error(&pair.mask, value, coding, classes))?;
            match counts.iter_mut().find(|count| count.0 == label) {
                Some(count) => count.1 += n,
                None => counts.push((label, n)),
            }
        }
        check_labels(&pair.mask, &counts, coding, classes, ignore)?;
        let FilePair { name, part, image, mask } = pair;
        let PairSurvey { width, height, .. } = survey;
        Ok(Self { name, part, width, height, counts, source: Source::Files { image, mask } })
    }
}

fn check_labels(
    path: &Path,
    counts: &[(u8, u64)],
    coding: LabelCoding,
    classes: usize,
    ignore: Option<u8>,
) -> Result<()> {
    match counts.iter().find(|&&(label, _)| usize::from(label) >= classes && ignore != Some(label)) {
        Some(&(label, _)) => Err(mask_value_error(path, label.into(), coding, classes)),
        None => Ok(()),
    }
}

/// The number of classes that the options and the classes file give.
fn agreed_count(root: &Path, option: Option<usize>, named: Option<&Classes>) -> Result<Option<usize>> {
    match (option, named.map(Classes::len)) {
        (Some(option), Some(named)) if option != named => {
            let problem =
                format!("the classes file names {named} classes but {option} were asked for; correct one");
            Err(DataError::BadFile { path: root.to_owned(), problem })
        }
        (option, named) => Ok(option.or(named)),
    }
}

/// Names and colours of `count` classes without a classes file: CamVid's, those of a binary mask, or numbers.
fn known_classes(folders: &[FolderPair], samples: &[Sample], count: usize) -> Classes {
    /// The CamVid sequences, whose names begin every file name.
    const CAMVID_SEQUENCES: [&str; 4] = ["0001TP_", "0006R0_", "0016E5_", "Seq05VD_"];
    let is_camvid = |sample: &Sample| {
        let stem = sample.name.rsplit('/').next().unwrap_or_default();
        sample.part.is_some() && CAMVID_SEQUENCES.iter().any(|sequence| stem.starts_with(sequence))
    };
    match count {
        11 | 12 if samples.iter().all(is_camvid) => Classes::camvid(count),
        2 => Classes::binary(subject(folders).unwrap_or("foreground")),
        _ => Classes::numbered(count),
    }
}
