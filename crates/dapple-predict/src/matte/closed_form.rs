//! Closed-form matting (Levin, Lischinski, Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI 2008): the alpha
//! that is best explained as a linear function of colour in every 3 x 3 window, given where it is 0 and 1.
//!
//! It is solved on the band of unknown pixels alone, all others are fixed, by conjugate gradients. The matting Laplacian
//! (their equation 12) is never stored: its product with alpha is the residual of each window's linear fit.

use super::filter::box_mean;
use super::plane::Plane;

/// Regularization of a window's covariance, of colours in 0..=1, times the pixels of a window; as in the authors' code.
const EPSILON: f64 = 1e-7;

/// Pixels of a window.
const AREA: f64 = 9.0;

/// The residual, relative to the initial one, at which alpha is accurate to 8 bits.
const TOLERANCE: f64 = 1e-6;

/// Iterations after which a solution is accepted as it is.
const ROUNDS: usize = 2000;

/// Bytes that an unknown pixel takes while alpha is solved for, windows that reach beyond the band included.
pub(crate) const BYTES_OF_AN_UNKNOWN: u64 = 400;

/// Which pixels are unknown: those within `radius` of one whose alpha is neither nearly 0 nor nearly 1.
pub(crate) fn unknown(alpha: &Plane, radius: usize) -> Vec<bool> {
    const SURE: f32 = 0.05;
    let doubtful = |a: &f32| f32::from(u8::from((SURE..=1.0 - SURE).contains(a)));
    let near = box_mean(&Plane { data: alpha.data.iter().map(doubtful).collect(), ..*alpha }, radius);
    // One pixel of the largest square is more than rounding.
    near.data.iter().map(|&share| share > 1e-6).collect()
}

/// The alpha of unknown pixels by the photograph `rgb`, `[height, width, 3]`, and by the known ones, which become 0 or 1.
pub(crate) fn closed_form(alpha: &Plane, rgb: &[u8], unknown: &[bool]) -> Plane {
    let Plane { width, height, .. } = *alpha;
    let mut out: Vec<f32> = alpha.data.iter().map(|&a| if a > 0.5 { 1.0 } else { 0.0 }).collect();
    if width < 3 || height < 3 {
        return Plane::new(width, height, out);
    }
    // Sites are the pixels that matter: the unknown ones, then the known ones beside them.
    let mut sites: Vec<usize> = (0..unknown.len()).filter(|&i| unknown[i]).collect();
    let unknowns = sites.len();
    let mut site_of = vec![u32::MAX; unknown.len()];
    (0..).zip(&sites).for_each(|(site, &pixel)| site_of[pixel] = site);
    let mut windows = Vec::new();
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            let pixels: [usize; 9] = std::array::from_fn(|i| (y + i / 3 - 1) * width + x + i % 3 - 1);
            if !pixels.iter().any(|&i| unknown[i]) {
                continue;
            }
            for pixel in pixels {
                if site_of[pixel] == u32::MAX {
                    site_of[pixel] = sites.len() as u32;
                    sites.push(pixel);
                }
            }
            let colours = pixels.map(|i| [0, 1, 2].map(|c| f64::from(rgb[3 * i + c]) / 255.0));
            windows.push(Window::new(pixels.map(|i| site_of[i]), colours));
        }
    }
    let begin = |(site, &pixel)| f64::from(if site < unknowns { alpha.data[pixel] } else { out[pixel] });
    let mut solution: Vec<f64> = sites.iter().enumerate().map(begin).collect();
    solve(&Laplacian { windows, unknowns }, &mut solution);
    for (&pixel, alpha) in sites.iter().zip(&solution).take(unknowns) {
        out[pixel] = alpha.clamp(0.0, 1.0) as f32;
    }
    Plane::new(width, height, out)
}

/// A window: its sites, their colours less the mean, and the inverse of the regularised covariance, the upper triangle row
/// by row.
struct Window {
    sites: [u32; 9],
    colours: [[f32; 3]; 9],
    inverse: [f64; 6],
}

impl Window {
    fn new(sites: [u32; 9], colours: [[f64; 3]; 9]) -> Self {
        let mean = [0, 1, 2].map(|c| colours.iter().map(|colour| colour[c]).sum::<f64>() / AREA);
        let centred = colours.map(|colour| [0, 1, 2].map(|c| colour[c] - mean[c]));
        let covariance =
            |a: usize, b: usize| centred.iter().map(|colour| colour[a] * colour[b]).sum::<f64>() / AREA;
        let more = EPSILON / AREA;
        let [a, b, c] = [covariance(0, 0) + more, covariance(0, 1), covariance(0, 2)];
        let [d, e, f] = [covariance(1, 1) + more, covariance(1, 2), covariance(2, 2) + more];
        let adjugate =
            [d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b];
        let determinant = a * adjugate[0] + b * adjugate[1] + c * adjugate[2];
        let colours = centred.map(|colour| colour.map(|v| v as f32));
        Self { sites, colours, inverse: adjugate.map(|v| v / determinant) }
    }

    /// The product of the inverse with a vector.
    fn solve(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        let [a, b, c, d, e, f] = self.inverse;
        [a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z]
    }
}

fn dot(a: [f32; 3], b: [f64; 3]) -> f64 {
    f64::from(a[0]) * b[0] + f64::from(a[1]) * b[1] + f64::from(a[2]) * b[2]
}

/// The matting Laplacian; the first sites are the unknown ones.
struct Laplacian {
    windows: Vec<Window>,
    unknowns: usize,
}

impl Laplacian {
    /// The rows of unknown sites of the product with `alpha`, which has a value a site, or a value an unknown site where
    /// the others are 0.
    fn times(&self, alpha: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for window in &self.windows {
            let values = window.sites.map(|site| alpha.get(site as usize).copied().unwrap_or(0.0));
            let mean = values.iter().sum::<f64>() / AREA;
            let mut with_colour = [0.0; 3];
            for (colour, value) in window.colours.iter().zip(values) {
                (0..3).for_each(|c| with_colour[c] += f64::from(colour[c]) * value / AREA);
            }
            let slopes = window.solve(with_colour);
            for ((&colour, value), site) in window.colours.iter().zip(values).zip(window.sites) {
                if let Some(out) = out.get_mut(site as usize) {
                    *out += value - mean - dot(colour, slopes);
                }
            }
        }
    }

    /// Its diagonal on unknown sites.
    fn diagonal(&self) -> Vec<f64> {
        let mut diagonal = vec![0.0; self.unknowns];
        for window in &self.windows {
            for (&colour, site) in window.colours.iter().zip(window.sites) {
                if let Some(value) = diagonal.get_mut(site as usize) {
                    *value += 1.0 - (1.0 + dot(colour, window.solve(colour.map(f64::from)))) / AREA;
                }
            }
        }
        diagonal
    }
}

/// Conjugate gradients for the unknown sites of `solution`, from its values on, with the diagonal as preconditioner.
fn solve(laplacian: &Laplacian, solution: &mut [f64]) {
    let unknowns = laplacian.unknowns;
    let diagonal = laplacian.diagonal();
    let mut product = vec![0.0; unknowns];
    laplacian.times(solution, &mut product);
    let mut residual: Vec<f64> = product.iter().map(|v| -v).collect();
    let precondition = |residual: &[f64]| -> Vec<f64> {
        // The diagonal is positive but for rounding.
        residual.iter().zip(&diagonal).map(|(r, d)| r / d.max(1e-12)).collect()
    };
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut scaled = precondition(&residual);
    let mut direction = scaled.clone();
    let mut size = inner(&residual, &scaled);
    let enough = size * TOLERANCE * TOLERANCE;
    for _ in 0..ROUNDS {
        if size <= enough {
            break;
        }
        laplacian.times(&direction, &mut product);
        let bend = inner(&direction, &product);
        if bend <= 0.0 {
            break;
        }
        let step = size / bend;
        solution[..unknowns].iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        residual.iter_mut().zip(&product).for_each(|(r, p)| *r -= step * p);
        scaled = precondition(&residual);
        let next = inner(&residual, &scaled);
        direction.iter_mut().zip(&scaled).for_each(|(d, z)| *d = z + next / size * *d);
        size = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The image of `tests/golden/closed_form.py`, and how far each pixel lies from the edge.
    fn scene(width: usize, height: usize) -> (Vec<u8>, Vec<i64>) {
        let (mut rgb, mut distances) = (Vec::new(), Vec::new());
        for i in 0..width * height {
            let (x, y) = ((i % width) as i64, (i / width) as i64);
            let distance = x - 14 - y / 3;
            let soft = ((distance + 3) * 40).clamp(0, 240);
            let front = [200 + (x * 7 + y * 3) % 40, 60 + (x * y) % 30, 40 + (x * 3) % 25];
            let back = [30 + (x * 5) % 30, 90 + (y * 11) % 40, 180 + (x + y * 2) % 50];
            rgb.extend(std::array::from_fn::<u8, 3, _>(|c| {
                ((front[c] * soft + back[c] * (240 - soft)) / 240) as u8
            }));
            distances.push(distance);
        }
        (rgb, distances)
    }

    #[test]
    fn alpha_is_that_of_pymatting() {
        let (width, height) = (40, 30);
        let (rgb, distances) = scene(width, height);
        let wanted: Vec<f32> = include_str!("../../tests/golden/closed_form.txt")
            .split_whitespace()
            .map(|value| value.parse().expect("a number"))
            .collect();
        let unknown: Vec<bool> = distances.iter().map(|d| d.abs() <= 8).collect();
        let coarse = distances.iter().map(|&d| if d > 0 { 1.0 } else { 0.0 }).collect();
        let found = closed_form(&Plane::new(width, height, coarse), &rgb, &unknown);
        let worst = found.data.iter().zip(&wanted).map(|(f, w)| (f - w).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "the largest difference is {worst}");
    }

    #[test]
    fn the_band_is_what_lies_near_doubt() {
        let alpha = Plane::new(9, 1, vec![0.0, 0.01, 0.02, 0.0, 0.5, 1.0, 0.97, 1.0, 1.0]);
        let wanted = [false, false, true, true, true, true, true, false, false];
        assert_eq!(unknown(&alpha, 2), wanted);
        // Nothing to solve for, and nowhere to put a window.
        let found = closed_form(&alpha, &[0; 27], &wanted);
        assert!(found.data.iter().all(|a| *a == 0.0 || *a == 1.0));
    }
}
