//! The stores: lists, downloads and uploads.

mod cloud;
mod download;
mod fault;
mod list;
mod mirror;
mod open;
mod settings;
mod upload;

pub use cloud::Cloud;
pub use list::Found;
pub use mirror::Mirror;
pub use settings::CloudSettings;
