//! The exact Euclidean distance transform.
//!
//! Meijster, Roerdink and Hesselink, "A General Algorithm for Computing Distance Transforms in Linear Time",
//! 2000: first the nearest set pixel within each column, then, for each row, the lower envelope of the parabolas
//! that stand on these. All arithmetic is on integers, so distances are exact.

/// For every pixel of an image, which set pixel of a mask is nearest to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistanceTransform {
    width: usize,
    nearest: Vec<usize>,
}

impl DistanceTransform {
    /// The transform of a row-major mask of `height * width` pixels; `None` if no pixel is set.
    /// Among set pixels equally near, the leftmost is taken, then the topmost.
    ///
    /// ```
    /// use dapple_base::DistanceTransform;
    /// let mask = [false, false, false, false, true, false]; // two rows of three
    /// let transform = DistanceTransform::new(&mask, 2, 3).expect("a pixel is set");
    /// assert_eq!(transform.squared(2), 2); // one up and one to the right
    /// assert_eq!(transform.nearest(2), 4);
    /// ```
    ///
    /// # Panics
    /// If the mask has another length than `height * width`.
    pub fn new(mask: &[bool], height: usize, width: usize) -> Option<Self> {
        assert_eq!(Some(mask.len()), height.checked_mul(width), "a mask of {height} x {width}");
        if !mask.contains(&true) {
            return None;
        }
        let in_column = nearest_in_columns(mask, height, width);
        let mut nearest = Vec::with_capacity(mask.len());
        let mut envelope = Vec::with_capacity(width);
        for y in 0..height {
            let rows = &in_column[y * width..(y + 1) * width];
            nearest_in_row(y, rows, &mut envelope, &mut nearest);
        }
        Some(DistanceTransform { width, nearest })
    }

    /// Index of the set pixel nearest to a pixel, both counted row by row.
    ///
    /// # Panics
    /// If the image has no such pixel, as indexing a slice does; so do the functions below.
    pub fn nearest(&self, pixel: usize) -> usize {
        self.nearest[pixel]
    }

    /// Squared distance from a pixel to the nearest set pixel.
    pub fn squared(&self, pixel: usize) -> u64 {
        let nearest = self.nearest[pixel];
        let dy = (pixel / self.width).abs_diff(nearest / self.width) as u64;
        let dx = (pixel % self.width).abs_diff(nearest % self.width) as u64;
        dy * dy + dx * dx
    }

    /// Distance from a pixel to the nearest set pixel, in pixels.
    pub fn distance(&self, pixel: usize) -> f64 {
        (self.squared(pixel) as f64).sqrt()
    }
}

/// For every pixel, the row of the nearest set pixel of its column.
fn nearest_in_columns(mask: &[bool], height: usize, width: usize) -> Vec<Option<usize>> {
    let mut nearest: Vec<Option<usize>> = Vec::with_capacity(mask.len());
    for (pixel, &set) in mask.iter().enumerate() {
        let above = pixel.checked_sub(width).and_then(|above| nearest[above]);
        nearest.push(if set { Some(pixel / width) } else { above });
    }
    for y in (0..height.saturating_sub(1)).rev() {
        for x in 0..width {
            let (above, below) = (nearest[y * width + x], nearest[(y + 1) * width + x]);
            // `below` is above this pixel too if there is no set pixel below: it then equals `above`.
            if below.is_some_and(|below| above.is_none_or(|above| below.abs_diff(y) < above.abs_diff(y))) {
                nearest[y * width + x] = below;
            }
        }
    }
    nearest
}

/// Appends, for every pixel of row `y`, the index of the nearest set pixel of the image, given the row of the
/// nearest one in each column. `envelope` is scratch: the columns nearest to some part of the row, with its start.
fn nearest_in_row(
    y: usize,
    rows: &[Option<usize>],
    envelope: &mut Vec<(usize, usize)>,
    nearest: &mut Vec<usize>,
) {
    let width = rows.len();
    let height_of = |x: usize| rows[x].map_or(0, |row| (row.abs_diff(y) as i64).pow(2));
    let squared = |at: usize, x: usize| (at.abs_diff(x) as i64).pow(2) + height_of(x);
    envelope.clear();
    for x in (0..width).filter(|&x| rows[x].is_some()) {
        while envelope.pop_if(|&mut (column, start)| squared(start, column) > squared(start, x)).is_some() {}
        match envelope.last() {
            None => envelope.push((x, 0)),
            Some(&(column, _)) => {
                // The last pixel to which `column` is not farther than `x`.
                let (left, right) = (column as i64, x as i64);
                let numerator = right * right - left * left + height_of(x) - height_of(column);
                let start = numerator.div_euclid(2 * (right - left)) + 1;
                if let Some(start) = usize::try_from(start).ok().filter(|&start| start < width) {
                    envelope.push((x, start));
                }
            }
        }
    }
    for (part, &(column, start)) in envelope.iter().enumerate() {
        let end = envelope.get(part + 1).map_or(width, |&(_, start)| start);
        let row = rows[column].expect("only columns with a set pixel enter the envelope");
        nearest.extend(std::iter::repeat_n(row * width + column, end - start));
    }
}
