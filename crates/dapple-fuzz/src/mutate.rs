//! Mutations of seeds by a generator with a fixed seed: the same inputs on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The longest input, in bytes.
const MOST_BYTES: usize = 1 << 14;

/// Values that break arithmetic.
const EDGES: [u32; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// Words that text formats understand.
const WORDS: [&[u8]; 12] = [
    b"-1",
    b"1e999",
    b"null",
    b"[",
    b"{",
    b"\"",
    b"..",
    b"/",
    b"\n",
    b"99999999999999999999",
    b"NaN",
    b"\xf0\x9f\x90\xb4",
];

/// An endless sequence of mutated seeds.
pub struct Mutator {
    random: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    /// Mutations of `seeds`; of the empty input where there are none.
    pub fn new(seed: u64, mut seeds: Vec<Vec<u8>>) -> Self {
        if seeds.is_empty() {
            seeds.push(Vec::new());
        }
        Self { random: ChaCha8Rng::seed_from_u64(seed), seeds }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut bytes = self.seeds[seed].clone();
        for _ in 0..1 + self.below(6) {
            self.mutate(&mut bytes);
        }
        bytes.truncate(MOST_BYTES);
        bytes
    }

    /// Uniform among 0..n; 0 for n = 0.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.random.next_u64()) * n as u128) >> 64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let length = self.below((bytes.len() - at).min(64) + 1);
        match self.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.random.next_u32() as u8,
            2 => {
                let edge = EDGES[self.below(EDGES.len())].to_le_bytes();
                let width = [1, 2, 4][self.below(3)];
                for (to, from) in bytes.iter_mut().skip(at).zip(&edge[..width]) {
                    *to = *from;
                }
            }
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let copy = bytes[at..at + length].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            5 => {
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            6 => {
                let other = self.below(self.seeds.len());
                let other = &self.seeds[other];
                let from = other.len().min(at);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes.truncate(at),
        }
    }
}
