//! Networks as the library transformers builds them from a `config.json`, with any sizes. Those of published sizes that the
//! registry has are built there.

mod input;
mod segformer;
mod upernet;

pub(crate) use input::PREPARATION;
pub(crate) use segformer::HubSegFormer;
pub(crate) use upernet::HubUperNet;
