//! Two 256-bit registers.

// One argument covers all methods; it stands at the implementation.
#![allow(clippy::undocumented_unsafe_blocks)]
#![allow(clippy::needless_range_loop)] // Rows are counted in several arrays at once.

use super::lanes::Simd;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(crate) struct Avx2;

// SAFETY: every method is made of AVX2 and FMA instructions, most of them a pair on sixteen lanes; the trait's contract says
// when it may be called.
unsafe impl Simd for Avx2 {
    type V = [__m256; 2];
    // 6 x 2 accumulators, two halves of the right vector and a broadcast: 15 of 16 registers.
    const ROWS: usize = 6;
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { [_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe {
            _mm256_storeu_ps(p, v[0]);
            _mm256_storeu_ps(p.add(8), v[1]);
        }
    }
    #[inline(always)]
    unsafe fn of_bytes(p: *const u8) -> Self::V {
        unsafe {
            let bytes = _mm_loadu_si128(p.cast());
            let [low, high] = [_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes))];
            [_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)]
        }
    }
    #[inline(always)]
    unsafe fn of_integers(p: *const i32) -> Self::V {
        unsafe {
            let [low, high] = [_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast())];
            [_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)]
        }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        unsafe { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn where_greater(x: Self::V, bound: Self::V, v: Self::V) -> Self::V {
        unsafe {
            [
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x[0], bound[0]), v[0]),
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x[1], bound[1]), v[1]),
            ]
        }
    }
    #[inline(always)]
    unsafe fn select_greater(x: Self::V, bound: Self::V, a: Self::V, b: Self::V) -> Self::V {
        unsafe {
            [
                _mm256_blendv_ps(b[0], a[0], _mm256_cmp_ps::<_CMP_GT_OQ>(x[0], bound[0])),
                _mm256_blendv_ps(b[1], a[1], _mm256_cmp_ps::<_CMP_GT_OQ>(x[1], bound[1])),
            ]
        }
    }
    #[inline(always)]
    unsafe fn where_equal(x: Self::V, y: Self::V, v: Self::V) -> Self::V {
        unsafe {
            [
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(x[0], y[0]), v[0]),
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(x[1], y[1]), v[1]),
            ]
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::V) {
        unsafe {
            let [a, b] = [_mm256_cvtps_epi32(v[0]), _mm256_cvtps_epi32(v[1])];
            let halves = |v| _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
            _mm_storeu_si128(p.cast(), _mm_packus_epi16(halves(a), halves(b)));
        }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        unsafe { [_mm256_sqrt_ps(a[0]), _mm256_sqrt_ps(a[1])] }
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        unsafe { [_mm256_round_ps::<NEAREST>(a[0]), _mm256_round_ps::<NEAREST>(a[1])] }
    }
    #[inline(always)]
    unsafe fn times_power_of_two(a: Self::V, n: Self::V) -> Self::V {
        // The power's bits are its biased exponent.
        unsafe {
            let bias = _mm256_set1_epi32(127);
            let low = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(n[0]), bias));
            let high = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(n[1]), bias));
            [_mm256_mul_ps(a[0], _mm256_castsi256_ps(low)), _mm256_mul_ps(a[1], _mm256_castsi256_ps(high))]
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        unsafe { transpose16(from, from_row, to, to_row) }
    }
}

/// [`Simd::transpose`] in four quarters, for every level that has AVX2.
///
/// # Safety
/// As [`Simd`]'s.
#[inline(always)]
pub(super) unsafe fn transpose16(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    unsafe {
        for (i, j) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
            transpose8(from.add(i * from_row + j), from_row, to.add(j * to_row + i), to_row);
        }
    }
}

#[inline(always)]
unsafe fn transpose8(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    unsafe {
        let mut rows = [_mm256_setzero_ps(); 8];
        for i in 0..8 {
            rows[i] = _mm256_loadu_ps(from.add(i * from_row));
        }
        // Pairs of rows, then fours of them, within each half; then halves change places.
        let mut fours = [_mm256_setzero_ps(); 8];
        for i in [0, 4] {
            let low =
                [_mm256_unpacklo_ps(rows[i], rows[i + 1]), _mm256_unpacklo_ps(rows[i + 2], rows[i + 3])];
            let high =
                [_mm256_unpackhi_ps(rows[i], rows[i + 1]), _mm256_unpackhi_ps(rows[i + 2], rows[i + 3])];
            fours[i] = _mm256_shuffle_ps::<0x44>(low[0], low[1]);
            fours[i + 1] = _mm256_shuffle_ps::<0xee>(low[0], low[1]);
            fours[i + 2] = _mm256_shuffle_ps::<0x44>(high[0], high[1]);
            fours[i + 3] = _mm256_shuffle_ps::<0xee>(high[0], high[1]);
        }
        for i in 0..4 {
            let (a, b) = (fours[i], fours[i + 4]);
            _mm256_storeu_ps(to.add(i * to_row), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(to.add((i + 4) * to_row), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
}
