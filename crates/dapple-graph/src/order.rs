//! Orders of a batch's errors, largest first, and the Lovász losses' gradients from them.

/// A key by which the largest value comes first, and the smallest index among equals: the bits of numbers that are not
/// negative stand in their order, NaN behind infinity.
pub fn key(value: f32, index: usize) -> u64 {
    u64::from(!value.abs().to_bits()) << 32 | index as u64
}

/// The index in a key; a batch has fewer than 2^32 pixels.
pub fn index(key: u64) -> usize {
    (key & u64::from(u32::MAX)) as usize
}

/// The derivative of the Lovász extension of the Jaccard loss (Berman et al. 2018, equations 8 and 9) by each error.
/// `order` gives pixels with falling errors, `all` of which are of the class; `slope` hears each with its derivative.
/// The loss is the sum of errors times derivatives.
///
/// ```
/// let mut slopes = [0.0; 3];
/// dapple_graph::order::jaccard([2, 0, 1], 1, |pixel| pixel == 0, |pixel, slope| slopes[pixel] = slope);
/// assert_eq!(slopes, [0.5, 0.0, 0.5]);
/// ```
pub fn jaccard(
    order: impl IntoIterator<Item = usize>,
    all: usize,
    truth: impl Fn(usize) -> bool,
    mut slope: impl FnMut(usize, f64),
) {
    let all = all as f64;
    let (mut found, mut wrong, mut before) = (0.0, 0.0, 0.0);
    for pixel in order {
        if truth(pixel) {
            found += 1.0;
        } else {
            wrong += 1.0;
        }
        let loss = 1.0 - (all - found) / (all + wrong);
        slope(pixel, loss - before);
        before = loss;
    }
}
