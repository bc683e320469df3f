//! Messages over MPI.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{hint, io, thread};

use dapple_base::{Ranks, RanksError};
use mpi::Count;
use mpi::datatype::{Partition, PartitionMut};
use mpi::request::{self, Request, Scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

/// Times that an operation is asked for before others have the core, some tens of microseconds.
const SPINS: usize = 200;
/// The time after which a rank sleeps between two questions, as long as [`NAP`].
const PATIENCE: Duration = Duration::from_millis(50);
const NAP: Duration = Duration::from_micros(100);
/// The time in which an error that all ranks have is told by rank 0 alone.
const PRECEDENCE: Duration = Duration::from_secs(2);

/// A rank of the world communicator.
#[derive(Debug)]
pub struct MpiRanks {
    rank: usize,
    size: usize,
    /// Held during a call: MPI serves one thread at a time.
    calls: Mutex<()>,
}

impl MpiRanks {
    /// Of all processes of the job; MPI has begun.
    pub(crate) fn of_world() -> Self {
        let world = SimpleCommunicator::world();
        let number = |value: i32| usize::try_from(value).unwrap_or_default();
        Self { rank: number(world.rank()), size: number(world.size()), calls: Mutex::new(()) }
    }

    /// `MPI_Ialltoallv` of bytes.
    fn all_to_all(&self, parts: &[&[u8]], lengths: &[usize]) -> Result<Vec<Vec<u8>>, RanksError> {
        let sent: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        let ((counts, places), (taken, begins)) = (layout(&sent)?, layout(lengths)?);
        let given = parts.concat();
        let mut got = vec![0u8; lengths.iter().sum()];
        let one_at_a_time = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let from = Partition::new(&given[..], counts, places);
        let mut to = PartitionMut::new(&mut got[..], taken, begins);
        let world = SimpleCommunicator::world();
        request::scope(|scope| finish(world.immediate_all_to_all_varcount_into(scope, &from, &mut to)));
        drop(one_at_a_time);
        Ok(cut(&got, lengths))
    }

    /// `MPI_Iallgatherv` of bytes, after one of their lengths.
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError> {
        let _one_at_a_time = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let world = SimpleCommunicator::world();
        let mut lengths = vec![0u64; self.size];
        let own = [bytes.len() as u64];
        request::scope(|scope| {
            finish(world.immediate_all_gather_into(scope, &own[..], &mut lengths[..]));
        });
        let lengths: Vec<usize> =
            lengths.into_iter().map(|length| usize::try_from(length).unwrap_or(usize::MAX)).collect();
        let (counts, places) = layout(&lengths)?;
        let mut got = vec![0u8; lengths.iter().sum()];
        let mut to = PartitionMut::new(&mut got[..], counts, places);
        request::scope(|scope| finish(world.immediate_all_gather_varcount_into(scope, bytes, &mut to)));
        Ok(cut(&got, &lengths))
    }
}

impl Ranks for MpiRanks {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError> {
        self.all_gather(bytes)
    }

    fn exchange(&self, parts: &[&[u8]], lengths: &[usize]) -> Result<Vec<Vec<u8>>, RanksError> {
        self.all_to_all(parts, lengths)
    }

    /// Prints the message and ends all processes of the job. Rank 0 does so at once, the others after a moment, so that an
    /// error that all of them have is told once.
    fn end(&self, message: &str, code: u8) {
        if self.rank != 0 {
            thread::sleep(PRECEDENCE);
        }
        let at = if self.rank == 0 { String::new() } else { format!("rank {}: ", self.rank) };
        let mut out = io::stderr();
        // There is no other place to tell it.
        let _ = writeln!(out, "error: {at}{message}").and_then(|()| out.flush());
        SimpleCommunicator::world().abort(i32::from(code));
    }
}

/// Waits for an operation: asks again and again at first, which is fastest, then lets others have the core in between, and at
/// last sleeps in between. The waiting calls of MPI itself would hold the core, which is another rank's where there are more
/// ranks than cores.
fn finish<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>) {
    let (begun, mut asked) = (Instant::now(), 0);
    while let Err(again) = request.test() {
        request = again;
        asked += 1;
        if asked < SPINS {
            hint::spin_loop();
        } else if begun.elapsed() < PATIENCE {
            thread::yield_now();
        } else {
            thread::sleep(NAP);
        }
    }
}

/// Lengths and places as MPI counts them.
fn layout(lengths: &[usize]) -> Result<(Vec<Count>, Vec<Count>), RanksError> {
    let (mut counts, mut places, mut end) = (Vec::new(), Vec::new(), 0usize);
    for &length in lengths {
        let next = end.checked_add(length).filter(|next| Count::try_from(*next).is_ok());
        let next = next.ok_or_else(|| {
            RanksError(format!(
                "a message of {length} bytes beside {end} others is more than MPI carries at once (2 GiB); take a smaller \
                 batch, or a loss without Lovász and OHEM terms"
            ))
        })?;
        counts.push((next - end) as Count);
        places.push(end as Count);
        end = next;
    }
    Ok((counts, places))
}

fn cut(bytes: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut parts = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let (part, others) = rest.split_at(length);
        parts.push(part.to_vec());
        rest = others;
    }
    parts
}
