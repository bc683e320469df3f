//! Segmentation over HTTP: an API with limits and metrics, a web page that uses it, and a live page of a run.
//!
//! - [`Server`] with its [`ServeConfig`] and [`Limits`] serves [`ServedModel`]s; [`watch::LivePage`] shows a run.
//! - [`runtime`] and [`interrupted`]: the process around them.
//! - Inside: `listen` accepts connections; `api` has the routes, which share `app`; `request` reads a request, `answer`
//!   writes the response, `problem` an error; `batcher` is one thread per model that gathers waiting images into batches;
//!   `guard` holds the key and the slots; `metrics` and `openapi` describe the server.
//!
//! An image passes through three stages: decoding and preparation on a blocking thread, the networks on their own thread,
//! outputs on a blocking thread again. At most [`Limits::queue`] requests are in flight; others are told when to retry.
//! Memory is therefore bounded whatever arrives.
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
//! #     normalisation: Normalization::Unit, seed: 0, epoch: 0, scores: Default::default(), extra: Default::default(),
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

mod answer;
mod api;
mod app;
mod batcher;
mod config;
mod error;
mod guard;
mod listen;
mod metrics;
mod models;
mod openapi;
mod page;
mod problem;
mod process;
mod request;
mod server;
pub mod watch;

pub use config::{Limits, ServeConfig};
pub use error::ServeError;
pub use models::ServedModel;
pub use process::{interrupted, runtime};
pub use server::Server;
