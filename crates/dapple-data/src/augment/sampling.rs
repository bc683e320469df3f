//! Reading a source at the points of a [`Warp`].

use crate::augment::settings::Border;
use crate::augment::warp::Warp;
use crate::image::raster::Raster;
use crate::mask::label_map::{LabelMap, LabelledImage};

/// Weights of the bilinear interpolation are multiples of 2^-6 along each axis: finer than the 2^-5 of OpenCV, and the
/// products fit three channels into one 64-bit word.
const WEIGHT_BITS: i32 = 6;
const ONE: i32 = 1 << WEIGHT_BITS;

/// Bits between the channels of a packed pixel: 8 for the value, 12 for the product of two weights, one to spare.
const LANE: u32 = 21;

/// Half of the weights' sum in every lane, for rounding.
const HALF: u64 = {
    let half = 1 << (2 * WEIGHT_BITS - 1);
    half | half << LANE | half << (2 * LANE)
};

/// The mean colour of ImageNet in bytes, which is normalized to nearly 0.
const PAD_COLOUR: [u8; 3] = [124, 116, 104];

impl Warp {
    /// Samples image and labels; `pad` is the label beyond the border where it is not mirrored.
    pub fn apply(&self, source: &LabelledImage, pad: u8) -> LabelledImage {
        let pad = (self.border == Border::Pad).then_some(pad);
        sample(self, source, pad)
    }
}

/// Samples image and labels at the points of `warp`; with `pad` what lies outside is padded and has that label, otherwise
/// it is mirrored.
fn sample(warp: &Warp, source: &LabelledImage, pad: Option<u8>) -> LabelledImage {
    let (width, height, channels) = (warp.width, warp.height, source.image.channels);
    // Up to 16 times: what shrinks more has fewer pixels than a thumbnail.
    let factor = (warp.shrinking() as usize).clamp(1, 16);
    let planes: Vec<Packed> =
        (0..channels).step_by(3).map(|c| Packed::new(&source.image, c, factor)).collect();
    let mut data = vec![0; width * height * channels];
    let mut labels = Vec::with_capacity(width * height);
    let (mut xs, mut ys) = (vec![0.0; width], vec![0.0; width]);
    let (mut fxs, mut fys) = (vec![0; width], vec![0; width]);
    for (row, out) in data.chunks_exact_mut(width * channels).enumerate() {
        warp.points(row, &mut xs, &mut ys);
        fixed(&xs, 1.0, &mut fxs);
        fixed(&ys, 1.0, &mut fys);
        nearest(&source.labels, &fxs, &fys, pad, &mut labels);
        if factor > 1 {
            fixed(&xs, 1.0 / factor as f32, &mut fxs);
            fixed(&ys, 1.0 / factor as f32, &mut fys);
        }
        for (plane, first) in planes.iter().zip((0..).step_by(3)) {
            if channels == 3 {
                plane.bilinear_rgb(&fxs, &fys, pad.is_some(), out.as_chunks_mut::<3>().0);
            } else {
                plane.bilinear(&fxs, &fys, pad.is_some(), channels, first, out);
            }
        }
    }
    LabelledImage {
        image: Raster { width, height, channels, data },
        labels: LabelMap { width, height, labels },
    }
}

/// Coordinates in steps of a weight, rounded down.
///
/// The largest source side is 65535 pixels or 2^22 steps; what is farther away shows the border anyway. Counting from
/// that far to the left makes all numbers positive, where cutting off is rounding down.
fn fixed(values: &[f32], scale: f32, out: &mut [i32]) {
    const FAR: f32 = (1 << 22) as f32;
    for (to, value) in out.iter_mut().zip(values) {
        *to = (value * (scale * ONE as f32) + FAR) as i32 - (1 << 22);
    }
}

/// The index that a mirror at both ends shows at `i`.
fn mirrored(i: i32, n: usize) -> usize {
    let n = n as i32;
    let at = match i {
        _ if (0..n).contains(&i) => i,
        _ if (-n..0).contains(&i) => -1 - i,
        _ if (n..2 * n).contains(&i) => 2 * n - 1 - i,
        _ => {
            let at = i.rem_euclid(2 * n);
            if at < n { at } else { 2 * n - 1 - at }
        }
    };
    at as usize
}

fn nearest(map: &LabelMap, xs: &[i32], ys: &[i32], pad: Option<u8>, out: &mut Vec<u8>) {
    let (width, height) = (map.width as u32, map.height as u32);
    out.extend(xs.iter().zip(ys).map(|(&x, &y)| {
        let (x, y) = (x >> WEIGHT_BITS, y >> WEIGHT_BITS);
        // A negative number is a very large one without its sign.
        if (x as u32) < width && (y as u32) < height {
            return map.labels[y as usize * map.width + x as usize];
        }
        pad.unwrap_or_else(|| map.labels[mirrored(y, map.height) * map.width + mirrored(x, map.width)])
    }));
}

/// Up to three channels of an image, a pixel a word.
struct Packed {
    width: usize,
    height: usize,
    channels: usize,
    pixels: Vec<u64>,
    pad: u64,
}

impl Packed {
    /// The channels from `first` on, averaged over `factor` x `factor` pixels.
    fn new(image: &Raster, first: usize, factor: usize) -> Self {
        let channels = (image.channels - first).min(3);
        let (width, height) = (image.width.div_ceil(factor), image.height.div_ceil(factor));
        let pad = match image.channels {
            3 => PAD_COLOUR,
            _ => [PAD_COLOUR[1]; 3],
        };
        let mut pixels = Vec::with_capacity(width * height);
        if factor == 1 {
            if image.channels == 3 {
                pixels.extend(image.data.as_chunks::<3>().0.iter().map(|p| pack(p)));
            } else {
                pixels.extend(
                    image.data.chunks_exact(image.channels).map(|p| pack(&p[first..first + channels])),
                );
            }
        } else {
            average(image, first, channels, factor, &mut pixels);
        }
        Self { width, height, channels, pixels, pad: pack(&pad) }
    }

    /// Writes red, green and blue at the points.
    fn bilinear_rgb(&self, xs: &[i32], ys: &[i32], pad: bool, out: &mut [[u8; 3]]) {
        for ((&x, &y), out) in xs.iter().zip(ys).zip(out) {
            *out = unpack(self.at(x, y, pad));
        }
    }

    /// Writes the values at the points to the channels from `first` on of a row of pixels of `stride` channels.
    fn bilinear(&self, xs: &[i32], ys: &[i32], pad: bool, stride: usize, first: usize, out: &mut [u8]) {
        for ((&x, &y), out) in xs.iter().zip(ys).zip(out.chunks_exact_mut(stride)) {
            let bytes = unpack(self.at(x, y, pad));
            out[first..first + self.channels].copy_from_slice(&bytes[..self.channels]);
        }
    }

    /// The weighted sum of the four pixels around a point.
    #[inline(always)]
    fn at(&self, x: i32, y: i32, pad: bool) -> u64 {
        // Counted from the centre of the first pixel.
        let (fx, fy) = (x - ONE / 2, y - ONE / 2);
        let (ix, iy) = (fx >> WEIGHT_BITS, fy >> WEIGHT_BITS);
        if (ix as u32) < self.width as u32 - 1 && (iy as u32) < self.height as u32 - 1 {
            let at = iy as usize * self.width + ix as usize;
            let four = &self.pixels[at..at + self.width + 2];
            let four = [four[0], four[1], four[self.width], four[self.width + 1]];
            mix(four, fx & (ONE - 1), fy & (ONE - 1))
        } else {
            self.at_border(x, y, pad)
        }
    }

    /// The value at a point whose neighbours are not all in the image.
    #[cold]
    fn at_border(&self, x: i32, y: i32, pad: bool) -> u64 {
        let inside = |v: i32, side: usize| ((v >> WEIGHT_BITS) as u32) < side as u32;
        if pad && !(inside(x, self.width) && inside(y, self.height)) {
            return self.pad << (2 * WEIGHT_BITS);
        }
        let (fx, fy) = (x - ONE / 2, y - ONE / 2);
        let (ix, iy) = (fx >> WEIGHT_BITS, fy >> WEIGHT_BITS);
        // The mirror repeats the outermost pixel, which is also what padding needs at the last half pixel.
        let pixel = |dx: i32, dy: i32| {
            self.pixels[mirrored(iy + dy, self.height) * self.width + mirrored(ix + dx, self.width)]
        };
        mix([pixel(0, 0), pixel(1, 0), pixel(0, 1), pixel(1, 1)], fx & (ONE - 1), fy & (ONE - 1))
    }
}

/// The weighted sum of four pixels, with [`WEIGHT_BITS`] twice behind the point.
fn mix([a, b, c, d]: [u64; 4], wx: i32, wy: i32) -> u64 {
    let (wx, wy) = (wx as u64, wy as u64);
    let (vx, vy) = (ONE as u64 - wx, ONE as u64 - wy);
    a * (vx * vy) + b * (wx * vy) + c * (vx * wy) + d * (wx * wy) + HALF
}

fn pack(values: &[u8]) -> u64 {
    values.iter().rev().fold(0, |word, &v| word << LANE | u64::from(v))
}

/// The three bytes of a weighted sum.
fn unpack(word: u64) -> [u8; 3] {
    std::array::from_fn(|i| (word >> (LANE * i as u32) >> (2 * WEIGHT_BITS)) as u8)
}

/// Means of squares of `factor` pixels; those at the right and lower border are of fewer.
fn average(image: &Raster, first: usize, channels: usize, factor: usize, pixels: &mut Vec<u64>) {
    let (columns, stride) = (image.width.div_ceil(factor), image.width * image.channels);
    // A square of 16 x 16 pixels sums up to 65280, which fits a lane.
    let mut sums = vec![0_u64; columns];
    for rows in image.data.chunks(stride * factor) {
        sums.fill(0);
        for row in rows.chunks_exact(stride) {
            for (sum, pixels) in sums.iter_mut().zip(row.chunks(factor * image.channels)) {
                for pixel in pixels.chunks_exact(image.channels) {
                    *sum += pack(&pixel[first..first + channels]);
                }
            }
        }
        let down = rows.len() / stride;
        pixels.extend(sums.iter().enumerate().map(|(column, &sum)| {
            let n = (down * factor.min(image.width - column * factor)) as u64;
            let lane = |i: usize| (((sum >> (LANE * i as u32) & ((1 << LANE) - 1)) + n / 2) / n) as u8;
            pack(&[lane(0), lane(1), lane(2)])
        }));
    }
}
