//! A page of findings: tables, charts and pictures, written as one HTML file and as Markdown.
//!
//! Both come from one list of blocks, so that they say the same. The HTML needs nothing but itself: pictures stand in it,
//! charts are SVG, there is no script, and its policy forbids the browser to fetch anything.

mod html;
mod markdown;

use std::path::Path;

use dapple_base::{Size, write_atomic};

pub use html::STYLE;

use crate::{Chart, Colour, ReportError};

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

impl Document {
    /// Writes the page to `path` and beside it, with the endings `.md` and `-pictures`, the Markdown and its pictures.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), ReportError> {
        write_atomic(path, self.to_html().as_bytes())?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = format!("{stem}-pictures");
        let (text, files) = self.to_markdown(&folder);
        let folder = path.with_file_name(folder);
        if !files.is_empty() {
            std::fs::create_dir_all(&folder)
                .map_err(|source| dapple_base::WriteError::new(&folder, source))?;
        }
        for (name, bytes) in files {
            write_atomic(folder.join(name), &bytes)?;
        }
        Ok(write_atomic(path.with_extension("md"), text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chart, Series};

    fn document() -> Document {
        let table = Table {
            caption: "Scores <of> all".into(),
            columns: vec!["class".into(), "IoU | share".into()],
            rows: vec![vec![
                Cell::marked("a & b", Mark::Swatch([1, 2, 3])),
                Cell::marked("0.5", Mark::Bar(0.5)),
            ]],
        };
        let chart = Chart::over_epochs("Loss", vec![Series::from_epochs("training", [Some(2.0), Some(1.0)])]);
        let picture = Picture {
            source: Source::Embedded { name: "1-image.png".into(), bytes: vec![1, 2, 3] },
            size: Size { height: 3, width: 4 },
            alt: "A \"horse\"".into(),
            caption: "image".into(),
        };
        Document {
            title: "A <run>".into(),
            lead: "Lead".into(),
            sections: vec![Section {
                id: "all".into(),
                title: "All".into(),
                blocks: vec![
                    Block::Heading("Below".into()),
                    Block::Notice("missing".into()),
                    Block::Facts(vec![("images".into(), "3".into())]),
                    Block::Terms(vec![("ignore".into(), "every pixel counts".into())]),
                    Block::Table(table),
                    Block::Charts(vec![chart]),
                    Block::Pictures("worst".into(), vec![picture]),
                    Block::Folded("more".into(), vec![Block::Code("command".into(), "a `b`\n```".into())]),
                ],
            }],
        }
    }

    #[test]
    fn html_is_escaped_labelled_and_self_contained() {
        let html = document().to_html();
        for wanted in [
            "<title>A &lt;run&gt;</title>",
            "<caption><span>Scores &lt;of&gt; all</span></caption>",
            "<th scope=\"row\">",
            "<th scope=\"col\"",
            "alt=\"A &quot;horse&quot;\"",
            "data:image/png;base64,AQID",
            "<main id=\"main\"",
            "<nav aria-label=\"Contents\"",
            "default-src 'none'",
            "role=\"img\"",
            "<code>a `b`\n```</code>",
        ] {
            assert!(html.contains(wanted), "no {wanted} in {html}");
        }
        assert!(!html.contains("<script") && !html.contains("http:") && !html.contains("https:"));
        assert!(!html.contains(" style="), "bars and swatches need no inline style");
    }

    #[test]
    fn markdown_says_the_same_and_names_its_pictures() {
        let (text, files) = document().to_markdown("r-pictures");
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["all-loss.svg", "1-image.png"]);
        for wanted in [
            "# A \\<run>",
            "| class | IoU \\| share |",
            "| a & b | 0.5 |",
            "![A \"horse\"](r-pictures/1-image.png)",
            "````\na `b`\n```\n````",
            "> missing",
        ] {
            assert!(text.contains(wanted), "no {wanted} in {text}");
        }
    }

    #[test]
    fn saving_writes_both_and_the_pictures() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        document().save(&folder.path().join("page.html")).expect("the folder is writable");
        for file in ["page.html", "page.md", "page-pictures/1-image.png", "page-pictures/all-loss.svg"] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
    }
}
