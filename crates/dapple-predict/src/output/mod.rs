//! What is made of a prediction, one file an output.
//!
//! An [`Output`] takes an image's rows in order, so that masks, overlays, probabilities and areas of images of any size
//! are written in memory for a few rows. Outlines take memory for their corners, cut-outs for strips of the image; either
//! is bounded.

mod areas;
mod background;
mod coco;
mod contours;
mod cutout;
mod kind;
mod maps;
mod npy;
mod outlined;
mod pictures;
mod save;
mod target;

use std::sync::Arc;

use dapple_data::Raster;
use dapple_report::Palette;

pub use areas::{AREAS_HEADER, merge_areas};
pub use background::Background;
pub use coco::merge_coco;
pub(crate) use cutout::compose;
pub use kind::{Kind, Part};
pub use target::Target;

use crate::geo::GeoReference;
use crate::prediction::Wants;
use crate::{PredictError, Prediction, Row};

/// The image whose prediction is written.
#[derive(Clone, Debug)]
pub struct ImageInfo {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The name of its file, as COCO and CSV files say.
    pub name: String,
    /// Where it lies, for a georeferenced TIFF.
    pub geo: Option<GeoReference>,
}

/// How probabilities and uncertainties are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbabilityFormat {
    /// An 8-bit grey PNG: 0 is 0, 255 is 1.
    #[default]
    Png8,
    /// A 16-bit grey PNG: 65535 is 1.
    Png16,
    /// A NumPy array, `float32`, `[height, width]` of two classes' foreground and of uncertainties, else
    /// `[height, width, classes]`.
    Npy,
}

/// How COCO regions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CocoForm {
    /// Compressed run lengths: exact, holes included.
    #[default]
    Runs,
    /// Outer outlines; COCO's polygons have no holes.
    Polygons,
}

/// How the edges of cut-outs are fitted to the photograph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refine {
    /// They stay as the network gives them.
    Off,
    /// By a guided filter (He, Sun, Tang 2010).
    #[default]
    Guided,
    /// By closed-form matting (Levin et al. 2008): finer, takes seconds to minutes, and needs the whole image in memory.
    ClosedForm,
}

/// What one output may take by default, over what the pixels of an image may.
pub const MEMORY_OF_OUTPUTS: u64 = 4;

/// How outputs are made.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// Weight of the colours of an overlay and of a heat map, 0 to 1.
    pub opacity: f32,
    /// How probabilities and uncertainties are written.
    pub probability: ProbabilityFormat,
    /// The classes that a cut-out keeps; all but the first one by default.
    pub keep: Option<Vec<u8>>,
    /// How a cut-out's edges are fitted to the photograph.
    pub refine: Refine,
    /// What a cut-out stands on.
    pub background: Background,
    /// Connected regions of fewer pixels are left out of outlines and of lists of regions.
    pub min_area: u64,
    /// How COCO regions are written.
    pub coco: CocoForm,
    /// The memory that one output may take for what it cannot write row by row, in bytes.
    pub memory_bytes: u64,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            opacity: 0.5,
            probability: ProbabilityFormat::Png8,
            keep: None,
            refine: Refine::Guided,
            background: Background::Transparent,
            min_area: 1,
            coco: CocoForm::Runs,
            memory_bytes: MEMORY_OF_OUTPUTS * crate::DEFAULT_MEMORY_BYTES,
        }
    }
}

/// Something that is written from an image's rows.
pub trait Output: Send {
    /// What it needs of a row besides the labels.
    fn wants(&self) -> Wants {
        Wants::default()
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// [`PredictError::Write`].
    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError>;

    /// Writes what is left after the last row.
    ///
    /// # Errors
    /// [`PredictError::Write`].
    fn finish(self: Box<Self>) -> Result<(), PredictError>;
}

/// Begins an output of an image into a target.
///
/// # Errors
/// [`PredictError::Settings`] for an image too large for an output, [`PredictError::Write`].
pub fn output(
    part: &Part,
    image: &ImageInfo,
    classes: &Arc<Palette>,
    settings: &OutputSettings,
    target: Target,
) -> Result<Box<dyn Output>, PredictError> {
    Ok(match part.kind {
        Kind::Mask => Box::new(pictures::Mask::new(image, classes, target)?),
        Kind::Labels => Box::new(pictures::Labels::new(image, target)?),
        Kind::Overlay => Box::new(pictures::Overlay::new(image, classes, settings.opacity, target)?),
        Kind::Probability => {
            let format = settings.probability;
            let values = match (part.class, classes.count(), format) {
                (Some(class), count, _) => maps::Values::Class(class, count),
                (None, count, ProbabilityFormat::Npy) if count > 2 => maps::Values::Classes(count),
                (None, count, _) => maps::Values::Class(1, count),
            };
            Box::new(maps::Map::new(image, values, format, target)?)
        }
        Kind::Uncertainty => {
            Box::new(maps::Map::new(image, maps::Values::Uncertainty, settings.probability, target)?)
        }
        Kind::Heatmap => Box::new(maps::Heatmap::new(image, settings.opacity, target)?),
        Kind::Cutout => Box::new(cutout::Cutout::new(image, classes.count(), settings, target)?),
        Kind::Contours => Box::new(contours::Contours::new(image, classes, settings, target)),
        Kind::Coco => Box::new(coco::Coco::new(image, classes, settings, target)),
        Kind::Areas => Box::new(areas::Areas::new(image, classes, settings.min_area, target)),
    })
}

/// What several outputs want together.
pub fn wants_of(outputs: &[Box<dyn Output>]) -> Wants {
    outputs.iter().fold(Wants::default(), |wants, output| wants.or(output.wants()))
}

/// Gives all rows of an image and its prediction to outputs, and finishes them.
///
/// # Errors
/// Those of the outputs.
pub fn write_all(
    image: &Raster,
    prediction: &Prediction,
    mut outputs: Vec<Box<dyn Output>>,
) -> Result<(), PredictError> {
    let mut rows = prediction.rows(wants_of(&outputs));
    let length = image.width * image.channels;
    for (y, pixels) in image.data.chunks_exact(length).enumerate() {
        let row = Row { y, pixels, channels: image.channels, values: rows.row(y) };
        for output in &mut outputs {
            output.row(&row)?;
        }
    }
    outputs.into_iter().try_for_each(Output::finish)
}
