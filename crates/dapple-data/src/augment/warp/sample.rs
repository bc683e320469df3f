//! Reading a source at the points of a [`Warp`].

use super::Warp;
use crate::dataset::LabelledImage;
use crate::image_file::Raster;
use crate::labels::LabelMap;

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

/// The mean colour of ImageNet in bytes, which normalises to nearly 0.
const PAD_COLOUR: [u8; 3] = [124, 116, 104];

/// Samples image and labels at the points of `warp`; with `pad` what lies outside is padded and has that label, otherwise
/// it is mirrored.
pub(super) fn sample(warp: &Warp, source: &LabelledImage, pad: Option<u8>) -> LabelledImage {
    let (width, height, channels) = (warp.width, warp.height, source.image.channels);
    // Up to 16 times: what shrinks more has fewer pixels than a thumbnail.
    let factor = (warp.shrinking() as usize).clamp(1, 16);
    let planes: Vec<Packed> =
        (0..channels).step_by(3).map(|c| Packed::new(&source.image, c, factor)).collect();
    let mut data = vec![0; width * height * channels];
    let mut labels = Vec::with_capacity(width * height);
    let (mut xs, mut ys) = (vec![0.0; width], vec![0.0; width]);
    for (row, out) in data.chunks_exact_mut(width * channels).enumerate() {
        warp.points(row, &mut xs, &mut ys);
        nearest(&source.labels, &xs, &ys, pad, &mut labels);
        if factor > 1 {
            let scale = 1.0 / factor as f32;
            xs.iter_mut().chain(&mut ys).for_each(|v| *v *= scale);
        }
        for (plane, first) in planes.iter().zip((0..).step_by(3)) {
            plane.bilinear(&xs, &ys, pad.is_some(), channels, first, out);
        }
    }
    LabelledImage {
        image: Raster { width, height, channels, data },
        labels: LabelMap { width, height, labels },
    }
}

/// The index that a mirror at both ends shows at `i`.
fn mirrored(i: i64, n: usize) -> usize {
    let n = n as i64;
    let at = i.rem_euclid(2 * n);
    (if at < n { at } else { 2 * n - 1 - at }) as usize
}

fn nearest(map: &LabelMap, xs: &[f32], ys: &[f32], pad: Option<u8>, out: &mut Vec<u8>) {
    let (width, height) = (map.width as f32, map.height as f32);
    out.extend(xs.iter().zip(ys).map(|(&x, &y)| {
        if x >= 0.0 && y >= 0.0 && x < width && y < height {
            return map.labels[y as usize * map.width + x as usize];
        }
        pad.unwrap_or_else(|| {
            let (x, y) = (mirrored(x.floor() as i64, map.width), mirrored(y.floor() as i64, map.height));
            map.labels[y * map.width + x]
        })
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

    /// Writes the values at the points to the channels from `first` on of a row of pixels of `stride` channels.
    fn bilinear(&self, xs: &[f32], ys: &[f32], pad: bool, stride: usize, first: usize, out: &mut [u8]) {
        let (last_x, last_y) = (self.width as i32 - 1, self.height as i32 - 1);
        for ((&x, &y), out) in xs.iter().zip(ys).zip(out.chunks_exact_mut(stride)) {
            // The point in steps of a weight, counted from the centre of the first pixel.
            let fx = (x * ONE as f32) as i32 - ONE / 2;
            let fy = (y * ONE as f32) as i32 - ONE / 2;
            let (ix, iy) = (fx >> WEIGHT_BITS, fy >> WEIGHT_BITS);
            let word = if fx >= 0 && fy >= 0 && ix < last_x && iy < last_y {
                let at = iy as usize * self.width + ix as usize;
                let (upper, lower) =
                    (&self.pixels[at..at + 2], &self.pixels[at + self.width..at + self.width + 2]);
                mix([upper[0], upper[1], lower[0], lower[1]], fx & (ONE - 1), fy & (ONE - 1))
            } else {
                self.at_border(x, y, pad)
            };
            let bytes = unpack(word);
            if stride == 3 {
                out.copy_from_slice(&bytes);
            } else {
                out[first..first + self.channels].copy_from_slice(&bytes[..self.channels]);
            }
        }
    }

    /// The value at a point whose neighbours are not all in the image.
    #[cold]
    fn at_border(&self, x: f32, y: f32, pad: bool) -> u64 {
        if pad && !(x >= 0.0 && y >= 0.0 && x < self.width as f32 && y < self.height as f32) {
            return self.pad << (2 * WEIGHT_BITS);
        }
        let part = |v: f32| {
            let steps = (v * ONE as f32).floor() as i64 - i64::from(ONE / 2);
            (steps >> WEIGHT_BITS, (steps & i64::from(ONE - 1)) as i32)
        };
        let ((ix, wx), (iy, wy)) = (part(x), part(y));
        // The mirror repeats the outermost pixel, which is also what padding needs at the last half pixel.
        let pixel = |dx: i64, dy: i64| {
            self.pixels[mirrored(iy + dy, self.height) * self.width + mirrored(ix + dx, self.width)]
        };
        mix([pixel(0, 0), pixel(1, 0), pixel(0, 1), pixel(1, 1)], wx, wy)
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
