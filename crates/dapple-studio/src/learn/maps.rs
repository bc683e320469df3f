//! The features of an image at several scales.

/// Features at one scale, `[height, width, channels]`, which cover the whole image.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Width in cells.
    pub width: usize,
    /// Height in cells.
    pub height: usize,
    /// Values of a cell.
    pub channels: usize,
    /// `height * width * channels` values.
    pub data: Vec<f32>,
}

/// The features of an image: those of a pixel are the values of all levels there, between cells by bilinear interpolation.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// Width of the image as it is looked at, in pixels.
    pub width: usize,
    /// Height of the image as it is looked at, in pixels.
    pub height: usize,
    /// The levels.
    pub levels: Vec<Level>,
}

/// Two neighbouring cells, and the share of the second: where a pixel lies among the cells of a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Between {
    pub first: usize,
    pub second: usize,
    pub share: f32,
}

impl Between {
    /// Of pixel `at` of `pixels`, among `cells`.
    pub fn new(at: usize, pixels: usize, cells: usize) -> Self {
        let place = (at as f32 + 0.5) * cells as f32 / pixels as f32 - 0.5;
        let place = place.clamp(0.0, (cells - 1) as f32);
        let first = place as usize;
        Self { first, second: (first + 1).min(cells - 1), share: place - first as f32 }
    }
}

impl Maps {
    /// The number of features of a pixel.
    pub fn features(&self) -> usize {
        self.levels.iter().map(|level| level.channels).sum()
    }

    /// The memory that they take, in bytes.
    pub fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.data.len() * size_of::<f32>()).sum()
    }

    /// Appends the features of a pixel to `vector`.
    pub fn append(&self, (x, y): (usize, usize), vector: &mut Vec<f32>) {
        for level in &self.levels {
            let (down, across) =
                (Between::new(y, self.height, level.height), Between::new(x, self.width, level.width));
            let cell = |row: usize, column: usize| {
                &level.data[(row * level.width + column) * level.channels..][..level.channels]
            };
            let [a, b] = [cell(down.first, across.first), cell(down.first, across.second)];
            let [c, d] = [cell(down.second, across.first), cell(down.second, across.second)];
            for channel in 0..level.channels {
                let upper = a[channel] + (b[channel] - a[channel]) * across.share;
                let lower = c[channel] + (d[channel] - c[channel]) * across.share;
                vector.push(upper + (lower - upper) * down.share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_lie_between_the_cells_of_coarser_levels() {
        let fine = Level { width: 4, height: 2, channels: 1, data: (0..8).map(|v| v as f32).collect() };
        let coarse = Level { width: 2, height: 1, channels: 1, data: vec![0.0, 4.0] };
        let maps = Maps { width: 4, height: 2, levels: vec![fine, coarse] };
        let mut vector = Vec::new();
        maps.append((1, 1), &mut vector);
        assert_eq!(vector, [5.0, 1.0]);
        vector.clear();
        maps.append((3, 0), &mut vector);
        assert_eq!(vector, [3.0, 4.0]);
        assert_eq!((maps.features(), maps.bytes()), (2, 40));
    }
}
