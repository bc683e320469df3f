//! Settings of the data: the folder, its division, and how images are read.

use std::path::PathBuf;

use dapple_data::{
    CacheSettings, Dataset, Fold, Format, LabelCoding, MaskOrientation, Split, SplitSettings, ValueRange,
};
use serde::{Deserialize, Serialize};

use super::edits;
use super::kind::{Kind, Range, Word};
use super::setting::{Flag, Group, Setting, at_least, number, parsed, settings, text, whole, word};
use crate::error::TrainError;

/// More threads than any machine has.
pub(super) const MOST_THREADS: u64 = 4096;
/// The places of decoded images.
const CACHES: &[Word] = &[("none", ""), ("ram", ""), ("disk", "")];

settings! {
    /// The data, and how they are divided and read.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct DataConfig: DATA("data.", Group::Data) {
        /// Folder of images and masks.
        dir: PathBuf = text("a folder").example("\"horses\"").flag(Flag::new("data", "DIR").by_command()),
        /// Format of the folder: folders, lists, voc, coco and so on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<Format> = parsed::<Format>("the name of a format").unset("the format that the files have").example("\"voc\"").flag(
            Flag::new("format", "NAME").help(
                "Format of the data: folders, lists, voc, camvid, cityscapes, ade20k, coco, yolo, labelme … [default: found from the files]",
            ),
        ),
        /// Label of pixels that count neither in the loss nor in the scores.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ignore: Option<u8> = whole(0, 255)
            .unset("no such label")
            .example("255")
            .flag(Flag::new("ignore", "LABEL").help("Label of pixels that do not count")),
        /// Meaning of the values of the mask files: indices, binary or threshold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coding: Option<LabelCoding> =
            Setting::of(Kind::Other("indices, { binary = { background = 0, foreground = 255 } }, or { threshold = 128 }"))
                .unset("the meaning that the masks suggest")
                .example("{ threshold = 128 }"),
        /// How masks lie on images that EXIF data turn: as-image (as the pixels are stored) or upright.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask_orientation: Option<MaskOrientation> = parsed::<MaskOrientation>("as-image or upright")
            .unset("as sizes and borders of the masks show")
            .example("\"upright\"")
            .flag(Flag::new("mask-orientation", "HOW").help(
                "How masks lie on images that EXIF data turn: as-image or upright [default: found from sizes and borders]",
            )),
        /// Ending of the masks' names, which they add to those of their images.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask_suffix: Option<String> = text("an ending of names").unset("found from the names").example("\"_manual1\"").flag(
            Flag::new("mask-suffix", "ENDING").hyphens().help(
                "Ending of the masks' names before the extension, which they add to those of their images, as _manual1 [default: \
                 found from the names]",
            ),
        ),
        /// Values of the images that become black and white: type (each file by its type), LOW..HIGH, or LOW..HIGH for each channel.
        ///
        /// The model keeps them, so that other images are read as those of the training.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value_range: Option<ValueRange> = parsed::<ValueRange>("type, LOW..HIGH, or LOW..HIGH for each channel")
            .unset("found from the images")
            .example("\"0..4095\"")
            .flag(Flag::new("value-range", "RANGE").hyphens().help(
                "Values of the images that become black and white: type (each file by its type), LOW..HIGH, or LOW..HIGH for each \
                 channel [default: found from the images]",
            )),
        /// Share of the images for training, where the data are not divided already.
        train_fraction: f64 = number(Range::above(0.0).to(1.0)).example("0.8").flag(
            Flag::new("train-fraction", "X")
                .help("Share of the images for training, where the data are not divided already [default: 0.85]"),
        ),
        /// Seed of the division; split.json has the outcome.
        split_seed: u64 = at_least(0).example("7"),
        /// Division to use, a split.json; it stands above all other settings of the division.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<PathBuf> = text("a split.json").unset("a new division").example("\"runs/horses/split.json\"").flag(
            Flag::new("split", "HOW|FILE")
                .help(
                    "How to divide: random, stratified (each class gets its share), or a split.json of another run [default: random]",
                )
                .by(edits::split)
                .also(&["data.stratified"]),
        ),
        /// Give training and validation their share of the images of each class.
        #[serde(default)]
        stratified: bool = Setting::of(Kind::Switch).example("true"),
        /// Regular expression on names: images with the same first group (or match) stay in one part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String> = text("a regular expression").unset("images that do not belong together").example("\"^(.*)_[0-9]+$\"").flag(
            Flag::new("group", "REGEX").help(
                "Regular expression on image names: those with the same first group stay in one part, as the frames of a video",
            ),
        ),
        /// Number of folds to divide into.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folds: Option<usize> = at_least(2)
            .unset("no folds")
            .example("5")
            .flag(Flag::new("folds", "N").help("Divide into this many folds and validate with one of them")),
        /// Fold to validate with, from 0; without effect without folds.
        #[serde(default)]
        fold: usize = at_least(0).example("2").flag(
            Flag::new("fold", "N|all")
                .help(
                    "Fold to validate with, from 0; or all, to train with each of them into RUN/fold-0 and so on and to \
                     put their models into one file [default: 0]",
                )
                .by(edits::fold),
        ),
        /// Leave bad pairs out with a warning instead of stopping.
        skip_bad: bool = Setting::of(Kind::Switch).example("true").flag(Flag::new("skip-bad", "")),
        /// Background threads that decode images; without effect on the results.
        threads: usize = whole(0, MOST_THREADS).default("half of the cores, 1 to 4").example("4"),
        /// Place of decoded images between epochs (disk: a temporary file); without effect on the results.
        #[serde(default)]
        cache: CachePlace = word(CACHES).example("\"disk\"").flag(
            Flag::new("cache", "PLACE").help(
                "Place of decoded images between epochs: memory (1 GiB; cache_mib in config.toml) or a temporary file",
            ),
        ),
        /// Memory for decoded images in MiB, with cache = "ram"; without effect on the results.
        cache_mib: usize = whole(0, 1 << 30).example("4096"),
    }
}

/// Where decoded images are kept over the epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CachePlace {
    /// Nowhere: they are decoded each time.
    None,
    /// In memory, up to [`DataConfig::cache_mib`].
    #[default]
    Ram,
    /// In a temporary file.
    Disk,
}

impl CachePlace {
    /// The settings of one loader, which may have one of `shares` parts of the memory.
    pub(crate) fn settings(self, mib: usize, shares: usize) -> CacheSettings {
        match self {
            Self::None => CacheSettings::None,
            Self::Ram => CacheSettings::Ram { bytes: (mib << 20) / shares },
            Self::Disk => CacheSettings::Disk,
        }
    }
}

impl DataConfig {
    /// Divides the data.
    ///
    /// # Errors
    /// [`TrainError::Data`] for a share, fold or regular expression that is not possible, and for a file that does not
    /// divide these data.
    pub fn divide(&self, dataset: &Dataset) -> Result<Split, TrainError> {
        if let Some(path) = &self.split {
            let split = Split::load(path)?;
            split.indices(dataset)?;
            return Ok(split);
        }
        let settings = SplitSettings {
            stratified: self.stratified,
            group: self.group.clone(),
            fold: self.folds.map(|count| Fold { index: self.fold, count }),
            ..SplitSettings::new(self.split_seed, self.train_fraction)
        };
        Ok(Split::with(dataset, &settings)?)
    }
}
