//! Images read row by row, so that their size is bounded by the disk and not by the memory.

mod open;
mod png;
mod rows;
mod tiff;

pub(crate) use open::first_bytes;
pub use open::{Opened, open, open_rows};
pub use rows::{PhotoRows, RowSource};
