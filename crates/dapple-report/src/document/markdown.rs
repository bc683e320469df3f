//! A [`Document`] as Markdown.

use std::fmt::Write;

use super::{Block, Cell, Document, Section, Source, Table};

impl Document {
    /// The page as Markdown, with the files that it shows, by their names in `folder`.
    pub fn to_markdown(&self, folder: &str) -> (String, Vec<(String, Vec<u8>)>) {
        let mut writer = Writer {
            text: format!("# {}\n\n{}\n", plain(&self.title), plain(&self.lead)),
            folder,
            files: Vec::new(),
        };
        for Section { id, title, blocks } in &self.sections {
            writer.line(&format!("## {title}"));
            writer.blocks(id, blocks);
        }
        (writer.text, writer.files)
    }
}

struct Writer<'a> {
    text: String,
    folder: &'a str,
    files: Vec<(String, Vec<u8>)>,
}

impl Writer<'_> {
    /// A paragraph.
    fn line(&mut self, text: &str) {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(self.text, "\n{text}");
    }

    fn blocks(&mut self, section: &str, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Heading(text) => self.line(&format!("### {}", plain(text))),
                Block::Text(text) => self.line(&plain(text)),
                Block::Notice(text) => self.line(&format!("> {}", plain(text))),
                Block::Facts(terms) | Block::Terms(terms) => {
                    let lines: String = terms
                        .iter()
                        .map(|(name, value)| format!("- **{name}**: {}\n", plain(value)))
                        .collect();
                    self.line(lines.trim_end());
                }
                Block::Table(table) => self.table(table),
                Block::Charts(charts) => {
                    for chart in charts {
                        let name = format!("{section}-{}.svg", slug(chart.title()));
                        let alt = format!("{}. {}", chart.title(), chart.description());
                        self.picture(&name, &alt, chart.to_svg().into_bytes());
                    }
                }
                Block::Pictures(caption, pictures) => {
                    self.line(&format!("**{caption}**"));
                    for picture in pictures {
                        match &picture.source {
                            Source::Embedded { name, bytes } => {
                                self.picture(name, &picture.alt, bytes.clone())
                            }
                            Source::Link(address) => {
                                self.line(&format!("![{}]({address})", plain(&picture.alt)))
                            }
                        }
                    }
                }
                Block::Code(_, text) => {
                    // A fence is longer than any in the text.
                    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
                    let fence = "`".repeat(longest.max(2) + 1);
                    self.line(&format!("{fence}\n{}\n{fence}", text.trim_end()));
                }
                Block::Folded(summary, blocks) => {
                    self.line(&format!("<details><summary>{summary}</summary>"));
                    self.blocks(section, blocks);
                    self.line("</details>");
                }
            }
        }
    }

    fn picture(&mut self, name: &str, alt: &str, bytes: Vec<u8>) {
        self.line(&format!("![{}]({}/{name})", plain(alt), self.folder.replace(' ', "%20")));
        self.files.push((name.to_owned(), bytes));
    }

    fn table(&mut self, table: &Table) {
        let row = |cells: Vec<&str>| {
            let cells: Vec<String> =
                cells.iter().map(|text| plain(text).replace('|', "\\|").replace('\n', " ")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = format!("*{}*\n\n", table.caption);
        text += &row(table.columns.iter().map(String::as_str).collect());
        let rule: Vec<&str> =
            (0..table.columns.len()).map(|place| if place == 0 { "---" } else { "---:" }).collect();
        text += &format!("|{}|\n", rule.join("|"));
        for cells in &table.rows {
            text += &row(cells.iter().map(|Cell { text, .. }| text.as_str()).collect());
        }
        self.line(text.trim_end());
    }
}

/// Text in which nothing is taken for HTML or for the end of a picture's description.
fn plain(text: &str) -> String {
    text.replace('<', "\\<").replace('[', "\\[").replace(']', "\\]")
}

/// A title as a part of a file name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}
