//! Ranks that are threads.

use std::thread;

use dapple_base::{Alone, Ranks, RanksError, ThreadRank, share, thread_ranks};

/// What each rank makes of its work.
fn all<T: Send>(size: usize, work: impl Fn(&ThreadRank) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> =
            thread_ranks(size).into_iter().map(|rank| scope.spawn(move || work(&rank))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no rank panics")).collect()
    })
}

/// A value of rank and place with all digits.
fn value(rank: usize, at: usize) -> f32 {
    ((1 + rank * 7919 + at * 104_729) % 65_521) as f32 / 997.0 - 30.0
}

#[test]
fn sums_are_taken_in_the_order_of_the_ranks() {
    // One exchange, and parts of unequal lengths.
    for (size, len) in [(1, 5), (2, 1), (3, 4096), (3, 10_001), (4, 9_999)] {
        let sums = all(size, |rank| {
            let mut values: Vec<f32> = (0..len).map(|at| value(rank.rank(), at)).collect();
            rank.sum_f32(&mut values).expect("all ranks meet");
            values
        });
        let wanted: Vec<f32> =
            (0..len).map(|at| (0..size).map(|rank| f64::from(value(rank, at))).sum::<f64>() as f32).collect();
        assert!(sums.iter().all(|sums| *sums == wanted), "{size} ranks, {len} values");
    }
}

#[test]
fn bytes_of_any_lengths_are_gathered_and_those_of_rank_0_broadcast() {
    let found = all(3, |rank| {
        let own = vec![rank.rank() as u8; rank.rank()];
        let gathered = rank.gather(&own).expect("all ranks meet");
        let first = rank.broadcast(&[7 + rank.rank() as u8]).expect("all ranks meet");
        (gathered, first, rank.agreed(2.5 + rank.rank() as f64).expect("all ranks meet"))
    });
    for (gathered, first, number) in found {
        assert_eq!(gathered, [vec![], vec![1], vec![2, 2]]);
        assert_eq!((first, number), (vec![7], 2.5));
    }
    assert_eq!(Alone.gather(&[1, 2]), Ok(vec![vec![1, 2]]));
}

#[test]
fn the_end_of_one_rank_is_the_end_of_all() {
    let told = all(3, |rank| {
        if rank.rank() == 1 {
            rank.end("a.png cannot be read", 2);
        }
        rank.barrier().expect_err("one has ended")
    });
    assert_eq!(told, vec![RanksError("a.png cannot be read".into()); 3]);
    // One that is gone without a word.
    let told = all(2, |rank| (rank.rank() == 0).then(|| rank.barrier()));
    assert_eq!(told[0], Some(Err(RanksError("rank 1 has ended".into()))));
}

#[test]
fn shares_cover_everything_once() {
    for (len, parts) in [(0, 3), (2, 3), (10, 3), (12, 4)] {
        let joined: Vec<usize> = (0..parts).flat_map(|part| share(len, part, parts)).collect();
        assert_eq!(joined, (0..len).collect::<Vec<_>>());
    }
}
