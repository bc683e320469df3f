//! What ranks can do together, whatever carries their messages, and the order of their sums.

use std::fmt::Debug;
use std::ops::Range;

use crate::fault::InputFault;

/// Values up to which a sum takes one exchange, in which everyone sees everything.
const SMALL: usize = 4096;
/// Values of a sum that travel at once, so that messages stay far below the limits of MPI's counts.
const PIECE: usize = 1 << 22;

/// Ranks that cannot go on together: one of them has ended, or a message got lost. In words of users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RanksError(pub String);

impl InputFault for RanksError {
    fn is_input_fault(&self) -> bool {
        false
    }
}

/// A group of processes (or threads) that make the same calls in the same order; each call waits for all of them.
///
/// Sums have one order, whatever carries the messages: for each element, the addends of ranks 0, 1, 2 … are added in that
/// order in `f64`, and the sum is rounded once to the element's type. All ranks get the same bits, and so does each
/// repetition with as many ranks.
pub trait Ranks: Debug + Send + Sync {
    /// The number of this one, from 0.
    fn rank(&self) -> usize;

    /// How many there are, at least 1.
    fn size(&self) -> usize;

    /// The bytes that each rank gives, in the order of the ranks; lengths may differ.
    ///
    /// # Errors
    /// [`RanksError`] if a rank has ended.
    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError>;

    /// Gives `parts[i]` to rank `i`, for all of them, and returns what each gives to this one: `lengths[i]` bytes of rank `i`.
    ///
    /// # Errors
    /// [`RanksError`] if a rank has ended, or gives another number of bytes.
    fn exchange(&self, parts: &[&[u8]], lengths: &[usize]) -> Result<Vec<Vec<u8>>, RanksError>;

    /// Ends the work of all ranks, with the one message that the user sees and the exit code of the program. Over MPI it does
    /// not return; where ranks are threads, all calls of the others fail with the message.
    fn end(&self, message: &str, code: u8);

    /// Whether this is rank 0, which alone writes and prints.
    fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Waits for all ranks.
    ///
    /// # Errors
    /// As [`Ranks::gather`].
    fn barrier(&self) -> Result<(), RanksError> {
        self.gather(&[]).map(drop)
    }

    /// The bytes of rank 0, whatever the others give.
    ///
    /// # Errors
    /// As [`Ranks::gather`].
    fn broadcast(&self, bytes: &[u8]) -> Result<Vec<u8>, RanksError> {
        let all = self.gather(if self.is_first() { bytes } else { &[] })?;
        Ok(all.into_iter().next().unwrap_or_default())
    }

    /// The number of rank 0, whatever the others give.
    ///
    /// # Errors
    /// As [`Ranks::exchange`].
    fn agreed(&self, number: f64) -> Result<f64, RanksError> {
        let mut number = [if self.is_first() { number } else { 0.0 }];
        self.sum_f64(&mut number)?;
        Ok(number[0])
    }

    /// Replaces each element by its sum over the ranks; all give as many.
    ///
    /// # Errors
    /// As [`Ranks::exchange`].
    fn sum_f64(&self, values: &mut [f64]) -> Result<(), RanksError> {
        sum(self, values)
    }

    /// As [`Ranks::sum_f64`].
    ///
    /// # Errors
    /// As [`Ranks::exchange`].
    fn sum_f32(&self, values: &mut [f32]) -> Result<(), RanksError> {
        sum(self, values)
    }
}

/// Part `part` of `parts` nearly equal runs of `len` things.
///
/// ```
/// use dapple_base::share;
/// assert_eq!([share(5, 0, 2), share(5, 1, 2)], [0..2, 2..5]);
/// ```
pub fn share(len: usize, part: usize, parts: usize) -> Range<usize> {
    len * part / parts..len * (part + 1) / parts
}

/// A number that can be added up.
trait Element: Copy {
    const BYTES: usize;
    fn wide(self) -> f64;
    fn narrow(wide: f64) -> Self;
    fn put(self, bytes: &mut Vec<u8>);
    /// Of exactly [`Element::BYTES`] bytes.
    fn get(bytes: &[u8]) -> Self;
}

impl Element for f64 {
    const BYTES: usize = 8;

    fn wide(self) -> f64 {
        self
    }

    fn narrow(wide: f64) -> Self {
        wide
    }

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(Self::NAN, Self::from_le_bytes)
    }
}

impl Element for f32 {
    const BYTES: usize = 4;

    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn narrow(wide: f64) -> Self {
        wide as f32
    }

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(Self::NAN, Self::from_le_bytes)
    }
}

fn sum<T: Element>(ranks: &(impl Ranks + ?Sized), values: &mut [T]) -> Result<(), RanksError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    values.chunks_mut(PIECE).try_for_each(|piece| sum_piece(ranks, piece))
}

fn sum_piece<T: Element>(ranks: &(impl Ranks + ?Sized), piece: &mut [T]) -> Result<(), RanksError> {
    let (rank, size) = (ranks.rank(), ranks.size());
    if piece.len() <= SMALL {
        let own = bytes_of(piece);
        let all = ranks.exchange(&vec![own.as_slice(); size], &vec![own.len(); size])?;
        add_up(&all, piece);
        return Ok(());
    }
    // Each rank adds up one part, and gives the sums to the others.
    let parts: Vec<Range<usize>> = (0..size).map(|part| share(piece.len(), part, size)).collect();
    let cut: Vec<Vec<u8>> = parts.iter().map(|part| bytes_of(&piece[part.clone()])).collect();
    let given: Vec<&[u8]> = cut.iter().map(Vec::as_slice).collect();
    let own = parts[rank].clone();
    let all = ranks.exchange(&given, &vec![own.len() * T::BYTES; size])?;
    add_up(&all, &mut piece[own.clone()]);
    let sums = bytes_of(&piece[own]);
    let lengths: Vec<usize> = parts.iter().map(|part| part.len() * T::BYTES).collect();
    let all = ranks.exchange(&vec![sums.as_slice(); size], &lengths)?;
    for (part, bytes) in parts.into_iter().zip(&all) {
        for (value, bytes) in piece[part].iter_mut().zip(bytes.chunks_exact(T::BYTES)) {
            *value = T::get(bytes);
        }
    }
    Ok(())
}

fn bytes_of<T: Element>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() * T::BYTES);
    values.iter().for_each(|value| value.put(&mut bytes));
    bytes
}

/// The sums of what the ranks gave, in their order.
fn add_up<T: Element>(all: &[Vec<u8>], sums: &mut [T]) {
    let mut totals = vec![0.0; sums.len()];
    for bytes in all {
        for (total, bytes) in totals.iter_mut().zip(bytes.chunks_exact(T::BYTES)) {
            *total += T::get(bytes).wide();
        }
    }
    sums.iter_mut().zip(totals).for_each(|(sum, total)| *sum = T::narrow(total));
}
