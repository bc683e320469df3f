//! The memory that a request needs, by the size of its image and its outputs: upper bounds, reserved before anything is decoded.

use std::io::Cursor;
use std::path::Path;

use dapple_base::Size;
use dapple_data::{SampleKind, TiffFile};
use dapple_predict::Predictor;
use dapple_predict::output::OutputKind;

use crate::request::parameters::Wanted;

/// Bytes a pixel while an image other than a TIFF is decoded: 16-bit values of four channels, the 8-bit ones made of them, those of
/// the bands alone and the coverage; the coefficients of a progressive JPEG and its pixels are fewer.
const DECODING: u64 = 16;

/// A colour profile that expands from a few bytes, once while it is read and once for the outputs.
const PROFILE: u64 = 2 * (16 << 20);

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

/// The memory in bytes that decoding an image takes, by its header. A TIFF has up to 64 channels of up to 64 bits.
pub(crate) fn memory_of_decoding(bytes: &[u8], size: Size) -> u64 {
    let pixels = size.pixels();
    let Ok(file) = TiffFile::open(Cursor::new(bytes), Path::new("the image")) else {
        // Compressed in a PNG, and not larger than the body otherwise.
        let profile = if bytes.windows(4).any(|name| name == b"iCCP") { PROFILE } else { 0 };
        return pixels * DECODING + profile;
    };
    // Bytes of a value in the file, and in the list of the smallest type that holds it.
    let (stored, held) = match file.kind() {
        SampleKind::Uint(..=8) => (1, 1),
        SampleKind::Uint(..=16) => (2, 2),
        SampleKind::Int(..=16) | SampleKind::Float(..=32) => (4, 4),
        SampleKind::Uint(_) | SampleKind::Int(_) | SampleKind::Float(_) => (8, 8),
    };
    // Alpha and the black of CMYK are no bands.
    let values = pixels * (file.bands() as u64 + 2);
    // Planes are mixed from one list into another. The values in 8 bits are made beside a single list.
    (values * (stored + 2 * held + 1)).max(pixels * DECODING)
}

/// The needs of a request in the order of its stages, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// While the image is decoded and prepared, and ever after.
    pub most: u64,
    /// From then on, when the network's input is all that is left of the image unless an output shows it; without its coverage.
    pub prepared: u64,
}

impl Needs {
    /// Of an image of this size, whose decoding takes so many bytes.
    pub fn new(predictor: &Predictor, wanted: &Wanted, size: Size, decoding: u64) -> Self {
        let (width, pixels) = (size.width as u64, size.pixels());
        let (channels, classes) = (predictor.channels() as u64, predictor.classes().len() as u64);
        let image = pixels * channels;
        // Inputs and logits at the networks' sizes, each once more in the batch.
        let settings = predictor.settings();
        let passes = (settings.scales.len() * (1 + usize::from(settings.flip_horizontal))) as u64
            * (1 + u64::from(settings.flip_vertical));
        let of_model = |model: &dapple_model::Model| {
            let input = model.input();
            (input.height * input.width) as u64 * 2 * (input.channels as u64 + classes) * 4
        };
        let networks: u64 = predictor.models().iter().map(of_model).sum::<u64>() * passes;
        // A row's logits and probabilities of each model, and their sum.
        let rows = width * classes * 4 * (2 * predictor.models().len() as u64 * passes + 1);
        let outputs =
            wanted.kinds.iter().map(|&kind| memory_of_output(kind, pixels).whole).max().unwrap_or(0);
        let shown = if wanted.kinds.iter().any(|&kind| shows_the_image(kind)) { image } else { 0 };
        let decoding = (decoding + image).max(2 * image);
        let prepared = shown + networks + rows + outputs + BUFFERS;
        Self { most: (prepared + pixels).max(decoding + networks + BUFFERS), prepared }
    }
}
