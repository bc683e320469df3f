//! From unlabelled photographs to a model, on one local page: label with help, train, look, use.
//!
//! - [`store`]: the labels of a folder, kept as `dapple train` reads them, each stroke at once.
//! - [`learn`]: a small network that learns along from the labelled pixels, proposes labels, and says which image to label next.
//! - [`train`]: trainings of real models, and their predictions. The [`Program`](train::Program) around the studio plans them.
//! - [`export()`]: the labels in the forms of other programs.
//! - [`Studio`]: all of it behind an address of this machine, for who has the key in the printed address.
//!
//! Nothing here knows engines: they are given as [`dapple_graph::Engine`].
//!
//! ```
//! use dapple_studio::store::{LabelStore, Patch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("dapple-studio-{}", std::process::id()));
//! # dapple_data::synthetic::write(folder.join("source"), 0, 2, 64, 48)?;
//! # let folder = { std::fs::rename(folder.join("source/images"), folder.join("images"))?; folder };
//! # std::fs::remove_dir_all(folder.join("source"))?;
//! let store = LabelStore::open(&folder)?;
//! let first = store.images().remove(0);
//! // One stroke: two pixels of class 1 at column 10 and row 20. It is on the disk when this returns.
//! let stroke = Patch { width: 2, height: 1, labels: vec![Some(1); 2] };
//! let saved = store.draw(&first.id, first.revision, (10, 20), &stroke)?;
//! assert_eq!((saved.revision, store.mask(&first.id)?.1), (1, 1));
//! # drop(store);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```

mod error;
mod events;
mod export;
pub mod learn;
mod page;
pub mod store;
mod studio;
pub mod train;
mod watcher;

pub use error::{Result, StudioError};
pub use events::Events;
pub use export::{Export, ExportFormat, export};
pub use studio::{Help, Studio, StudioConfig};
