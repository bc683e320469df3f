//! Which values dropout keeps: a pure function of seed, pass, layer and value, the same in all engines.
//!
//! Seed, pass and layer are mixed into a key; value `i` then draws output `i` of the SplitMix64 generator (Steele et
//! al. 2014) that starts there, so that any value can be drawn by itself, in any order, on any number of threads.

use crate::Mode;

/// The position in dropout's random numbers: with the parameters and the optimizer's memory it is all that a training
/// must keep to resume with the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropoutState {
    /// Of the training or the sampling.
    pub seed: u64,
    /// Forward passes so far in modes that drop ([`crate::Mode::Train`] and [`crate::Mode::Sample`]). A pass draws
    /// by its number, and so does its backward pass.
    pub passes: u64,
}

impl DropoutState {
    /// The position of a pass in this mode; passes that drop move on to the next one.
    pub fn draw(&mut self, mode: Mode) -> Self {
        let drawn = *self;
        if mode.drops() {
            self.passes += 1;
        }
        drawn
    }

    /// The key of the dropout layer `stream` in the pass that comes next.
    pub fn key(self, stream: u64) -> u64 {
        [self.passes, stream].into_iter().fold(mix(self.seed), |key, v| mix(key.wrapping_add(mix(v ^ GAMMA))))
    }
}

/// SplitMix64's increment, the odd number nearest to 2^64 over the golden ratio. With [`ROUNDS`] and [`LAST_SHIFT`] for
/// engines that draw on their device.
pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The rounds of SplitMix64's output function: `z = (z ^ (z >> shift)) * factor`, for each pair.
pub const ROUNDS: [(u32, u64); 2] = [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)];

/// And its end: `z ^ (z >> shift)`.
pub const LAST_SHIFT: u32 = 31;

/// A rate as [`keeps`] takes it: in units of 2^-32, rounded.
pub fn threshold(rate: f32) -> u32 {
    (f64::from(rate) * 4_294_967_296.0).round() as u32
}

/// Whether value `index` (of `[n, h, w, c]`, row-major) is kept by the layer with this key.
#[inline(always)]
pub fn keeps(key: u64, index: u64, threshold: u32) -> bool {
    (mix(key.wrapping_add(GAMMA.wrapping_mul(index.wrapping_add(1)))) >> 32) as u32 >= threshold
}

/// SplitMix64's output function: every bit of the result depends on every bit of `z`.
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    let [(first, a), (second, b)] = ROUNDS;
    z = (z ^ (z >> first)).wrapping_mul(a);
    z = (z ^ (z >> second)).wrapping_mul(b);
    z ^ (z >> LAST_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of kept values among the first `count`.
    fn share(key: u64, rate: f32, count: u64) -> f64 {
        (0..count).filter(|&i| keeps(key, i, threshold(rate))).count() as f64 / count as f64
    }

    #[test]
    fn the_rate_is_the_share_of_dropped_values() {
        for rate in [0.0, 0.1, 0.5, 0.9] {
            for stream in 0..4 {
                let key = DropoutState { seed: 7, passes: stream }.key(stream);
                // Five standard deviations of a mean of 100 000 draws.
                assert!((share(key, rate, 100_000) - f64::from(1.0 - rate)).abs() < 0.008, "{rate}");
            }
        }
        assert_eq!(share(0, 0.0, 10_000), 1.0);
    }

    #[test]
    fn seeds_passes_and_layers_draw_independently() {
        let keys: Vec<u64> = (0..3)
            .flat_map(|seed| (0..3).map(move |passes| DropoutState { seed, passes }))
            .flat_map(|state| (0..3).map(move |stream| state.key(stream)))
            .collect();
        for (i, &a) in keys.iter().enumerate() {
            for &b in &keys[..i] {
                let equal = (0..10_000u64).filter(|&v| keeps(a, v, 1 << 31) == keeps(b, v, 1 << 31)).count();
                assert!((4_700..5_300).contains(&equal), "{a:x} {b:x}: {equal}");
            }
        }
    }
}
