//! Damage such as cameras and files do: blur, noise, JPEG artefacts; and covered rectangles.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageFormat};

use crate::augment::settings::Augment;
use crate::image::raster::Raster;
use crate::random::{Purpose, Random};

/// The damage of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Damage {
    /// Standard deviation of the Gaussian in pixels.
    blur: Option<f64>,
    /// Standard deviation of 255, and the seed.
    noise: Option<(f64, u64)>,
    /// The quality.
    jpeg: Option<u8>,
    /// The seed of the rectangles.
    cutout: Option<u64>,
}

impl Damage {
    pub fn draw(augment: &Augment, random: &mut Random) -> Self {
        let blur = (random.chance(augment.blur), random.range(0.3, 2.0));
        let noise = (random.chance(augment.noise), (random.range(2.0, 12.0), random.word()));
        let jpeg = (random.chance(augment.jpeg), 25 + random.below(66) as u8);
        let cutout = (random.chance(augment.cutout), random.word());
        Self {
            blur: blur.0.then_some(blur.1),
            noise: noise.0.then_some(noise.1),
            jpeg: jpeg.0.then_some(jpeg.1),
            cutout: cutout.0.then_some(cutout.1),
        }
    }

    pub fn apply(&self, image: &mut Raster) {
        if let Some(sigma) = self.blur {
            blur(image, sigma);
        }
        if let Some((deviation, seed)) = self.noise {
            add_noise(image, deviation, seed);
        }
        if let Some(quality) = self.jpeg {
            compress(image, quality);
        }
        if let Some(seed) = self.cutout {
            cover(image, &mut Random::new(seed, Purpose::Details, 0, 0));
        }
    }
}

/// Gaussian blur, rows then columns; the border is repeated outwards.
fn blur(image: &mut Raster, sigma: f64) {
    let radius = (2.5 * sigma).ceil() as usize;
    let weight = |i: usize| (-0.5 * ((i as f64 - radius as f64) / sigma).powi(2)).exp();
    let sum: f64 = (0..=2 * radius).map(weight).sum();
    let weights: Vec<u32> = (0..=2 * radius).map(|i| (weight(i) / sum * 65536.0).round() as u32).collect();
    let (width, height, channels) = (image.width, image.height, image.channels);
    let stride = width * channels;
    let mut sums = vec![0_u32; stride];
    // Whole lines are added up weight by weight, which the compiler turns into vector instructions.
    let add = |sums: &mut [u32], line: &[u8], weight: u32| {
        sums.iter_mut().zip(line).for_each(|(sum, v)| *sum += u32::from(*v) * weight);
    };
    let mut line = Vec::with_capacity((width + 2 * radius) * channels);
    for row in image.data.chunks_exact_mut(stride) {
        line.clear();
        (0..radius).for_each(|_| line.extend_from_slice(&row[..channels]));
        line.extend_from_slice(row);
        (0..radius).for_each(|_| line.extend_from_slice(&row[stride - channels..]));
        sums.fill(0);
        for (i, weight) in weights.iter().enumerate() {
            add(&mut sums, &line[i * channels..], *weight);
        }
        row.iter_mut().zip(&sums).for_each(|(value, sum)| *value = weighted(*sum));
    }
    let source = image.data.clone();
    for (y, row) in image.data.chunks_exact_mut(stride).enumerate() {
        sums.fill(0);
        for (i, weight) in weights.iter().enumerate() {
            let from = (y + i).saturating_sub(radius).min(height - 1);
            add(&mut sums, &source[from * stride..][..stride], *weight);
        }
        row.iter_mut().zip(&sums).for_each(|(value, sum)| *value = weighted(*sum));
    }
}

/// A sum with weights of 2^16 in all, rounded.
fn weighted(sum: u32) -> u8 {
    ((sum + (1 << 15)) >> 16).min(255) as u8
}

/// Adds noise whose distribution is that of the number of ones among 64 random bits, which is nearly normal.
fn add_noise(image: &mut Raster, deviation: f64, seed: u64) {
    /// The standard deviation of the number of ones.
    const ONES: f64 = 4.0;
    let table: [i16; 65] =
        std::array::from_fn(|ones| ((ones as f64 - 32.0) / ONES * deviation).round() as i16);
    let mut state = seed;
    for value in &mut image.data {
        // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): fast, and the quality of noise needs no more.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        let changed = i16::from(*value) + table[word.count_ones() as usize];
        *value = changed.clamp(0, 255) as u8;
    }
}

/// Compresses and decodes; images that are neither grey nor colour are left alone.
fn compress(image: &mut Raster, quality: u8) {
    let colour = match image.channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        _ => return,
    };
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, quality).encode(
        &image.data,
        image.width as u32,
        image.height as u32,
        colour,
    );
    let decoded = encoded.and_then(|()| image::load(Cursor::new(bytes), ImageFormat::Jpeg));
    // JPEG holds sides of up to 65535 pixels, and inputs of networks are smaller, so that this always succeeds.
    if let Ok(decoded) = decoded {
        image.data = match decoded {
            DynamicImage::ImageLuma8(grey) if image.channels == 1 => grey.into_raw(),
            other if image.channels == 3 => other.into_rgb8().into_raw(),
            other => other.into_luma8().into_raw(),
        };
    }
}

/// Covers one to four rectangles with the mean colour.
fn cover(image: &mut Raster, random: &mut Random) {
    let channels = image.channels;
    let pixels = (image.width * image.height) as u64;
    let mean: Vec<u8> = (0..channels)
        .map(|c| {
            (image.data.iter().skip(c).step_by(channels).map(|&v| u64::from(v)).sum::<u64>() / pixels) as u8
        })
        .collect();
    for _ in 0..1 + random.below(4) {
        let mut side = |whole: usize| {
            let length = ((whole as f64 * random.range(0.05, 0.25)) as usize).max(1);
            (random.below(whole - length + 1), length)
        };
        let ((left, across), (top, down)) = (side(image.width), side(image.height));
        for row in image.data.chunks_exact_mut(image.width * channels).skip(top).take(down) {
            for pixel in row[left * channels..][..across * channels].chunks_exact_mut(channels) {
                pixel.copy_from_slice(&mean);
            }
        }
    }
}
