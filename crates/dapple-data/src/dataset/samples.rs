//! A data set: named pairs of an image and a label map, in files or in memory, and their classes.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dapple_base::{Size, TrainingImages};
use image::metadata::Orientation;

use crate::dataset::fingerprint::Fingerprint;
use crate::dataset::values::Values;
use crate::error::{DataError, Result};
use crate::format::Format;
use crate::format::found::Target;
use crate::image::decode::decode_photo;
use crate::image::raster::{Channels, Raster};
use crate::image::reading::Reading;
use crate::mask::classes::Classes;
use crate::mask::coding::{LabelCoding, mask_value_error};
use crate::mask::decoder::{Code, MaskDecoder, decode_segments};
use crate::mask::label_map::{LabelMap, LabelledImage};
use crate::mask::merged;
use crate::mask::raw::Plane;
use crate::mask::statistics::ClassStatistics;
use crate::part::Part;

/// One pair of image and label map.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub name: String,
    pub part: Option<Part>,
    pub width: usize,
    pub height: usize,
    /// How many pixels have each label, the ignore label included.
    pub counts: Vec<(u8, u64)>,
    pub source: Source,
}

#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// `turn` is how the mask has to be turned to lie on the upright image.
    Files {
        image: PathBuf,
        target: Target,
        turn: Orientation,
    },
    Memory {
        image: Raster,
        labels: LabelMap,
    },
    /// An image without labels: all pixels have label 0.
    Unlabelled {
        image: PathBuf,
    },
}

/// Named pairs of image and label map with their classes. Samples are numbered from 0 in the order of parts and names.
#[derive(Debug)]
pub struct Dataset {
    pub(crate) samples: Vec<Sample>,
    pub(crate) classes: Classes,
    pub(crate) ignore: Option<u8>,
    pub(crate) decoder: MaskDecoder,
    pub(crate) values: Values,
    pub(crate) format: Option<Format>,
    pub(crate) skipped: Vec<DataError>,
    pub(crate) warnings: Vec<String>,
    pub(crate) folders: Vec<String>,
    /// Taken when it is first asked for, as all files are read for it.
    pub(crate) fingerprint: OnceLock<Fingerprint>,
}

impl Dataset {
    /// Samples and their meaning; the format, warnings and folders are those of [`Dataset::open`].
    pub(crate) fn of_samples(
        samples: Vec<Sample>,
        classes: Classes,
        ignore: Option<u8>,
        decoder: MaskDecoder,
        values: Values,
    ) -> Self {
        Self {
            samples,
            classes,
            ignore,
            decoder,
            values,
            format: None,
            skipped: Vec::new(),
            warnings: Vec::new(),
            folders: Vec::new(),
            fingerprint: OnceLock::new(),
        }
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
        let mut bands = 1;
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
            bands = bands.max(image.channels);
            let counts = labels.counts();
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
        let decoder = MaskDecoder::indices();
        let sizes = samples.iter().map(|sample: &Sample| [sample.height, sample.width]).collect();
        let values = Values::in_memory(bands, sizes);
        Ok(Self::of_samples(samples, classes, ignore, decoder, values))
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

    /// The size of sample `index`.
    pub fn size(&self, index: usize) -> Size {
        let Sample { height, width, .. } = self.samples[index];
        Size { height, width }
    }

    /// How many pixels of sample `index` have each label, the ignore label included; labels without a pixel are left out.
    pub fn label_counts(&self, index: usize) -> &[(u8, u64)] {
        &self.samples[index].counts
    }

    /// The files that hold the labels of sample `index`; none for one in memory.
    pub fn label_paths(&self, index: usize) -> Vec<&Path> {
        match &self.samples[index].source {
            Source::Files { target, .. } => target.paths(),
            Source::Memory { .. } | Source::Unlabelled { .. } => Vec::new(),
        }
    }

    /// The image file of sample `index`; `None` for one in memory.
    pub fn image_path(&self, index: usize) -> Option<&Path> {
        match &self.samples[index].source {
            Source::Files { image, .. } | Source::Unlabelled { image } => Some(image),
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

    /// The meaning of the values in mask files; [`LabelCoding::Indices`] where the format or colours say it.
    pub fn coding(&self) -> LabelCoding {
        self.decoder.coding()
    }

    /// The format of the folder; `None` for a data set in memory.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The images as a model that is trained on them has to know them: their values, channels and sizes.
    pub fn images(&self) -> &TrainingImages {
        &self.values.images
    }

    /// How the image files are read.
    pub fn reading(&self, channels: Channels) -> Reading {
        Reading { channels, range: self.values.images.range.clone(), images: self.values.source }
    }

    /// Interpretations that the user should know of, a sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The folders that images and masks were taken from, in words; empty where the format tells them.
    pub fn folders(&self) -> &[String] {
        &self.folders
    }

    /// [`folders`](Self::folders) for the terminal: the first ones and the number of the others.
    pub fn first_folders(&self) -> Vec<String> {
        first_lines(&self.folders)
    }

    /// The classes that no pixel of these samples has.
    pub fn missing_classes(&self, indices: &[usize]) -> Vec<&str> {
        let pixels = self.class_statistics(indices).pixels;
        self.classes
            .names
            .iter()
            .zip(pixels)
            .filter(|(_, n)| *n == 0)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The meaning of stored values, where it is all that is needed to read the masks in the same way again; formats,
    /// tables, colours and the values of all masks together say more.
    pub fn stored_coding(&self) -> Option<LabelCoding> {
        match (self.decoder.plane, &self.decoder.code) {
            (Plane::Stored, Code::Values(coding)) => Some(*coding),
            _ => None,
        }
    }

    /// Why pairs were dropped, one error each; empty unless [`OpenOptions::skip_bad`](crate::OpenOptions::skip_bad).
    pub fn skipped(&self) -> &[DataError] {
        &self.skipped
    }

    /// Decodes the image of sample `index`.
    ///
    /// # Errors
    /// Those of [`decode_photo`].
    pub fn image(&self, index: usize, channels: Channels) -> Result<Raster> {
        match &self.samples[index].source {
            Source::Files { image, .. } | Source::Unlabelled { image } => {
                Ok(decode_photo(image, &self.reading(channels))?.raster)
            }
            Source::Memory { image, .. } => Ok(image.clone().with_channels(channels)),
        }
    }

    /// Decodes the label map of sample `index`: labels below the number of classes, or the ignore label.
    ///
    /// # Errors
    /// Those of [`decode_labels`](crate::decode_labels), and [`DataError::Decode`] for a colour or segment without a class.
    pub fn labels(&self, index: usize) -> Result<LabelMap> {
        match &self.samples[index].source {
            Source::Files { target, turn, .. } => {
                labels_of(target, &self.decoder, *turn, self.classes.len(), self.ignore)
            }
            Source::Memory { labels, .. } => Ok(labels.clone()),
            Source::Unlabelled { .. } => {
                let Sample { width, height, .. } = self.samples[index];
                Ok(LabelMap { width, height, labels: vec![0; width * height] })
            }
        }
    }

    /// Decodes sample `index`.
    ///
    /// # Errors
    /// Those of [`Dataset::image`] and [`Dataset::labels`], and [`DataError::SizeMismatch`] where a file has changed since
    /// the folder was opened.
    pub fn load(&self, index: usize, channels: Channels) -> Result<LabelledImage> {
        let (image, labels) = (self.image(index, channels)?, self.labels(index)?);
        if let Source::Files { image: image_path, target, .. } = &self.samples[index].source
            && (image.width, image.height) != (labels.width, labels.height)
        {
            return Err(DataError::SizeMismatch {
                image: image_path.clone(),
                image_width: image.width as u32,
                image_height: image.height as u32,
                mask: target.path().to_owned(),
                mask_width: labels.width as u32,
                mask_height: labels.height as u32,
            });
        }
        if let Source::Unlabelled { image: path } = &self.samples[index].source
            && (image.width, image.height) != (labels.width, labels.height)
        {
            let problem = "it has changed its size since the training began; leave the images as they are";
            return Err(DataError::BadFile { path: path.clone(), problem: problem.into() });
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

/// The labels that a file holds, turned.
pub(crate) fn labels_of(
    target: &Target,
    decoder: &MaskDecoder,
    turn: Orientation,
    classes: usize,
    ignore: Option<u8>,
) -> Result<LabelMap> {
    match target {
        Target::Mask(path) => decoder.decode(path, turn, classes, ignore),
        Target::Segments { path, labels } => decode_segments(path, labels, turn),
        Target::Regions { regions, .. } => Ok(regions.draw().turned(turn)),
        Target::Merged(parts) => Ok(merged::draw(parts)?.0.turned(turn)),
    }
}

/// Checks that every label is a class or the ignore label.
pub(crate) fn check_labels(
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

/// The first lines of many, and the number of the others.
pub(crate) fn first_lines(lines: &[String]) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut shown: Vec<String> = lines.iter().take(SHOWN).cloned().collect();
    if lines.len() > SHOWN {
        shown.push(format!("and {} more of this kind", lines.len() - SHOWN));
    }
    shown
}
