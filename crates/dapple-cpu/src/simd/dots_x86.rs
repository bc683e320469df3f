//! Sums of products of small integers with the instructions of x86-64.

// One argument covers all methods; it stands at the implementations.
#![allow(clippy::undocumented_unsafe_blocks)]

use super::avx2::Avx2;
use super::avx512::Avx512;
use super::dots::Dots;
use std::arch::x86_64::*;

/// AVX-512 VNNI.
#[derive(Clone, Copy)]
pub(crate) struct Bytes512;

// SAFETY: every method is one instruction of AVX-512 F or VNNI on sixteen integers; the trait's contract says when it may be
// called.
unsafe impl Dots for Bytes512 {
    type Floats = Avx512;
    type Sums = __m512i;
    const PRODUCTS: usize = 4;
    const ROWS: usize = 14;
    const COLUMNS: usize = 2;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self::Sums {
        unsafe { _mm512_loadu_epi32(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut i32, v: Self::Sums) {
        unsafe { _mm512_storeu_epi32(p, v) }
    }
    #[inline(always)]
    unsafe fn splat(word: i32) -> Self::Sums {
        unsafe { _mm512_set1_epi32(word) }
    }
    #[inline(always)]
    unsafe fn dot(sums: Self::Sums, left: Self::Sums, right: Self::Sums) -> Self::Sums {
        unsafe { _mm512_dpbusd_epi32(sums, left, right) }
    }
}

/// AVX-512 BW.
#[derive(Clone, Copy)]
pub(crate) struct Words512;

// SAFETY: every method is one or two instructions of AVX-512 F and BW on sixteen integers; the trait's contract says when it
// may be called.
unsafe impl Dots for Words512 {
    type Floats = Avx512;
    type Sums = __m512i;
    const PRODUCTS: usize = 2;
    const ROWS: usize = 12;
    const COLUMNS: usize = 2;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self::Sums {
        unsafe { _mm512_loadu_epi32(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut i32, v: Self::Sums) {
        unsafe { _mm512_storeu_epi32(p, v) }
    }
    #[inline(always)]
    unsafe fn splat(word: i32) -> Self::Sums {
        unsafe { _mm512_set1_epi32(word) }
    }
    #[inline(always)]
    unsafe fn dot(sums: Self::Sums, left: Self::Sums, right: Self::Sums) -> Self::Sums {
        unsafe { _mm512_add_epi32(sums, _mm512_madd_epi16(left, right)) }
    }
}

/// AVX-VNNI, two registers.
#[derive(Clone, Copy)]
pub(crate) struct Bytes256;

// SAFETY: every method is a pair of instructions of AVX2 or AVX-VNNI on eight integers each; the trait's contract says when
// it may be called.
unsafe impl Dots for Bytes256 {
    type Floats = Avx2;
    type Sums = [__m256i; 2];
    const PRODUCTS: usize = 4;
    const ROWS: usize = 6;
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self::Sums {
        unsafe { [_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn store(p: *mut i32, v: Self::Sums) {
        unsafe {
            _mm256_storeu_si256(p.cast(), v[0]);
            _mm256_storeu_si256(p.add(8).cast(), v[1]);
        }
    }
    #[inline(always)]
    unsafe fn splat(word: i32) -> Self::Sums {
        unsafe { [_mm256_set1_epi32(word); 2] }
    }
    #[inline(always)]
    unsafe fn dot(sums: Self::Sums, left: Self::Sums, right: Self::Sums) -> Self::Sums {
        unsafe {
            [
                _mm256_dpbusd_avx_epi32(sums[0], left[0], right[0]),
                _mm256_dpbusd_avx_epi32(sums[1], left[1], right[1]),
            ]
        }
    }
}

/// AVX2, two registers.
#[derive(Clone, Copy)]
pub(crate) struct Words256;

// SAFETY: every method is a few instructions of AVX2 on eight integers each; the trait's contract says when it may be called.
unsafe impl Dots for Words256 {
    type Floats = Avx2;
    type Sums = [__m256i; 2];
    const PRODUCTS: usize = 2;
    const ROWS: usize = 5;
    const COLUMNS: usize = 1;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self::Sums {
        unsafe { [_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn store(p: *mut i32, v: Self::Sums) {
        unsafe {
            _mm256_storeu_si256(p.cast(), v[0]);
            _mm256_storeu_si256(p.add(8).cast(), v[1]);
        }
    }
    #[inline(always)]
    unsafe fn splat(word: i32) -> Self::Sums {
        unsafe { [_mm256_set1_epi32(word); 2] }
    }
    #[inline(always)]
    unsafe fn dot(sums: Self::Sums, left: Self::Sums, right: Self::Sums) -> Self::Sums {
        unsafe {
            [
                _mm256_add_epi32(sums[0], _mm256_madd_epi16(left[0], right[0])),
                _mm256_add_epi32(sums[1], _mm256_madd_epi16(left[1], right[1])),
            ]
        }
    }
}
