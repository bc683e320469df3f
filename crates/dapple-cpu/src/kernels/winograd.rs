//! The transforms of Winograd's F(4x4, 3x3) (Lavin and Gray 2016, Toom-Cook points 0, ±5/8, ±3/2, infinity).
//!
//! A tile of 4 x 4 outputs comes from a patch of 6 x 6 inputs: `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`, 36
//! multiplications instead of 144. These points keep the error of an fp32 convolution at about 1e-6 to 6e-6 of
//! the largest output (a direct one has 4e-7).

use super::operand::{Finish, Source};
use crate::simd::{LANES, Simd};
use dapple_graph::Shape;
use std::ops::Range;

/// Products of a tile.
pub(crate) const POINTS: usize = 36;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
/// Rows of `G` are divided by the product of the distances to the other points.
const G0: f32 = 1.0 / (A2 * B2);
const GA: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
const GB: f32 = 1.0 / (2.0 * B2 * (B2 - A2));

/// `Bᵀ d` for one column of a patch.
#[inline(always)]
unsafe fn input_1d<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: arithmetic of the level.
    unsafe {
        let (a, b) = (S::splat(A), S::splat(B));
        let (na2, nb2) = (S::splat(-A2), S::splat(-B2));
        let (sum, product) = (S::splat(-(A2 + B2)), S::splat(A2 * B2));
        let t1 = S::fma(nb2, d[2], d[4]);
        let t2 = S::mul(a, S::fma(nb2, d[1], d[3]));
        let t3 = S::fma(na2, d[2], d[4]);
        let t4 = S::mul(b, S::fma(na2, d[1], d[3]));
        [
            S::fma(product, d[0], S::fma(sum, d[2], d[4])),
            S::add(t1, t2),
            S::sub(t1, t2),
            S::add(t3, t4),
            S::sub(t3, t4),
            S::fma(product, d[1], S::fma(sum, d[3], d[5])),
        ]
    }
}

/// `Aᵀ m` for one column of products.
#[inline(always)]
unsafe fn output_1d<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: arithmetic of the level.
    unsafe {
        let (s1, d1) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (s2, d2) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(m[0], S::add(s1, s2)),
            S::fma(S::splat(A), d1, S::mul(S::splat(B), d2)),
            S::fma(S::splat(A2), s1, S::mul(S::splat(B2), s2)),
            S::fma(S::splat(A * A2), d1, S::fma(S::splat(B * B2), d2, m[5])),
        ]
    }
}

/// `G g` for one column of a kernel.
#[inline(always)]
unsafe fn weight_1d<S: Simd>(g: [S::V; 3]) -> [S::V; 6] {
    // SAFETY: arithmetic of the level.
    unsafe {
        let even_a = S::fma(S::splat(GA * A2), g[2], S::mul(S::splat(GA), g[0]));
        let odd_a = S::mul(S::splat(GA * A), g[1]);
        let even_b = S::fma(S::splat(GB * B2), g[2], S::mul(S::splat(GB), g[0]));
        let odd_b = S::mul(S::splat(GB * B), g[1]);
        [
            S::mul(S::splat(G0), g[0]),
            S::add(even_a, odd_a),
            S::sub(even_a, odd_a),
            S::add(even_b, odd_b),
            S::sub(even_b, odd_b),
            g[2],
        ]
    }
}

/// `A y` for one column of output gradients.
#[inline(always)]
unsafe fn gradient_1d<S: Simd>(y: [S::V; 4]) -> [S::V; 6] {
    // SAFETY: arithmetic of the level.
    unsafe {
        let even_a = S::fma(S::splat(A2), y[2], y[0]);
        let odd_a = S::mul(S::splat(A), S::fma(S::splat(A2), y[3], y[1]));
        let even_b = S::fma(S::splat(B2), y[2], y[0]);
        let odd_b = S::mul(S::splat(B), S::fma(S::splat(B2), y[3], y[1]));
        [
            y[0],
            S::add(even_a, odd_a),
            S::sub(even_a, odd_a),
            S::add(even_b, odd_b),
            S::sub(even_b, odd_b),
            y[3],
        ]
    }
}

/// `Gᵀ s` for one column of accumulated products.
#[inline(always)]
unsafe fn weight_gradient_1d<S: Simd>(s: [S::V; 6]) -> [S::V; 3] {
    // SAFETY: arithmetic of the level.
    unsafe {
        let (s1, d1) = (S::add(s[1], s[2]), S::sub(s[1], s[2]));
        let (s2, d2) = (S::add(s[3], s[4]), S::sub(s[3], s[4]));
        [
            S::fma(S::splat(GA), s1, S::fma(S::splat(GB), s2, S::mul(S::splat(G0), s[0]))),
            S::fma(S::splat(GA * A), d1, S::mul(S::splat(GB * B), d2)),
            S::fma(S::splat(GA * A2), s1, S::fma(S::splat(GB * B2), s2, s[5])),
        ]
    }
}

/// How the outputs of a 3 x 3 convolution of stride 1 are cut into tiles.
///
/// With dilation `d` the image falls into `d x d` interleaved sub-images, each convolved without dilation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    input: Shape,
    output: Shape,
    padding: [usize; 2],
    dilation: [usize; 2],
    /// Sub-images and tiles of each, vertically and horizontally.
    subs: [usize; 2],
    tiles: [usize; 2],
}

/// Where one tile reads and writes; positions outside the maps are marked by being out of range.
pub(crate) struct Tile {
    image: usize,
    rows: [usize; 6],
    columns: [usize; 6],
    out_image: usize,
    out_rows: [usize; 4],
    out_columns: [usize; 4],
    inside: bool,
}

impl Tiling {
    /// Tiles of a 3 x 3 convolution of stride 1 from `input` to `output`.
    pub fn new(input: Shape, output: Shape, padding: [usize; 2], dilation: [usize; 2]) -> Self {
        let size = [output.h, output.w];
        let subs = [dilation[0].min(size[0]), dilation[1].min(size[1])];
        let tiles = [0, 1].map(|i| size[i].div_ceil(dilation[i]).div_ceil(4));
        Self { input, output, padding, dilation, subs, tiles }
    }

    /// Number of tiles of the batch.
    pub fn count(&self) -> usize {
        self.input.n * self.subs[0] * self.subs[1] * self.tiles[0] * self.tiles[1]
    }

    /// Tiles of [`Tiling::count`], one after the other.
    #[inline]
    pub fn tiles(&self, indices: Range<usize>) -> impl Iterator<Item = Tile> {
        // Image, sub-image and tile as the digits of a number: divisions for the first tile only.
        let sizes = [self.subs[0], self.subs[1], self.tiles[0], self.tiles[1]];
        let mut digits = [0; 4];
        let mut image = indices.start;
        for (digit, size) in digits.iter_mut().zip(sizes).rev() {
            *digit = image % size;
            image /= size;
        }
        indices.map(move |_| {
            let tile = self.tile(image, digits);
            for i in (0..4).rev() {
                digits[i] += 1;
                if digits[i] < sizes[i] {
                    return tile;
                }
                digits[i] = 0;
            }
            image += 1;
            tile
        })
    }

    #[inline(always)]
    fn tile(&self, n: usize, [sy, sx, ty, tx]: [usize; 4]) -> Tile {
        let (y, x) = (sy + self.dilation[0] * 4 * ty, sx + self.dilation[1] * 4 * tx);
        // Positions before the image wrap to huge numbers and so are out of range like those behind it.
        let rows = std::array::from_fn(|i| (y + self.dilation[0] * i).wrapping_sub(self.padding[0]));
        let columns = std::array::from_fn(|i| (x + self.dilation[1] * i).wrapping_sub(self.padding[1]));
        let inside = rows[0] < self.input.h
            && rows[5] < self.input.h
            && columns[0] < self.input.w
            && columns[5] < self.input.w;
        Tile {
            image: n * self.input.h * self.input.w,
            rows,
            columns,
            out_image: n * self.output.h * self.output.w,
            out_rows: std::array::from_fn(|i| y + self.dilation[0] * i),
            out_columns: std::array::from_fn(|i| x + self.dilation[1] * i),
            inside,
        }
    }

    /// `Bᵀ d B` of a tile's patch, sixteen channels, to `to + point * plane`.
    ///
    /// # Safety
    /// `source` must be of the input's map, `to` valid for all points.
    #[inline(always)]
    pub unsafe fn transform_input<S: Simd>(
        &self,
        tile: &Tile,
        source: &Source<S>,
        to: *mut f32,
        plane: usize,
    ) {
        // SAFETY: pixels are inside the map by the tests below; `to` is the caller's promise.
        unsafe {
            let zero = S::splat(0.0);
            let mut middle = [[zero; 6]; 6];
            for j in 0..6 {
                let mut d = [zero; 6];
                if tile.inside {
                    for i in 0..6 {
                        let pixel = tile.image + tile.rows[i] * self.input.w + tile.columns[j];
                        d[i] = source.raw(pixel);
                    }
                    if !source.plain() {
                        for v in &mut d {
                            *v = source.apply(*v);
                        }
                    }
                } else if tile.columns[j] < self.input.w {
                    for i in 0..6 {
                        if tile.rows[i] < self.input.h {
                            d[i] = source.get(tile.image + tile.rows[i] * self.input.w + tile.columns[j]);
                        }
                    }
                }
                let d = input_1d::<S>(d);
                for i in 0..6 {
                    middle[i][j] = d[i];
                }
            }
            for (i, row) in middle.into_iter().enumerate() {
                for (j, v) in input_1d::<S>(row).into_iter().enumerate() {
                    S::store(to.add((i * 6 + j) * plane), v);
                }
            }
        }
    }

    /// `A dY Aᵀ` of a tile of output gradients, sixteen channels, to `to + point * plane`.
    ///
    /// # Safety
    /// `source` must be of the output's map, `to` valid for all points.
    #[inline(always)]
    pub unsafe fn transform_gradient<S: Simd>(
        &self,
        tile: &Tile,
        source: &Source<S>,
        to: *mut f32,
        plane: usize,
    ) {
        // SAFETY: as in `transform_input`.
        unsafe {
            let zero = S::splat(0.0);
            let mut middle = [[zero; 4]; 6];
            for j in 0..4 {
                let mut y = [zero; 4];
                if tile.out_columns[j] < self.output.w {
                    for i in 0..4 {
                        if tile.out_rows[i] < self.output.h {
                            let pixel =
                                tile.out_image + tile.out_rows[i] * self.output.w + tile.out_columns[j];
                            y[i] = source.get(pixel);
                        }
                    }
                }
                let y = gradient_1d::<S>(y);
                for i in 0..6 {
                    middle[i][j] = y[i];
                }
            }
            for (i, row) in middle.into_iter().enumerate() {
                for (j, v) in gradient_1d::<S>(row).into_iter().enumerate() {
                    S::store(to.add((i * 6 + j) * plane), v);
                }
            }
        }
    }

    /// `Aᵀ m A` of a tile's products at `from + point * plane`, finished, to the map.
    ///
    /// # Safety
    /// `from` must be valid for all points, `finish` of the output's map (plain or not as `PLAIN` says); no other task may write
    /// the tile's outputs.
    #[inline(always)]
    pub unsafe fn transform_output<S: Simd, const PLAIN: bool>(
        &self,
        tile: &Tile,
        from: *const f32,
        plane: usize,
        finish: &Finish<S>,
    ) {
        // SAFETY: pixels are inside the map by the tests below; the rest is the caller's promise.
        unsafe {
            let mut middle = [[S::splat(0.0); 6]; 4];
            for j in 0..6 {
                let m = std::array::from_fn(|i| S::load(from.add((i * 6 + j) * plane)));
                let y = output_1d::<S>(m);
                for i in 0..4 {
                    middle[i][j] = y[i];
                }
            }
            for (i, row) in middle.into_iter().enumerate() {
                if tile.out_rows[i] >= self.output.h {
                    continue;
                }
                let row_start = tile.out_image + tile.out_rows[i] * self.output.w;
                for (j, y) in output_1d::<S>(row).into_iter().enumerate() {
                    if tile.out_columns[j] >= self.output.w {
                        continue;
                    }
                    finish.put::<PLAIN>(row_start + tile.out_columns[j], y);
                }
            }
        }
    }
}

/// `G g Gᵀ` of sixteen kernels whose taps stand at `taps + tap * distance`, to `to + point * plane`.
///
/// # Safety
/// All addresses must be valid.
#[inline(always)]
pub(crate) unsafe fn transform_weights<S: Simd>(
    taps: *const f32,
    distance: usize,
    to: *mut f32,
    plane: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut middle = [[S::splat(0.0); 3]; 6];
        for j in 0..3 {
            let g = weight_1d::<S>(std::array::from_fn(|i| S::load(taps.add((i * 3 + j) * distance))));
            for i in 0..6 {
                middle[i][j] = g[i];
            }
        }
        for (i, row) in middle.into_iter().enumerate() {
            for (j, v) in weight_1d::<S>(row).into_iter().enumerate() {
                S::store(to.add((i * 6 + j) * plane), v);
            }
        }
    }
}

/// `Gᵀ s G` of sixteen accumulated products at `from + point * plane`; the nine taps of the gradient.
///
/// # Safety
/// All addresses must be valid.
#[inline(always)]
pub(crate) unsafe fn transform_weight_gradient<S: Simd>(from: *const f32, plane: usize) -> [S::V; 9] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut middle = [[S::splat(0.0); 6]; 3];
        for j in 0..6 {
            let s = weight_gradient_1d::<S>(std::array::from_fn(|i| S::load(from.add((i * 6 + j) * plane))));
            for i in 0..3 {
                middle[i][j] = s[i];
            }
        }
        let mut taps = [S::splat(0.0); 9];
        for (i, row) in middle.into_iter().enumerate() {
            for (j, v) in weight_gradient_1d::<S>(row).into_iter().enumerate() {
                taps[i * 3 + j] = v;
            }
        }
        taps
    }
}

/// Distance between the 36 planes of `rows` rows of `width` values: an odd number of cache lines, since a
/// power of two would put all planes into one set of the first-level cache.
pub(crate) fn plane(rows: usize, width: usize) -> usize {
    let lines = (rows * width).div_ceil(LANES);
    (lines | 1) * LANES
}
