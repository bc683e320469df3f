//! The trait of sixteen sums of products of small integers, and its portable implementation.

// One argument covers all methods; it stands at the implementation.
#![allow(clippy::undocumented_unsafe_blocks)]

use super::lanes::{LANES, Simd};
use super::portable::Portable;

/// Sixteen sums of 32 bits. A word of four bytes holds the factors of a few products: four integers of 0 to 255 on the left and
/// four of -127 to 127 on the right, or two of either widened to 16 bits. All sums are exact as long as they fit.
///
/// # Safety
/// As [`Simd`]'s, with `dot_fn!`.
pub(crate) unsafe trait Dots: Copy {
    /// The level's numbers.
    type Floats: Simd;
    /// Sixteen integers of 32 bits, or words.
    type Sums: Copy;
    /// Products of a word.
    const PRODUCTS: usize;
    /// Rows of the largest micro-tile of a matrix product.
    const ROWS: usize;
    /// Vectors in a row of it.
    const COLUMNS: usize;

    unsafe fn load(p: *const i32) -> Self::Sums;
    unsafe fn store(p: *mut i32, v: Self::Sums);
    unsafe fn splat(word: i32) -> Self::Sums;
    /// Each sum with the products of its two words added.
    unsafe fn dot(sums: Self::Sums, left: Self::Sums, right: Self::Sums) -> Self::Sums;
}

/// Plain Rust over arrays, left to LLVM.
#[derive(Clone, Copy)]
pub(crate) struct PortableWords;

/// The two integers of a word.
#[inline(always)]
fn halves(word: i32) -> [i32; 2] {
    let [a, b, c, d] = word.to_ne_bytes();
    [i16::from_ne_bytes([a, b]), i16::from_ne_bytes([c, d])].map(i32::from)
}

// SAFETY: no special instructions; the pointers are the caller's promise.
unsafe impl Dots for PortableWords {
    type Floats = Portable;
    type Sums = [i32; LANES];
    const PRODUCTS: usize = 2;
    const ROWS: usize = Portable::ROWS;
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self::Sums {
        unsafe { p.cast::<Self::Sums>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut i32, v: Self::Sums) {
        unsafe { p.cast::<Self::Sums>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn splat(word: i32) -> Self::Sums {
        [word; LANES]
    }
    #[inline(always)]
    unsafe fn dot(sums: Self::Sums, left: Self::Sums, right: Self::Sums) -> Self::Sums {
        let mut out = sums;
        for i in 0..LANES {
            let ([a, b], [c, d]) = (halves(left[i]), halves(right[i]));
            out[i] += a * c + b * d;
        }
        out
    }
}
