//! Losses with other truths than the labels, in parts that are plain losses.
//!
//! Engines know plain losses between logits and label maps alone. [`Loss::parts`] makes these of a loss with other targets.

use crate::{Loss, LossError, LossKind, LossTerm, Shape, Target};
use std::borrow::Cow;

/// Pixels on either side of a boundary that belong to it; the boundary is twice as wide.
pub const BOUNDARY: usize = 2;

/// The probability of a boundary above which [`Loss::boundary_aware`] counts a pixel (Xu et al. 2023, section 3.4).
pub const BOUNDARY_THRESHOLD: f32 = 0.8;

/// The label in maps of boundaries of pixels that have none.
const UNKNOWN: u8 = 255;

/// A loss between one output and a label map: an addend of a whole loss.
#[derive(Clone, Debug, PartialEq)]
pub struct LossPart<'a> {
    /// Number of the output.
    pub output: usize,
    /// Factor.
    pub factor: f32,
    /// The label map `[n, h, w]`.
    pub labels: Cow<'a, [u8]>,
    /// The loss, without its weights and targets of outputs.
    pub loss: Cow<'a, Loss>,
}

impl LossPart<'_> {
    /// Pixels away from boundaries and at them, of a part that learns [`Target::Boundaries`].
    pub fn boundary_counts(&self) -> [f64; 2] {
        counts(&self.labels)
    }

    /// Weighs a part that learns [`Target::Boundaries`] by such counts of a larger batch than its own.
    pub fn balance(&mut self, counts: [f64; 2]) {
        self.loss = Cow::Owned(balanced(counts));
    }
}

impl Loss {
    /// The truth of the network's output `index`.
    pub fn target(&self, index: usize) -> Target {
        self.output_targets.get(index).copied().unwrap_or_default()
    }

    /// The output whose logits [`Loss::parts`] must see: that of the boundaries, for the boundary-aware loss.
    pub fn seen_output(&self) -> Option<usize> {
        let boundaries = self.output_targets.iter().position(|&target| target == Target::Boundaries);
        boundaries.filter(|_| self.boundary_aware != 0.0)
    }

    /// The plain losses that this one is the sum of: first one for each output, in their order, then others. `seen` are the
    /// logits of [`Loss::seen_output`], if there is one; no gradient flows through the choice of pixels that they make.
    ///
    /// # Errors
    /// As [`Loss::check`], for any of the outputs; targets that do not fit the outputs.
    pub fn parts<'a>(
        &'a self,
        labels: &'a [u8],
        outputs: &[Shape],
        seen: Option<&[f32]>,
    ) -> Result<Vec<LossPart<'a>>, LossError> {
        self.check_targets(outputs)?;
        let (Some(&first), mut parts) = (outputs.first(), Vec::with_capacity(outputs.len() + 1)) else {
            return Ok(Vec::new());
        };
        for (output, &shape) in outputs.iter().enumerate() {
            let (labels, loss) = match self.target(output) {
                Target::Labels => (Cow::Borrowed(labels), Cow::Borrowed(self)),
                Target::Boundaries => {
                    let one = LossError::Labels { labels: labels.len(), logits: shape };
                    let fits = labels.len() == shape.pixels();
                    let map = fits.then(|| self.boundaries(labels, shape, first.c)).ok_or(one)?;
                    let loss = balanced(counts(&map));
                    (Cow::Owned(map), Cow::Owned(loss))
                }
            };
            loss.check(&labels, shape)?;
            parts.push(LossPart { output, factor: self.output_weight(output), labels, loss });
        }
        if let Some(logits) = seen.filter(|_| self.seen_output().is_some()) {
            parts.push(self.at_boundaries(labels, first, logits)?);
        }
        Ok(parts)
    }

    /// Checks the targets against the outputs.
    fn check_targets(&self, outputs: &[Shape]) -> Result<(), LossError> {
        if !(self.boundary_aware.is_finite() && self.boundary_aware >= 0.0) {
            let (name, value) = ("boundary_aware", self.boundary_aware);
            return Err(LossError::Setting { name, value, allowed: "at least 0" });
        }
        let learns = |(output, _): &(usize, &Shape)| self.target(*output) == Target::Boundaries;
        let mut boundaries = outputs.iter().enumerate().filter(learns).peekable();
        match boundaries.peek() {
            None if self.boundary_aware != 0.0 => return Err(LossError::NoBoundaries),
            Some((0, _)) => return Err(LossError::FirstOutput),
            _ => {}
        }
        match boundaries.find(|(_, shape)| shape.c != 1) {
            Some((output, shape)) => Err(LossError::BoundaryChannels { output, channels: shape.c }),
            None => Ok(()),
        }
    }

    /// 1 at boundaries, 0 elsewhere, [`UNKNOWN`] without a label. Of one channel of logits, label 1 stands against all others.
    fn boundaries(&self, labels: &[u8], shape: Shape, channels: usize) -> Vec<u8> {
        let class = |label: u8| if channels == 1 { u8::from(label == 1) } else { label };
        let known: Vec<Option<[u8; 2]>> =
            labels.iter().map(|&l| (Some(l) != self.ignore).then(|| [class(l); 2])).collect();
        // The smallest and the largest class around: first in the row, then in the column.
        let rows = spread(&known, shape.w, 1);
        let around = spread(&rows, shape.h, shape.w);
        let kind = |(known, around): (&Option<[u8; 2]>, &Option<[u8; 2]>)| match (known, around) {
            (Some(_), Some([least, most])) => u8::from(least != most),
            _ => UNKNOWN,
        };
        known.iter().zip(&around).map(kind).collect()
    }

    /// Cross-entropy of the first output where the logits say that there is a boundary.
    fn at_boundaries(&self, labels: &[u8], shape: Shape, logits: &[f32]) -> Result<LossPart<'_>, LossError> {
        let ignore = self.ignore.or_else(|| (0..=u8::MAX).rev().find(|label| !labels.contains(label)));
        let ignore = ignore.ok_or(LossError::NoSpareLabel)?;
        let least = (BOUNDARY_THRESHOLD / (1.0 - BOUNDARY_THRESHOLD)).ln();
        let chosen = labels.iter().zip(logits).map(|(&label, &z)| if z > least { label } else { ignore });
        let kind = if shape.c == 1 { LossKind::BinaryCrossEntropy } else { LossKind::CrossEntropy };
        let loss =
            Loss { ignore: Some(ignore), class_weights: self.class_weights.clone(), ..Loss::single(kind) };
        let labels: Cow<'_, [u8]> = Cow::Owned(chosen.collect());
        Ok(LossPart { output: 0, factor: self.boundary_aware, labels, loss: Cow::Owned(loss) })
    }
}

/// Pixels away from boundaries and at them.
fn counts(map: &[u8]) -> [f64; 2] {
    [0, 1].map(|kind: u8| map.iter().filter(|&&found| found == kind).count() as f64)
}

/// Binary cross-entropy in which either side has the weight of the other's share.
fn balanced(counts: [f64; 2]) -> Loss {
    let [rest, boundary] = counts.map(|count| count as f32);
    let all = (rest + boundary).max(1.0);
    Loss {
        terms: vec![LossTerm::new(LossKind::BinaryCrossEntropy, 1.0)],
        ignore: Some(UNKNOWN),
        class_weights: Some(vec![boundary / all, rest / all]),
        ..Loss::sum(&[])
    }
}

/// The extremes within [`BOUNDARY`] places along an axis of so many places, which are `step` apart.
fn spread(values: &[Option<[u8; 2]>], places: usize, step: usize) -> Vec<Option<[u8; 2]>> {
    let joined = |a: Option<[u8; 2]>, b: Option<[u8; 2]>| match (a, b) {
        (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].max(b[1])]),
        (a, b) => a.or(b),
    };
    let near = |index: usize| {
        let place = index / step % places;
        let (before, after) = (place.min(BOUNDARY), (places - 1 - place).min(BOUNDARY));
        let from = index - before * step;
        (0..=before + after).map(|i| values[from + i * step]).fold(None, joined)
    };
    (0..values.len()).map(near).collect()
}
