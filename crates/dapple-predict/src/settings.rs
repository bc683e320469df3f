//! The settings of a prediction.

use dapple_data::ValueRange;

use crate::error::PredictError;

/// The default memory limit for one image in bytes, which is also the decoder's limit.
pub const DEFAULT_MEMORY_BYTES: u64 = dapple_data::DECODE_LIMIT_BYTES;

/// The size at which the network sees an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkingSize {
    /// The size of the model's training: the whole image is resized to it.
    #[default]
    Input,
    /// The image's own size: nothing is resized.
    Image,
    /// Another size, to which the whole image is resized.
    Fixed {
        /// In pixels.
        height: usize,
        /// In pixels.
        width: usize,
    },
}

/// Whether an image is cut into tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tiling {
    /// Scenes that are much larger than the images of the training, as [`Tiling::Scene`], and images that do not fit into
    /// [`PredictSettings::memory_bytes`]. Scenes are images with a place on the ground, and very large ones that are not known
    /// to be photographs ([`is_scene`](crate::is_scene)).
    #[default]
    Auto,
    /// Into tiles as large as the images of the training, at their scale: for scenes, in which things have one size whatever
    /// the size of the image.
    Scene,
    /// Never.
    Off,
    /// Images larger than a tile are cut; the network sees tiles at the image's own size.
    Side {
        /// Height and width of a tile in pixels; rounded up to a multiple of [`crate::tiles::ALIGN`].
        side: usize,
        /// Overlap of neighbours in pixels; by default a quarter of the side.
        overlap: Option<usize>,
    },
}

/// The settings of predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictSettings {
    /// The size at which the network sees an image.
    pub size: WorkingSize,
    /// Whether images are cut into tiles.
    pub tile: Tiling,
    /// Also predict the image mirrored left to right, and average.
    pub flip_horizontal: bool,
    /// Also predict the image upside down, and average; with `flip_horizontal` also both.
    pub flip_vertical: bool,
    /// Predict at these multiples of the size, and average.
    pub scales: Vec<f32>,
    /// Run networks this many times with dropout and average, as Bayesian SegNet does (Kendall et al. 2017): the spread of
    /// the samples enters the probabilities and hence the uncertainty. If `None`, once without dropout.
    pub samples: Option<usize>,
    /// Seed of the samples: the same seed gives the same samples.
    pub seed: u64,
    /// The probability above which a pixel belongs to a class. Two classes: above it is foreground (½ by default).
    /// More: a pixel whose most probable class is not above it becomes [`crate::UNDECIDED`].
    pub threshold: Option<f32>,
    /// The values of image files that become black and white; those of the models' training if `None`.
    pub value_range: Option<ValueRange>,
    /// The memory that the pixels of one image may take, in bytes. Larger ones are read and written row by row.
    pub memory_bytes: u64,
}

impl Default for PredictSettings {
    fn default() -> Self {
        Self {
            size: WorkingSize::Input,
            tile: Tiling::Auto,
            flip_horizontal: false,
            flip_vertical: false,
            scales: vec![1.0],
            samples: None,
            seed: 0,
            threshold: None,
            value_range: None,
            memory_bytes: DEFAULT_MEMORY_BYTES,
        }
    }
}

impl PredictSettings {
    /// Checks the ranges and that the settings are compatible.
    ///
    /// # Errors
    /// [`PredictError::Settings`].
    pub fn validate(&self) -> Result<(), PredictError> {
        let refuse = |why: String| Err(PredictError::Settings(why));
        if let Some(scale) = self.scales.iter().find(|s| !(0.1..=10.0).contains(*s)) {
            return refuse(format!("a scale of {scale}: give factors from 0.1 to 10"));
        }
        if self.scales.is_empty() || self.scales.len() > 16 {
            return refuse(format!("{} scales: give 1 to 16", self.scales.len()));
        }
        if let Some(samples) = self.samples.filter(|samples| !(1..=1000).contains(samples)) {
            return refuse(format!("{samples} samples: give 1 to 1000"));
        }
        if let Some(threshold) = self.threshold.filter(|t| !(0.0..=1.0).contains(t)) {
            return refuse(format!("a threshold of {threshold}: give a probability from 0 to 1"));
        }
        if self.memory_bytes < 1 << 20 {
            return refuse("less than 1 MiB of memory for an image; give more".into());
        }
        if let Tiling::Side { side, overlap } = self.tile {
            if !(64..=8192).contains(&side) {
                return refuse(format!("tiles of {side} pixels: give 64 to 8192"));
            }
            if let Some(overlap) = overlap.filter(|o| 2 * o > side) {
                return refuse(format!(
                    "an overlap of {overlap} for tiles of {side}: give at most half of the side"
                ));
            }
        }
        let scale = match self.tile {
            Tiling::Side { .. } => "the image's own size",
            Tiling::Scene => "the scale of the training",
            Tiling::Auto | Tiling::Off => return Ok(()),
        };
        if self.scales != [1.0] {
            return refuse(format!("tiles are predicted at {scale}: omit the scales"));
        }
        let sized = matches!(self.size, WorkingSize::Fixed { .. });
        if sized || self.tile == Tiling::Scene && self.size != WorkingSize::Input {
            return refuse(format!("tiles are predicted at {scale}: omit the size"));
        }
        Ok(())
    }
}
