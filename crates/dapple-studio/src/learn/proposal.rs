//! The labels that a head gives to an image.

use std::panic::resume_unwind;
use std::thread;

use dapple_base::Size;

use super::head::Head;
use super::maps::{Between, Level, Maps};
use crate::error::{Result, StudioError};
use crate::store::UNLABELLED;

/// The labels that the learner proposes for an image, at the size at which it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` labels; [`UNLABELLED`] where the features are no numbers.
    pub labels: Vec<u8>,
    /// `height * width` values from 0 (sure) to 255: how near the probability of the second class is to that of the first.
    pub uncertainty: Vec<u8>,
}

impl Proposal {
    /// The mean uncertainty, 0 to 1.
    pub fn mean_uncertainty(&self) -> f64 {
        let sum: u64 = self.uncertainty.iter().map(|&value| u64::from(value)).sum();
        sum as f64 / 255.0 / self.uncertainty.len().max(1) as f64
    }

    /// The labels at another size, `[height, width]`: each pixel takes the label with the largest share of the four pixels around it
    /// in bilinear interpolation, so that borders are smooth.
    pub fn labels_at(&self, size: Size) -> Vec<u8> {
        let columns: Vec<Between> =
            (0..size.width).map(|x| Between::new(x, size.width, self.width)).collect();
        let mut labels = Vec::with_capacity(size.height * size.width);
        for y in 0..size.height {
            let down = Between::new(y, size.height, self.height);
            let [upper, lower] =
                [down.first, down.second].map(|row| &self.labels[row * self.width..][..self.width]);
            labels.extend(columns.iter().map(|across| {
                let around =
                    [upper[across.first], upper[across.second], lower[across.first], lower[across.second]];
                if around.iter().all(|label| *label == around[0]) {
                    return around[0];
                }
                let (left, above) = (1.0 - across.share, 1.0 - down.share);
                let shares =
                    [left * above, across.share * above, left * down.share, across.share * down.share];
                let share = |label: u8| -> f32 {
                    around.iter().zip(shares).filter(|(other, _)| **other == label).map(|(_, s)| s).sum()
                };
                around.into_iter().max_by(|a, b| share(*a).total_cmp(&share(*b))).unwrap_or(around[0])
            }));
        }
        labels
    }
}

/// A level of the features after the head's first layer.
enum Layer<'a> {
    /// As fine as the image: a row is computed when it is needed.
    Fine { level: &'a Level, weights: &'a [f32] },
    /// Computed as a whole, `[height, width, hidden]`.
    Coarse { width: usize, height: usize, values: Vec<f32> },
}

/// The labels of an image by a head, computed by so many threads, whose number does not affect them.
///
/// # Errors
/// [`StudioError::Refused`] for a head of other features.
pub fn propose(maps: &Maps, head: &Head, threads: usize) -> Result<Proposal> {
    if maps.features() != head.features {
        return Err(StudioError::refused("the head was trained on other features"));
    }
    let Maps { width, height, .. } = *maps;
    let mut layers = Vec::with_capacity(maps.levels.len());
    let mut weights = head.first.as_slice();
    for level in &maps.levels {
        let (own, rest) = weights.split_at(level.channels * head.hidden);
        weights = rest;
        layers.push(match (level.width, level.height) == (width, height) {
            true => Layer::Fine { level, weights: own },
            false => {
                let fill = |y: usize, out: &mut [f32]| {
                    for (x, out) in out.chunks_exact_mut(head.hidden).enumerate() {
                        add_product(level, (x, y), own, out);
                    }
                };
                let values = by_rows(level.height, level.width * head.hidden, threads, &fill);
                Layer::Coarse { width: level.width, height: level.height, values }
            }
        });
    }
    // Label and uncertainty of each pixel in turns.
    let fill = |y: usize, out: &mut [u8]| row(&layers, head, (width, height), y, out);
    let pairs = by_rows(height, 2 * width, threads, &fill);
    let labels = pairs.iter().copied().step_by(2).collect();
    let uncertainty = pairs.iter().copied().skip(1).step_by(2).collect();
    Ok(Proposal { width, height, labels, uncertainty })
}

/// Adds the first layer of a cell.
fn add_product(level: &Level, (x, y): (usize, usize), weights: &[f32], out: &mut [f32]) {
    let cell = &level.data[(y * level.width + x) * level.channels..][..level.channels];
    for (value, weights) in cell.iter().zip(weights.chunks_exact(out.len())) {
        out.iter_mut().zip(weights).for_each(|(out, weight)| *out += value * weight);
    }
}

/// Labels and uncertainties of a row.
fn row(layers: &[Layer<'_>], head: &Head, (width, height): (usize, usize), y: usize, out: &mut [u8]) {
    let hidden = head.hidden;
    let mut sums = head.first_bias.repeat(width);
    for layer in layers {
        match layer {
            Layer::Fine { level, weights } => {
                for (x, sums) in sums.chunks_exact_mut(hidden).enumerate() {
                    add_product(level, (x, y), weights, sums);
                }
            }
            Layer::Coarse { width: cells, height: rows, values } => {
                let down = Between::new(y, height, *rows);
                let [upper, lower] =
                    [down.first, down.second].map(|row| &values[row * cells * hidden..][..cells * hidden]);
                let line: Vec<f32> = upper
                    .iter()
                    .zip(lower)
                    .map(|(upper, lower)| upper + (lower - upper) * down.share)
                    .collect();
                for (x, sums) in sums.chunks_exact_mut(hidden).enumerate() {
                    let across = Between::new(x, width, *cells);
                    let [left, right] =
                        [across.first, across.second].map(|cell| &line[cell * hidden..][..hidden]);
                    for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
                        *sum += left + (right - left) * across.share;
                    }
                }
            }
        }
    }
    let mut logits = vec![0.0; head.classes];
    for (sums, out) in sums.chunks_exact(hidden).zip(out.chunks_exact_mut(2)) {
        logits.copy_from_slice(&head.second_bias);
        for (sum, weights) in sums.iter().zip(head.second.chunks_exact(head.classes)) {
            if *sum > 0.0 {
                logits.iter_mut().zip(weights).for_each(|(logit, weight)| *logit += sum * weight);
            }
        }
        let (label, margin) = decide(&logits);
        out[0] = label;
        out[1] = ((1.0 - margin) * 255.0).round() as u8;
    }
}

/// The class of the largest logit, and by how much its probability exceeds that of the second; no class where one is no number.
fn decide(logits: &[f32]) -> (u8, f32) {
    let (mut best, mut first, mut second) = (0, f32::NEG_INFINITY, f32::NEG_INFINITY);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > first {
            (best, second, first) = (class, first, logit);
        } else {
            second = second.max(logit);
        }
    }
    let sum: f32 = logits.iter().map(|logit| (logit - first).exp()).sum();
    if !sum.is_finite() {
        return (UNLABELLED, 0.0);
    }
    let margin = (1.0 - (second - first).exp()) / sum.max(1.0);
    (best as u8, margin.clamp(0.0, 1.0))
}

/// Fills the rows of a picture by several threads.
fn by_rows<T: Clone + Default + Send>(
    height: usize,
    length: usize,
    threads: usize,
    fill: &(dyn Fn(usize, &mut [T]) + Sync),
) -> Vec<T> {
    let mut all = vec![T::default(); height * length];
    let share = height.div_ceil(threads.max(1)).max(1);
    thread::scope(|scope| {
        let mut running = Vec::new();
        for (part, rows) in all.chunks_mut((share * length).max(1)).enumerate() {
            running.push(scope.spawn(move || {
                for (row, out) in rows.chunks_exact_mut(length.max(1)).enumerate() {
                    fill(part * share + row, out);
                }
            }));
        }
        for thread in running {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_logit_decides_and_equal_ones_are_doubted() {
        assert_eq!(decide(&[1.0, 1.0]).1, 0.0);
        let (label, margin) = decide(&[-20.0, 20.0, -20.0]);
        assert_eq!((label, margin.round()), (1, 1.0));
        for broken in [[f32::NAN, f32::NAN], [1.0, f32::NAN], [f32::INFINITY, f32::INFINITY]] {
            assert_eq!(decide(&broken), (UNLABELLED, 0.0), "{broken:?}");
        }
    }

    #[test]
    fn labels_are_enlarged_with_straight_borders() {
        let proposal =
            Proposal { width: 2, height: 2, labels: vec![0, 1, 0, 1], uncertainty: vec![0, 255, 0, 255] };
        assert_eq!(proposal.labels_at(Size { height: 2, width: 2 }), [0, 1, 0, 1]);
        let large = proposal.labels_at(Size { height: 4, width: 6 });
        assert!(large.chunks_exact(6).all(|row| *row == [0, 0, 0, 1, 1, 1]), "{large:?}");
        assert_eq!(proposal.mean_uncertainty(), 0.5);
    }

    #[test]
    fn threads_do_not_change_what_is_proposed() {
        let level = |side: usize, channels: usize| Level {
            width: side,
            height: side,
            channels,
            data: (0..side * side * channels).map(|v| (v * 7 % 13) as f32 - 6.0).collect(),
        };
        let maps = Maps { width: 9, height: 9, levels: vec![level(9, 2), level(3, 1)] };
        let head = Head {
            features: 3,
            classes: 2,
            hidden: 2,
            first: vec![0.5, -0.2, 0.1, 0.3, -0.7, 0.4],
            first_bias: vec![0.1, -0.1],
            second: vec![1.0, -1.0, -0.5, 0.5],
            second_bias: vec![0.0, 0.2],
        };
        let one = propose(&maps, &head, 1).expect("it fits");
        assert_eq!(one, propose(&maps, &head, 4).expect("it fits"));
        // Two layers on the features of a pixel, by themselves.
        let mut features = Vec::new();
        maps.append((4, 7), &mut features);
        let mut logits = head.second_bias.clone();
        for unit in 0..2 {
            let sum: f32 =
                (0..3).map(|f| features[f] * head.first[f * 2 + unit]).sum::<f32>() + head.first_bias[unit];
            (0..2).for_each(|class| logits[class] += sum.max(0.0) * head.second[unit * 2 + class]);
        }
        assert_eq!(one.labels[7 * 9 + 4], decide(&logits).0);
        assert!(propose(&Maps { levels: vec![level(9, 2)], ..maps }, &head, 1).is_err());
    }
}
