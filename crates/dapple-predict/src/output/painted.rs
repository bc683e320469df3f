//! Pictures that are painted over an image, which keep its transparency.

use png::ColorType;

use super::image_info::ImageInfo;
use super::png_rows::PngRows;
use super::target::Target;
use crate::error::PredictError;

/// A PNG of the image's colours as they were painted over, with the image's alpha where it has any.
pub(super) struct Painted {
    png: PngRows,
    /// The last row with alpha; `None` for an image without.
    with_alpha: Option<Vec<u8>>,
}

impl Painted {
    pub fn new(image: &ImageInfo, target: Target) -> Result<Self, PredictError> {
        let color = if image.has_gaps { ColorType::Rgba } else { ColorType::Rgb };
        let png = PngRows::of_image(image, color, target)?;
        Ok(Self { png, with_alpha: image.has_gaps.then(Vec::new) })
    }

    /// Takes red, green and blue of a row, and how much of each pixel is there, which is empty where all is.
    pub fn row(&mut self, colours: &[u8], coverage: &[u8]) -> Result<(), PredictError> {
        let Some(row) = &mut self.with_alpha else { return self.png.row(colours) };
        row.clear();
        for (x, &[r, g, b]) in colours.as_chunks::<3>().0.iter().enumerate() {
            let alpha = coverage.get(x).copied().unwrap_or(u8::MAX);
            // Invisible pixels compress best as black, and show nothing of what was made up for them.
            row.extend(if alpha == 0 { [0; 4] } else { [r, g, b, alpha] });
        }
        self.png.row(row)
    }

    pub fn finish(self) -> Result<(), PredictError> {
        self.png.finish()
    }
}
