//! Rows of bits, 64 pixels a word, for morphology on whole words.

/// One bit a pixel. Rows start at word boundaries; the bits past the width are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BitPlane {
    words_per_row: usize,
    words: Vec<u64>,
}

impl BitPlane {
    /// All bits zero.
    pub(crate) fn zeros(height: usize, width: usize) -> Self {
        let words_per_row = width.div_ceil(64);
        BitPlane { words_per_row, words: vec![0; words_per_row * height] }
    }

    /// The words of one row.
    pub(crate) fn row(&self, y: usize) -> &[u64] {
        &self.words[y * self.words_per_row..(y + 1) * self.words_per_row]
    }

    /// The words of one row, to be written.
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [u64] {
        &mut self.words[y * self.words_per_row..(y + 1) * self.words_per_row]
    }

    /// The bit of one pixel.
    pub(crate) fn get(&self, y: usize, x: usize) -> bool {
        self.row(y)[x / 64] >> (x % 64) & 1 == 1
    }

    /// Makes row `y` the conjunction of rows `y .. y + length`, rows past the end counting as zero.
    ///
    /// Windows are doubled: a conjunction over `2n` rows is that of two over `n`.
    pub(crate) fn and_down(&mut self, length: usize) {
        for step in doubling_steps(length) {
            let shift = (step * self.words_per_row).min(self.words.len());
            let kept = self.words.len() - shift;
            for at in 0..kept {
                self.words[at] &= self.words[at + shift];
            }
            self.words[kept..].fill(0);
        }
    }
}

/// The shifts by which a window of one element grows to `length` elements.
fn doubling_steps(length: usize) -> impl Iterator<Item = usize> {
    let mut covered = 1;
    std::iter::from_fn(move || {
        let step = covered.min(length.saturating_sub(covered));
        covered += step;
        (step > 0).then_some(step)
    })
}

/// Makes bit `x` of a row the conjunction of bits `x .. x + length`, bits past the end counting as zero.
pub(crate) fn and_right(row: &mut [u64], length: usize) {
    for step in doubling_steps(length) {
        let (words, bits) = (step / 64, step % 64);
        for at in 0..row.len() {
            let low = row.get(at + words).copied().unwrap_or(0);
            let high = row.get(at + words + 1).copied().unwrap_or(0);
            // Two shifts, because a shift by 64 is not defined for `bits == 0`.
            row[at] &= low >> bits | (high << 1) << (63 - bits);
        }
    }
}

/// Moves the bits of a row `by` pixels to the right (to larger `x`), zeros coming in.
pub(crate) fn move_right(row: &mut [u64], by: usize) {
    let (words, bits) = (by / 64, by % 64);
    for at in (0..row.len()).rev() {
        let high = if at >= words { row[at - words] } else { 0 };
        let low = if at > words { row[at - words - 1] } else { 0 };
        row[at] = high << bits | (low >> 1) >> (63 - bits);
    }
}

/// Sets bit `x` of `out` where `a[x] == b[x]`; further bits of `out` become zero.
pub(crate) fn pack_equal(a: &[u8], b: &[u8], out: &mut [u64]) {
    for ((a, b), word) in a.chunks(64).zip(b.chunks(64)).zip(&mut *out) {
        let (a_blocks, a_rest) = a.as_chunks::<8>();
        let (b_blocks, b_rest) = b.as_chunks::<8>();
        let mut bits = 0;
        for (at, (a, b)) in a_blocks.iter().zip(b_blocks).enumerate() {
            bits |= equal_bytes(u64::from_le_bytes(*a), u64::from_le_bytes(*b)) << (8 * at);
        }
        for (at, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
            bits |= u64::from(a == b) << (8 * a_blocks.len() + at);
        }
        *word = bits;
    }
    let written = a.len().min(b.len()).div_ceil(64).min(out.len());
    out[written..].fill(0);
}

/// Eight bits that say which of the eight bytes of two words are equal.
fn equal_bytes(a: u64, b: u64) -> u64 {
    const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let difference = a ^ b;
    if difference == 0 {
        return 0xff; // the common case in label maps
    }
    // The top bit of each byte becomes 1 where the byte differs; no carry crosses into the next byte.
    let differs = ((difference & LOW_SEVEN) + LOW_SEVEN) | difference;
    let equal = !differs >> 7 & 0x0101_0101_0101_0101;
    // The product's top byte gathers the eight lowest bits, the first byte's at the bottom.
    equal.wrapping_mul(0x0102_0408_1020_4080) >> 56
}
