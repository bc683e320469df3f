//! Small pictures for pages and contact sheets: an image, and its labels painted over it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;

use crate::error::{DataError, Result};
use crate::image::raster::{Channels, Raster};
use crate::image::resize::{Window, resize_image};
use crate::mask::classes::Classes;
use crate::mask::label_map::{LabelMap, LabelledImage, resize_labels};

/// The weight of a class's colour against the image.
const OPACITY: f32 = 0.55;

/// Shrinks a sample so that its longer side has `side` pixels; smaller ones stay as they are.
pub(crate) fn shrink(sample: &LabelledImage, side: usize) -> LabelledImage {
    let longer = sample.image.width.max(sample.image.height);
    let scaled = |n: usize| if longer <= side { n } else { (n * side / longer).max(1) };
    let (height, width) = (scaled(sample.image.height), scaled(sample.image.width));
    LabelledImage {
        image: resize_image(&sample.image, Window::FULL, height, width),
        labels: resize_labels(&sample.labels, Window::FULL, height, width),
    }
}

/// The labels in their colours over the image. The background of two classes stays unpainted, ignored pixels become
/// hatched in white.
pub(crate) fn paint(image: &Raster, labels: &LabelMap, classes: &Classes, ignore: Option<u8>) -> Raster {
    let mut painted = image.clone().with_channels(Channels::Rgb);
    let width = painted.width;
    let pixels = painted.data.as_chunks_mut::<3>().0.iter_mut().zip(&labels.labels).enumerate();
    for (at, (pixel, &label)) in pixels {
        let colour = match classes.colours.get(usize::from(label)) {
            _ if ignore == Some(label) => {
                let hatched = (at / width + at % width) % 6 < 2;
                if hatched { [255; 3] } else { *pixel }
            }
            _ if label == 0 && classes.len() == 2 => *pixel,
            Some(colour) => *colour,
            None => *pixel,
        };
        for (value, over) in pixel.iter_mut().zip(colour) {
            let under = f32::from(*value);
            *value = (under + (f32::from(over) - under) * OPACITY).round() as u8;
        }
    }
    painted
}

/// A JPEG as the text of an HTML image's source.
pub(super) fn data_uri(image: &Raster) -> Result<String> {
    let colour =
        if image.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 82)
        .encode(&image.data, image.width as u32, image.height as u32, colour)
        .map_err(|e| DataError::setting("thumbnail", e, "an image that JPEG can hold"))?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes)))
}
