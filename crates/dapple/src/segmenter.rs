//! The library's face for predictions: a model loaded and used in one line.

use std::ops::Deref;
use std::path::Path;

use dapple_base::{InputFault, ValueRange};
use dapple_graph::Precision;
use dapple_model::{Model, ModelError};
use dapple_onnx::Layout;
use dapple_predict::{PredictError, PredictSettings, Predictor, Tiling};
use dapple_weights::{Store, StoreSettings, WeightsError};

use crate::device::{self, DeviceError, EngineOptions};
use crate::foreign::ForeignSettings;
use crate::models::{self, FindModelError, Wanted};
use crate::onnx_model::PixelSettings;

/// The reason why a segmenter cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The model cannot be found or read.
    #[error(transparent)]
    Find(#[from] FindModelError),
    /// The device is not available.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The engine does not accept the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The settings are wrong, or the models do not match each other.
    #[error(transparent)]
    Predict(#[from] PredictError),
}

impl From<WeightsError> for LoadError {
    fn from(error: WeightsError) -> Self {
        FindModelError::from(error).into()
    }
}

impl InputFault for LoadError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Find(error) => error.is_input_fault(),
            Self::Device(error) => error.is_input_fault(),
            Self::Model(error) => error.is_input_fault(),
            Self::Predict(error) => error.is_input_fault(),
        }
    }
}

/// Flips of the image at test time: the flipped images are predicted too, and the results averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Flip {
    /// Left to right
    Horizontal,
    /// Upside down
    Vertical,
    /// Left to right, upside down, and both
    Both,
}

impl Flip {
    /// Whether left and right are swapped.
    pub fn is_horizontal(self) -> bool {
        self != Self::Vertical
    }

    /// Whether top and bottom are swapped.
    pub fn is_vertical(self) -> bool {
        self != Self::Horizontal
    }
}

/// A model, or several that predict together, ready to use. It may be shared between threads.
///
/// It has the methods of [`Predictor`], above all [`Predictor::predict`].
pub struct Segmenter {
    predictor: Predictor,
    notes: Vec<String>,
}

impl Segmenter {
    /// Loads a model file, an ONNX file of any program, the best model of a run's folder (of a cross-validation: of all its
    /// folds), a folder that transformers or segmentation_models_pytorch saved, or a model by name
    /// ([`models`](crate::models)), `hf://OWNER/NAME` among them, on the CPU with all cores and default settings.
    ///
    /// # Errors
    /// As [`SegmenterBuilder::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::builder().load(path)
    }

    /// The assumptions about weights that another program saved, such as the size of its images: show them to the user.
    /// Empty for models of dapple.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Settings to load a model with.
    ///
    /// ```
    /// use dapple::{Flip, Segmenter};
    /// let segmenter = Segmenter::builder().device("cpu").threads(2).flip(Flip::Horizontal).load("horse")?;
    /// assert_eq!(segmenter.classes().names, ["background", "horse"]);
    /// # Ok::<(), dapple::LoadError>(())
    /// ```
    pub fn builder() -> SegmenterBuilder {
        SegmenterBuilder::default()
    }
}

impl Deref for Segmenter {
    type Target = Predictor;

    fn deref(&self) -> &Predictor {
        &self.predictor
    }
}

/// Settings of a [`Segmenter`], from [`Segmenter::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SegmenterBuilder {
    device: String,
    engine: EngineOptions,
    settings: PredictSettings,
    store: Option<StoreSettings>,
    foreign: ForeignInput,
}

/// The knowledge about ONNX files that they do not hold themselves; see [`SegmenterBuilder::foreign`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignInput {
    /// Mean of each channel in units of `range`; one for all, or one each.
    pub mean: Vec<f32>,
    /// Deviation of each channel, likewise.
    pub std: Vec<f32>,
    /// The values of black and white before mean and deviation; 0 and 1 where only these are given.
    pub range: Option<[f32; 2]>,
    /// The order of the input's axes.
    pub layout: Option<Layout>,
    /// Whether the file takes blue, green, red; mean and deviation are then in this order.
    pub reversed: bool,
    /// Height and width to which images are resized.
    pub size: Option<(usize, usize)>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl ForeignInput {
    /// The same as settings of loading.
    pub fn settings(&self) -> ForeignSettings<'_> {
        let Self { mean, std, range, layout, reversed, size, classes } = self;
        let pixels = PixelSettings { mean, std, range: *range, layout: *layout, reversed: *reversed };
        ForeignSettings { size: *size, classes, pixels, ..ForeignSettings::default() }
    }
}

impl Default for SegmenterBuilder {
    fn default() -> Self {
        Self {
            device: "cpu".to_owned(),
            engine: EngineOptions::default(),
            settings: PredictSettings::default(),
            store: None,
            foreign: ForeignInput::default(),
        }
    }
}

impl SegmenterBuilder {
    /// The device, as `--device` takes it: `cpu` (the default), `cuda:1`, or `auto` for the fastest one available; see
    /// [`device`](crate::device).
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.device = name.into();
        self
    }

    /// The precision of convolutions and attention; single precision by default.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.engine.precision = precision;
        self
    }

    /// The number of threads of the engine; all physical cores by default. It does not affect the results.
    pub fn threads(mut self, threads: usize) -> Self {
        self.engine.threads = Some(threads);
        self
    }

    /// The values of image files that become black and white; by default those of the model's training. It is for
    /// [`Predictor::reading`], with which files are decoded.
    pub fn value_range(mut self, range: ValueRange) -> Self {
        self.settings.value_range = Some(range);
        self
    }

    /// Also predicts flipped images, and averages.
    pub fn flip(mut self, flip: Flip) -> Self {
        self.settings.flip_horizontal = flip.is_horizontal();
        self.settings.flip_vertical = flip.is_vertical();
        self
    }

    /// Predicts at these multiples of the input size, and averages.
    pub fn scales(mut self, scales: impl Into<Vec<f32>>) -> Self {
        self.settings.scales = scales.into();
        self
    }

    /// The probability above which a pixel belongs to a class, see [`PredictSettings::threshold`].
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.settings.threshold = Some(threshold);
        self
    }

    /// Cuts images larger than a tile, `side` pixels high and wide, into overlapping tiles, which the network sees at full
    /// resolution. [`SegmenterBuilder::settings`] has the overlap.
    ///
    /// [`Predictor::predict`] always runs the network on the whole image; tiles are for
    /// [`Predictor::predict_tiles`] and [`batch`](crate::predict::batch).
    pub fn tile(mut self, side: usize) -> Self {
        self.settings.tile = Tiling::Side { side, overlap: None };
        self
    }

    /// All settings of the prediction, in place of those given so far.
    pub fn settings(mut self, settings: PredictSettings) -> Self {
        self.settings = settings;
        self
    }

    /// What an ONNX file does not tell: how pixels are prepared, the size of images, the names of classes.
    ///
    /// ```no_run
    /// use dapple::{ForeignInput, Segmenter};
    /// let input = ForeignInput { range: Some([0.0, 255.0]), ..ForeignInput::default() };
    /// let segmenter = Segmenter::builder().foreign(input).load("model.onnx")?;
    /// # Ok::<(), dapple::LoadError>(())
    /// ```
    pub fn foreign(mut self, input: ForeignInput) -> Self {
        self.foreign = input;
        self
    }

    /// The cache of published weights and the way to download them; by default, the user's cache folder and the
    /// publishers' addresses.
    pub fn weights(mut self, store: StoreSettings) -> Self {
        self.store = Some(store);
        self
    }

    /// Loads a model file, the best model of a run's folder, or a model by name ([`models`](crate::models)).
    ///
    /// # Errors
    /// If the model cannot be found or read, the device is not available, or the settings are out of range.
    pub fn load(self, path_or_name: impl AsRef<Path>) -> Result<Segmenter, LoadError> {
        self.load_together(&[path_or_name])
    }

    /// Loads several models, which predict together: their probabilities are averaged.
    ///
    /// # Errors
    /// As [`SegmenterBuilder::load`], and for models with different classes.
    pub fn load_together(self, paths_or_names: &[impl AsRef<Path>]) -> Result<Segmenter, LoadError> {
        let engine = device::engine(&self.device, &self.engine)?;
        let (mut members, mut notes) = (Vec::new(), Vec::new());
        for name in paths_or_names {
            let found =
                models::load_with(name.as_ref(), &self.foreign.settings(), &|wanted| self.fetch(wanted))?;
            notes.extend(found.notes);
            for model in found.models {
                members.push(Model::new(model, engine.as_ref())?);
            }
        }
        Ok(Segmenter { predictor: Predictor::new(members, self.settings)?, notes })
    }

    /// The path of published weights or of a model of the hub, downloaded if need be.
    fn fetch(&self, wanted: Wanted<'_>) -> Result<std::path::PathBuf, LoadError> {
        let settings = match &self.store {
            Some(settings) => settings.clone(),
            None => StoreSettings::in_user_cache()?,
        };
        Ok(models::fetched(&Store::new(settings), wanted)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segmenter_may_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<Segmenter>();
    }

    #[test]
    fn wrong_settings_are_refused() {
        let message = |builder: SegmenterBuilder| builder.load("horse").err().map(|error| error.to_string());
        let device = message(Segmenter::builder().device("cudda")).expect("there is no such device");
        assert!(device.contains("did you mean `cuda`?"), "{device}");
        let tile = message(Segmenter::builder().tile(7)).expect("such tiles are too small");
        assert!(tile.contains("64 to 8192"), "{tile}");
        let missing = Segmenter::load("hoarse").err().expect("there is no such model");
        assert!(
            missing.is_input_fault() && missing.to_string().contains("did you mean `horse`?"),
            "{missing}"
        );
    }
}
