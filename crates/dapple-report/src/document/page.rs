//! The content of a page: sections of blocks.

use dapple_base::Size;

use crate::{Chart, Colour};

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// A sentence or two below the title.
    pub lead: String,
    /// The sections.
    pub sections: Vec<Section>,
}

/// A part of a page that the contents list.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its name in links: lower-case letters, digits and hyphens, another one for each section.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// The content.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading below the section's.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph that must not be overlooked: what is missing, and why.
    Notice(String),
    /// Names with short values, side by side.
    Facts(Vec<(String, String)>),
    /// Terms with sentences that explain them.
    Terms(Vec<(String, String)>),
    /// A table.
    Table(Table),
    /// Charts, as many in a row as fit.
    Charts(Vec<Chart>),
    /// Pictures in a row that belong together, with a common caption.
    Pictures(String, Vec<Picture>),
    /// Text to be copied, with what it is.
    Code(String, String),
    /// Details behind a line that opens them.
    Folded(String, Vec<Block>),
}

/// A table; the first cell of each row is the row's heading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The caption.
    pub caption: String,
    /// Headings of the columns, the first one that of the rows' headings.
    pub columns: Vec<String>,
    /// As many cells as columns in each.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// A mark beside or behind the text.
    pub mark: Mark,
}

/// A mark of a cell besides its text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Mark {
    /// Nothing.
    #[default]
    Plain,
    /// A bar of this share of the cell's width, 0 to 1.
    Bar(f64),
    /// A ground that is the stronger the larger the share, 0 to 1.
    Heat(f64),
    /// A square of this colour before the text.
    Swatch(Colour),
    /// Strong type.
    Strong,
}

impl Cell {
    /// A cell with a mark.
    pub fn marked(text: impl Into<String>, mark: Mark) -> Self {
        Self { text: text.into(), mark }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), mark: Mark::Plain }
    }
}

/// A picture with what it shows in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Where its bytes are.
    pub source: Source,
    /// Its size.
    pub size: Size,
    /// The text for readers who do not see the picture.
    pub alt: String,
    /// The caption; may be empty.
    pub caption: String,
}

/// Where a picture is.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Here: a PNG or JPEG file's bytes, with the name that the Markdown's copy of it gets.
    Embedded {
        /// A file name with its ending.
        name: String,
        /// The file's bytes.
        bytes: Vec<u8>,
    },
    /// At an address, for pages of a server.
    Link(String),
}
