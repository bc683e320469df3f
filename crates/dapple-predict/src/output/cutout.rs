//! The foreground with soft edges: transparent around it, or on another background.
//!
//! Alpha is the probability of the classes that are kept, fitted to the photograph by a guided filter; the colours of soft
//! pixels are freed of the old background.

use dapple_data::Raster;
use png::{BitDepth, ColorType};

use super::pictures::PngRows;
use super::{ImageInfo, Output, OutputSettings, Target};
use crate::matte::{Plane, blur, foreground, refine};
use crate::prediction::Wants;
use crate::{PredictError, Row};

/// What a cut-out stands on.
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
    /// The colour that a text such as `#20a0ff` or `#fff` means.
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
}

/// Filters work on a picture reduced to about this many pixels a side.
const FIT_SIDE: usize = 512;

/// The half side of the squares that alpha is fitted in, over the shorter side of the image.
const FIT_RADIUS: f32 = 1.0 / 40.0;

/// Standard deviation of the blurred background over the shorter side.
const BLUR_RADIUS: f32 = 1.0 / 40.0;

/// Alpha below and above which a pixel counts as background and foreground: the filters leave traces around 0 and 1.
const ENDS: [f32; 2] = [0.03, 0.97];

/// Collects the image and alpha.
pub(super) struct Cutout {
    png: PngRows,
    width: usize,
    height: usize,
    /// Which classes are kept.
    kept: Vec<bool>,
    refine: bool,
    background: Background,
    rgb: Vec<u8>,
    alpha: Vec<f32>,
}

impl Cutout {
    pub fn new(
        image: &ImageInfo,
        classes: usize,
        settings: &OutputSettings,
        target: Target,
    ) -> Result<Self, PredictError> {
        let kept = |class: usize| match &settings.keep {
            None => class > 0,
            Some(keep) => keep.iter().any(|&k| usize::from(k) == class),
        };
        let color = match settings.background {
            Background::Transparent => ColorType::Rgba,
            _ => ColorType::Rgb,
        };
        Ok(Self {
            png: PngRows::new(image, color, BitDepth::Eight, None, target)?,
            width: image.width,
            height: image.height,
            kept: (0..classes).map(kept).collect(),
            refine: settings.refine,
            background: settings.background.clone(),
            rgb: Vec::new(),
            alpha: Vec::new(),
        })
    }

    /// Alpha and the colours of the foreground.
    fn matte(&self) -> (Vec<f32>, Vec<u8>) {
        let alpha = Plane::new(self.width, self.height, self.alpha.clone());
        let side = self.width.min(self.height);
        let factor = (side / FIT_SIDE).max(1);
        let radius = ((side as f32 * FIT_RADIUS) as usize).max(2);
        let mut alpha = if self.refine { refine(&alpha, &self.rgb, radius, factor) } else { alpha };
        let [low, high] = ENDS;
        alpha.data.iter_mut().for_each(|a| *a = ((*a - low) / (high - low)).clamp(0.0, 1.0));
        let colours = foreground(&self.rgb, &alpha, radius, factor);
        (alpha.data, colours)
    }

    /// The background's colours, `[height, width, 3]`.
    fn behind(&self) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        match &self.background {
            Background::Transparent => Vec::new(),
            Background::Colour(colour) => colour.repeat(width * height),
            Background::Picture(picture) => covering(picture, width, height),
            Background::Blur => {
                let side = width.min(height);
                let factor = (side / FIT_SIDE).max(1);
                let radius = ((side as f32 * BLUR_RADIUS) as usize / factor).max(1);
                let mut out = vec![0; 3 * width * height];
                let mut line = vec![0.0; width];
                for channel in 0..3 {
                    let values = self.rgb.iter().skip(channel).step_by(3).map(|&v| f32::from(v)).collect();
                    let blurred = blur(&Plane::new(width, height, values).shrunk(factor), radius);
                    for y in 0..height {
                        blurred.stretched_row(y, factor, &mut line);
                        let row = &mut out[3 * y * width..][..3 * width];
                        row.iter_mut()
                            .skip(channel)
                            .step_by(3)
                            .zip(&line)
                            .for_each(|(to, v)| *to = v.round() as u8);
                    }
                }
                out
            }
        }
    }
}

impl Output for Cutout {
    fn wants(&self) -> Wants {
        Wants { probabilities: true, ..Wants::default() }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError> {
        row.append_rgb(&mut self.rgb);
        let pixels = row.values.probabilities.chunks_exact(self.kept.len());
        self.alpha.extend(pixels.map(|p| {
            let kept = p.iter().zip(&self.kept).filter(|(_, kept)| **kept);
            kept.map(|(p, _)| p).sum::<f32>().min(1.0)
        }));
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), PredictError> {
        let (alpha, colours) = self.matte();
        let behind = self.behind();
        let mut line = Vec::new();
        for y in 0..self.height {
            line.clear();
            let row = y * self.width..(y + 1) * self.width;
            let pixels = colours.as_chunks::<3>().0[row.clone()].iter().zip(&alpha[row.clone()]);
            if behind.is_empty() {
                line.extend(pixels.flat_map(|(&[r, g, b], a)| {
                    let a = (a * 255.0).round() as u8;
                    // What is not seen compresses best as black.
                    if a == 0 { [0; 4] } else { [r, g, b, a] }
                }));
            } else {
                let behind = &behind.as_chunks::<3>().0[row];
                line.extend(pixels.zip(behind).flat_map(|((front, a), back)| -> [u8; 3] {
                    std::array::from_fn(|c| {
                        (f32::from(front[c]) * a + f32::from(back[c]) * (1.0 - a)).round() as u8
                    })
                }));
            }
            self.png.row(&line)?;
        }
        self.png.finish()
    }
}

/// A picture scaled, bilinearly, and cropped around its middle so that it covers `width` x `height`.
fn covering(picture: &Raster, width: usize, height: usize) -> Vec<u8> {
    let scale = (picture.width as f32 / width as f32).min(picture.height as f32 / height as f32);
    let place = |at: usize, size: usize, of: usize| {
        let at = (at as f32 + 0.5 - size as f32 / 2.0) * scale + of as f32 / 2.0 - 0.5;
        let at = at.clamp(0.0, (of - 1) as f32);
        (at as usize, (at as usize + 1).min(of - 1), at.fract())
    };
    let columns: Vec<_> = (0..width).map(|x| place(x, width, picture.width)).collect();
    let mut out = Vec::with_capacity(3 * width * height);
    for y in 0..height {
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
