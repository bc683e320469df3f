//! Checks the ranks of a job and measures their sums, without a training:
//! `mpirun -n 4 cargo run --release -p dapple-mpi --features mpi --example ranks -- 1000000`.
//!
//! Rank 0 prints a row for each number of values, up to the one given: values, and seconds of a sum (in rows of
//! some, the median of repetitions).
//! With the word `end` instead of a number, the last rank ends all others with a message and exit code 2.

use std::process::ExitCode;
use std::time::Instant;

use dapple_base::{Ranks, RanksError};
use dapple_mpi::Mpi;

/// Repetitions of a measurement.
const REPEATS: usize = 7;

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_default();
    let done = match word.as_str() {
        "end" => end(),
        number => run(number.parse().unwrap_or(1_000_000)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(most: usize) -> Result<(), RanksError> {
    let mpi = Mpi::begin()?;
    let ranks = mpi.ranks();
    check(ranks.as_ref())?;
    let mut len = 1;
    while len <= most {
        let seconds = measure(ranks.as_ref(), len)?;
        if ranks.is_first() {
            println!("{len},{seconds:.9}");
        }
        len *= 10;
    }
    Ok(())
}

/// Ends all ranks by the last one, while the others wait.
fn end() -> Result<(), RanksError> {
    let mpi = Mpi::begin()?;
    let ranks = mpi.ranks();
    if ranks.rank() + 1 == ranks.size() {
        ranks.end("this is the end", 2);
    }
    ranks.barrier()
}

/// Sums in the order of the ranks, bytes of unequal lengths.
fn check(ranks: &dyn Ranks) -> Result<(), RanksError> {
    let value = |rank: usize, at: usize| ((1 + rank * 7919 + at * 104_729) % 65_521) as f32 / 997.0 - 30.0;
    for len in [1, 4096, 10_001] {
        let mut values: Vec<f32> = (0..len).map(|at| value(ranks.rank(), at)).collect();
        ranks.sum_f32(&mut values)?;
        for (at, sum) in values.into_iter().enumerate() {
            let wanted = (0..ranks.size()).map(|rank| f64::from(value(rank, at))).sum::<f64>() as f32;
            if sum != wanted {
                return Err(RanksError(format!("value {at} of {len} is {sum}, not {wanted}")));
            }
        }
    }
    let own = vec![ranks.rank() as u8; ranks.rank()];
    let gathered = ranks.gather(&own)?;
    let wanted: Vec<Vec<u8>> = (0..ranks.size()).map(|rank| vec![rank as u8; rank]).collect();
    if gathered != wanted {
        return Err(RanksError(format!("gathered {gathered:?}, not {wanted:?}")));
    }
    ranks.barrier()
}

fn measure(ranks: &dyn Ranks, len: usize) -> Result<f64, RanksError> {
    let mut values = vec![1.0f32; len];
    // One after the other: a single sum may find that the others have long given their part.
    let row = (200_000 / len).clamp(1, 20);
    let mut seconds = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        ranks.barrier()?;
        let begun = Instant::now();
        for _ in 0..row {
            ranks.sum_f32(&mut values)?;
        }
        seconds.push(begun.elapsed().as_secs_f64() / row as f64);
        values.fill(1.0);
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[REPEATS / 2])
}
