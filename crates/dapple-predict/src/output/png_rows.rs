//! PNG files that are written row by row.

use std::borrow::Cow;
use std::io::Write;

use png::{BitDepth, ColorType, Compression, Filter, StreamWriter};

use super::image_info::ImageInfo;
use super::target::Target;
use crate::error::PredictError;

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
        Self::with_profile(image, (color, depth), palette, None, target)
    }

    /// A picture that shows the colours of the image, and so keeps their profile.
    pub fn of_image(image: &ImageInfo, color: ColorType, target: Target) -> Result<Self, PredictError> {
        Self::with_profile(image, (color, BitDepth::Eight), None, image.icc.as_deref(), target)
    }

    fn with_profile(
        image: &ImageInfo,
        (color, depth): (ColorType, BitDepth),
        palette: Option<Vec<u8>>,
        profile: Option<&[u8]>,
        target: Target,
    ) -> Result<Self, PredictError> {
        let side = |side: usize| {
            let fits = u32::try_from(side).ok().filter(|&side| side < 1 << 31);
            fits.ok_or_else(|| {
                PredictError::Settings(format!("a side of {side} pixels does not fit into a PNG"))
            })
        };
        let mut info = png::Info::with_size(side(image.width)?, side(image.height)?);
        info.icc_profile = profile.map(|profile| Cow::from(profile.to_vec()));
        let encoder = png::Encoder::with_info(target, info);
        let mut encoder = encoder.map_err(|e| PredictError::write("PNG", e))?;
        encoder.set_color(color);
        encoder.set_depth(depth);
        match palette {
            // Differences between indices carry no meaning: filters would only hide the runs from the compressor.
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
