//! The features of a pretrained encoder.

use std::path::PathBuf;
use std::sync::Arc;

use dapple_base::{Normalization, Size};
use dapple_data::{InputSettings, Raster};
use dapple_graph::{Engine, Executor, Inference, Network, Shape, State, Tensor};
use dapple_nets::checkpoint::init_from_file;
use dapple_nets::{FeatureMaps, NetConfig, encoder_named};

use super::maps::Level;
use crate::error::{Result, StudioError};

/// The encoder's coarsest stride: its input is a multiple of it.
const STRIDE: usize = 32;

/// The weights of an encoder in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderWeights {
    /// Name of the encoder, such as `efficientnet-lite0`.
    pub encoder: String,
    /// The file.
    pub file: PathBuf,
}

/// An encoder on an engine.
pub struct EncoderMaps {
    executor: Box<dyn Executor>,
    normalization: Normalization,
}

impl EncoderMaps {
    /// Reads the weights.
    ///
    /// # Errors
    /// [`StudioError::Refused`] for an encoder that does not exist; those of the file and the engine.
    pub fn load(engine: &dyn Engine, weights: &EncoderWeights) -> Result<Self> {
        let unknown = || StudioError::refused(format!("there is no encoder `{}`", weights.encoder));
        let encoder = encoder_named(&weights.encoder).ok_or_else(unknown)?;
        // Published weights are known by the names in a whole network.
        let config = NetConfig::new(&format!("unet-{}", encoder.name), 3, 2)
            .map_err(|error| StudioError::refused(error.to_string()))?;
        let whole = config.build(config.example_input()).map_err(dapple_graph::EngineError::from)?;
        let mut published = State::init(&whole, 0);
        init_from_file(&mut published, &config, &weights.file)?;
        let network = FeatureMaps(encoder);
        let graph = network.build(network.example_input()).map_err(dapple_graph::EngineError::from)?;
        let mut state = State::init(&graph, 0);
        for index in 0..state.specs.len() {
            let name = state.specs[index].name.clone();
            let values = published.get(&name).filter(|values| values.len() == state.slice(index).len());
            let values = values.ok_or_else(|| {
                StudioError::refused(format!("{}: the weights lack `{name}`", weights.file.display()))
            })?;
            state.slice_mut(index).copy_from_slice(values);
        }
        let executor = engine.load(Arc::new(network), &state)?;
        Ok(Self { executor, normalization: encoder.normalization })
    }

    /// The feature maps of an image that is looked at in this size.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) fn levels(&mut self, image: &Raster, size: Size) -> Result<Vec<Level>> {
        let side = |side: usize| (side.div_ceil(STRIDE)).max(1) * STRIDE;
        let (height, width) = (side(size.height), side(size.width));
        let input = InputSettings { normalization: self.normalization, ..InputSettings::new(height, width) };
        let values = input.prepare(image.clone())?;
        let maps =
            self.executor.infer(&Tensor::new(Shape::new(1, height, width, 3), values), Inference::Eval)?;
        let level = |map: Tensor| {
            let Shape { h, w, c, .. } = map.shape;
            Level { width: w, height: h, channels: c, data: map.data }
        };
        Ok(maps.into_iter().map(level).collect())
    }
}
