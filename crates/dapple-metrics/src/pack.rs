//! From rows of bytes to rows of bits: 64 pixels a word, the first pixel in the lowest bit.

use crate::lanes::Lanes;

/// Sets bit `x` of `out` where `a[x] == b[x]`, for slices of one length; further bits of `out` become zero.
#[inline(always)]
pub(crate) fn pack_equal(lanes: impl Lanes, a: &[u8], b: &[u8], out: &mut [u64]) {
    let (a_words, a_rest) = a.as_chunks::<64>();
    let (b_words, b_rest) = b.as_chunks::<64>();
    for ((a, b), word) in a_words.iter().zip(b_words).zip(&mut *out) {
        *word = lanes.equal(a, b);
    }
    let rest = &mut out[a_words.len()..];
    rest.fill(0);
    if let Some(word) = rest.first_mut() {
        *word = match (a.last_chunk::<64>(), b.last_chunk::<64>()) {
            // The last 64 bytes, of which the first are done already. Two shifts, as there may be no rest.
            (Some(a), Some(b)) => lanes.equal(a, b) >> (63 - a_rest.len()) >> 1,
            _ => pack_few(a_rest.len(), |at| a_rest[at] == b_rest[at]),
        };
    }
}

/// Sets bit `x` of `out` where bit `bit` (0 to 7) of `bytes[x]` is set; further bits of `out` become zero. Adds the bits
/// of all bytes to `union`, in no order.
#[inline(always)]
pub(crate) fn pack_bit(lanes: impl Lanes, bytes: &[u8], bit: u32, out: &mut [u64], union: &mut [u8; 64]) {
    let (words, rest) = bytes.as_chunks::<64>();
    for (bytes, word) in words.iter().zip(&mut *out) {
        *word = lanes.bit(bytes, bit);
        unite(union, bytes);
    }
    let last = &mut out[words.len()..];
    last.fill(0);
    if let Some(word) = last.first_mut() {
        *word = match bytes.last_chunk::<64>() {
            Some(bytes) => {
                unite(union, bytes);
                lanes.bit(bytes, bit) >> (63 - rest.len()) >> 1
            }
            None => {
                unite(union, rest);
                pack_few(rest.len(), |at| rest[at] >> bit & 1 == 1)
            }
        };
    }
}

#[inline(always)]
fn unite(union: &mut [u8; 64], bytes: &[u8]) {
    for (union, byte) in union.iter_mut().zip(bytes) {
        *union |= byte;
    }
}

/// A row shorter than a word.
fn pack_few(pixels: usize, chosen: impl Fn(usize) -> bool) -> u64 {
    (0..pixels).fold(0, |word, at| word | u64::from(chosen(at)) << at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{Work, dispatch};

    /// Packs the equality of two rows, and one bit of the first.
    struct Pack<'a>(&'a [u8], &'a [u8], u32);

    impl Work for Pack<'_> {
        type Output = [Vec<u64>; 2];

        fn run(self, lanes: impl Lanes) -> Self::Output {
            // One word more than is needed, all bits set, which must become zero.
            let mut packed = [(); 2].map(|()| vec![u64::MAX; self.0.len().div_ceil(64) + 1]);
            pack_equal(lanes, self.0, self.1, &mut packed[0]);
            let mut union = [0; 64];
            pack_bit(lanes, self.0, self.2, &mut packed[1], &mut union);
            let bits = |bytes: &[u8]| bytes.iter().fold(0, |bits, byte| bits | byte);
            assert_eq!(bits(&union), bits(self.0));
            packed
        }
    }

    #[test]
    fn rows_of_every_length() {
        let bytes: Vec<u8> = (0..300u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let others: Vec<u8> =
            bytes.iter().enumerate().map(|(i, &byte)| byte ^ u8::from(i % 3 == 0)).collect();
        for length in 0..bytes.len() {
            let (bytes, others, bit) = (&bytes[..length], &others[..length], length as u32 % 8);
            let [equal, set] = dispatch(Pack(bytes, others, bit));
            for at in 0..equal.len() * 64 {
                let found = |packed: &[u64]| packed[at / 64] >> (at % 64) & 1 == 1;
                assert_eq!(found(&equal), at < length && bytes[at] == others[at], "{at} of {length}");
                assert_eq!(found(&set), at < length && bytes[at] >> bit & 1 == 1, "{at} of {length}");
            }
        }
    }
}
