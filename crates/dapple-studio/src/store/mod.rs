//! The labels of a folder of photographs, kept as `dapple train` reads them: `masks/*.png` and `classes.toml`.
//!
//! Nothing of a change is in memory only: a stroke is on the disk when [`LabelStore::draw`] returns.

mod classes;
mod entries;
mod import;
mod inner;
mod journal;
mod labels;
mod mask;
mod places;
mod table;

pub use classes::{ClassEdit, colour_text};
pub use entries::{ImageInfo, Saved};
pub use import::import;
pub use inner::Refreshed;
pub use labels::LabelStore;
pub use mask::{Mask, Patch, UNLABELLED};
pub use places::Places;
pub(crate) use places::{inside, stays_below};
