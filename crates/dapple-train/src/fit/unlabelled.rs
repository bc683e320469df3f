//! Learning from images without labels: the moving average of the weights labels the pixels that it is sure of, and the network
//! learns these labels in strongly changed images. Sources: [`UnlabelledConfig`](crate::UnlabelledConfig).

use std::sync::Arc;

use dapple_data::{Augment, BEYOND, Batch, Dataset, Epoch, Loader, LoaderSettings};
use dapple_graph::{Loss, LossKind, Tensor};

use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

/// Batches of images without labels, each in two ways: with little and with strong changes of colours, at the same places.
pub(crate) struct Unlabelled {
    /// The loaders with little and with strong changes.
    loaders: [Loader; 2],
    /// Those of small images.
    small: Option<[Loader; 2]>,
    pub loss: Loss,
    /// The batches in the making.
    running: Option<Running>,
    /// The shares of pixels that counted, and how many shares they are, since they were last told of.
    sure: (f64, usize),
}

/// The batches of an epoch from `next` on, in both ways.
struct Running {
    small: bool,
    next: u64,
    epochs: [Epoch; 2],
}

impl Unlabelled {
    pub fn new(config: &TrainConfig, dataset: &Arc<Dataset>) -> Result<Self, TrainError> {
        let plain = config.augment.painted_as(&Augment::none());
        // Places are drawn around classes where there are some.
        let plain = Augment { balanced: 0.0, rare: 0.0, ..plain };
        let strong = plain.painted_as(&Augment::strong());
        let settings = LoaderSettings {
            augment: plain,
            shuffle: true,
            drop_last: true,
            seed: config.seed,
            threads: config.data.threads,
            cache: config.data.cache.settings(config.data.cache_mib, 4),
            ..LoaderSettings::new(config.input, config.batch.min(dataset.len()))
        };
        let plain = Loader::new(Arc::clone(dataset), (0..dataset.len()).collect(), settings)?;
        let both = |plain: Loader| -> Result<[Loader; 2], TrainError> {
            let strong = plain.repainted(strong)?;
            Ok([plain, strong])
        };
        let small = match config.small_images {
            Some(small) => {
                let input = small.input(config.input);
                Some(both(plain.resized(input.height, input.width)?)?)
            }
            None => None,
        };
        let kind = match config.network.logits() {
            1 => LossKind::BinaryCrossEntropy,
            _ => LossKind::CrossEntropy,
        };
        let output_weights = config.loss.output_weights.clone();
        let loss = Loss { ignore: Some(BEYOND), output_weights, ..Loss::single(kind) };
        let loss = config.network.check()?.with_targets(loss);
        Ok(Self { loaders: both(plain)?, small, loss, running: None, sure: (0.0, 0) })
    }

    /// Batch `number` of all epochs, in both ways. Batches that follow each other are made ahead.
    pub fn batch(&mut self, number: u64, small: bool) -> Result<[Batch; 2], TrainError> {
        let loaders = self.small.as_ref().filter(|_| small).unwrap_or(&self.loaders);
        let per_epoch = loaders[0].batches_per_epoch() as u64;
        let fits = |running: &Running| running.small == small && running.next == number;
        let mut running = match self.running.take().filter(fits) {
            Some(running) if !number.is_multiple_of(per_epoch) => running,
            _ => {
                let (epoch, first) = (number / per_epoch, (number % per_epoch) as usize);
                let epochs = loaders.each_ref().map(|loader| loader.epoch_from(epoch, first));
                Running { small, next: number, epochs }
            }
        };
        let [plain, strong] = running.epochs.each_mut().map(Iterator::next);
        let (Some(plain), Some(strong)) = (plain, strong) else {
            return Err(TrainError::Config("an epoch of images without labels ended early".into()));
        };
        let batches = [plain?, strong?];
        running.next += 1;
        self.running = Some(running);
        Ok(batches)
    }

    /// The labels of pixels that the average is sure of, by its logits; and the share of these pixels. `image` has [`BEYOND`]
    /// where a pixel is beyond the images.
    pub fn sure_labels(&mut self, logits: &Tensor, image: &[u8], threshold: f32) -> (Vec<u8>, f64) {
        let (labels, share) = sure_labels(logits, image, threshold);
        self.sure = (self.sure.0 + share, self.sure.1 + 1);
        (labels, share)
    }

    /// A sentence about the pixels that counted since the last one.
    pub fn tell(&mut self) -> Option<String> {
        let (sum, count) = std::mem::take(&mut self.sure);
        (count > 0).then(|| {
            format!(
                "images without labels: the average is sure of {:.0} % of their pixels",
                100.0 * sum / count as f64
            )
        })
    }
}

/// The most probable label of each pixel whose probability exceeds the threshold, [`BEYOND`] for all others and those that are
/// beyond the images already; and the share of pixels that have one.
fn sure_labels(logits: &Tensor, image: &[u8], threshold: f32) -> (Vec<u8>, f64) {
    let label = |logits: &[f32]| match *logits {
        [z] => {
            let p = 1.0 / (1.0 + (-z.abs()).exp());
            (u8::from(z > 0.0), p)
        }
        _ => {
            let (best, top) = logits
                .iter()
                .copied()
                .enumerate()
                .fold((0, f32::NEG_INFINITY), |best, (k, z)| if z > best.1 { (k, z) } else { best });
            (best as u8, 1.0 / logits.iter().map(|z| (z - top).exp()).sum::<f32>())
        }
    };
    let kept = |(logits, &beyond): (&[f32], &u8)| {
        let (label, p) = label(logits);
        if p > threshold && beyond != BEYOND { label } else { BEYOND }
    };
    let labels: Vec<u8> = logits.data.chunks_exact(logits.shape.c).zip(image).map(kept).collect();
    let sure = labels.iter().filter(|&&label| label != BEYOND).count();
    let share = sure as f64 / labels.len().max(1) as f64;
    (labels, share)
}

#[cfg(test)]
mod tests {
    use dapple_graph::Shape;

    use super::*;

    #[test]
    fn pixels_below_the_threshold_and_beyond_the_image_do_not_count() {
        // Probabilities of the best class: 0.33, 0.91 (class 1), 0.99 (class 2), and 0.99 beyond the image.
        let data = vec![0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 5.5, 5.5, 0.0, 0.0];
        let logits = Tensor::new(Shape::new(1, 2, 2, 3), data);
        let image = [0, 0, 0, BEYOND];
        assert_eq!(sure_labels(&logits, &image, 0.95), (vec![BEYOND, BEYOND, 2, BEYOND], 0.25));
        assert_eq!(sure_labels(&logits, &image, 0.5), (vec![BEYOND, 1, 2, BEYOND], 0.5));
        assert_eq!(sure_labels(&logits, &image, 0.999), (vec![BEYOND; 4], 0.0));
        // One logit: label 1 against the rest.
        let logits = Tensor::new(Shape::new(1, 1, 3, 1), vec![4.0, -4.0, 0.5]);
        assert_eq!(sure_labels(&logits, &[0; 3], 0.95).0, [1, 0, BEYOND]);
        // NaN is sure of nothing.
        let logits = Tensor::new(Shape::new(1, 1, 1, 2), vec![f32::NAN, 1.0]);
        assert_eq!(sure_labels(&logits, &[0], 0.5).0, [BEYOND]);
    }
}
