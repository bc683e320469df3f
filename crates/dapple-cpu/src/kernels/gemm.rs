//! The small matrix product under every convolution: `C (+)= A B` with `B` a panel of one or two vectors' width.
//!
//! A micro-tile of `C` stays in registers over the whole depth; each step loads a row of the panel and
//! broadcasts one value of `A` for each row of the tile.

use crate::simd::{LANES, Simd, simd_fn};

/// Columns of a panel: the width of `B` that is packed together.
pub(crate) const PANEL: usize = 2 * LANES;

/// `C[r][j] (+)= sum over k of A[r][k] B[k][j]` for `j` in one panel of `16 * vectors` columns.
///
/// `A[r][k]` stands at `a + r * a_row + k * a_depth`, `B[k]` at `b + k * b_depth`, `C[r]` at `c + r * c_row`.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub a: *const f32,
    pub a_row: usize,
    pub a_depth: usize,
    pub b: *const f32,
    pub b_depth: usize,
    pub c: *mut f32,
    pub c_row: usize,
    pub rows: usize,
    pub depth: usize,
    /// 1 or 2.
    pub vectors: usize,
    /// Add to what stands in `C`.
    pub accumulate: bool,
    /// Products of this form, one for each point of Winograd's algorithm, and their distances.
    pub batch: Batch,
}

/// Equal products at regular distances.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    pub count: usize,
    pub a: usize,
    pub b: usize,
    pub c: usize,
}

impl Batch {
    /// A single product.
    pub const ONE: Self = Self { count: 1, a: 0, b: 0, c: 0 };
}

simd_fn! {
    /// # Safety
    /// All addresses that [`Product`] names must be valid, `C` for writing and apart from `A` and `B`.
    pub(crate) product = product_impl(p: &Product)
}

/// As [`product`], within a function that is compiled for the level.
///
/// # Safety
/// As [`product`]'s.
#[inline(always)]
pub(crate) unsafe fn product_impl<S: Simd>(p: &Product) {
    let groups = p.rows.div_ceil(S::ROWS);
    for i in 0..p.batch.count {
        let mut row = 0;
        for group in 0..groups {
            // Even groups: 28 rows as 14 + 14, 17 as 9 + 8, so that no group is too small to hide the latency.
            let rows = (p.rows - row).div_ceil(groups - group);
            let mut column = 0;
            while column < p.vectors {
                let vectors = S::COLUMNS.min(p.vectors - column);
                // SAFETY: the addresses are the caller's promise; rows and columns are split without overlap.
                unsafe {
                    let part = Product {
                        a: p.a.add(i * p.batch.a + row * p.a_row),
                        b: p.b.add(i * p.batch.b + column * LANES),
                        c: p.c.add(i * p.batch.c + row * p.c_row + column * LANES),
                        ..*p
                    };
                    micro::<S>(&part, rows, vectors);
                }
                column += vectors;
            }
            row += rows;
        }
    }
}

#[inline(always)]
unsafe fn micro<S: Simd>(p: &Product, rows: usize, vectors: usize) {
    macro_rules! pick {
        ($($r:literal)*) => {
            match (rows, vectors) {
                $(($r, 1) => tile::<S, $r, 1>(p), ($r, 2) => tile::<S, $r, 2>(p),)*
                _ => unreachable!("micro-tiles have 1 to 14 rows of 1 or 2 vectors"),
            }
        };
    }
    // SAFETY: passed on.
    unsafe { pick!(1 2 3 4 5 6 7 8 9 10 11 12 13 14) }
}

#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const N: usize>(p: &Product) {
    if R > S::ROWS || N > S::COLUMNS {
        return; // Never called so; keeps tiles that a level cannot hold out of its code.
    }
    // SAFETY: reads rows 0..R of A, rows of B and C as the caller promised.
    unsafe {
        let mut acc = [[S::splat(0.0); N]; R];
        if p.accumulate {
            for r in 0..R {
                for n in 0..N {
                    acc[r][n] = S::load(p.c.add(r * p.c_row + n * LANES));
                }
            }
        }
        let (mut a, mut b) = (p.a, p.b);
        for _ in 0..p.depth {
            let mut row = [S::splat(0.0); N];
            for n in 0..N {
                row[n] = S::load(b.add(n * LANES));
            }
            for r in 0..R {
                let x = S::splat(*a.add(r * p.a_row));
                for n in 0..N {
                    acc[r][n] = S::fma(x, row[n], acc[r][n]);
                }
            }
            a = a.add(p.a_depth);
            b = b.add(p.b_depth);
        }
        for r in 0..R {
            for n in 0..N {
                S::store(p.c.add(r * p.c_row + n * LANES), acc[r][n]);
            }
        }
    }
}
