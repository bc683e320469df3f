//! Writing a page to files.

use std::path::Path;

use dapple_base::write_atomic;

use super::page::Document;
use crate::ReportError;

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
    use crate::document::{Block, Cell, Document, Mark, Picture, Section, Source, Table};
    use crate::{Chart, Series};
    use dapple_base::Size;

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
