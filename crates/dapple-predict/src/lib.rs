//! From photographs to masks, overlays, cut-outs and outlines, with one model or several.
//!
//! - [`Predictor`]: one or more models with [`PredictSettings`]: ensembles, flips and scales at test time, thresholds, tiles.
//!   [`Predictor::predict`] gives the [`Prediction`] of a whole image; [`Predictor::predict_tiles`] gives the rows of an
//!   image of any size, in memory for one row of tiles.
//! - [`output`]: files made from the rows of an image, whether it was predicted whole or in tiles.
//! - [`batch`]: many files, with decoding, networks and encoding side by side; [`video`]: the same for videos.
//! - [`results`]: the record of a folder of results, so that none is kept for another model or input.
//! - [`outlines`]: the polygons of a label map, from which [`output::coco_annotation`] makes annotations.
//! - [`inputs`]: files, folders, patterns and lists; [`manifest`]: tables of images; [`source`]: images read row by row.
//!
//! ```
//! use std::sync::Arc;
//! use dapple_predict::output::{ImageInfo, OutputKind, OutputSettings, Target, output, output_palette, write_all};
//! # use dapple_data::{Raster};
//! # use dapple_model::Model;
//! # use dapple_nets::{Activation, NetConfig, checkpoint::{Class, ModelCard, ModelFile, Normalization}};
//! # use dapple_graph::{Network, State};
//! use dapple_predict::{PredictSettings, Predictor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let network = NetConfig { activation: Activation::Sigmoid, width: 2, ..NetConfig::new("unet", 3, 2)? };
//! # let state = State::init(&network.build(network.example_input())?, 0);
//! # let class = |name: &str| Class { name: name.into(), colour: [name.len() as u8; 3] };
//! # let card = ModelCard {
//! #     network, classes: vec![class("ground"), class("a horse")], ignore: None, input_size: [32, 32],
//! #     normalisation: Normalization::Unit, seed: 0, epoch: 0, scores: Default::default(), extra: Default::default(), images: None,
//! # };
//! # let model = Model::new(ModelFile { card, state }, &dapple_cpu::CpuEngine::new(Some(1))?)?;
//! # let photo = dapple_data::Photo::from(Raster::new(40, 30, 3, vec![99; 40 * 30 * 3]));
//! // With `model` from a file, see `dapple_model`, and `photo` from `dapple_data::decode_photo`.
//! let settings = PredictSettings { flip_horizontal: true, ..PredictSettings::default() };
//! let predictor = Predictor::new(vec![model], settings)?;
//! let prediction = predictor.predict(&photo.raster)?;
//! assert_eq!(prediction.labels().len(), 40 * 30);
//!
//! // The mask as a PNG in memory; `Target::file` writes to a file instead.
//! let settings = OutputSettings::default();
//! let files = OutputKind::Mask.files(&predictor.classes().names, &settings);
//! let classes = Arc::new(output_palette(predictor.classes(), None)?);
//! let info = ImageInfo { width: 40, height: 30, name: "photo.jpg".into(), ..ImageInfo::default() };
//! let target = Target::memory();
//! let mask = output(&files[0], &info, &classes, &settings, target.clone())?;
//! write_all(&photo, &prediction, vec![mask])?;
//! assert!(target.commit()?.starts_with(b"\x89PNG"));
//! # Ok(())
//! # }
//! ```

pub mod batch;
mod components;
mod decision;
mod error;
mod geo;
pub mod inputs;
pub mod manifest;
mod matte;
mod outline;
pub mod output;
mod prediction;
mod predictor;
pub mod results;
mod row;
mod scene;
mod settings;
pub mod source;
mod tiled;
pub mod tiles;
mod variant;
pub mod video;

pub use decision::UNDECIDED;
pub use error::PredictError;
pub use geo::GeoReference;
pub use outline::{Polygon, Ring, outlines};
pub use prediction::{PredictedRows, Prediction, RowValues, Wants};
pub use predictor::{Predictor, Prepared};
pub use row::ImageRow;
pub use scene::is_scene;
pub use settings::{DEFAULT_MEMORY_BYTES, PredictSettings, Tiling, WorkingSize};
pub use tiles::TileGrid;
