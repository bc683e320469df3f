//! One or several models that predict together: ensembles and test-time augmentation.

use std::sync::Arc;

use dapple_data::{Channels, Classes, Raster, Reading, TrainingImages};
use dapple_graph::{DropoutState, Shape, Tensor};
use dapple_model::{ImageLogits, Model, ModelError};

use crate::error::PredictError;
use crate::prediction::Prediction;
use crate::settings::{PredictSettings, WorkingSize};
use crate::tiles::ALIGN;
use crate::variant::Flip;

/// Models with settings, ready to predict. It may be shared between threads, which take turns with each network.
pub struct Predictor {
    pub(crate) models: Arc<[Model]>,
    pub(crate) settings: PredictSettings,
    pub(crate) flips: Vec<Flip>,
    classes: Arc<Classes>,
}

/// An image prepared for the networks by [`Predictor::prepare`].
#[derive(Debug)]
pub struct Prepared {
    inputs: Vec<NetworkInput>,
    width: usize,
    height: usize,
}

/// The input of one network.
#[derive(Debug)]
struct NetworkInput {
    model: usize,
    flip: Flip,
    tensor: Tensor,
}

impl Predictor {
    /// Models that predict together.
    ///
    /// # Errors
    /// [`PredictError::Settings`] for settings out of range, no model, models of different classes, or samples of a model
    /// without dropout.
    pub fn new(models: Vec<Model>, settings: PredictSettings) -> Result<Self, PredictError> {
        Self::of(models.into(), settings)
    }

    /// The same models, which are shared and not loaded again, with other settings. Their predictions take turns with each
    /// network.
    ///
    /// # Errors
    /// As [`Predictor::new`].
    pub fn with_settings(&self, settings: PredictSettings) -> Result<Self, PredictError> {
        Self::of(Arc::clone(&self.models), settings)
    }

    fn of(models: Arc<[Model]>, settings: PredictSettings) -> Result<Self, PredictError> {
        settings.validate()?;
        let Some(first) = models.first() else {
            return Err(PredictError::Settings("no model: give at least one".into()));
        };
        let classes = first.classes();
        for (number, other) in (2..).zip(&models[1..]) {
            if other.classes().names != classes.names {
                return Err(PredictError::Settings(format!(
                    "model {number} has the classes {}, the first one {}; models that predict together need the same",
                    other.classes().names.join(", "),
                    classes.names.join(", "),
                )));
            }
        }
        if settings.samples.is_some() {
            for (number, model) in (1..).zip(models.iter()) {
                if !model.has_dropout()? {
                    return Err(PredictError::Settings(format!(
                        "model {number} ({}) has no dropout, so that all of its samples are the same; omit the \
                         samples, or train bayesian-segnet",
                        model.card().network.name
                    )));
                }
            }
        }
        let ranges = |model: &Model| model.card().images.as_ref().map(|images| images.range.clone());
        let differs = |other: &&Model| ranges(other).unwrap_or_default() != ranges(first).unwrap_or_default();
        if let (Some(other), None) = (models.iter().find(differs), &settings.value_range) {
            return Err(PredictError::Settings(format!(
                "the models see different values as black and white ({} and {}); say with --value-range which are meant",
                ranges(first).unwrap_or_default(),
                ranges(other).unwrap_or_default(),
            )));
        }
        let flips = Flip::all(settings.flip_horizontal, settings.flip_vertical);
        Ok(Self { models, settings, flips, classes: Arc::new(classes) })
    }

    /// Names and colours of the classes.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The models.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The settings of its predictions.
    pub fn settings(&self) -> &PredictSettings {
        &self.settings
    }

    /// The number of channels to decode images with: the largest of the models' inputs, and colour rather than grey.
    pub fn channels(&self) -> usize {
        let most = self.models.iter().map(|m| m.input().channels).max().unwrap_or(3);
        if most == 1 { 3 } else { most }
    }

    /// How image files are to be decoded: with [`Predictor::channels`], and by the values that the models know.
    pub fn reading(&self) -> Reading {
        let channels = Channels::from(self.channels());
        let known = self.models.iter().find_map(|model| model.card().images.as_ref());
        match &self.settings.value_range {
            Some(range) => Reading { range: range.clone(), ..channels.into() },
            None => Reading::of_training(channels, &known.cloned().unwrap_or_else(TrainingImages::unknown)),
        }
    }

    /// Predicts a whole image.
    ///
    /// # Errors
    /// Those of [`Predictor::prepare`] and [`Predictor::run`].
    pub fn predict(&self, image: &Raster) -> Result<Prediction, PredictError> {
        self.run(self.prepare(image)?)
    }

    /// Prepares an image for the networks; another thread may do so while the networks are busy.
    ///
    /// # Errors
    /// [`PredictError::Model`] for an image with fewer channels than a model sees.
    pub fn prepare(&self, image: &Raster) -> Result<Prepared, PredictError> {
        let mut inputs = Vec::new();
        for (index, model) in self.models.iter().enumerate() {
            let input = model.input();
            let (height, width) = match self.settings.size {
                WorkingSize::Input => (input.height, input.width),
                WorkingSize::Image => (image.height, image.width),
                WorkingSize::Fixed { height, width } => (height, width),
            };
            for &scale in &self.settings.scales {
                let (height, width) = (scaled(height, scale), scaled(width, scale));
                let data = input.prepare_at(image.clone(), height, width)?;
                let tensor = Tensor::new(Shape::new(1, height, width, input.channels), data);
                for &flip in &self.flips {
                    inputs.push(NetworkInput { model: index, flip, tensor: flip.apply(tensor.clone()) });
                }
            }
        }
        Ok(Prepared { inputs, width: image.width, height: image.height })
    }

    /// Runs the networks on a prepared image.
    ///
    /// # Errors
    /// [`PredictError::Model`] from the engine.
    pub fn run(&self, prepared: Prepared) -> Result<Prediction, PredictError> {
        let Prepared { inputs, width, height } = prepared;
        let mut members = Vec::with_capacity(inputs.len());
        for NetworkInput { model, flip, tensor } in inputs {
            let model = &self.models[model];
            let logits = self.logits(model, &tensor, members.len())?;
            members.push(model.image_logits(flip.apply(logits), width, height));
        }
        Ok(self.prediction(members))
    }

    /// Predicts an input that has been prepared for all of the models, `[1, height, width, channels]`, at its own size:
    /// with flips and samples as set, without scales.
    ///
    /// # Errors
    /// [`PredictError::Model`] from the engine.
    pub fn predict_input(&self, input: &Tensor) -> Result<Prediction, PredictError> {
        let Shape { h, w, .. } = input.shape;
        let mut inputs = Vec::new();
        for model in 0..self.models.len() {
            let flipped = self.flips.iter().map(|&flip| (flip, flip.apply(input.clone())));
            inputs.extend(flipped.map(|(flip, tensor)| NetworkInput { model, flip, tensor }));
        }
        self.run(Prepared { inputs, width: w, height: h })
    }

    /// The logits of one input of a model, or those of the mean of its samples; the `index` of the input among those of the
    /// image says which samples.
    pub(crate) fn logits(&self, model: &Model, input: &Tensor, index: usize) -> Result<Tensor, ModelError> {
        match self.settings.samples {
            None => model.logits(input),
            Some(samples) => {
                let passes = (index * samples) as u64;
                model.sample(input, samples, DropoutState { seed: self.settings.seed, passes })
            }
        }
    }

    /// Runs the networks on several images at once: inputs of one size become one batch. Samples are drawn image by image,
    /// so that an image's prediction does not depend on the others.
    ///
    /// # Errors
    /// [`PredictError::Model`] from the engine, for all of them.
    pub fn run_batch(&self, images: Vec<Prepared>) -> Result<Vec<Prediction>, PredictError> {
        /// A model, the shape of its inputs, and the image and place of each.
        type SameShape = (usize, Shape, Vec<(usize, usize)>);
        if self.settings.samples.is_some() {
            return images.into_iter().map(|image| self.run(image)).collect();
        }
        let mut batches: Vec<SameShape> = Vec::new();
        for (image, prepared) in images.iter().enumerate() {
            for (place, input) in prepared.inputs.iter().enumerate() {
                let of = |b: &&mut (usize, Shape, _)| b.0 == input.model && b.1 == input.tensor.shape;
                match batches.iter_mut().find(of) {
                    Some((_, _, members)) => members.push((image, place)),
                    None => batches.push((input.model, input.tensor.shape, vec![(image, place)])),
                }
            }
        }
        let mut members: Vec<Vec<Option<ImageLogits>>> =
            images.iter().map(|image| vec![None; image.inputs.len()]).collect();
        for (model, shape, places) in batches {
            let model = &self.models[model];
            let mut data = Vec::with_capacity(shape.len() * places.len());
            for &(image, place) in &places {
                data.extend_from_slice(&images[image].inputs[place].tensor.data);
            }
            let logits = model.logits(&Tensor::new(Shape { n: places.len(), ..shape }, data))?;
            let one = Shape { n: 1, ..logits.shape };
            for (&(image, place), values) in places.iter().zip(logits.data.chunks_exact(one.len())) {
                let Prepared { ref inputs, width, height } = images[image];
                let logits = inputs[place].flip.apply(Tensor::new(one, values.to_vec()));
                members[image][place] = Some(model.image_logits(logits, width, height));
            }
        }
        // Every input was in one batch.
        Ok(members
            .into_iter()
            .map(|members| self.prediction(members.into_iter().flatten().collect()))
            .collect())
    }

    fn prediction(&self, members: Vec<ImageLogits>) -> Prediction {
        Prediction { members, classes: Arc::clone(&self.classes), threshold: self.settings.threshold }
    }
}

/// A side at another scale; scaled ones are multiples of [`ALIGN`].
fn scaled(side: usize, scale: f32) -> usize {
    match scale {
        1.0 => side,
        _ => ((side as f32 * scale / ALIGN as f32).round() as usize).max(1) * ALIGN,
    }
}
