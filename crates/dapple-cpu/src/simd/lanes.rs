//! The trait of sixteen lanes.

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
/// functions compiled for it (see `simd_fn!`) on a machine that has it. Pointers must be valid for sixteen
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
    /// Sixteen bytes as numbers of 0 to 255.
    unsafe fn of_bytes(p: *const u8) -> Self::V;
    /// Sixteen integers as the nearest numbers; aligned to 4 bytes.
    unsafe fn of_integers(p: *const i32) -> Self::V;
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
    /// Rows to columns: value `j` of row `i` at `from` becomes value `i` of row `j` at `to`, sixteen rows of sixteen
    /// values at these distances, which must be valid and apart.
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize);
}
