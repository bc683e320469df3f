//! An opened graphics card.

use crate::adapter::Adapter;
use burn_tensor::Device;

/// An adapter that Burn has opened.
#[derive(Clone)]
pub(crate) struct Card {
    pub device: Device,
    /// As `--device` takes it.
    pub name: String,
    pub adapter: Adapter,
}
