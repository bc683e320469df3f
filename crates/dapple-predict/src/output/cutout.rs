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
use crate::{PredictError, Prediction, Row};

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

    /// Its colours behind a photograph, `[height, width, 3]`; black for nothing.
    fn pixels(&self, rgb: &[u8], width: usize, height: usize) -> Vec<u8> {
        match self {
            Self::Transparent => vec![0; 3 * width * height],
            Self::Colour(colour) => colour.repeat(width * height),
            Self::Picture(picture) => covering(picture, width, height),
            Self::Blur => blurred(rgb, width, height),
        }
    }
}

/// Filters work on a picture reduced to about this many pixels a side.
const FIT_SIDE: usize = 512;

/// The half side of the squares that alpha is fitted in, over the shorter side of the image.
const FIT_RADIUS: f32 = 1.0 / 64.0;

/// Standard deviation of the blurred background over the shorter side.
const BLUR_RADIUS: f32 = 1.0 / 40.0;

/// Alpha below and above which a pixel counts as background and foreground: the filters leave traces around 0 and 1.
const ENDS: [f32; 2] = [0.1, 0.9];

/// Collects the image and alpha.
pub(super) struct Cutout {
    png: PngRows,
    size: (usize, usize),
    settings: OutputSettings,
    classes: usize,
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
        let color = match settings.background {
            Background::Transparent => ColorType::Rgba,
            _ => ColorType::Rgb,
        };
        Ok(Self {
            png: PngRows::new(image, color, BitDepth::Eight, None, target)?,
            size: (image.width, image.height),
            settings: settings.clone(),
            classes,
            rgb: Vec::new(),
            alpha: Vec::new(),
        })
    }
}

impl Output for Cutout {
    fn wants(&self) -> Wants {
        Wants { probabilities: true, ..Wants::default() }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError> {
        row.append_rgb(&mut self.rgb);
        self.settings.append_alpha(&row.values.probabilities, self.classes, &mut self.alpha);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        let Self { mut png, size, settings, rgb, alpha, .. } = *self;
        let picture = compose(size, &rgb, alpha, &settings);
        picture.chunks_exact(picture.len() / size.1).try_for_each(|line| png.row(line))?;
        png.finish()
    }
}

impl OutputSettings {
    /// The alpha of all pixels of a prediction, as the network gives it: the probability of the classes that are kept.
    pub(crate) fn alpha(&self, prediction: &Prediction) -> Vec<f32> {
        let mut alpha = Vec::with_capacity(prediction.width() * prediction.height());
        let mut rows = prediction.rows(Wants { probabilities: true, ..Wants::default() });
        for y in 0..prediction.height() {
            self.append_alpha(&rows.row(y).probabilities, prediction.classes(), &mut alpha);
        }
        alpha
    }

    fn append_alpha(&self, probabilities: &[f32], classes: usize, alpha: &mut Vec<f32>) {
        let kept = |class: usize| match &self.keep {
            None => class > 0,
            Some(keep) => keep.iter().any(|&k| usize::from(k) == class),
        };
        let kept: Vec<usize> = (0..classes).filter(|&class| kept(class)).collect();
        let pixels = probabilities.chunks_exact(classes);
        alpha.extend(pixels.map(|p| kept.iter().map(|&class| p[class]).sum::<f32>().min(1.0)));
    }
}

/// The cut-out of an image: `[height, width, 4]` with alpha on nothing, `[height, width, 3]` on any other background.
pub(crate) fn compose(
    (width, height): (usize, usize),
    rgb: &[u8],
    alpha: Vec<f32>,
    settings: &OutputSettings,
) -> Vec<u8> {
    let side = width.min(height);
    let factor = (side / FIT_SIDE).max(1);
    let radius = ((side as f32 * FIT_RADIUS) as usize).max(2);
    let mut alpha = Plane::new(width, height, alpha);
    if settings.refine {
        alpha = refine(&alpha, rgb, radius, factor);
    }
    let [low, high] = ENDS;
    alpha.data.iter_mut().for_each(|a| *a = ((*a - low) / (high - low)).clamp(0.0, 1.0));
    let colours = foreground(rgb, &alpha, radius, factor);

    let front = colours.as_chunks::<3>().0.iter().zip(&alpha.data);
    if settings.background == Background::Transparent {
        return front
            .flat_map(|(&[r, g, b], a)| {
                let a = (a * 255.0).round() as u8;
                // What is not seen compresses best as black.
                if a == 0 { [0; 4] } else { [r, g, b, a] }
            })
            .collect();
    }
    let behind = settings.background.pixels(rgb, width, height);
    let mix =
        |front: u8, back: u8, a: f32| (f32::from(front) * a + f32::from(back) * (1.0 - a)).round() as u8;
    front
        .zip(behind.as_chunks::<3>().0)
        .flat_map(|((front, &a), back)| -> [u8; 3] { std::array::from_fn(|c| mix(front[c], back[c], a)) })
        .collect()
}

/// A photograph without its details.
fn blurred(rgb: &[u8], width: usize, height: usize) -> Vec<u8> {
    let side = width.min(height);
    let factor = (side / FIT_SIDE).max(1);
    let radius = ((side as f32 * BLUR_RADIUS) as usize / factor).max(1);
    let mut out = vec![0; 3 * width * height];
    let mut line = vec![0.0; width];
    for channel in 0..3 {
        let values = rgb.iter().skip(channel).step_by(3).map(|&v| f32::from(v)).collect();
        let plane = blur(&Plane::new(width, height, values).shrunk(factor), radius);
        for (y, row) in out.chunks_exact_mut(3 * width).enumerate() {
            plane.stretched_row(y, factor, &mut line);
            row.iter_mut().skip(channel).step_by(3).zip(&line).for_each(|(to, v)| *to = v.round() as u8);
        }
    }
    out
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
