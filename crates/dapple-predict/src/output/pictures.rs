//! Pictures of labels that are written row by row: masks and overlays.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use dapple_report::{OverlayStyle, Palette, overlay_row};
use png::{BitDepth, ColorType, Compression, Filter, StreamWriter};

use super::{ImageInfo, Output, Target};
use crate::{PredictError, Row};

/// A PNG that is written row by row.
pub(super) struct PngRows(StreamWriter<'static, Target>);

impl PngRows {
    pub fn new(
        image: &ImageInfo,
        color: ColorType,
        depth: BitDepth,
        palette: Option<Vec<u8>>,
        target: Target,
    ) -> Result<Self, PredictError> {
        let side = |side: usize| {
            let fits = u32::try_from(side).ok().filter(|&side| side < 1 << 31);
            fits.ok_or_else(|| {
                PredictError::Settings(format!("a side of {side} pixels does not fit into a PNG"))
            })
        };
        let mut encoder = png::Encoder::new(target, side(image.width)?, side(image.height)?);
        encoder.set_color(color);
        encoder.set_depth(depth);
        match palette {
            // Differences between indices mean nothing, so that filters would only hide the runs from the compressor.
            Some(palette) => {
                encoder.set_palette(Cow::from(palette));
                encoder.set_filter(Filter::NoFilter);
            }
            None => {
                // Three times as fast as the default for files a tenth larger: the encoder must keep up with the network.
                encoder.set_compression(Compression::Fast);
                encoder.set_filter(Filter::Up);
            }
        }
        let writer = encoder.write_header().and_then(png::Writer::into_stream_writer);
        writer.map(Self).map_err(|e| PredictError::write("PNG", e))
    }

    pub fn row(&mut self, bytes: &[u8]) -> Result<(), PredictError> {
        self.0.write_all(bytes).map_err(|e| PredictError::write("PNG", e))
    }

    pub fn finish(self) -> Result<(), PredictError> {
        self.0.finish().map_err(|e| PredictError::write("PNG", e))
    }
}

/// Class indices with a palette.
pub(super) struct Mask(PngRows);

impl Mask {
    pub fn new(image: &ImageInfo, classes: &Palette, target: Target) -> Result<Self, PredictError> {
        let mut palette = classes.colours().as_flattened().to_vec();
        if let Some(ignored) = classes.ignore_index() {
            // White up to the index of undecided pixels.
            palette.resize(palette.len().max(3 * (usize::from(ignored) + 1)), 255);
        }
        Ok(Self(PngRows::new(image, ColorType::Indexed, BitDepth::Eight, Some(palette), target)?))
    }
}

impl Output for Mask {
    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError> {
        self.0.row(&row.values.labels)
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        self.0.finish()
    }
}

/// Class indices as grey values.
pub(super) struct Labels(PngRows);

impl Labels {
    pub fn new(image: &ImageInfo, target: Target) -> Result<Self, PredictError> {
        Ok(Self(PngRows::new(image, ColorType::Grayscale, BitDepth::Eight, None, target)?))
    }
}

impl Output for Labels {
    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError> {
        self.0.row(&row.values.labels)
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        self.0.finish()
    }
}

/// The classes' colours over the image; the background of two classes is left as it is.
pub(super) struct Overlay {
    png: PngRows,
    classes: Arc<Palette>,
    style: OverlayStyle,
    painted: Vec<u8>,
}

impl Overlay {
    pub fn new(
        image: &ImageInfo,
        classes: &Arc<Palette>,
        opacity: f32,
        target: Target,
    ) -> Result<Self, PredictError> {
        let png = PngRows::new(image, ColorType::Rgb, BitDepth::Eight, None, target)?;
        let unpainted = (classes.count() == 2).then_some(0);
        let style = OverlayStyle { opacity, unpainted };
        Ok(Self { png, classes: Arc::clone(classes), style, painted: Vec::new() })
    }
}

impl Output for Overlay {
    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError> {
        self.painted.clear();
        row.append_rgb(&mut self.painted);
        overlay_row(&mut self.painted, &row.values.labels, row.y as u32, &self.classes, self.style);
        self.png.row(&self.painted)
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        self.png.finish()
    }
}
