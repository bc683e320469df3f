//! A mask in memory: the class of each pixel, or that it has none yet.

use std::io::Cursor;
use std::path::Path;

use dapple_base::Size;
use dapple_data::{MaskValues, decode_values};

use crate::error::{Result, StudioError};

/// The label of pixels that nobody has labelled, which training ignores.
pub const UNLABELLED: u8 = 255;

/// The label of every pixel of a photograph, `[height, width]`, rows from the top; [`UNLABELLED`] where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` labels.
    pub labels: Vec<u8>,
}

impl Mask {
    /// A mask without labels.
    pub fn empty(size: Size) -> Self {
        let Size { height, width } = size;
        Self { width, height, labels: vec![UNLABELLED; width * height] }
    }

    /// Reads a mask file of labels below `classes`.
    ///
    /// # Errors
    /// For a file that cannot be decoded, of another size, or with other values.
    pub(crate) fn read(path: &Path, size: Size, classes: usize) -> Result<Self> {
        let values = decode_values(path)?;
        if (values.height, values.width) != (size.height, size.width) {
            return Err(StudioError::refused(format!(
                "{}: the mask is {} x {}, but its photograph {} x {}; export it again at the size of the photograph, or remove it",
                path.display(),
                values.width,
                values.height,
                size.width,
                size.height
            )));
        }
        Self::of_values(values, path, classes)
    }

    /// Reads a mask file of labels below `classes`, whatever its size.
    ///
    /// # Errors
    /// For a file that cannot be decoded, or with other values.
    pub(super) fn read_any(path: &Path, classes: usize) -> Result<Self> {
        Self::of_values(decode_values(path)?, path, classes)
    }

    fn of_values(values: MaskValues, path: &Path, classes: usize) -> Result<Self> {
        let known = |&value: &u16| usize::from(value) < classes || value == u16::from(UNLABELLED);
        if let Some(value) = values.values.iter().find(|value| !known(value)) {
            return Err(StudioError::refused(format!(
                "{}: the mask has the value {value}, which is none of the {classes} classes; correct it, or remove the mask",
                path.display()
            )));
        }
        let labels = values.values.into_iter().map(|value| value as u8).collect();
        Ok(Self { width: values.width, height: values.height, labels })
    }

    /// As an 8-bit grey PNG.
    ///
    /// # Errors
    /// [`StudioError::Refused`] for a mask without pixels.
    pub fn png(&self) -> Result<Vec<u8>> {
        grey_png(self.width, self.height, &self.labels)
    }

    /// The share of the pixels that have a label.
    pub fn labelled(&self) -> f64 {
        let labelled = self.labels.iter().filter(|&&label| label != UNLABELLED).count();
        labelled as f64 / self.labels.len().max(1) as f64
    }

    /// Draws a patch with its upper left corner at a pixel.
    ///
    /// # Errors
    /// [`StudioError::Refused`] where it leaves the image, or has a label of no class.
    pub fn draw(&mut self, patch: &Patch, (x, y): (usize, usize), classes: usize) -> Result<()> {
        let fits = x.checked_add(patch.width).is_some_and(|right| right <= self.width)
            && y.checked_add(patch.height).is_some_and(|bottom| bottom <= self.height);
        if !fits {
            return Err(StudioError::refused("the change leaves the image"));
        }
        let known = |label: u8| usize::from(label) < classes || label == UNLABELLED;
        if let Some(&Some(label)) = patch.labels.iter().find(|label| label.is_some_and(|label| !known(label)))
        {
            return Err(StudioError::refused(format!("there is no class {label}")));
        }
        for (row, from) in patch.labels.chunks_exact(patch.width).enumerate() {
            let at = (y + row) * self.width + x;
            for (to, from) in self.labels[at..at + patch.width].iter_mut().zip(from) {
                *to = from.unwrap_or(*to);
            }
        }
        Ok(())
    }
}

/// A rectangle of labels to be drawn; `None` keeps what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` labels.
    pub labels: Vec<Option<u8>>,
}

impl Patch {
    /// Of a whole mask, but for the pixels without a label.
    pub fn of_labelled(mask: &Mask) -> Self {
        let label = |&label: &u8| (label != UNLABELLED).then_some(label);
        Self { width: mask.width, height: mask.height, labels: mask.labels.iter().map(label).collect() }
    }

    /// Reads a PNG of 8 bits: grey values are the labels; of colours, as a canvas gives them, red is the label, and what is wholly
    /// transparent keeps what is there. Images of more than `most` pixels are refused before they are decoded.
    ///
    /// # Errors
    /// [`StudioError::Refused`].
    pub fn of_png(bytes: &[u8], most: usize) -> Result<Self> {
        let damaged =
            |error: png::DecodingError| StudioError::refused(format!("the change is no PNG: {error}"));
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        let mut reader = decoder.read_info().map_err(damaged)?;
        let (width, height) = (reader.info().width as usize, reader.info().height as usize);
        if width == 0 || height == 0 || width.saturating_mul(height) > most {
            return Err(StudioError::refused(format!(
                "the change has {width} x {height} pixels, more than the image"
            )));
        }
        let (colour, depth) = reader.output_color_type();
        if depth != png::BitDepth::Eight || colour == png::ColorType::Indexed {
            return Err(StudioError::refused("the change must be a PNG of 8-bit grey values or colours"));
        }
        let size = reader.output_buffer_size().unwrap_or(usize::MAX);
        let channels = colour.samples();
        if size != width * height * channels {
            return Err(StudioError::refused("the change is a PNG of an unknown kind"));
        }
        let mut data = vec![0; size];
        reader.next_frame(&mut data).map_err(damaged)?;
        let has_alpha = matches!(colour, png::ColorType::Rgba | png::ColorType::GrayscaleAlpha);
        let label = |pixel: &[u8]| (!has_alpha || pixel[channels - 1] > 0).then_some(pixel[0]);
        Ok(Self { width, height, labels: data.chunks_exact(channels).map(label).collect() })
    }
}

/// Grey values as an 8-bit PNG, written quickly: rows that are equal cost nearly nothing.
pub(crate) fn grey_png(width: usize, height: usize, values: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoded = (|| {
        let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        encoder.set_filter(png::Filter::Up);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(values)?;
        writer.finish()
    })();
    encoded.map_err(|error: png::EncodingError| {
        StudioError::refused(format!("a picture that no PNG holds: {error}"))
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_its_rectangle_and_keeps_what_is_transparent() {
        let mut mask = Mask::empty(Size { height: 3, width: 4 });
        let patch = Patch { width: 2, height: 2, labels: vec![Some(1), None, Some(0), Some(1)] };
        mask.draw(&patch, (2, 1), 2).expect("it fits");
        assert_eq!(mask.labels[6..8], [1, UNLABELLED]);
        assert_eq!(mask.labels[10..12], [0, 1]);
        assert_eq!(mask.labelled(), 0.25);
        assert!(mask.draw(&patch, (3, 1), 2).is_err() && mask.draw(&patch, (usize::MAX, 0), 2).is_err());
        assert!(mask.draw(&patch, (0, 0), 1).is_err(), "there is no class 1");
    }

    #[test]
    fn masks_survive_their_files() {
        let mask = Mask { width: 5, height: 2, labels: vec![0, 1, 2, 255, 0, 0, 1, 2, 255, 7] };
        let bytes = mask.png().expect("it has pixels");
        let patch = Patch::of_png(&bytes, 10).expect("a PNG");
        assert_eq!(patch.labels, mask.labels.iter().copied().map(Some).collect::<Vec<_>>());
        assert!(Patch::of_png(&bytes, 9).is_err() && Patch::of_png(b"no PNG", 9).is_err());
    }

    #[test]
    fn pictures_of_a_canvas_are_patches() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().expect("memory");
        writer.write_image_data(&[3, 0, 0, 255, 9, 9, 9, 0]).expect("memory");
        writer.finish().expect("memory");
        assert_eq!(Patch::of_png(&bytes, 2).expect("a PNG").labels, [Some(3), None]);
    }
}
