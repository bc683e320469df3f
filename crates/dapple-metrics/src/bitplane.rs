//! Planes of bits, 64 pixels a word, for morphology on whole words.
//!
//! A plane is a slice of words, row by row; rows start at word boundaries. All planes of some work are parts of one
//! allocation, which the allocator then gives again and again, where many would be returned to the system and zeroed.
//! Everything is inlined into the work that [`lanes::dispatch`](crate::lanes::dispatch) compiles for the machine.

/// The shape of planes, both sides at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Grid {
    /// Words in a row.
    #[inline(always)]
    pub(crate) fn row(self) -> usize {
        self.width.div_ceil(64)
    }

    /// Words in a plane.
    #[inline(always)]
    pub(crate) fn words(self) -> usize {
        self.height * self.row()
    }

    /// The bits of a row's last word that are pixels.
    #[inline(always)]
    pub(crate) fn pixels_of_last_word(self) -> u64 {
        u64::MAX >> ((64 - self.width % 64) % 64)
    }

    /// The last word of each row.
    #[inline(always)]
    fn last_words(self, plane: &mut [u64]) -> impl Iterator<Item = &mut u64> {
        plane.iter_mut().skip(self.row() - 1).step_by(self.row())
    }

    /// Sets the bits past the width.
    #[inline(always)]
    pub(crate) fn set_past_the_width(self, plane: &mut [u64]) {
        let past = !self.pixels_of_last_word();
        for last in self.last_words(plane) {
            *last |= past;
        }
    }

    /// Which pixels equal their right neighbour in all the planes; the last pixel of a row has none.
    #[inline(always)]
    pub(crate) fn same_as_right<const PLANES: usize>(self, planes: &[&mut [u64]; PLANES], out: &mut [u64]) {
        let [first, others @ ..] = &planes[..] else { return };
        for_each_with_later(first, 1, out, |out, word, right| *out = !(word ^ right));
        for plane in others {
            for_each_with_later(plane, 1, out, |out, word, right| *out &= !(word ^ right));
        }
        let inner = self.pixels_of_last_word() >> 1;
        for last in self.last_words(out) {
            *last &= inner;
        }
    }

    /// Which pixels equal the one below in all the planes; the last row has none.
    #[inline(always)]
    pub(crate) fn same_as_below<const PLANES: usize>(self, planes: &[&mut [u64]; PLANES], out: &mut [u64]) {
        let (upper, last) = out.split_at_mut(self.words() - self.row());
        last.fill(0);
        for (number, plane) in planes.iter().enumerate() {
            for ((out, word), below) in upper.iter_mut().zip(&**plane).zip(&plane[self.row()..]) {
                let others = if number == 0 { u64::MAX } else { *out };
                *out = others & !(word ^ below);
            }
        }
    }

    /// The conjunctions of the bits `x - reach .. x + reach` of a row, for every `x`. Gives the result and the other
    /// of both planes, which are used up.
    ///
    /// The last pixel of every row must be zero, and what is past it: then the conjunction of a window that reaches
    /// past the row is zero whatever is there, and all rows can be shifted as one string of bits. Windows are doubled,
    /// as the conjunction over `2n` bits is that of two over `n`.
    #[inline(always)]
    pub(crate) fn and_across<'m>(
        self,
        reach: usize,
        mut plane: &'m mut [u64],
        mut next: &'m mut [u64],
    ) -> [&'m mut [u64]; 2] {
        let mut covered = 1;
        while covered < reach {
            let step = covered.min(reach - covered);
            for_each_with_later(plane, step, next, |out, word, later| *out = word & later);
            std::mem::swap(&mut plane, &mut next);
            covered += step;
        }
        // The left half of the window is the right half of the one `reach` pixels before.
        for_each_with_earlier(plane, reach, next, |out, word, earlier| *out = word & earlier);
        [next, plane]
    }

    /// The conjunctions of the rows `y .. y + length`, for every `y` for which they exist; further rows of the result
    /// have no meaning. Gives the result and the other of both planes, which are used up.
    #[inline(always)]
    pub(crate) fn and_along<'m>(
        self,
        length: usize,
        mut plane: &'m mut [u64],
        mut next: &'m mut [u64],
    ) -> [&'m mut [u64]; 2] {
        let mut covered = 1;
        while covered < length {
            let step = covered.min(length - covered);
            for ((out, word), later) in next.iter_mut().zip(&*plane).zip(&plane[step * self.row()..]) {
                *out = word & later;
            }
            std::mem::swap(&mut plane, &mut next);
            covered += step;
        }
        [plane, next]
    }
}

/// Calls `visit(out, word, later)` for every word, where the bits of `later` are those `by` places after the word's,
/// zeros being past the end.
#[inline(always)]
fn for_each_with_later(words: &[u64], by: usize, out: &mut [u64], visit: impl Fn(&mut u64, u64, u64)) {
    let (skip, bits) = (by / 64, by % 64);
    let later = words.get(skip..).unwrap_or_default();
    let pairs = later.iter().zip(later.get(1..).unwrap_or_default());
    for ((out, word), (low, high)) in out.iter_mut().zip(words).zip(pairs) {
        // Two shifts, because a shift by 64 is not defined for `bits == 0`.
        visit(out, *word, low >> bits | (high << 1) << (63 - bits));
    }
    let last = words.len().saturating_sub(skip + 1);
    for (at, (out, word)) in out.iter_mut().zip(words).enumerate().skip(last) {
        visit(out, *word, words.get(at + skip).map_or(0, |low| low >> bits));
    }
}

/// Calls `visit(out, word, earlier)` for every word, where the bits of `earlier` are those `by` places before the
/// word's, zeros being before the start.
#[inline(always)]
fn for_each_with_earlier(words: &[u64], by: usize, out: &mut [u64], visit: impl Fn(&mut u64, u64, u64)) {
    let (skip, bits) = (by / 64, by % 64);
    for (at, (out, word)) in out.iter_mut().zip(words).enumerate().take(skip + 1) {
        visit(out, *word, if at == skip { words[0] << bits } else { 0 });
    }
    let pairs = words.iter().zip(words.get(1..).unwrap_or_default());
    let rest = out.iter_mut().zip(words).skip(skip + 1);
    for ((out, word), (low, high)) in rest.zip(pairs) {
        visit(out, *word, high << bits | (low >> 1) >> (63 - bits));
    }
}
