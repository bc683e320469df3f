//! The colours of the foreground alone, by blur-fusion (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021).
//!
//! A soft pixel `I = alpha F + (1 - alpha) B` shows some of its old background, which would be seen as a rim on a new one.
//! `F` and `B` are estimated by means around each pixel, weighted with alpha, and then corrected by what is left of `I`.

use super::filter::box_mean;
use super::plane::Plane;

/// The smallest weight by which a mean is divided.
const LEAST: f32 = 1e-4;

/// The foreground's colours, `[height, width, 3]`. `factor` is that by which the picture of the means is reduced,
/// `radius` the half side of the squares in its pixels. Pixels that are wholly foreground or background are kept.
pub(crate) fn foreground(rgb: &[u8], alpha: &Plane, radius: usize, factor: usize) -> Vec<u8> {
    let Plane { width, height, .. } = *alpha;
    let mut out = rgb.to_vec();
    let small_alpha = alpha.shrunk(factor);
    let rest = Plane { data: small_alpha.data.iter().map(|a| 1.0 - a).collect(), ..small_alpha };
    let weights = [&small_alpha, &rest].map(|weight| box_mean(weight, radius));
    let mut lines = [vec![0.0; width], vec![0.0; width]];
    for channel in 0..3 {
        let values = rgb.iter().skip(channel).step_by(3).map(|&v| f32::from(v)).collect();
        let image = Plane::new(width, height, values).shrunk(factor);
        let means = [(&small_alpha, &weights[0]), (&rest, &weights[1])].map(|(share, weight)| {
            let sum = box_mean(&image.with(share, |v, share| v * share), radius);
            sum.with(weight, |sum, weight| if weight > LEAST { sum / weight } else { 0.0 })
        });
        // Without foreground or without background nearby, there is nothing to separate.
        let known = weights[0].with(&weights[1], |f, b| if f.min(b) > LEAST { 1.0 } else { 0.0 });
        for y in 0..height {
            for (plane, line) in means.iter().zip(&mut lines) {
                plane.stretched_row(y, factor, line);
            }
            let small = (y / factor).min(known.height - 1) * known.width;
            let [foreground, background] = &lines;
            for (x, (f, b)) in foreground.iter().zip(background).enumerate() {
                let at = y * width + x;
                let a = alpha.data[at];
                if a <= 0.0 || a >= 1.0 || known.data[small + x / factor] == 0.0 {
                    continue;
                }
                let seen = f32::from(rgb[3 * at + channel]);
                out[3 * at + channel] = (f + a * (seen - a * f - (1.0 - a) * b)).round() as u8;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_rim_takes_the_colour_of_the_object() {
        // A white object on black with a column of half covered pixels between.
        let (width, height) = (33, 20);
        let share = |x: usize| [0.0, 0.5, 1.0][(x >= 16) as usize + (x > 16) as usize];
        let alpha = Plane::new(width, height, (0..width * height).map(|i| share(i % width)).collect());
        let rgb: Vec<u8> = alpha.data.iter().flat_map(|a| [(255.0 * a) as u8; 3]).collect();
        let found = foreground(&rgb, &alpha, 4, 1);
        let at = |x: usize| found[3 * (10 * width + x)];
        assert!(at(16) > 220, "{}", at(16));
        assert_eq!((at(3), at(30)), (0, 255));
    }
}
