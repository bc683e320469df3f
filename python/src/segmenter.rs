//! Models that are loaded once.

use std::path::PathBuf;

use dapple::data::ValueRange;
use dapple::graph::Precision;
use dapple::predict::{PredictSettings, Tiling, WorkingSize};
use dapple::program::{Failure, store_settings};
use pyo3::prelude::*;

use crate::errors::compute;
use crate::predictor::Predictor;

/// One model or several that predict together, on a device.
#[pyclass(frozen, module = "dapple._native")]
pub struct Segmenter(dapple::Segmenter);

#[pymethods]
impl Segmenter {
    /// Loads models by path or name.
    #[new]
    #[pyo3(signature = (models, device, threads, precision))]
    fn new(
        py: Python<'_>,
        models: Vec<PathBuf>,
        device: String,
        threads: Option<usize>,
        precision: Option<String>,
    ) -> PyResult<Self> {
        let loaded = compute(py, || {
            let mut builder = dapple::Segmenter::builder().device(device).weights(store_settings()?);
            if let Some(threads) = threads {
                builder = builder.threads(threads);
            }
            if let Some(precision) = precision {
                let named = precision.parse::<Precision>();
                let named =
                    named.map_err(|error| Failure::input(format!("precision `{precision}`: {error}")))?;
                builder = builder.precision(named);
            }
            Ok(builder.load_together(models.as_slice())?)
        })?;
        Ok(Self(loaded))
    }

    /// The names of the classes.
    fn classes(&self) -> Vec<String> {
        self.0.classes().names.clone()
    }

    /// The colours of the classes, red, green, blue.
    fn colours(&self) -> Vec<[u8; 3]> {
        self.0.classes().colours.clone()
    }

    /// The assumptions about weights that another program saved.
    fn notes(&self) -> Vec<String> {
        self.0.notes().to_vec()
    }

    /// The name of each model's network.
    fn networks(&self) -> Vec<String> {
        self.0.models().iter().map(|model| model.card().network.name.clone()).collect()
    }

    /// Height, width and channels of the first model's input.
    fn input(&self) -> (usize, usize, usize) {
        let input = self.0.models()[0].input();
        (input.height, input.width, input.channels)
    }

    /// The models with settings of predictions; they are shared.
    #[pyo3(signature = (flips, tile, overlap, scales, size, at_image_size, threshold, samples, seed, value_range))]
    #[allow(clippy::too_many_arguments, reason = "the settings of a prediction")]
    fn predictor(
        &self,
        py: Python<'_>,
        flips: (bool, bool),
        tile: String,
        overlap: Option<usize>,
        scales: Vec<f32>,
        size: Option<(usize, usize)>,
        at_image_size: bool,
        threshold: Option<f32>,
        samples: Option<usize>,
        seed: u64,
        value_range: Option<String>,
    ) -> PyResult<Predictor> {
        let made = compute(py, || {
            let settings = PredictSettings {
                size: match size {
                    Some((height, width)) => WorkingSize::Fixed { height, width },
                    None if at_image_size => WorkingSize::Image,
                    None => WorkingSize::Input,
                },
                tile: tiling(&tile, overlap)?,
                flip_horizontal: flips.0,
                flip_vertical: flips.1,
                scales,
                samples,
                seed,
                threshold,
                value_range: value_range
                    .map(|text| text.parse::<ValueRange>().map_err(Failure::input))
                    .transpose()?,
                ..PredictSettings::default()
            };
            Ok(self.0.with_settings(settings)?)
        })?;
        Ok(Predictor::from(made))
    }
}

fn tiling(text: &str, overlap: Option<usize>) -> Result<Tiling, Failure> {
    let tiling = match (text, text.parse()) {
        (_, Ok(side)) => return Ok(Tiling::Side { side, overlap }),
        ("auto", _) => Tiling::Auto,
        ("off", _) => Tiling::Off,
        ("scene", _) => Tiling::Scene,
        _ => {
            return Err(Failure::input(format!("tile `{text}`: give auto, off, scene, or a side in pixels")));
        }
    };
    match overlap {
        None => Ok(tiling),
        Some(_) => Err(Failure::input("an overlap needs the side of the tiles: tile=512, overlap=128")),
    }
}
