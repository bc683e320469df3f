//! The page and its interface over HTTP.

mod access;
mod answers;
mod app;
mod assets;
mod classes;
mod images;
mod listed;
mod masks;
mod photo;
mod router;
mod state;
mod stream;
mod trainings;
mod using;

pub(crate) use access::new_token;
pub(crate) use app::App;
pub(crate) use router::{POLICY, router};
