//! Label maps from regions: polygons, discs and run lengths, drawn in order.
//!
//! A pixel belongs to a polygon if its centre does, by the even-odd rule.

use crate::mask::label_map::LabelMap;

/// The most steps that drawing all regions of one image may take: about a second of work. Small pictures have room for
/// thousands of regions as large as themselves.
const LEAST_WORK_LIMIT: u64 = 1 << 30;

/// The steps for each pixel of a large image.
const WORK_PER_PIXEL: u64 = 64;

/// The largest side of a label map that is drawn, in pixels.
pub(crate) const SIDE_LIMIT: usize = 1 << 16;

/// The regions of one image in the order in which they are drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Regions {
    pub width: usize,
    pub height: usize,
    /// The label outside of all regions.
    pub background: u8,
    pub regions: Vec<(u8, Shape)>,
}

/// A set of pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Corners in pixels, x to the right and y down; the centre of the first pixel is (0.5, 0.5).
    Polygon(Vec<[f32; 2]>),
    /// A disc.
    Disc { centre: [f32; 2], radius: f32 },
    /// Lengths of runs outside and inside in turns, column by column over the whole image.
    Runs(Vec<u32>),
}

/// Why no label map has these sides, if so.
pub(crate) fn size_problem(width: usize, height: usize) -> Option<String> {
    let sides = 1..=SIDE_LIMIT;
    let is_possible = sides.contains(&width) && sides.contains(&height) && width * height <= 1 << 29;
    (!is_possible).then(|| format!("the file gives the size of the image as {width} x {height}; correct it"))
}

/// The steps that drawing the regions of an image of these sides may take.
pub(crate) fn work_limit(width: usize, height: usize) -> u64 {
    let pixels = (width as u64).saturating_mul(height as u64);
    LEAST_WORK_LIMIT.max(WORK_PER_PIXEL.saturating_mul(pixels))
}

impl Regions {
    /// Why these regions cannot be drawn, if so.
    pub fn problem(&self) -> Option<String> {
        let (width, height) = (self.width, self.height);
        if let Some(problem) = size_problem(width, height) {
            return Some(problem);
        }
        let work =
            self.regions.iter().fold(0_u64, |sum, (_, shape)| sum.saturating_add(shape.work(width, height)));
        if work > work_limit(width, height) {
            return Some(format!(
                "its {} regions take too many steps to draw ({work}): polygons that go up and down too often, or hundreds of \
                 regions as large as the image; simplify them",
                self.regions.len()
            ));
        }
        self.regions.iter().find_map(|(_, shape)| match shape {
            Shape::Polygon(_) | Shape::Disc { .. } => None,
            Shape::Runs(counts) => {
                let sum: u64 = counts.iter().map(|&n| u64::from(n)).sum();
                let pixels = (width * height) as u64;
                (sum != pixels).then(|| {
                    format!("run lengths add up to {sum} but {width} x {height} pixels are {pixels}; export them again")
                })
            }
        })
    }

    /// Draws the regions, later ones over earlier ones.
    ///
    /// # Panics
    /// If [`Regions::problem`] has one.
    pub fn draw(&self) -> LabelMap {
        let mut labels = vec![self.background; self.width * self.height];
        for (label, shape) in &self.regions {
            match shape {
                Shape::Polygon(points) => fill_polygon(&mut labels, self.width, points, *label),
                Shape::Disc { centre, radius } => {
                    fill_disc(&mut labels, self.width, *centre, *radius, *label)
                }
                Shape::Runs(counts) => fill_runs(&mut labels, (self.width, self.height), counts, *label),
            }
        }
        LabelMap { width: self.width, height: self.height, labels }
    }

    /// How many pixels a shape has, roughly, for drawing large ones first.
    pub fn area(shape: &Shape) -> f64 {
        match shape {
            Shape::Polygon(points) => {
                let twice = edges(points).map(|([x0, y0], [x1, y1])| {
                    f64::from(x0) * f64::from(y1) - f64::from(x1) * f64::from(y0)
                });
                twice.sum::<f64>().abs() / 2.0
            }
            Shape::Disc { radius, .. } => f64::from(*radius) * f64::from(*radius) * std::f64::consts::PI,
            Shape::Runs(counts) => counts.iter().skip(1).step_by(2).map(|&n| f64::from(n)).sum(),
        }
    }
}

impl Shape {
    /// Whether the shape is so small or thin that it may cover the centre of no pixel.
    pub fn is_tiny(&self) -> bool {
        let Self::Polygon(points) = self else { return false };
        let range = |axis: usize| {
            let of_axis = || points.iter().map(move |point| point[axis]);
            of_axis().fold(f32::NEG_INFINITY, f32::max) - of_axis().fold(f32::INFINITY, f32::min)
        };
        range(0).min(range(1)) < 2.0
    }

    /// Whether a polygon covers the centre of a pixel of an image.
    pub fn draws(&self, width: usize, height: usize) -> bool {
        let Self::Polygon(points) = self else { return true };
        let mut any = false;
        scan_polygon((width, height), points, |_, _| any = true);
        any
    }

    /// The steps that drawing takes, roughly: border crossings of rows, and pixels looked at.
    fn work(&self, width: usize, height: usize) -> u64 {
        match self {
            Self::Polygon(points) => {
                let crossings: u64 =
                    edges(points).map(|(a, b)| rows_of(a[1], b[1], height).len() as u64).sum();
                let (columns, rows) = bounds(points, width, height);
                // A crossing costs more than a pixel.
                4 * crossings + (columns.len() * rows.len()) as u64
            }
            Self::Disc { centre: [x, y], radius } => {
                let across = rows_of(x - radius, x + radius, width).len();
                (across * rows_of(y - radius, y + radius, height).len()) as u64
            }
            Self::Runs(counts) => counts.iter().skip(1).step_by(2).map(|&n| 4 * u64::from(n)).sum(),
        }
    }
}

fn edges(points: &[[f32; 2]]) -> impl Iterator<Item = ([f32; 2], [f32; 2])> + '_ {
    points.iter().copied().zip(points.iter().copied().cycle().skip(1))
}

/// The rows whose centres an edge crosses: those `y` with `y0 <= y + 0.5 < y1` for the lower end `y0`.
fn rows_of(y0: f32, y1: f32, height: usize) -> std::ops::Range<usize> {
    let row = |y: f32| ((y - 0.5).ceil().max(0.0) as usize).min(height);
    row(y0.min(y1))..row(y0.max(y1))
}

/// The columns and rows of pixels that a polygon can cover.
fn bounds(
    points: &[[f32; 2]],
    width: usize,
    height: usize,
) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let range = |axis: usize, size: usize| {
        let of_axis = || points.iter().map(move |point| point[axis]);
        rows_of(of_axis().fold(f32::INFINITY, f32::min), of_axis().fold(f32::NEG_INFINITY, f32::max), size)
    };
    (range(0, width), range(1, height))
}

/// Calls `inside` with the row and the columns of every run of pixels whose centres lie in a polygon.
///
/// Each crossing of a row's centre turns the rest of the row; pixels that were turned an odd number of times are inside.
/// The time is that of the crossings and of the pixels around, in whatever order the crossings come.
fn scan_polygon(
    (width, height): (usize, usize),
    points: &[[f32; 2]],
    mut inside: impl FnMut(usize, std::ops::Range<usize>),
) {
    let (columns, rows) = bounds(points, width, height);
    if columns.is_empty() || rows.is_empty() {
        return;
    }
    let across = columns.len();
    let mut turned = vec![0_u8; across * rows.len()];
    for ([x0, y0], [x1, y1]) in edges(points) {
        let slope = (f64::from(x1) - f64::from(x0)) / (f64::from(y1) - f64::from(y0));
        for y in rows_of(y0, y1, height) {
            let x = f64::from(x0) + (y as f64 + 0.5 - f64::from(y0)) * slope;
            let column = ((x - 0.5).ceil().max(0.0) as usize).max(columns.start);
            if column < columns.end {
                turned[(y - rows.start) * across + column - columns.start] ^= 1;
            }
        }
    }
    for (row, turned) in rows.zip(turned.chunks_exact(across)) {
        let (mut is_inside, mut start) = (false, 0);
        for (column, _) in turned.iter().enumerate().filter(|(_, turn)| **turn != 0) {
            if is_inside {
                inside(row, columns.start + start..columns.start + column);
            }
            (is_inside, start) = (!is_inside, column);
        }
        if is_inside {
            inside(row, columns.start + start..columns.end);
        }
    }
}

fn fill_polygon(labels: &mut [u8], width: usize, points: &[[f32; 2]], label: u8) {
    let height = labels.len() / width;
    scan_polygon((width, height), points, |row, columns| labels[row * width..][columns].fill(label));
}

fn fill_disc(labels: &mut [u8], width: usize, [cx, cy]: [f32; 2], radius: f32, label: u8) {
    let height = labels.len() / width;
    for y in rows_of(cy - radius, cy + radius, height) {
        let dy = y as f32 + 0.5 - cy;
        let half = (radius * radius - dy * dy).max(0.0).sqrt();
        let columns = rows_of(cx - half, cx + half, width);
        labels[y * width..][columns].fill(label);
    }
}

fn fill_runs(labels: &mut [u8], (width, height): (usize, usize), counts: &[u32], label: u8) {
    let mut at = 0;
    for (i, &count) in counts.iter().enumerate() {
        let end = at + count as usize;
        if i % 2 == 1 {
            for p in at..end {
                labels[p % height * width + p / height] = label;
            }
        }
        at = end;
    }
}

/// Decodes COCO's compressed run lengths: numbers in groups of five bits, the lowest first, a sixth bit for "more to
/// come", 48 added to make characters; from the third number on the difference to the one two before.
///
/// # Errors
/// The problem, in words.
pub(crate) fn decode_runs(text: &str) -> Result<Vec<u32>, String> {
    let mut counts: Vec<u32> = Vec::new();
    let mut bytes = text.bytes();
    while let Some(mut byte) = bytes.next() {
        let (mut value, mut shift) = (0_i64, 0);
        loop {
            let bits = byte.wrapping_sub(48);
            if bits > 63 || shift > 35 {
                return Err(format!("`{}` is not part of compressed run lengths", char::from(byte)));
            }
            value |= i64::from(bits & 0x1f) << shift;
            shift += 5;
            if bits & 0x20 == 0 {
                if bits & 0x10 != 0 {
                    value -= 1 << shift;
                }
                break;
            }
            byte = bytes.next().ok_or("compressed run lengths end within a number")?;
        }
        if counts.len() > 2 {
            value += i64::from(counts[counts.len() - 2]);
        }
        counts.push(u32::try_from(value).map_err(|_| format!("a run length is {value}"))?);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: usize, height: usize, shape: Shape) -> Vec<u8> {
        let regions = Regions { width, height, background: 0, regions: vec![(1, shape)] };
        assert_eq!(regions.problem(), None);
        regions.draw().labels
    }

    #[test]
    fn pixels_whose_centres_lie_inside() {
        let square = Shape::Polygon(vec![[1.0, 1.0], [3.0, 1.0], [3.0, 2.0], [1.0, 2.0]]);
        assert_eq!(drawn(4, 3, square), [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
        let half = Shape::Polygon(vec![[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]]);
        assert_eq!(drawn(3, 3, half), [1, 1, 0, 1, 0, 0, 0, 0, 0]);
        let outside = Shape::Polygon(vec![[-9.0, -9.0], [90.0, -9.0], [90.0, 90.0], [-9.0, 90.0]]);
        assert_eq!(drawn(2, 2, outside), [1; 4]);
        assert_eq!(drawn(3, 1, Shape::Disc { centre: [1.5, 0.5], radius: 0.6 }), [0, 1, 0]);
        for degenerate in [vec![], vec![[1.0, 1.0]], vec![[0.0, 1.0], [3.0, 1.0]], vec![[f32::NAN, 0.0]; 3]] {
            assert_eq!(drawn(2, 1, Shape::Polygon(degenerate)), [0, 0]);
        }
    }

    #[test]
    fn drawing_that_takes_too_long_is_refused() {
        let zigzag: Vec<[f32; 2]> = (0..250_000).map(|i| [(i % 7) as f32, (i % 2 * 4000) as f32]).collect();
        let polygon = || (1, Shape::Polygon(zigzag.clone()));
        let regions = |count: usize, shape: &dyn Fn() -> (u8, Shape)| {
            let regions = (0..count).map(|_| shape()).collect();
            Regions { width: 4000, height: 4000, background: 0, regions }
        };
        let problem = regions(3, &polygon).problem().expect("thousands of millions of crossings");
        assert!(problem.contains("3 regions"), "{problem}");
        let whole = || (1, Shape::Runs(vec![0, 4000 * 4000]));
        assert!(regions(1000, &whole).problem().is_some() && regions(10, &whole).problem().is_none());
        let square = || (1, Shape::Polygon(vec![[0.0, 0.0], [4000.0, 0.0], [4000.0, 4000.0], [0.0, 4000.0]]));
        assert!(regions(1000, &square).problem().is_some() && regions(50, &square).problem().is_none());
    }

    #[test]
    fn small_shapes_that_cover_no_centre() {
        let thin = Shape::Polygon(vec![[0.6, 0.0], [1.4, 0.0], [1.4, 9.0], [0.6, 9.0]]);
        assert!(thin.is_tiny() && !thin.draws(4, 9));
        let over_a_centre = Shape::Polygon(vec![[1.4, 0.0], [1.6, 0.0], [1.6, 9.0], [1.4, 9.0]]);
        assert!(over_a_centre.is_tiny() && over_a_centre.draws(4, 9));
    }

    #[test]
    fn runs_go_down_the_columns() {
        assert_eq!(drawn(3, 2, Shape::Runs(vec![1, 2, 3])), [0, 1, 0, 1, 0, 0]);
        let wrong =
            Regions { width: 3, height: 2, background: 0, regions: vec![(1, Shape::Runs(vec![1, 2]))] };
        assert!(wrong.problem().expect("3 of 6 pixels").contains("add up to 3"));
    }

    /// Strings made with pycocotools 2.0.
    #[test]
    fn compressed_run_lengths() {
        assert_eq!(decode_runs("61X13mN000`0").expect("well-formed"), [6, 1, 40, 4, 5, 4, 5, 4, 21]);
        assert_eq!(decode_runs("").expect("nothing"), [0_u32; 0]);
        for bad in ["\u{7f}", "P", " ", "oooooooooooo", "N"] {
            assert!(decode_runs(bad).is_err(), "{bad:?}");
        }
    }
}
