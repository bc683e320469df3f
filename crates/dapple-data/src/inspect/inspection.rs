//! The inspection of a data set: how it was read, and what looks wrong with it.

use std::path::Path;

use dapple_base::{SampleKind, Size, ValueRange};
use serde::Serialize;

use crate::dataset::samples::Dataset;
use crate::error::Result;
use crate::format::Format;
use crate::image::raster::Channels;
use crate::inspect::duplicates::{Duplicate, Fingerprint, find_duplicates};
use crate::inspect::histogram::{Bin, aspect_histogram, size_histogram};
use crate::mask::coding::LabelCoding;
use crate::parallel::in_parallel;
use crate::part::Part;

/// A data set seen from all sides; `serde` writes it as JSON, [`Inspection::to_html`] as a page.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The folder.
    pub folder: String,
    /// The format it was read in.
    pub format: Option<Format>,
    /// The folders that images and masks were taken from, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<String>,
    /// The meaning of the values in mask files, where no format or colour table says it.
    pub coding: LabelCoding,
    /// The label of pixels that count nowhere.
    pub ignore: Option<u8>,
    /// Pairs of image and mask.
    pub pairs: usize,
    /// How many of them are in each official part; one entry without a part where there are none.
    pub parts: Vec<PartCount>,
    /// The classes in the order of their labels.
    pub classes: Vec<ClassCount>,
    /// The share of all pixels that have the ignore label.
    pub ignored_share: f64,
    /// The type of the images' values; of several, the widest.
    pub values: SampleKind,
    /// The values that become black to white.
    pub value_range: ValueRange,
    /// The images' channels without alpha; of several numbers, the largest.
    pub channels: usize,
    /// Images by the longer side in pixels.
    pub sizes: Vec<Bin>,
    /// Images by width over height.
    pub aspects: Vec<Bin>,
    /// The most frequent sizes.
    pub usual_sizes: Vec<SizeCount>,
    /// Pairs that cannot be used and why.
    pub problems: Vec<String>,
    /// Interpretations that one should know of.
    pub warnings: Vec<String>,
    /// Masks that look wrong, and why.
    pub suspicious: Vec<Suspicion>,
    /// Images that occur twice.
    pub duplicates: Vec<Duplicate>,
}

/// The images of one part.
#[derive(Debug, Clone, Serialize)]
pub struct PartCount {
    /// The part, if any.
    pub part: Option<Part>,
    /// Its images.
    pub images: usize,
}

/// How often a class occurs.
#[derive(Debug, Clone, Serialize)]
pub struct ClassCount {
    /// Its label.
    pub label: usize,
    /// Its name.
    pub name: String,
    /// Its colour.
    pub colour: [u8; 3],
    /// Its pixels.
    pub pixels: u64,
    /// Its share of all pixels that are not ignored.
    pub share: f64,
    /// The images it occurs in.
    pub images: usize,
    /// Its median-frequency weight; see [`ClassStatistics`](crate::ClassStatistics).
    pub weight: f32,
}

/// Images of one size.
#[derive(Debug, Clone, Serialize)]
pub struct SizeCount {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The images.
    pub images: usize,
}

/// A mask that looks wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Suspicion {
    /// The name of the sample.
    pub sample: String,
    /// The reason for the suspicion.
    pub reason: String,
}

impl Inspection {
    /// Looks at all samples of a data set opened with [`skip_bad`](crate::OpenOptions::skip_bad), so that bad pairs become
    /// [`Inspection::problems`]. Every image is decoded once more, for duplicates.
    ///
    /// # Errors
    /// Those of reading images.
    pub fn of(folder: impl AsRef<Path>, dataset: &Dataset) -> Result<Self> {
        let all: Vec<usize> = (0..dataset.len()).collect();
        let prints =
            in_parallel(dataset.len(), |index| Fingerprint::of(&dataset.image(index, Channels::Grey)?));
        let prints = prints.into_iter().collect::<Result<Vec<_>>>()?;
        let pixels: u64 = all.iter().map(|&i| dataset.size(i).pixels()).sum();
        let ignored: u64 = all.iter().map(|&i| count_of(dataset, i, dataset.ignore())).sum();
        Ok(Self {
            folder: folder.as_ref().display().to_string(),
            format: dataset.format(),
            folders: dataset.folders().to_vec(),
            coding: dataset.coding(),
            ignore: dataset.ignore(),
            pairs: dataset.len(),
            parts: parts(dataset),
            classes: classes(dataset, &all),
            ignored_share: ignored as f64 / pixels.max(1) as f64,
            values: dataset.images().values,
            value_range: dataset.images().range.clone(),
            channels: dataset.images().bands,
            sizes: size_histogram(all.iter().map(|&i| dataset.size(i))),
            aspects: aspect_histogram(all.iter().map(|&i| dataset.size(i))),
            usual_sizes: usual_sizes(dataset),
            problems: dataset.skipped().iter().map(ToString::to_string).collect(),
            warnings: warnings(dataset, &all),
            suspicious: suspicious(dataset),
            duplicates: find_duplicates(dataset, &prints),
        })
    }

    /// The duplicates of which one is in another part than the other: what is learned by heart seems to be understood.
    pub fn leaks(&self) -> impl Iterator<Item = &Duplicate> {
        self.duplicates.iter().filter(|duplicate| duplicate.across_parts)
    }
}

fn count_of(dataset: &Dataset, index: usize, label: Option<u8>) -> u64 {
    let counts = dataset.label_counts(index).iter();
    counts.filter(|(found, _)| Some(*found) == label).map(|(_, n)| n).sum()
}

fn parts(dataset: &Dataset) -> Vec<PartCount> {
    let of = |part| (0..dataset.len()).filter(|&i| dataset.part(i) == part).count();
    let parts = Part::ALL.map(Some).into_iter().chain([None]);
    parts.map(|part| PartCount { part, images: of(part) }).filter(|count| count.images > 0).collect()
}

fn classes(dataset: &Dataset, all: &[usize]) -> Vec<ClassCount> {
    let statistics = dataset.class_statistics(all);
    let weights = statistics.median_frequency_weights();
    let counted: u64 = statistics.pixels.iter().sum();
    let images = |label: usize| {
        let has =
            |&&i: &&usize| dataset.label_counts(i).iter().any(|&(found, _)| usize::from(found) == label);
        all.iter().filter(has).count()
    };
    let classes = dataset.classes();
    let class = |label: usize| ClassCount {
        label,
        name: classes.names[label].clone(),
        colour: classes.colours[label],
        pixels: statistics.pixels[label],
        share: statistics.pixels[label] as f64 / counted.max(1) as f64,
        images: images(label),
        weight: weights[label],
    };
    (0..classes.len()).map(class).collect()
}

fn usual_sizes(dataset: &Dataset) -> Vec<SizeCount> {
    let mut counts = std::collections::BTreeMap::new();
    for index in 0..dataset.len() {
        let Size { height, width } = dataset.size(index);
        *counts.entry((width, height)).or_insert(0) += 1;
    }
    let mut sizes: Vec<SizeCount> =
        counts.into_iter().map(|((width, height), images)| SizeCount { width, height, images }).collect();
    sizes.sort_by_key(|size| std::cmp::Reverse(size.images));
    sizes.truncate(5);
    sizes
}

/// The warnings of opening, and classes that cannot be learned or measured.
fn warnings(dataset: &Dataset, all: &[usize]) -> Vec<String> {
    let mut warnings = dataset.warnings().to_vec();
    match dataset.coding() {
        LabelCoding::Binary { background, foreground } => warnings.push(format!(
            "the masks have two values: {background} is taken for the background, {foreground} for the foreground"
        )),
        LabelCoding::Indices | LabelCoding::Threshold(_) => {}
    }
    let bands = dataset.images().bands;
    if !matches!(bands, 1 | 3) {
        warnings.push(format!(
            "the images have {bands} channels: training needs --channels {bands} for all of them, or a smaller number for \
             the first ones"
        ));
    }
    let missing = |indices: &[usize]| dataset.missing_classes(indices);
    let nowhere = missing(all);
    if !nowhere.is_empty() {
        warnings.push(format!("no mask has the class {}", listed(&nowhere)));
    }
    for part in Part::ALL {
        let of_part: Vec<usize> = all.iter().copied().filter(|&i| dataset.part(i) == Some(part)).collect();
        let mut missing = if of_part.is_empty() { Vec::new() } else { missing(&of_part) };
        missing.retain(|name| !nowhere.contains(name));
        if !missing.is_empty() {
            warnings.push(format!("no {} mask has the class {}", part.name(), listed(&missing)));
        }
    }
    warnings
}

fn listed(names: &[&str]) -> String {
    let more = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
    names.iter().take(8).copied().collect::<Vec<_>>().join(", ") + &more
}

/// Masks with one label only.
fn suspicious(dataset: &Dataset) -> Vec<Suspicion> {
    let suspicion = |index: usize| {
        let [(label, _)] = dataset.label_counts(index) else { return None };
        let reason = match dataset.classes().names.get(usize::from(*label)) {
            _ if dataset.ignore() == Some(*label) => "all pixels are ignored".to_owned(),
            Some(name) if *label == 0 => format!("empty: all pixels are {name}"),
            Some(name) => format!("all pixels are {name}"),
            None => return None,
        };
        Some(Suspicion { sample: dataset.name(index).to_owned(), reason })
    };
    (0..dataset.len()).filter_map(suspicion).collect()
}
