//! Sixteen `f32` lanes on every machine.
//!
//! Kernels are written once, generic over [`Simd`], and compiled for each instruction set by [`simd_fn!`];
//! [`Level`] is chosen at run time. A vector has sixteen lanes everywhere (one AVX-512 register, two of AVX2,
//! four of SSE or NEON), so that all memory layouts are the same.
//!
//! [`Portable`] is plain Rust that LLVM vectorizes for the target's baseline: SSE2 on x86-64, and NEON with
//! fused multiply-adds on AArch64, where both belong to the baseline.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dot_level;
mod dots;
#[cfg(target_arch = "x86_64")]
mod dots_x86;
mod lanes;
mod level;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use dot_level::DotLevel;
pub(crate) use dots::{Dots, PortableWords};
#[cfg(target_arch = "x86_64")]
pub(crate) use dots_x86::{Bytes256, Bytes512, Words256, Words512};
pub(crate) use lanes::{LANES, Simd, padded};
pub use level::Level;
pub(crate) use portable::Portable;

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

/// As [`simd_fn!`], for kernels generic over [`Dots`]: makes `unsafe fn name(level: DotLevel, a, …)`, whose level must be
/// that of this machine ([`DotLevel::available`]).
macro_rules! dot_fn {
    ($(#[$meta:meta])* $vis:vis $name:ident = $kernel:ident ( $($arg:ident : $ty:ty),* $(,)? )) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name(level: $crate::simd::DotLevel, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vnni,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn bytes512($($arg: $ty),*) {
                // SAFETY: compiled for the level; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Bytes512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn words512($($arg: $ty),*) {
                // SAFETY: compiled for the level; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Words512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avxvnni,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn bytes256($($arg: $ty),*) {
                // SAFETY: compiled for the level; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Bytes256>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn words256($($arg: $ty),*) {
                // SAFETY: compiled for the level; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Words256>($($arg),*) }
            }
            // SAFETY: the caller vouches that the machine has the level and for the arguments.
            unsafe {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::DotLevel::Bytes512 => bytes512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::DotLevel::Words512 => words512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::DotLevel::Bytes256 => bytes256($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::simd::DotLevel::Words256 => words256($($arg),*),
                    $crate::simd::DotLevel::Portable => $kernel::<$crate::simd::PortableWords>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use dot_fn;
