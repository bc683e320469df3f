//! Sixteen `f32` lanes on every machine.
//!
//! Kernels are written once, generic over [`Simd`], and compiled for each instruction set by [`simd_fn!`];
//! [`Level`] is chosen at run time. A vector has sixteen lanes everywhere (one AVX-512 register, two of AVX2,
//! four of SSE or NEON), so that all memory layouts are the same.
//!
//! [`Portable`] is plain Rust that LLVM vectorises for the target's baseline: SSE2 on x86-64, and NEON with
//! fused multiply-adds on AArch64, where both belong to the baseline.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Lanes of a vector; channels are stored in multiples of it.
pub(crate) const LANES: usize = 16;

/// Rounds a number of channels up to whole vectors.
pub(crate) const fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Sixteen lanes of `f32`.
///
/// # Safety
/// The methods may use instructions that only the implementing level has: they may be called only from
/// functions compiled for it (see [`simd_fn!`]) on a machine that has it. Pointers need be valid for sixteen
/// values, aligned to 4 bytes.
pub(crate) unsafe trait Simd: Copy {
    /// Sixteen lanes.
    type V: Copy;
    /// Rows of the largest micro-tile of a matrix product.
    const ROWS: usize;
    /// Vectors in a row of it.
    const COLUMNS: usize;

    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, fused where the level can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger lane; `b` where either is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// `v` where `x > bound`, else 0.
    unsafe fn where_greater(x: Self::V, bound: Self::V, v: Self::V) -> Self::V;
    /// `a` where `x > bound`, else `b`.
    unsafe fn select_greater(x: Self::V, bound: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// `v` where `x == y`, else 0.
    unsafe fn where_equal(x: Self::V, y: Self::V, v: Self::V) -> Self::V;
    /// Whole numbers of 0 to 255 as sixteen bytes.
    unsafe fn store_bytes(p: *mut u8, v: Self::V);
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// The nearest integer, ties to even, of a magnitude below 2^22.
    unsafe fn round(a: Self::V) -> Self::V;
    /// `a` times 2 to the power of `n`, an integer in `-126 ..= 127`.
    unsafe fn times_power_of_two(a: Self::V, n: Self::V) -> Self::V;
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// AVX-512 F, VL, DQ and BW.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The target's baseline.
    Portable,
}

impl Level {
    /// All levels that this machine has, the fastest first.
    pub fn available() -> Vec<Level> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("fma")
            {
                levels.push(Level::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
            }
        }
        levels.push(Level::Portable);
        levels
    }

    /// The fastest level of this machine, or the one that the environment variable `DAPPLE_SIMD` names
    /// (`avx512`, `avx2` or `portable`).
    ///
    /// # Errors
    /// If the variable names a level that does not exist or that this machine lacks.
    pub fn detect() -> Result<Level, String> {
        let available = Self::available();
        let Ok(wanted) = std::env::var("DAPPLE_SIMD") else { return Ok(available[0]) };
        available.iter().copied().find(|level| level.name() == wanted).ok_or_else(|| {
            let names: Vec<&str> = available.iter().map(|level| level.name()).collect();
            format!("DAPPLE_SIMD={wanted}: this machine has {}", names.join(", "))
        })
    }

    /// Its name as `DAPPLE_SIMD` takes it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            Level::Portable => "portable",
        }
    }
}

/// Compiles a generic kernel `fn kernel<S: Simd>(args)` for every level: `simd_fn!(name = kernel(a: A, …));`
/// makes `unsafe fn name(level, a, …)`.
///
/// The made function is as unsafe as the kernel; it adds that `level` must be one of
/// [`Level::available`].
macro_rules! simd_fn {
    ($(#[$meta:meta])* $vis:vis $name:ident = $kernel:ident ( $($arg:ident : $ty:ty),* $(,)? )) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name(level: $crate::simd::Level, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: compiled for the level; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: compiled for the level; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Avx2>($($arg),*) }
            }
            // SAFETY: the caller vouches that the machine has the level and for the arguments.
            unsafe {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Level::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::Level::Avx2 => avx2($($arg),*),
                    $crate::simd::Level::Portable => $kernel::<$crate::simd::Portable>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use simd_fn;
