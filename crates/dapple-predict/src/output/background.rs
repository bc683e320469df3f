//! The background of cut-outs.

use std::ops::Range;

use dapple_data::Raster;

use crate::matte::{Frame, Plane, blur};

/// The background of a cut-out.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Background {
    /// Nothing: the file has an alpha channel.
    #[default]
    Transparent,
    /// One colour.
    Colour([u8; 3]),
    /// A picture of three channels, scaled to cover the image.
    Picture(Raster),
    /// The photograph itself, blurred.
    Blur,
}

impl Background {
    /// The colour of a text such as `#20a0ff` or `#fff`.
    pub fn colour_of(text: &str) -> Option<[u8; 3]> {
        let digits = text.strip_prefix('#').filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        match digits.len() {
            6 => Some([16, 8, 0].map(|shift| (value >> shift) as u8)),
            // Each digit stands for two.
            3 => Some([8, 4, 0].map(|shift| (value >> shift & 0xf) as u8 * 0x11)),
            _ => None,
        }
    }

    /// Its colours behind rows of a photograph from the `first` on, which `rgb` holds with their `alpha`; black for nothing.
    pub(super) fn pixels(&self, rgb: &[u8], alpha: &Plane, first: usize, frame: Frame) -> Vec<u8> {
        match self {
            Self::Transparent => vec![0; rgb.len()],
            Self::Colour(colour) => colour.repeat(rgb.len() / 3),
            Self::Picture(picture) => covering(picture, first..first + rgb.len() / 3 / frame.width, frame),
            Self::Blur => blurred(rgb, alpha, frame),
        }
    }

    /// The distance up to which pixels influence one of the background, in pixels of the frame's reduced picture.
    pub(super) fn reach(&self, frame: Frame) -> usize {
        if *self == Self::Blur { 3 * frame.small_radius(BLUR_RADIUS) + 2 } else { 0 }
    }
}

/// Standard deviation of the blurred background over the shorter side.
const BLUR_RADIUS: f32 = 1.0 / 40.0;

/// The weight of a foreground pixel in the blurred background: small, so that its colours do not bleed around it.
const SHINE: f32 = 1e-3;

/// Rows of a photograph without their details, means over the background.
fn blurred(rgb: &[u8], alpha: &Plane, frame: Frame) -> Vec<u8> {
    let (width, factor, radius) = (frame.width, frame.factor, frame.small_radius(BLUR_RADIUS));
    let mut out = vec![0; rgb.len()];
    let mut line = vec![0.0; width];
    let smooth = |values: Vec<f32>| blur(&Plane::new(width, alpha.height, values).shrunk(factor), radius);
    let share = |alpha: &f32| 1.0 - alpha + SHINE;
    let weight = smooth(alpha.data.iter().map(share).collect());
    for channel in 0..3 {
        let values = rgb.iter().skip(channel).step_by(3).map(|&v| f32::from(v));
        let plane = smooth(values.zip(&alpha.data).map(|(v, a)| v * share(a)).collect());
        let plane = plane.with(&weight, |sum, weight| sum / weight);
        for (y, row) in out.chunks_exact_mut(3 * width).enumerate() {
            plane.stretched_row(y, factor, &mut line);
            row.iter_mut().skip(channel).step_by(3).zip(&line).for_each(|(to, v)| *to = v.round() as u8);
        }
    }
    out
}

/// Rows of a picture scaled, bilinearly, and cropped around its middle so that it covers the frame.
fn covering(picture: &Raster, rows: Range<usize>, Frame { width, height, .. }: Frame) -> Vec<u8> {
    let scale = (picture.width as f32 / width as f32).min(picture.height as f32 / height as f32);
    let place = |at: usize, size: usize, of: usize| {
        let at = (at as f32 + 0.5 - size as f32 / 2.0) * scale + of as f32 / 2.0 - 0.5;
        let at = at.clamp(0.0, (of - 1) as f32);
        (at as usize, (at as usize + 1).min(of - 1), at.fract())
    };
    let columns: Vec<_> = (0..width).map(|x| place(x, width, picture.width)).collect();
    let mut out = Vec::with_capacity(3 * width * rows.len());
    for y in rows {
        let (above, below, down) = place(y, height, picture.height);
        for &(left, right, across) in &columns {
            for c in 0..3 {
                let at = |x: usize, y: usize| f32::from(picture.data[(y * picture.width + x) * 3 + c]);
                let mix = |y: usize| at(left, y) + (at(right, y) - at(left, y)) * across;
                out.push((mix(above) + (mix(below) - mix(above)) * down).round() as u8);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_foreground_does_not_shine_through_the_blur() {
        let (width, height) = (60, 40);
        let inside = |i: usize| (20..40).contains(&(i % width)) && (10..30).contains(&(i / width));
        let rgb: Vec<u8> =
            (0..width * height).flat_map(|i| if inside(i) { [255; 3] } else { [10, 20, 30] }).collect();
        let alpha = (0..width * height).map(|i| f32::from(u8::from(inside(i)))).collect();
        let alpha = Plane::new(width, height, alpha);
        let found = Background::Blur.pixels(&rgb, &alpha, 0, Frame::new(width, height));
        for (i, colour) in found.chunks_exact(3).enumerate().filter(|(i, _)| !inside(*i)) {
            let far = colour.iter().zip([10, 20, 30]).map(|(a, b)| a.abs_diff(b)).max();
            assert!(far < Some(5), "{colour:?} at {i}");
        }
    }
}
