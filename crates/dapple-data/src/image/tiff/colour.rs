//! From stored samples to grey or to red, green and blue.

use super::codec::JPEG;
use super::header::{Colour, Header};
use crate::image::stored::Samples;

/// The samples as colours, with their number a pixel. Greys of fewer than 8 bits are scaled to 8.
pub(super) fn interpret(header: &Header, samples: Samples) -> (Samples, usize) {
    let count = header.samples;
    match (&header.colour, samples) {
        (Colour::Palette(palette), samples) => {
            let indices: Vec<u16> = match samples {
                Samples::U8(indices) => indices.into_iter().map(u16::from).collect(),
                Samples::U16(indices) => indices,
                _ => unreachable!("palettes have unsigned indices of up to 16 bits"),
            };
            let colour = |index: u16| palette.get(usize::from(index)).copied().unwrap_or([0; 3]);
            match header.nodata {
                None => (Samples::U8(indices.into_iter().flat_map(colour).collect()), 3),
                Some(nodata) => {
                    let pixel = |index: u16| {
                        let [r, g, b] = colour(index);
                        [r, g, b, if f64::from(index) == nodata { 0 } else { u8::MAX }]
                    };
                    (Samples::U8(indices.into_iter().flat_map(pixel).collect()), 4)
                }
            }
        }
        (colour, Samples::U8(mut values)) => {
            if header.bits < 8 {
                let most = (1_u32 << header.bits) - 1;
                values.iter_mut().for_each(|v| *v = ((u32::from(*v) * 255 + most / 2) / most) as u8);
            }
            match colour {
                Colour::Inverted => invert(&mut values, count, header.alpha, |v| 255 - v),
                Colour::Cmyk => {
                    return (Samples::U8(rgb_of_cmyk(&values, count, 255.0, |v| v as u8)), count - 1);
                }
                // The decoder of JPEG has converted its own.
                Colour::YCbCr if header.compression != JPEG => {
                    values.chunks_exact_mut(count).for_each(rgb_of_luma_and_chroma);
                }
                _ => {}
            }
            (Samples::U8(values), count)
        }
        (colour, Samples::U16(mut values)) => {
            let white = ((1_u32 << header.bits) - 1) as u16;
            match colour {
                Colour::Inverted => invert(&mut values, count, header.alpha, |v| white.saturating_sub(v)),
                Colour::Cmyk => {
                    let values = rgb_of_cmyk(&values, count, f32::from(white), |v| v as u16);
                    return (Samples::U16(values), count - 1);
                }
                _ => {}
            }
            (Samples::U16(values), count)
        }
        (_, samples) => (samples, count),
    }
}

/// The place of alpha afterwards: of palettes, it says which pixels have data.
pub(super) fn alpha(header: &Header) -> Option<usize> {
    match header.colour {
        Colour::Palette(_) => header.nodata.map(|_| 3),
        Colour::Cmyk => header.alpha.map(|sample| sample - 1),
        _ => header.alpha,
    }
}

/// The value of pixels without data afterwards; `None` where no value of the colours stands for it.
pub(super) fn nodata(header: &Header) -> Option<f64> {
    let value = header.nodata?;
    let white = f64::from(u16::MAX >> (16 - header.bits.min(16)));
    let value = match header.colour {
        Colour::Palette(_) | Colour::Cmyk | Colour::YCbCr => return None,
        Colour::Inverted => white - value,
        Colour::Grey | Colour::Rgb => value,
    };
    Some(if header.bits < 8 { (value * 255.0 / white).round() } else { value })
}

fn invert<T: Copy>(values: &mut [T], count: usize, alpha: Option<usize>, inverse: impl Fn(T) -> T) {
    for pixel in values.chunks_exact_mut(count) {
        let colours = pixel.iter_mut().enumerate().filter(|(sample, _)| Some(*sample) != alpha);
        colours.for_each(|(_, v)| *v = inverse(*v));
    }
}

/// Cyan, magenta, yellow and black without a profile, as decoders of images do it; what follows stays.
fn rgb_of_cmyk<T: Copy + Into<f32>>(
    values: &[T],
    count: usize,
    white: f32,
    number: impl Fn(f32) -> T,
) -> Vec<T> {
    let mut colours = Vec::with_capacity(values.len() / count * (count - 1));
    for pixel in values.chunks_exact(count) {
        let light = 1.0 - pixel[3].into() / white;
        colours.extend(pixel[..3].iter().map(|&ink| number(light * (white - ink.into()))));
        colours.extend_from_slice(&pixel[4..]);
    }
    colours
}

/// ITU-R BT.601 with the whole range, the default of TIFF 6.0, section 21.
fn rgb_of_luma_and_chroma(pixel: &mut [u8]) {
    let [y, cb, cr] = [0, 1, 2].map(|c| f32::from(pixel[c]));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let colours = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    pixel.iter_mut().zip(colours).for_each(|(to, v)| *to = v.round().clamp(0.0, 255.0) as u8);
}
