//! Segmentation over HTTP: an API that bounds what it takes, and a web page that uses it.
//!
//! - [`config`]: what is served and within which limits.
//! - [`server`]: the listener, connections, and the end.
//! - `api`: the routes; `request` reads what is asked for, `answer` writes it, `problem` says why not.
//! - [`watch`]: a live page of a run.
//! - `batcher`: one thread a model, which gathers what waits into batches.
//! - `guard`: the key, and room for a request; `metrics`: what `/metrics` tells; `openapi`: the document.
//!
//! An image goes through three stages: decoding and preparing on a thread that may block, the networks on their own
//! thread, outputs on a thread that may block again. No more requests than [`config::Limits::queue`] are on their way at a
//! time; others are told when to come back. Memory is therefore bounded whatever arrives.

mod answer;
mod api;
mod batcher;
pub mod config;
mod guard;
mod metrics;
mod models;
mod openapi;
mod page;
mod problem;
mod request;
pub mod server;
pub mod watch;

pub use config::{Config, Limits};
pub use models::ServedModel;
pub use server::{ServeError, Server};
