//! A page of findings: tables, charts and pictures, written as one HTML file and as Markdown.
//!
//! Both come from one list of blocks, so that they say the same. The HTML needs nothing but itself: pictures stand in it,
//! charts are SVG, there is no script, and its policy forbids the browser to fetch anything.

mod html;
mod markdown;
mod page;
mod save;

pub use html::STYLE;
pub use page::{Block, Cell, Document, Mark, Picture, Section, Source, Table};
