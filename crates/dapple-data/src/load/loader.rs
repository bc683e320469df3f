//! Batches for training and validation, made ahead by background threads, the same whatever their number.

use std::sync::Arc;

use dapple_base::{Size, share};

use crate::augment::change::Change;
use crate::augment::mix::Mix;
use crate::augment::settings::Augment;
use crate::augment::warp::Warp;
use crate::dataset::samples::Dataset;
use crate::error::{DataError, Result};
use crate::image::input::{InputSettings, normalize_into};
use crate::image::raster::Raster;
use crate::image::resize::{Window, resize_image};
use crate::load::cache::{Cache, CacheSettings};
use crate::load::prefetch::Prefetch;
use crate::mask::label_map::{LabelMap, LabelledImage, resize_labels};
use crate::random::{Purpose, Random};

/// Samples ready for a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Normalized images, `[n, h, w, c]`.
    pub images: Vec<f32>,
    /// Labels, `[n, h, w]`.
    pub labels: Vec<u8>,
    /// The samples' numbers in the data set, `n` of them.
    pub indices: Vec<usize>,
    /// The number of samples; the last batch of an epoch may have fewer than the others.
    pub n: usize,
    /// Height in pixels.
    pub h: usize,
    /// Width in pixels.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

/// The content of batches and how they are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoaderSettings {
    /// Size, channels and normalization.
    pub input: InputSettings,
    /// Random changes; [`Augment::none`] for validation.
    pub augment: Augment,
    /// Samples in a batch, at least 1.
    pub batch: usize,
    /// Whether every epoch has an order of its own, drawn from `seed`.
    pub shuffle: bool,
    /// Leave out the last batch of an epoch if it is not full.
    pub drop_last: bool,
    /// The seed of order and changes.
    pub seed: u64,
    /// Background threads; with 0 each batch is made on demand. The batches are the same for any number.
    pub threads: usize,
    /// How many batches may be ready or in the making ahead of the one in use, at least 1.
    pub prefetch: usize,
    /// Where decoded samples are kept over the epochs.
    pub cache: CacheSettings,
}

impl LoaderSettings {
    /// Batches for validation: in order, unchanged, all of them; one thread, two batches ahead, no cache.
    pub fn new(input: InputSettings, batch: usize) -> Self {
        Self {
            input,
            augment: Augment::none(),
            batch,
            shuffle: false,
            drop_last: false,
            seed: 0,
            threads: 1,
            prefetch: 2,
            cache: CacheSettings::None,
        }
    }

    fn validate(&self) -> Result<()> {
        self.input.validate()?;
        self.augment.validate(&self.input)?;
        if self.batch == 0 {
            return Err(DataError::setting("batch", 0, "at least 1"));
        }
        if self.prefetch == 0 {
            return Err(DataError::setting("prefetch", 0, "at least 1"));
        }
        Ok(())
    }
}

/// Makes the batches of every epoch from some samples of a data set.
#[derive(Debug, Clone)]
pub struct Loader(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dataset: Arc<Dataset>,
    samples: Vec<usize>,
    settings: LoaderSettings,
    /// The weight of each label in the choice of a rare class.
    rarity: Vec<f64>,
    cache: Arc<Cache>,
    /// The part of each batch that is made, and the number of parts.
    share: (usize, usize),
}

impl Loader {
    /// A loader of the given samples (one part of a [`SplitIndices`](crate::SplitIndices)).
    ///
    /// # Errors
    /// [`DataError::Setting`] for settings out of range, a sample number beyond the data set, or no sample at all.
    pub fn new(dataset: Arc<Dataset>, samples: Vec<usize>, settings: LoaderSettings) -> Result<Self> {
        settings.validate()?;
        if samples.is_empty() {
            return Err(DataError::setting("samples", 0, "at least 1 sample to load"));
        }
        if let Some(&index) = samples.iter().find(|&&index| index >= dataset.len()) {
            return Err(DataError::setting("sample number", index, "less than the number of samples"));
        }
        if settings.drop_last && samples.len() < settings.batch {
            return Err(DataError::setting(
                "batch",
                settings.batch,
                "at most the number of samples where incomplete batches are left out",
            ));
        }
        let cache = Arc::new(Cache::new(dataset.len(), settings.cache));
        let rarity = rarity(&dataset.class_statistics(&samples).pixels);
        Ok(Self(Arc::new(Inner { dataset, samples, settings, rarity, cache, share: (0, 1) })))
    }

    /// Part `part` of `parts` of each batch: consecutive samples, the same as in the whole batch ([`dapple_base::share`]). What is
    /// kept of them is shared.
    ///
    /// # Errors
    /// [`DataError::Setting`] for a part that does not exist, and for batches of fewer samples than parts.
    pub fn share(&self, part: usize, parts: usize) -> Result<Self> {
        let Inner { dataset, samples, settings, rarity, cache, .. } = self.0.as_ref();
        if part >= parts {
            return Err(DataError::setting("part of a batch", part, "less than the number of parts"));
        }
        if settings.batch < parts {
            return Err(DataError::setting("batch", settings.batch, "at least the number of its parts"));
        }
        let (dataset, samples, rarity) = (Arc::clone(dataset), samples.clone(), rarity.clone());
        let (settings, cache) = (*settings, Arc::clone(cache));
        Ok(Self(Arc::new(Inner { dataset, samples, settings, rarity, cache, share: (part, parts) })))
    }

    /// The same samples in the same order with the same changes, at another size; what is kept of them is shared.
    ///
    /// # Errors
    /// [`DataError::Setting`] for a size out of range.
    pub fn resized(&self, height: usize, width: usize) -> Result<Self> {
        let Inner { dataset, samples, settings, rarity, cache, share } = self.0.as_ref();
        let input = InputSettings { height, width, ..settings.input };
        let settings = LoaderSettings { input, ..*settings };
        settings.validate()?;
        // Samples that are kept at their final size are of use for that one only.
        let cache = match settings.augment.keeps_window() {
            true => Arc::new(Cache::new(dataset.len(), settings.cache)),
            false => Arc::clone(cache),
        };
        let (dataset, samples, rarity) = (Arc::clone(dataset), samples.clone(), rarity.clone());
        Ok(Self(Arc::new(Inner { dataset, samples, settings, rarity, cache, share: *share })))
    }

    /// The same samples in the same order with other changes of colours and other damage; what is kept of them is shared. Draws
    /// do not depend on each other, so that each pixel shows the same place as before.
    ///
    /// # Errors
    /// [`DataError::Setting`] for changes out of range, and for those that move pixels or mix samples otherwise.
    pub fn repainted(&self, augment: Augment) -> Result<Self> {
        let Inner { dataset, samples, settings, rarity, cache, share } = self.0.as_ref();
        if augment.without_painting() != settings.augment.without_painting() {
            return Err(DataError::setting(
                "augment",
                "another geometry",
                "changes of colours and damage alone",
            ));
        }
        let settings = LoaderSettings { augment, ..*settings };
        settings.validate()?;
        let (dataset, samples, rarity) = (Arc::clone(dataset), samples.clone(), rarity.clone());
        let cache = Arc::clone(cache);
        Ok(Self(Arc::new(Inner { dataset, samples, settings, rarity, cache, share: *share })))
    }

    /// The number of batches in an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        let (samples, batch) = (self.0.samples.len(), self.0.settings.batch);
        if self.0.settings.drop_last { samples / batch } else { samples.div_ceil(batch) }
    }

    /// The number of samples the loader draws from.
    pub fn len(&self) -> usize {
        self.0.samples.len()
    }

    /// Always false: a loader has at least one sample.
    pub fn is_empty(&self) -> bool {
        self.0.samples.is_empty()
    }

    /// The size of the images of the batches.
    pub fn output_size(&self) -> Size {
        self.0.settings.augment.output_size(&self.0.settings.input)
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.0.dataset
    }

    /// Sample `index` as it is in epoch `epoch`, before normalization.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    pub fn changed_sample(&self, epoch: u64, index: usize) -> Result<LabelledImage> {
        let (image, labels) = self.0.sample(epoch, index)?;
        Ok(LabelledImage { image, labels })
    }

    /// The batches of epoch `epoch`, in order. Dropping the iterator early stops its threads.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of epoch `epoch` from the one numbered `first` on: the same that [`Loader::epoch`] gives after
    /// `first` batches, without making those.
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Epoch {
        let inner = Arc::clone(&self.0);
        let order = inner.order(epoch);
        let make = move |batch: usize| {
            let start = batch * inner.settings.batch;
            let end = (start + inner.settings.batch).min(order.len());
            let (part, parts) = inner.share;
            inner.batch(epoch, &order[start..end][share(end - start, part, parts)])
        };
        let settings = &self.0.settings;
        Epoch(Prefetch::new(make, first..self.batches_per_epoch(), settings.threads, settings.prefetch))
    }
}

/// The batches of one epoch; see [`Loader::epoch`].
///
/// A batch that cannot be made is an error in its place, which names the file; the batches after it follow.
#[derive(Debug)]
pub struct Epoch(Prefetch<Result<Batch>>);

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|made| made.unwrap_or(Err(DataError::LoaderStopped)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.remaining();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}

/// For each class the inverse of its share of the pixels if that is less than an even share among the classes that there
/// are, else 0.
fn rarity(pixels: &[u64]) -> Vec<f64> {
    let total = pixels.iter().sum::<u64>() as f64;
    let there = pixels.iter().filter(|&&n| n > 0).count() as f64;
    let weight = |&n: &u64| match n as f64 / total {
        share if share > 0.0 && share * there < 1.0 => 1.0 / share,
        _ => 0.0,
    };
    pixels.iter().map(weight).collect()
}

impl Inner {
    /// The samples in the order of an epoch.
    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order = self.samples.clone();
        if self.settings.shuffle {
            Random::new(self.settings.seed, Purpose::Shuffle, epoch, 0).shuffle(&mut order);
        }
        order
    }

    fn batch(&self, epoch: u64, samples: &[usize]) -> Result<Batch> {
        let Size { height: h, width: w } = self.settings.augment.output_size(&self.settings.input);
        let (n, c) = (samples.len(), self.settings.input.channels);
        let mut images = vec![0.0; n * h * w * c];
        let mut labels = Vec::with_capacity(n * h * w);
        for (&index, out) in samples.iter().zip(images.chunks_exact_mut(h * w * c)) {
            let (image, map) = self.sample(epoch, index)?;
            normalize_into(&image, self.settings.input.normalization, None, out);
            labels.extend_from_slice(&map.labels);
        }
        Ok(Batch { images, labels, indices: samples.to_vec(), n, h, w, c })
    }

    /// One sample, changed and perhaps mixed with others.
    fn sample(&self, epoch: u64, index: usize) -> Result<(Raster, LabelMap)> {
        let LoaderSettings { input, augment, seed, .. } = &self.settings;
        let mut sample = self.changed(index, augment.draw(input, *seed, epoch, index as u64))?;
        let size = augment.output_size(input);
        if let Some(mix) = Mix::draw(augment, size, self.samples.len(), (*seed, epoch, index as u64)) {
            for piece in mix.pieces {
                let random = Random::new(*seed, Purpose::Partner, epoch, piece.number);
                let partner = self.changed(self.samples[piece.partner], augment.draw_from(random, input))?;
                piece.paste(&partner, &mut sample);
            }
        }
        Ok((sample.image, sample.labels))
    }

    /// One sample at the size of the output, with one draw's changes.
    fn changed(&self, index: usize, change: Change) -> Result<LabelledImage> {
        let LoaderSettings { input, augment, .. } = &self.settings;
        let Size { height: h, width: w } = augment.output_size(input);
        let cut = |sample: &LabelledImage, window| LabelledImage {
            image: resize_image(&sample.image, window, h, w),
            labels: resize_labels(&sample.labels, window, h, w),
        };
        let kept = self.cache.get_or_make(index, || {
            let decoded = self.dataset.load(index, input.channels.into())?;
            // The resized sample is kept in place of the decoded one where it is what every epoch needs.
            Ok(if augment.keeps_window() { cut(&decoded, Window::FULL) } else { decoded })
        })?;
        let ignore = self.dataset.ignore();
        let window = change.placed_window(&kept.labels, ignore, &self.rarity);
        let mut sample = if augment.warps() {
            let source = (kept.image.height, kept.image.width);
            Warp::new(&change, window, source, (h, w)).apply(&kept, ignore.unwrap_or(0))
        } else {
            let mut sample = cut(&kept, window);
            change.flip(&mut sample.image, &mut sample.labels);
            sample
        };
        change.repaint(&mut sample.image);
        Ok(sample)
    }
}
