//! All geometry as one map from output to source pixels, sampled once for image and mask.
//!
//! Coordinates are continuous: the centre of the first pixel is (0.5, 0.5). A point of the output goes through the elastic
//! displacement, the flips, the perspective, the window, and rotation, shear and scale about the window's centre. The
//! image is sampled bilinearly with weights in steps of 1/64 pixel, from a source that was averaged over k x k pixels
//! before where the map shrinks it k times or more; the mask takes the label at the very same point.

use crate::augment::change::Change;
use crate::augment::geometry::Geometry;
use crate::augment::settings::Border;
use crate::image::resize::Window;
use crate::random::{Purpose, Random};

/// A 3 x 3 matrix on homogeneous coordinates.
type Matrix = [[f64; 3]; 3];

/// The map of one sample.
#[derive(Debug, Clone)]
pub(crate) struct Warp {
    /// From output to source pixels.
    matrix: Matrix,
    elastic: Option<Elastic>,
    pub border: Border,
    pub height: usize,
    pub width: usize,
}

impl Warp {
    /// The map of a change from a source to an output of `[height, width]`; `window` is where it is placed.
    pub fn new(
        change: &Change,
        window: Window,
        (source_height, source_width): (usize, usize),
        (height, width): (usize, usize),
    ) -> Self {
        let geometry = &change.geometry;
        let (w, h) = (width as f64, height as f64);
        let flip = |flipped: bool, side: f64| if flipped { [-1.0 / side, 1.0] } else { [1.0 / side, 0.0] };
        let ([ax, bx], [ay, by]) = (flip(change.flip_horizontal, w), flip(change.flip_vertical, h));
        let unit = [[ax, 0.0, bx], [0.0, ay, by], [0.0, 0.0, 1.0]];
        let (sw, sh) = (source_width as f64, source_height as f64);
        let place = [
            [window.width * sw, 0.0, window.left * sw],
            [0.0, window.height * sh, window.top * sh],
            [0.0, 0.0, 1.0],
        ];
        let (cx, cy) = ((window.left + window.width / 2.0) * sw, (window.top + window.height / 2.0) * sh);
        let matrix = multiply(place, multiply(perspective(geometry.corners), unit));
        let matrix = multiply(about(linear(geometry), cx, cy), matrix);
        let elastic = geometry.elastic.map(|(share, seed)| Elastic::new(share, seed, height, width));
        Self { matrix, elastic, border: geometry.border, height, width }
    }

    /// Source pixels for one output pixel, along one axis, at the centre.
    pub fn shrinking(&self) -> f64 {
        let (x, y) = (self.width as f64 / 2.0, self.height as f64 / 2.0);
        let at = |x: f64, y: f64| map(&self.matrix, x, y);
        let ([x0, y0], [x1, y1], [x2, y2]) = (at(x, y), at(x + 1.0, y), at(x, y + 1.0));
        ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)).abs().sqrt()
    }

    /// The source points of the pixels of output row `row`.
    pub fn points(&self, row: usize, xs: &mut [f32], ys: &mut [f32]) {
        let y = row as f64 + 0.5;
        if let Some(elastic) = &self.elastic {
            elastic.displacements(row, xs, ys);
            for (column, (x, y_out)) in xs.iter_mut().zip(ys).enumerate() {
                let at = map(&self.matrix, column as f64 + 0.5 + f64::from(*x), y + f64::from(*y_out));
                (*x, *y_out) = (at[0] as f32, at[1] as f32);
            }
            return;
        }
        let [[a, b, c], [d, e, f], [g, h, i]] = self.matrix;
        let (x0, y0, w0) = (b * y + c, e * y + f, h * y + i);
        for (column, (x, y)) in xs.iter_mut().zip(ys).enumerate() {
            let column = column as f64 + 0.5;
            let (px, py) = (x0 + a * column, y0 + d * column);
            // Without perspective the last row is 0, 0, 1.
            let w = if g == 0.0 { 1.0 / w0 } else { 1.0 / (w0 + g * column) };
            (*x, *y) = ((px * w) as f32, (py * w) as f32);
        }
    }
}

fn multiply(a: Matrix, b: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn map(m: &Matrix, x: f64, y: f64) -> [f64; 2] {
    let w = m[2][0] * x + m[2][1] * y + m[2][2];
    [(m[0][0] * x + m[0][1] * y + m[0][2]) / w, (m[1][0] * x + m[1][1] * y + m[1][2]) / w]
}

/// Rotation after shear, and the inverse of the scale: where a point's colour comes from.
fn linear(geometry: &Geometry) -> [[f64; 2]; 2] {
    let (sin, cos) = geometry.angle.sin_cos();
    let [sx, sy] = geometry.shear;
    let k = 1.0 / geometry.factor;
    [[k * (cos - sin * sy), k * (cos * sx - sin)], [k * (sin + cos * sy), k * (sin * sx + cos)]]
}

/// A linear map about a point.
fn about([[a, b], [c, d]]: [[f64; 2]; 2], x: f64, y: f64) -> Matrix {
    [[a, b, x - a * x - b * y], [c, d, y - c * x - d * y], [0.0, 0.0, 1.0]]
}

/// The projective map of the unit square to the one with shifted corners (Heckbert, "Fundamentals of Texture Mapping and
/// Image Warping", 1989, section 2.2.3).
fn perspective(shifts: [[f64; 2]; 4]) -> Matrix {
    let corner = |i: usize| [shifts[i][0] + f64::from(i as u8 % 2), shifts[i][1] + f64::from(i as u8 / 2)];
    let ([x0, y0], [x1, y1], [x3, y3], [x2, y2]) = (corner(0), corner(1), corner(2), corner(3));
    let (sx, sy) = (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3);
    let (dx1, dx2, dy1, dy2) = (x1 - x2, x3 - x2, y1 - y2, y3 - y2);
    let determinant = dx1 * dy2 - dx2 * dy1;
    let (g, h) = ((sx * dy2 - dx2 * sy) / determinant, (dx1 * sy - sx * dy1) / determinant);
    [[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]]
}

/// A smooth random displacement: a cubic B-spline over a lattice of normal numbers (Rueckert et al., "Nonrigid
/// registration using free-form deformations", IEEE TMI 1999).
#[derive(Debug, Clone)]
struct Elastic {
    /// Displacements in output pixels, `[rows, columns]`.
    lattice: Vec<[f32; 2]>,
    columns: usize,
    /// Pixels between lattice points.
    cell: f64,
    /// For every output column the first of its four lattice columns, and their weights.
    across: Vec<(usize, [f32; 4])>,
}

/// Lattice cells along the shorter side.
const CELLS: f64 = 5.0;

/// The standard deviation of a bicubic B-spline over independent normal numbers of deviation 1, averaged over a cell.
const SPLINE_DEVIATION: f64 = 0.479;

impl Elastic {
    fn new(share: f64, seed: u64, height: usize, width: usize) -> Self {
        let side = height.min(width) as f64;
        let cell = (side / CELLS).max(1.0);
        let count = |side: usize| (side as f64 / cell).ceil() as usize + 3;
        let (rows, columns) = (count(height), count(width));
        let mut random = Random::new(seed, Purpose::Details, 0, 0);
        let deviation = share * side / SPLINE_DEVIATION;
        // The sum of twelve uniform numbers is nearly normal and never far out.
        let mut normal = || ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0) * deviation;
        let lattice = (0..rows * columns).map(|_| [normal() as f32, normal() as f32]).collect();
        let across = (0..width).map(|x| spline(x, cell)).collect();
        Self { lattice, columns, cell, across }
    }

    fn displacements(&self, row: usize, xs: &mut [f32], ys: &mut [f32]) {
        let (first, weights) = spline(row, self.cell);
        let line: Vec<[f32; 2]> = (0..self.columns)
            .map(|column| {
                let point = |k: usize| self.lattice[(first + k) * self.columns + column];
                std::array::from_fn(|axis| (0..4).map(|k| weights[k] * point(k)[axis]).sum())
            })
            .collect();
        for ((x, y), (first, weights)) in xs.iter_mut().zip(ys).zip(&self.across) {
            let four = &line[*first..*first + 4];
            (*x, *y) = (0.0, 0.0);
            for (point, weight) in four.iter().zip(weights) {
                *x += point[0] * weight;
                *y += point[1] * weight;
            }
        }
    }
}

/// The first of four lattice lines of a pixel, and the weights of a cubic B-spline.
fn spline(pixel: usize, cell: f64) -> (usize, [f32; 4]) {
    let at = (pixel as f64 + 0.5) / cell;
    let t = at.fract();
    let weights = [
        (1.0 - t).powi(3) / 6.0,
        (3.0 * t.powi(3) - 6.0 * t * t + 4.0) / 6.0,
        (-3.0 * t.powi(3) + 3.0 * t * t + 3.0 * t + 1.0) / 6.0,
        t.powi(3) / 6.0,
    ];
    (at as usize, weights.map(|weight| weight as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_go_where_they_are_shifted() {
        let shifts = [[0.1, -0.05], [0.15, 0.2], [-0.1, 0.02], [0.0, -0.2]];
        let matrix = perspective(shifts);
        for (i, shift) in shifts.iter().enumerate() {
            let (x, y) = ((i % 2) as f64, (i / 2) as f64);
            let at = map(&matrix, x, y);
            assert!((at[0] - x - shift[0]).abs() < 1e-12 && (at[1] - y - shift[1]).abs() < 1e-12);
        }
        assert_eq!(perspective([[0.0; 2]; 4]), [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    }

    #[test]
    fn displacements_have_the_deviation_asked_for() {
        let (mut sum, mut n) = (0.0, 0.0);
        for seed in 0..40 {
            let elastic = Elastic::new(0.02, seed, 100, 120);
            let (mut xs, mut ys) = (vec![0.0; 120], vec![0.0; 120]);
            for row in 0..100 {
                elastic.displacements(row, &mut xs, &mut ys);
                sum += xs.iter().chain(&ys).map(|v| f64::from(v * v)).sum::<f64>();
                n += 240.0;
            }
        }
        let deviation = f64::sqrt(sum / n);
        assert!((1.8..2.2).contains(&deviation), "{deviation} for 2 pixels");
    }
}
