//! 64 pixels at once, by the instructions that the machine has.

/// Makes words of 64 bits from 64 bytes, the first byte's bit the lowest.
pub(crate) trait Lanes: Copy {
    /// Which bytes are equal.
    fn equal(self, a: &[u8; 64], b: &[u8; 64]) -> u64;
    /// Which bytes have bit `bit` (0 to 7) set.
    fn bit(self, bytes: &[u8; 64], bit: u32) -> u64;
}

/// Work that is compiled for each kind of [`Lanes`]; whatever it calls must be `#[inline(always)]` to be, too.
pub(crate) trait Work {
    /// The result of the work.
    type Output;
    /// Does it.
    fn run(self, lanes: impl Lanes) -> Self::Output;
}

/// Does the work with the fastest lanes of this machine.
pub(crate) fn dispatch<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = avx2::Avx2::try_new() {
        return avx2.dispatch(work);
    }
    work.run(Portable)
}

/// In a form that compilers turn into the vector instructions of any processor.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn equal(self, a: &[u8; 64], b: &[u8; 64]) -> u64 {
        gather(|pixel| a[pixel] == b[pixel])
    }

    #[inline(always)]
    fn bit(self, bytes: &[u8; 64], bit: u32) -> u64 {
        gather(|pixel| bytes[pixel] & 1 << bit != 0)
    }
}

#[inline(always)]
fn gather(chosen: impl Fn(usize) -> bool) -> u64 {
    // Bit `r` of byte `j` is first set for the pixel `8 r + j`.
    let mut bytes = [0; 64];
    for (pixel, byte) in bytes.iter_mut().enumerate() {
        *byte = if chosen(pixel) { 1u8 << (pixel / 8) } else { 0 };
    }
    transpose(bytes.as_chunks::<8>().0.iter().fold(0, |bits, row| bits | u64::from_le_bytes(*row)))
}

/// Transposes an 8 x 8 matrix of bits whose rows are bytes, by exchanging ever larger blocks off the diagonal.
#[inline(always)]
fn transpose(bits: u64) -> u64 {
    if bits == 0 || bits == u64::MAX {
        return bits; // the common cases in label maps
    }
    let exchange = |bits: u64, distance: u32, mask: u64| {
        let changed = (bits ^ bits >> distance) & mask;
        bits ^ changed ^ changed << distance
    };
    let bits = exchange(bits, 7, 0x00aa_00aa_00aa_00aa);
    let bits = exchange(bits, 14, 0x0000_cccc_0000_cccc);
    exchange(bits, 28, 0x0000_0000_f0f0_f0f0)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::__m256i;

    use pulp::x86::V3;

    use super::{Lanes, Work};

    /// A machine with AVX2 (level 3 of x86-64).
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(V3);

    impl Avx2 {
        pub(super) fn try_new() -> Option<Self> {
            V3::try_new().map(Self)
        }

        pub(super) fn dispatch<W: Work>(self, work: W) -> W::Output {
            struct Compiled<W>(Avx2, W);
            impl<W: Work> pulp::NullaryFnOnce for Compiled<W> {
                type Output = W::Output;

                #[inline(always)]
                fn call(self) -> W::Output {
                    self.1.run(self.0)
                }
            }
            self.0.vectorize(Compiled(self, work))
        }
    }

    impl Lanes for Avx2 {
        #[inline(always)]
        fn equal(self, a: &[u8; 64], b: &[u8; 64]) -> u64 {
            let ([a, a_next], [b, b_next]) = (halves(a), halves(b));
            let mask = |a, b| self.0.avx2._mm256_movemask_epi8(self.0.avx2._mm256_cmpeq_epi8(a, b));
            join(mask(a, b), mask(a_next, b_next))
        }

        #[inline(always)]
        fn bit(self, bytes: &[u8; 64], bit: u32) -> u64 {
            let [first, second] = halves(bytes);
            // Moves the bit to the top of its byte, where the mask takes it from.
            let up = self.0.sse2._mm_cvtsi32_si128(7 - bit as i32);
            let mask = |bytes| self.0.avx2._mm256_movemask_epi8(self.0.avx2._mm256_sll_epi16(bytes, up));
            join(mask(first), mask(second))
        }
    }

    #[inline(always)]
    fn halves(bytes: &[u8; 64]) -> [__m256i; 2] {
        pulp::cast(*bytes)
    }

    #[inline(always)]
    fn join(low: i32, high: i32) -> u64 {
        u64::from(low as u32) | u64::from(high as u32) << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Both([u8; 64], [u8; 64]);

    impl Work for Both {
        type Output = Vec<u64>;

        fn run(self, lanes: impl Lanes) -> Vec<u64> {
            let Both(a, b) = self;
            std::iter::once(lanes.equal(&a, &b)).chain((0..8).map(|bit| lanes.bit(&a, bit))).collect()
        }
    }

    #[test]
    fn every_kind_of_lanes_gives_the_bits_of_the_bytes() {
        let word = |chosen: &dyn Fn(usize) -> bool| {
            (0..64).fold(0u64, |word, at| word | u64::from(chosen(at)) << at)
        };
        for seed in 0..200u32 {
            let a =
                std::array::from_fn(|at| ((at as u32 + 64 * seed).wrapping_mul(2_654_435_761) >> 24) as u8);
            let b = std::array::from_fn(|at| a[at] ^ u8::from((at as u32 * seed) % 7 < 3));
            let expected: Vec<u64> = std::iter::once(word(&|at| a[at] == b[at]))
                .chain((0..8).map(|bit| word(&|at| a[at] >> bit & 1 == 1)))
                .collect();
            assert_eq!(Both(a, b).run(Portable), expected);
            assert_eq!(dispatch(Both(a, b)), expected);
        }
    }
}
