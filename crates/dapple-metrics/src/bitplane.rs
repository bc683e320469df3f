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

    /// A plane whose bit `x` is the conjunction of this one's bits `x .. x + length` of the same row.
    ///
    /// The last pixel of every row must be zero: then the conjunction of a window that reaches past the row is zero
    /// whatever is there, and all rows can be shifted as one string of bits. Windows are doubled, as the conjunction
    /// over `2n` bits is that of two over `n`.
    pub(crate) fn and_right(&self, length: usize) -> Self {
        let mut plane = self.clone();
        let mut next = self.words.clone();
        let mut covered = 1;
        while covered < length {
            let step = covered.min(length - covered);
            and_with_later(&plane.words, step, &mut next);
            std::mem::swap(&mut plane.words, &mut next);
            covered += step;
        }
        plane
    }

    /// Moves all bits `by` pixels to the right, zeros coming in. The last `by` pixels of every row must be zero.
    pub(crate) fn move_right(&mut self, by: usize) {
        let (skip, bits) = (by / 64, by % 64);
        for at in (0..self.words.len()).rev() {
            let high = if at >= skip { self.words[at - skip] } else { 0 };
            let low = if at > skip { self.words[at - skip - 1] } else { 0 };
            // Two shifts, because a shift by 64 is not defined for `bits == 0`.
            self.words[at] = high << bits | (low >> 1) >> (63 - bits);
        }
    }

    /// Conjunctions down to the end and from the start of blocks of `length` rows: row `y` of the first plane has
    /// that of the rows from `y` to the end of its block, row `y` of the second that from the start of its block to
    /// `y`. The conjunction of rows `y .. y + length` is row `y` of the first and row `y + length - 1` of the second
    /// (van Herk 1992; Gil and Werman 1993).
    pub(crate) fn and_down_blocks(self, length: usize) -> (Self, Self) {
        let row = self.words_per_row;
        let rows = self.words.len() / row.max(1);
        let (mut to_end, mut from_start) = (self.clone(), self);
        for y in (0..rows.saturating_sub(1)).rev().filter(|y| (y + 1) % length != 0) {
            let (here, below) = to_end.words[y * row..].split_at_mut(row);
            and_into(here, below);
        }
        for y in (1..rows).filter(|y| y % length != 0) {
            let (above, here) = from_start.words[(y - 1) * row..].split_at_mut(row);
            and_into(&mut here[..row], above);
        }
        (to_end, from_start)
    }
}

fn and_into(words: &mut [u64], others: &[u64]) {
    for (word, other) in words.iter_mut().zip(others) {
        *word &= other;
    }
}

/// Sets each bit of `out` to the conjunction of the same bit of `words` and the one `by` bits later, zeros being
/// past the end.
fn and_with_later(words: &[u64], by: usize, out: &mut [u64]) {
    let (skip, bits) = (by / 64, by % 64);
    let inner = words.len().saturating_sub(skip + 1);
    let later = words.get(skip..).unwrap_or_default();
    let pairs = later.iter().zip(later.get(1..).unwrap_or_default());
    for ((out, word), (low, high)) in out.iter_mut().zip(words).zip(pairs) {
        *out = word & (low >> bits | (high << 1) << (63 - bits));
    }
    out[inner..].fill(0);
    if let (Some(out), Some(last)) = (out.get_mut(inner), later.last()) {
        *out = words[inner] & last >> bits;
    }
}

/// Sets bit `x` of `out` where `a[x] == b[x]`, for slices of one length; further bits of `out` become zero.
pub(crate) fn pack_equal(a: &[u8], b: &[u8], out: &mut [u64]) {
    let (a_words, a_rest) = a.as_chunks::<64>();
    let (b_words, b_rest) = b.as_chunks::<64>();
    for ((a, b), word) in a_words.iter().zip(b_words).zip(&mut *out) {
        *word = equal_bytes(a, b);
    }
    let rest = &mut out[a_words.len()..];
    rest.fill(0);
    if let Some(word) = rest.first_mut() {
        *word = match (a.last_chunk::<64>(), b.last_chunk::<64>()) {
            // The last 64 bytes, of which the first are done already. Two shifts, as there may be no rest.
            (Some(a), Some(b)) => equal_bytes(a, b) >> (63 - a_rest.len()) >> 1,
            _ => {
                let bits = a_rest.iter().zip(b_rest).enumerate();
                bits.fold(0, |word, (at, (a, b))| word | u64::from(a == b) << at)
            }
        };
    }
}

/// The bits that say which of 64 bytes are equal, the first byte's the lowest.
fn equal_bytes(a: &[u8; 64], b: &[u8; 64]) -> u64 {
    // Bit `r` of byte `j` is first set for the pixel `8 r + j`: compilers do this 16 pixels at a time.
    let mut chosen = [0; 64];
    for (pixel, chosen) in chosen.iter_mut().enumerate() {
        *chosen = if a[pixel] == b[pixel] { 1u8 << (pixel / 8) } else { 0 };
    }
    transpose(chosen.as_chunks::<8>().0.iter().fold(0, |bits, row| bits | u64::from_le_bytes(*row)))
}

/// Transposes an 8 x 8 matrix of bits whose rows are bytes, by exchanging ever larger blocks off the diagonal.
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
