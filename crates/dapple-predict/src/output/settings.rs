//! The settings of outputs.

use dapple_base::Digest;

use super::background::Background;
use crate::settings::DEFAULT_MEMORY_BYTES;

/// The encoding of probabilities and uncertainties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ProbabilityFormat {
    /// An 8-bit grey PNG: 0 is 0, 255 is 1.
    #[default]
    Png8,
    /// A 16-bit grey PNG: 65535 is 1.
    Png16,
    /// A NumPy array of `float32`.
    ///
    /// `[height, width]` for two classes' foreground and for uncertainties, else `[height, width, classes]`.
    Npy,
}

/// The encoding of COCO regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum CocoForm {
    /// Compressed run lengths, exact.
    ///
    /// Holes are included.
    #[default]
    Runs,
    /// Outer outlines.
    ///
    /// COCO's polygons have no holes.
    Polygons,
}

/// The method that fits the edges of cut-outs to the photograph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Refine {
    /// As the network gives them.
    Off,
    /// By a guided filter.
    ///
    /// He, Sun, Tang, "Guided Image Filtering", ECCV 2010.
    #[default]
    Guided,
    /// By closed-form matting: finer, takes seconds to minutes.
    ///
    /// Levin, Lischinski, Weiss, PAMI 2008. It needs the whole image in memory.
    ClosedForm,
}

/// The default memory limit of one output, as a multiple of that of an image's pixels.
pub const MEMORY_OF_OUTPUTS: u64 = 4;

/// The settings of outputs.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// Weight of the colours of an overlay and of a heat map, 0 to 1.
    pub opacity: f32,
    /// The encoding of probabilities and uncertainties.
    pub probability: ProbabilityFormat,
    /// The classes that a cut-out keeps; by default all but the first.
    pub keep: Option<Vec<u8>>,
    /// The method that fits a cut-out's edges to the photograph.
    pub refine: Refine,
    /// The background of a cut-out.
    pub background: Background,
    /// Connected regions of fewer pixels are omitted from outlines and lists of regions.
    pub min_area: u64,
    /// The encoding of COCO regions.
    pub coco: CocoForm,
    /// The memory limit of one output for data that it cannot write row by row, in bytes.
    pub memory_bytes: u64,
}

impl OutputSettings {
    /// Adds all that results depend on to a fingerprint.
    pub(crate) fn add_to(&self, digest: &mut Digest) {
        let Self { opacity, probability, keep, refine, background, min_area, coco, memory_bytes } = self;
        let words =
            format!("{opacity} {probability:?} {keep:?} {refine:?} {min_area} {coco:?} {memory_bytes}");
        digest.part(words.as_bytes());
        match background {
            // Its pixels as they are: in words they would be long.
            Background::Picture(picture) => {
                digest.part(format!("{} {}", picture.width, picture.height).as_bytes()).part(&picture.data)
            }
            Background::Transparent | Background::Colour(_) | Background::Blur => {
                digest.part(format!("{background:?}").as_bytes())
            }
        };
    }
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
            memory_bytes: MEMORY_OF_OUTPUTS * DEFAULT_MEMORY_BYTES,
        }
    }
}
