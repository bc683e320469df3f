//! PNGs of images, and of label maps whose pixel values are class indices.

use std::borrow::Cow;
use std::path::Path;

use dapple_base::write_atomic;
use image::ImageEncoder;
use image::codecs::png::PngEncoder;

use crate::error::{DataError, Result};
use crate::image::raster::Raster;

/// Encodes a label map as an 8-bit palette PNG: the pixel values are the labels, the palette their colours.
///
/// `labels` is `[height, width]`, `palette[k]` the colour of label `k`. Labels beyond the palette (an ignore label of
/// 255, say) are shown white: the palette is lengthened to reach them, see [`padded_palette`].
///
/// # Errors
/// [`DataError::Setting`] where `labels` has not `width * height` values, a side is 0, or the palette is longer than 256.
pub fn encode_indexed_png(width: u32, height: u32, labels: &[u8], palette: &[[u8; 3]]) -> Result<Vec<u8>> {
    if width == 0 || height == 0 || labels.len() as u64 != u64::from(width) * u64::from(height) {
        let value = format!("{} labels for {width} x {height}", labels.len());
        return Err(DataError::setting("label map size", value, "one label for each of at least one pixel"));
    }
    if palette.len() > 256 {
        return Err(DataError::setting(
            "palette length",
            palette.len(),
            "a PNG palette has at most 256 colours",
        ));
    }
    let colours = padded_palette(palette, labels.iter().copied().max().unwrap_or(0));

    let mut bytes = Vec::new();
    let encoded = (|| {
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        // Differences between indices mean nothing, so that filters would only hide the runs from the compressor.
        encoder.set_filter(png::Filter::NoFilter);
        encoder.set_palette(Cow::from(colours));
        let mut writer = encoder.write_header()?;
        writer.write_image_data(labels)?;
        writer.finish()
    })();
    encoded.map_err(|e: png::EncodingError| DataError::setting("PNG", e, "a label map that PNG can hold"))?;
    Ok(bytes)
}

/// Red, green and blue of each label up to `largest`. Labels beyond the palette are white; where a class is white, another
/// colour that no class has, so that the colours of a file tell its labels apart.
pub fn padded_palette(palette: &[[u8; 3]], largest: u8) -> Vec<u8> {
    // White, the colour of void pixels in PASCAL VOC, then greys from light to dark.
    let mut candidates = [[255; 3], [224, 224, 192]].into_iter().chain((0..255).rev().map(|grey| [grey; 3]));
    let free = candidates.find(|colour| !palette.contains(colour)).unwrap_or([255; 3]);
    let mut colours = palette.to_vec();
    colours.resize(palette.len().max(usize::from(largest) + 1), free);
    colours.into_flattened()
}

/// Encodes an image as an 8-bit grey or RGB PNG.
///
/// # Errors
/// [`DataError::Setting`] where the raster has sides that PNG cannot hold.
pub fn encode_png(image: &Raster) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let colour =
        if image.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    PngEncoder::new(&mut bytes)
        .write_image(&image.data, image.width as u32, image.height as u32, colour)
        .map_err(|e| DataError::setting("PNG", e, "an image that PNG can hold"))?;
    Ok(bytes)
}

/// Writes a label map as an indexed PNG, see [`encode_indexed_png`], with [`write_atomic`].
///
/// # Errors
/// Those of the two.
pub fn write_indexed_png(
    path: impl AsRef<Path>,
    width: u32,
    height: u32,
    labels: &[u8],
    palette: &[[u8; 3]],
) -> Result<()> {
    Ok(write_atomic(path, &encode_indexed_png(width, height, labels, palette)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_without_a_class_have_a_colour_of_their_own() {
        let padded =
            |palette: &[[u8; 3]], largest| padded_palette(palette, largest).as_chunks::<3>().0.to_vec();
        assert_eq!(padded(&[[0; 3], [9; 3]], 3), [[0; 3], [9; 3], [255; 3], [255; 3]]);
        let void = [224, 224, 192];
        assert_eq!(padded(&[[0; 3], [255; 3]], 255)[2..], [void; 254]);
        assert_eq!(padded(&[void, [255; 3]], 2)[2], [254; 3]);
        assert_eq!(padded(&[[0; 3], [255; 3]], 1).len(), 2);
    }
}
