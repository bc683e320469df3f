//! Places in the arena from lifetimes.
//!
//! While a plan is compiled, a place is a buffer's number in the upper bits and an offset in the lower ones
//! ([`place`]). When all steps are known, the first and last step that touch a buffer are its life; buffers whose
//! lives do not overlap share memory.

/// Bits of an offset within a buffer.
const BITS: u32 = 40;

/// The address of a buffer's first value while a plan is built.
pub(super) fn place(buffer: usize) -> usize {
    buffer << BITS
}

/// The buffer of a place.
pub(super) fn buffer(place: usize) -> usize {
    place >> BITS
}

/// The offset of a place within its buffer.
pub(super) fn offset(place: usize) -> usize {
    place & ((1 << BITS) - 1)
}

/// The same offset in another buffer.
pub(super) fn moved(place: usize, buffer: usize) -> usize {
    self::place(buffer) | offset(place)
}

/// A buffer's length and life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub len: usize,
    /// First and last step; none if nothing uses it.
    pub steps: Option<(usize, usize)>,
}

/// Final offsets, and the arena's length. The largest buffers choose first, or those that take most memory for most time if
/// that is shorter, each the lowest free place.
pub(super) fn assign(lives: &[Life]) -> (Vec<usize>, usize) {
    let by_len = in_order(lives, |life, _| life.len);
    let by_time = in_order(lives, |life, steps| life.len * steps);
    if by_time.1 < by_len.1 { by_time } else { by_len }
}

/// As [`assign`]; those with the largest `key`, from a buffer's life and its number of steps, choose first.
fn in_order(lives: &[Life], key: impl Fn(&Life, usize) -> usize) -> (Vec<usize>, usize) {
    let key = |i: usize| lives[i].steps.map(|(first, last)| key(&lives[i], last - first + 1));
    let mut order: Vec<usize> = (0..lives.len()).filter(|&i| lives[i].steps.is_some()).collect();
    order.sort_by_cached_key(|&i| (std::cmp::Reverse(key(i)), i));
    let mut offsets = vec![0; lives.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut total = 0;
    for &i in &order {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&j| overlap(lives[i].steps, lives[j].steps))
            .map(|&j| (offsets[j], offsets[j] + lives[j].len))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + lives[i].len <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[i] = offset;
        total = total.max(offset + lives[i].len);
        placed.push(i);
    }
    (offsets, total)
}

fn overlap(a: Option<(usize, usize)>, b: Option<(usize, usize)>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.0 <= b.1 && b.0 <= a.1,
        _ => false,
    }
}

/// The final offset of a place.
pub(super) fn resolve(offsets: &[usize], place: usize) -> usize {
    offsets[buffer(place)] + offset(place)
}

/// Whether no two buffers that live at the same time share memory.
pub(super) fn disjoint(lives: &[Life], offsets: &[usize]) -> bool {
    let shares = |i: usize, j: usize| {
        overlap(lives[i].steps, lives[j].steps)
            && offsets[i] < offsets[j] + lives[j].len
            && offsets[j] < offsets[i] + lives[i].len
    };
    (0..lives.len()).all(|i| (0..i).all(|j| !shares(i, j)))
}
