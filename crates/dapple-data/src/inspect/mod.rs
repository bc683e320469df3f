//! A data set as found: classes, sizes, duplicates and what looks wrong, as text, as a page and as contact sheets.

mod duplicates;
mod histogram;
mod html;
mod inspection;
pub mod preview;
mod text;
mod thumbnail;

pub use duplicates::{Duplicate, DuplicateKind};
pub use histogram::Bin;
pub use inspection::{ClassCount, Inspection, PartCount, SizeCount, Suspicion};
