//! Planes of values and their sizes.

/// A plane of values, `[height, width]`.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub width: usize,
    pub height: usize,
    pub data: Vec<f32>,
}

impl Plane {
    pub fn new(width: usize, height: usize, data: Vec<f32>) -> Self {
        debug_assert_eq!(data.len(), width * height);
        Self { width, height, data }
    }

    /// The same size with values made of those of two planes.
    pub fn with(&self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let data = self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect();
        Self { data, ..*self }
    }

    /// Means over blocks of `factor` x `factor` pixels; the last ones of a row or column may be smaller.
    pub fn shrunk(&self, factor: usize) -> Self {
        if factor == 1 {
            return self.clone();
        }
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let mut sums = vec![0.0; width * height];
        let mut counts = vec![0.0; width * height];
        for (y, row) in self.data.chunks_exact(self.width).enumerate() {
            for (x, value) in row.iter().enumerate() {
                let at = y / factor * width + x / factor;
                sums[at] += value;
                counts[at] += 1.0;
            }
        }
        sums.iter_mut().zip(&counts).for_each(|(sum, count)| *sum /= count);
        Self { width, height, data: sums }
    }

    /// ImageRow `y` of this plane brought to `width` x `height` pixels of which `factor` x `factor` were one, bilinearly.
    pub fn stretched_row(&self, y: usize, factor: usize, out: &mut [f32]) {
        let between = |at: usize, size: usize| {
            let at = ((at as f32 + 0.5) / factor as f32 - 0.5).clamp(0.0, (size - 1) as f32);
            let first = at as usize;
            (first, (first + 1).min(size - 1), at - first as f32)
        };
        let (above, below, down) = between(y, self.height);
        let row = |y: usize| &self.data[y * self.width..][..self.width];
        let (above, below) = (row(above), row(below));
        for (x, out) in out.iter_mut().enumerate() {
            let (left, right, across) = between(x, self.width);
            let mix = |row: &[f32]| row[left] + (row[right] - row[left]) * across;
            let (a, b) = (mix(above), mix(below));
            *out = a + (b - a) * down;
        }
    }
}
