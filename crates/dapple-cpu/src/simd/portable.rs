//! Plain Rust over arrays, left to LLVM.

// One argument covers all methods; it stands at the implementation.
#![allow(clippy::undocumented_unsafe_blocks)]

use super::lanes::{LANES, Simd};

#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    for i in 0..LANES {
        out[i] = f(a[i], b[i]);
    }
    out
}

// SAFETY: no special instructions; the pointers are the caller's promise.
unsafe impl Simd for Portable {
    type V = [f32; LANES];
    const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { p.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { p.cast::<Self::V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn of_bytes(p: *const u8) -> Self::V {
        unsafe { p.cast::<[u8; LANES]>().read_unaligned().map(f32::from) }
    }
    #[inline(always)]
    unsafe fn of_integers(p: *const i32) -> Self::V {
        unsafe { p.cast::<[i32; LANES]>().read_unaligned().map(|v| v as f32) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let mut out = c;
        for i in 0..LANES {
            // Without the instruction, mul_add would be a slow call into the maths library.
            out[i] =
                if cfg!(target_arch = "aarch64") { a[i].mul_add(b[i], c[i]) } else { a[i] * b[i] + c[i] };
        }
        out
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn where_greater(x: Self::V, bound: Self::V, v: Self::V) -> Self::V {
        let mut out = [0.0; LANES];
        for i in 0..LANES {
            out[i] = if x[i] > bound[i] { v[i] } else { 0.0 };
        }
        out
    }
    #[inline(always)]
    unsafe fn select_greater(x: Self::V, bound: Self::V, a: Self::V, b: Self::V) -> Self::V {
        let mut out = b;
        for i in 0..LANES {
            out[i] = if x[i] > bound[i] { a[i] } else { b[i] };
        }
        out
    }
    #[inline(always)]
    unsafe fn where_equal(x: Self::V, y: Self::V, v: Self::V) -> Self::V {
        let mut out = v;
        for i in 0..LANES {
            out[i] = if x[i] == y[i] { v[i] } else { 0.0 };
        }
        out
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        // SAFETY: the caller's promise that sixteen bytes are there.
        unsafe { p.cast::<[u8; LANES]>().write_unaligned(v.map(|x| x as u8)) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        // Adding 1.5 * 2^23 pushes the fraction out of the mantissa.
        a.map(|v| (v + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    unsafe fn times_power_of_two(a: Self::V, n: Self::V) -> Self::V {
        zip(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        unsafe {
            for i in 0..LANES {
                for j in 0..LANES {
                    *to.add(j * to_row + i) = *from.add(i * from_row + j);
                }
            }
        }
    }
}
