//! Losses, as calls that autograd differentiates. Definitions: [`LossKind`].
//!
//! Quantities that depend on labels alone are counted on the host: weights, pixels of each class, and the signed distances
//! of the boundary loss, for which libtorch has no operation.

mod pixels;
mod regions;
mod sorted;

use crate::transfer::{extent, upload};
use dapple_graph::{Loss, LossKind, LossPart, LossTerm, Shape};
use tch::{Device, Kind, TchError, Tensor};

/// Labels with what is counted of them, once for all outputs of a network.
pub(crate) struct Truth<'a> {
    loss: &'a Loss,
    labels: &'a [u8],
    shape: Shape,
    /// Each pixel's label, 0 for ignored ones, `[pixels]`.
    targets: Tensor,
    /// Labelled pixels; `None` where all are.
    labelled: Option<Tensor>,
    /// Labelled pixels of each class; of one channel: of the rest and of label 1.
    counts: Vec<f64>,
    /// Weight of each class.
    weights: Vec<f64>,
    device: Device,
}

impl<'a> Truth<'a> {
    /// Of labels that passed [`Loss::check`] for logits of this shape.
    pub fn new(loss: &'a Loss, labels: &'a [u8], shape: Shape, device: Device) -> Result<Self, TchError> {
        let class = |label: u8| if shape.c == 1 { usize::from(label == 1) } else { usize::from(label) };
        let classes = shape.c.max(2);
        let mut counts = vec![0.0; classes];
        let mut labelled = Vec::with_capacity(labels.len());
        let mut targets = Vec::with_capacity(labels.len());
        for (pixel, &label) in labels.iter().enumerate() {
            let counted = Some(label) != loss.ignore;
            targets.push(if counted { class(label) as i64 } else { 0 });
            if counted {
                counts[class(label)] += 1.0;
                labelled.push(extent(pixel));
            }
        }
        let weights = match &loss.class_weights {
            Some(weights) => weights.iter().map(|&weight| f64::from(weight)).collect(),
            None => vec![1.0; classes],
        };
        let index = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(device);
        let all = labelled.len() == labels.len();
        Ok(Self {
            loss,
            labels,
            shape,
            targets: index(&targets)?,
            labelled: if all { None } else { Some(index(&labelled)?) },
            counts,
            weights,
            device,
        })
    }

    /// Whether these labels and this loss were counted, for logits of this shape.
    pub fn is_for(&self, part: &LossPart<'_>, shape: Shape) -> bool {
        self.shape == shape
            && std::ptr::eq(self.loss, &*part.loss)
            && std::ptr::eq(self.labels, &*part.labels)
    }

    /// The sum of the terms for logits `[n, c, h, w]`; `None` where nothing counts.
    pub fn value(&self, logits: &Tensor) -> Result<Option<Tensor>, TchError> {
        if self.pixels() == 0.0 {
            return Ok(None);
        }
        let view = View::new(self, logits)?;
        let mut total: Option<Tensor> = None;
        for term in &self.loss.terms {
            let Some(value) = view.term(term)? else { continue };
            let value = value.f_mul_scalar(f64::from(term.weight))?;
            total = Some(match total {
                Some(total) => total.f_add(&value)?,
                None => value,
            });
        }
        Ok(total)
    }

    /// Labelled pixels.
    fn pixels(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// The weights of all labelled pixels together.
    fn weight_sum(&self) -> f64 {
        self.counts.iter().zip(&self.weights).map(|(count, weight)| count * weight).sum()
    }

    /// Values of the classes on the device.
    fn per_class(&self, values: &[f64]) -> Result<Tensor, TchError> {
        upload(&values.iter().map(|&value| value as f32).collect::<Vec<_>>(), self.device)
    }

    /// Channels of classes that occur; a single channel always counts.
    fn occurring(&self) -> Vec<usize> {
        (0..self.shape.c).filter(|&k| self.shape.c == 1 || self.counts[k] > 0.0).collect()
    }

    /// Labelled pixels of the class that a channel stands for.
    fn count(&self, channel: usize) -> f64 {
        self.counts[if self.shape.c == 1 { 1 } else { channel }]
    }
}

/// The logits of the labelled pixels, and their labels.
struct View<'a> {
    truth: &'a Truth<'a>,
    /// `[labelled pixels, channels]`.
    logits: Tensor,
    /// `[labelled pixels]`.
    targets: Tensor,
}

impl<'a> View<'a> {
    fn new(truth: &'a Truth<'a>, logits: &Tensor) -> Result<Self, TchError> {
        let channels = extent(truth.shape.c);
        let logits = logits.f_to_kind(Kind::Float)?.f_permute([0, 2, 3, 1])?.f_reshape([-1, channels])?;
        Ok(match &truth.labelled {
            None => Self { truth, logits, targets: truth.targets.shallow_clone() },
            Some(labelled) => Self {
                truth,
                logits: logits.f_index_select(0, labelled)?,
                targets: truth.targets.f_index_select(0, labelled)?,
            },
        })
    }

    fn single(&self) -> bool {
        self.truth.shape.c == 1
    }

    /// One addend; `None` where nothing counts.
    fn term(&self, term: &LossTerm) -> Result<Option<Tensor>, TchError> {
        match term.kind {
            LossKind::CrossEntropy => self.cross_entropy(f64::from(term.smoothing())),
            LossKind::BinaryCrossEntropy => self.binary_cross_entropy().map(Some),
            LossKind::Focal => self.focal(f64::from(term.gamma())),
            LossKind::Dice => self.tversky([0.5, 0.5]).map(Some),
            LossKind::Tversky => self.tversky(term.tversky().map(f64::from)).map(Some),
            LossKind::Lovasz => self.lovasz().map(Some),
            LossKind::Boundary => self.boundary().map(Some),
            LossKind::Ohem => self.hardest(f64::from(term.keep())).map(Some),
        }
    }

    /// Probabilities `[pixels, channels]`: softmax, or the sigmoid of one channel.
    fn probabilities(&self) -> Result<Tensor, TchError> {
        if self.single() { self.logits.f_sigmoid() } else { self.logits.f_softmax(1, Kind::Float) }
    }

    /// 1 where a pixel is of the class that a channel stands for, `[pixels, channels]`.
    fn one_hot(&self) -> Result<Tensor, TchError> {
        match self.single() {
            true => self.targets.f_unsqueeze(1)?.f_to_kind(Kind::Float),
            false => self.targets.f_one_hot(extent(self.truth.shape.c))?.f_to_kind(Kind::Float),
        }
    }

    /// `log p` of the truth, `[pixels]`.
    fn log_truth(&self) -> Result<Tensor, TchError> {
        let targets = self.targets.f_unsqueeze(1)?;
        match self.single() {
            // The logit's sign is that of the truth.
            true => {
                let sign = targets.f_to_kind(Kind::Float)?.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
                self.logits.f_mul(&sign)?.f_log_sigmoid()?.f_reshape([-1])
            }
            false => self.logits.f_log_softmax(1, Kind::Float)?.f_gather(1, &targets, false)?.f_reshape([-1]),
        }
    }

    /// The weight of each pixel, `[pixels]`; `None` where all are 1.
    fn pixel_weights(&self) -> Result<Option<Tensor>, TchError> {
        if self.truth.loss.class_weights.is_none() {
            return Ok(None);
        }
        self.truth.per_class(&self.truth.weights)?.f_index_select(0, &self.targets).map(Some)
    }

    /// The sum of values `[pixels]` times the pixels' weights.
    fn weighted_sum(&self, values: &Tensor) -> Result<Tensor, TchError> {
        match self.pixel_weights()? {
            Some(weights) => values.f_mul(&weights)?.f_sum(Kind::Float),
            None => values.f_sum(Kind::Float),
        }
    }
}
