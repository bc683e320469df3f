//! Batches for training and validation: the loader, its cache and its background threads.

pub(crate) mod cache;
pub(crate) mod loader;
mod prefetch;
