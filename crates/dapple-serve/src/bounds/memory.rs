//! The memory that a request needs, by the size of its image and its outputs: upper bounds, reserved before anything is decoded.

use dapple_predict::Predictor;
use dapple_predict::output::OutputKind;

use crate::request::parameters::Wanted;

/// Bytes a pixel while an image is decoded: 16-bit values of four channels and the 8-bit ones made of them, or the
/// coefficients of a progressive JPEG and its pixels.
const DECODING: u64 = 12;

/// Buffers of a request that do not depend on it.
const BUFFERS: u64 = 4 << 20;

/// The memory of an output, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputMemory {
    /// The limit for data that it cannot write row by row.
    pub limit: u64,
    /// All that it takes.
    pub whole: u64,
}

/// The memory of an output of so many pixels.
pub(crate) fn memory_of_output(kind: OutputKind, pixels: u64) -> OutputMemory {
    match kind {
        // Colours, alpha and the filters' planes of the whole, or of strips that suffice for any image.
        OutputKind::Cutout => {
            let limit = (128 * pixels).min((256 << 20).max(4 * pixels));
            OutputMemory { limit, whole: limit }
        }
        // The outlines, then also the document that is made of them.
        OutputKind::Contours | OutputKind::Coco => {
            let limit = (64 * pixels).clamp(1 << 16, 64 << 20);
            OutputMemory { limit, whole: 4 * limit }
        }
        OutputKind::Areas => OutputMemory { limit: 0, whole: (64 * pixels).min(64 << 20) },
        OutputKind::Mask
        | OutputKind::Labels
        | OutputKind::Overlay
        | OutputKind::Probability
        | OutputKind::Uncertainty
        | OutputKind::Heatmap => OutputMemory { limit: 0, whole: 0 },
    }
}

/// Whether an output shows the image's own pixels.
pub(crate) fn shows_the_image(kind: OutputKind) -> bool {
    matches!(kind, OutputKind::Overlay | OutputKind::Heatmap | OutputKind::Cutout)
}

/// The needs of a request in the order of its stages, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// While the image is decoded and prepared, and ever after.
    pub most: u64,
    /// From then on, when the network's input is all that is left of the image unless an output shows it.
    pub prepared: u64,
}

impl Needs {
    /// Of an image of this size.
    pub fn new(predictor: &Predictor, wanted: &Wanted, width: usize, height: usize) -> Self {
        let (width, pixels) = (width as u64, width as u64 * height as u64);
        let (channels, classes) = (predictor.channels() as u64, predictor.classes().len() as u64);
        let image = pixels * channels;
        // Inputs and logits at the networks' sizes; logits once more while a batch is taken apart.
        let settings = predictor.settings();
        let passes = (settings.scales.len() * (1 + usize::from(settings.flip_horizontal))) as u64
            * (1 + u64::from(settings.flip_vertical));
        let of_model = |model: &dapple_model::Model| {
            let input = model.input();
            (input.height * input.width) as u64 * (input.channels as u64 + 2 * classes) * 4
        };
        let networks: u64 = predictor.models().iter().map(of_model).sum::<u64>() * passes;
        // A row's logits and probabilities of each model, and their sum.
        let rows = width * classes * 4 * (2 * predictor.models().len() as u64 * passes + 1);
        let outputs =
            wanted.kinds.iter().map(|&kind| memory_of_output(kind, pixels).whole).max().unwrap_or(0);
        let shown = if wanted.kinds.iter().any(|&kind| shows_the_image(kind)) { image } else { 0 };
        let decoding = (DECODING * pixels + image).max(2 * image);
        let prepared = shown + networks + rows + outputs + BUFFERS;
        Self { most: prepared.max(decoding + networks + BUFFERS), prepared }
    }
}
