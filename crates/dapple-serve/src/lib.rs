//! Segmentation over HTTP: an API with limits and metrics, a web page that uses it, and a live page of a run.
//!
//! - [`Server`] with its [`ServeConfig`] and [`Limits`] serves [`ServedModel`]s; [`watch::LivePage`] shows a run.
//! - [`runtime`] and [`interrupted`]: the process around them; [`LocalListener`], [`Problem`] and [`aside`]: what other pages of
//!   this machine are made of.
//! - Inside, a request passes `listen` (connections), `api` (the routes), `access` (who may ask) and `predict` with `request` (what
//!   is asked), `batcher` (one thread per model that gathers waiting images into batches) and `response` (made while it is sent),
//!   within the `bounds`. `health`, `metrics` and `openapi` describe the server.
//!
//! An image passes through three stages: decoding and preparation on a blocking thread, the networks on their own thread,
//! outputs on a blocking thread again. At most [`Limits::queue`] requests are in flight, and all together hold at most
//! [`Limits::memory_bytes`]; others are told when to retry. A request holds its slot until its answer is sent, and a client that
//! neither sends nor takes at [`Limits::min_rate`] loses its connection. Memory is therefore bounded whatever arrives.
//!
//! ```
//! use dapple_serve::{ServeConfig, ServedModel, Server, runtime};
//! # use dapple_model::Model;
//! # use dapple_nets::{Activation, NetConfig, checkpoint::{Class, ModelCard, ModelFile, Normalization}};
//! # use dapple_graph::{Network, State};
//! # use dapple_predict::{PredictSettings, Predictor};
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
//! let predictor = Predictor::new(vec![model], PredictSettings::default())?;
//! let mut config = ServeConfig { api_key: Some("a secret".into()), ..ServeConfig::default() };
//! config.address.set_port(0); // any free port
//! runtime()?.block_on(async {
//!     let server = Server::bind(vec![ServedModel { name: "horse".into(), predictor }], config).await?;
//!     println!("listening on http://{}", server.address()?);
//!     server.run(async {}).await; // until the future is ready: here at once
//!     Ok(())
//! })
//! # }
//! ```

mod access;
mod api;
mod app;
mod batcher;
mod bounds;
mod config;
mod error;
mod health;
mod listen;
mod local;
mod log;
mod metrics;
mod models;
mod openapi;
mod page;
mod predict;
mod problem;
mod process;
mod request;
mod response;
mod server;
pub mod watch;
mod work;

pub use config::{Limits, ServeConfig};
pub use error::ServeError;
pub use local::LocalListener;
pub use models::ServedModel;
pub use problem::Problem;
pub use process::{interrupted, runtime};
#[doc(hidden)]
pub use request::submission::image_in;
pub use server::Server;
pub use work::aside;
