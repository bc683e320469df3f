//! Brightness, contrast, saturation, hue, gamma, grey.

use crate::augment::settings::Augment;
use crate::image::raster::{Raster, luma};
use crate::random::Random;

/// The changes of one sample's colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Colour {
    /// Factors of brightness, contrast and saturation.
    factors: [f64; 3],
    /// In degrees.
    hue: f64,
    /// The exponent.
    gamma: f64,
}

impl Colour {
    pub fn draw(augment: &Augment, factors: [f64; 3], random: &mut Random) -> Self {
        let hue = augment.hue * random.range(-1.0, 1.0);
        let power = random.range(-1.0, 1.0);
        let grey = random.chance(augment.grey);
        let [brightness, contrast, saturation] = factors;
        Self {
            factors: [brightness, contrast, if grey { 0.0 } else { saturation }],
            hue,
            gamma: (1.0 + augment.gamma).powf(power),
        }
    }

    /// Changes an image; pictures that are neither grey nor colour keep their channels apart.
    pub fn apply(&self, image: &mut Raster) {
        if self.hue == 0.0 || image.channels != 3 {
            recolour(image, self.factors);
        } else {
            mix_channels(image, self.factors, self.hue);
        }
        if self.gamma != 1.0 {
            let power = |v: usize| ((v as f64 / 255.0).powf(self.gamma) * 255.0).round() as u8;
            let table: [u8; 256] = std::array::from_fn(power);
            image.data.iter_mut().for_each(|v| *v = table[usize::from(*v)]);
        }
    }
}

/// The mean grey of an image.
fn mean_grey(image: &Raster) -> f32 {
    let sum: u64 = match image.channels {
        3 => image.data.as_chunks::<3>().0.iter().map(|&p| u64::from(luma(p))).sum(),
        channels => image.data.iter().map(|&v| u64::from(v)).sum::<u64>() / channels as u64,
    };
    sum as f32 / (image.width * image.height) as f32
}

/// Changes saturation, contrast about the mean grey, and brightness, in this order, rounding once.
fn recolour(image: &mut Raster, [brightness, contrast, saturation]: [f64; 3]) {
    if [brightness, contrast, saturation] == [1.0; 3] {
        return;
    }
    let (brightness, contrast, saturation) = (brightness as f32, contrast as f32, saturation as f32);
    let mean = mean_grey(image);
    for pixel in image.data.chunks_exact_mut(image.channels) {
        let grey = f32::from(if let &mut [r, g, b] = pixel { luma([r, g, b]) } else { pixel[0] });
        for value in pixel {
            let saturated = grey + (f32::from(*value) - grey) * saturation;
            let changed = (mean + (saturated - mean) * contrast) * brightness;
            *value = changed.round().clamp(0.0, 255.0) as u8;
        }
    }
}

/// The same with a turn of the hue before: all of it is one 3 x 3 matrix and an addend.
///
/// The hue is turned in the plane of I and Q of YIQ, at constant brightness.
fn mix_channels(image: &mut Raster, [brightness, contrast, saturation]: [f64; 3], hue: f64) {
    /// Shares of red, green and blue in brightness, as in [`luma`].
    const GREY: [f64; 3] = [0.299, 0.587, 0.114];
    /// The matrix that a turn by 90 degrees adds to the matrix that leaves only the brightness.
    const QUARTER: [[f64; 3]; 3] = [[0.168, 0.330, -0.498], [-0.328, 0.035, 0.293], [1.250, -1.050, -0.200]];
    let pixels = image.data.as_chunks_mut::<3>().0;
    let mut sums = [0_u64; 3];
    for pixel in pixels.iter() {
        (0..3).for_each(|c| sums[c] += u64::from(pixel[c]));
    }
    let mean = (0..3).map(|c| GREY[c] * sums[c] as f64).sum::<f64>() / pixels.len() as f64;
    let (sin, cos) = hue.to_radians().sin_cos();
    let turned = |row: usize, column: usize| {
        let one = f64::from(u8::from(row == column));
        GREY[column] + cos * (one - GREY[column]) + sin * QUARTER[row][column]
    };
    // Saturation mixes with the brightness, which the turn leaves as it is.
    let matrix: [[f64; 3]; 3] = std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let saturated = GREY[column] + saturation * (turned(row, column) - GREY[column]);
            saturated * contrast * brightness
        })
    });
    Lanes::new(&matrix, mean * (1.0 - contrast) * brightness).apply(pixels);
}

/// A matrix as tables: what each value of each channel adds to red, green and blue, side by side in one word.
///
/// A lane holds a number from -8192 to 8191 in steps of 1/16, counted from its lower end.
struct Lanes {
    tables: Box<[[u64; 256]; 3]>,
    clamped: Box<[u8; 1 << 14]>,
}

/// Bits between the lanes, and bits behind the point.
const LANE: u32 = 21;
const FRACTION: u32 = 4;
const LOWEST: f64 = -8192.0;

impl Lanes {
    fn new(matrix: &[[f64; 3]; 3], addend: f64) -> Self {
        // A third of the offset and of the addend goes to each channel; no sum can then leave a lane.
        let part = |value: f64| {
            let third = (LOWEST.abs() + addend + 0.5) / 3.0;
            ((value + third).clamp(0.0, -LOWEST / 1.5) * f64::from(1 << FRACTION)).round() as u64
        };
        let word = |column: usize, v: usize| {
            (0..3).fold(0, |word, row| word | part(matrix[row][column] * v as f64) << (LANE * row as u32))
        };
        let tables = std::array::from_fn(|column| std::array::from_fn(|v| word(column, v)));
        let clamped = std::array::from_fn(|v| (v as f64 + LOWEST).clamp(0.0, 255.0) as u8);
        Self { tables: Box::new(tables), clamped: Box::new(clamped) }
    }

    fn apply(&self, pixels: &mut [[u8; 3]]) {
        const MASK: u64 = (1 << 14) - 1;
        for pixel in pixels {
            let [r, g, b] = pixel.map(usize::from);
            let sum = self.tables[0][r] + self.tables[1][g] + self.tables[2][b];
            *pixel = std::array::from_fn(|row| {
                self.clamped[(sum >> (LANE * row as u32 + FRACTION) & MASK) as usize]
            });
        }
    }
}
