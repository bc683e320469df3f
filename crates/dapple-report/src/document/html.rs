//! A [`Document`] as HTML.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dapple_base::Size;

use super::{Block, Cell, Document, Mark, Picture, Section, Source, Table};
use crate::chart;
use crate::scene::escape;

/// The style of pages: light or dark as the reader's system is, narrow windows, and paper.
pub const STYLE: &str = include_str!("page.css");

/// Pictures and styles of the file itself, nothing from anywhere else.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Document {
    /// The page as one file.
    pub fn to_html(&self) -> String {
        let (title, lead) = (escape(&self.title), escape(&self.lead));
        let chart = chart::STYLE;
        let mut contents = String::new();
        for Section { id, title, .. } in &self.sections {
            // Writing to a string cannot fail, here and below.
            let _ = write!(contents, "<li><a href=\"#{id}\">{}</a></li>", escape(title));
        }
        let sections = self.sections_html();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"generator\" content=\"dapple\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <title>{title}</title>\n<style>\n{STYLE}{chart}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">Skip to the content</a>\n\
             <header>\n<h1>{title}</h1>\n<p>{lead}</p>\n</header>\n\
             <nav aria-label=\"Contents\"><ul>{contents}</ul></nav>\n\
             <main id=\"main\" tabindex=\"-1\">\n{sections}</main>\n</body>\n</html>\n"
        )
    }

    /// The sections alone, for a page that has its own surroundings and [`STYLE`].
    pub fn sections_html(&self) -> String {
        let mut out = String::new();
        for Section { id, title, blocks } in &self.sections {
            let title = escape(title);
            let _ = write!(
                out,
                "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n"
            );
            write_blocks(&mut out, blocks);
            out.push_str("</section>\n");
        }
        out
    }
}

fn write_blocks(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        let _ = match block {
            Block::Heading(text) => writeln!(out, "<h3>{}</h3>", escape(text)),
            Block::Text(text) => writeln!(out, "<p>{}</p>", escape(text)),
            Block::Notice(text) => writeln!(out, "<p class=\"notice\" role=\"note\">{}</p>", escape(text)),
            Block::Facts(facts) => write_terms(out, "facts", facts),
            Block::Terms(terms) => write_terms(out, "terms", terms),
            Block::Table(table) => write_table(out, table),
            Block::Charts(charts) => {
                let drawn: String = charts
                    .iter()
                    .map(|chart| format!("<figure>{}</figure>\n", chart.to_inline_svg()))
                    .collect();
                writeln!(out, "<div class=\"charts\">\n{drawn}</div>")
            }
            Block::Pictures(caption, pictures) => {
                let drawn: String = pictures.iter().map(picture).collect();
                // One wide picture keeps its size and is scrolled; several share the width.
                let class = if pictures.len() == 1 { "pictures single" } else { "pictures" };
                let name = escape(caption);
                writeln!(
                    out,
                    "<figure class=\"{class}\"><figcaption>{name}</figcaption>\
                     <div class=\"row\" tabindex=\"0\" role=\"group\" aria-label=\"{name}\">\n{drawn}</div></figure>"
                )
            }
            Block::Code(what, text) => {
                // Line by line, since a name may not have breaks.
                let lines: Vec<String> = text.lines().map(escape).collect();
                let (what, text) = (escape(what), lines.join("\n"));
                writeln!(
                    out,
                    "<pre tabindex=\"0\" role=\"region\" aria-label=\"{what}\"><code>{text}</code></pre>"
                )
            }
            Block::Folded(summary, blocks) => {
                let _ = writeln!(out, "<details><summary>{}</summary>", escape(summary));
                write_blocks(out, blocks);
                writeln!(out, "</details>")
            }
        };
    }
}

fn write_terms(out: &mut String, class: &str, terms: &[(String, String)]) -> std::fmt::Result {
    write!(out, "<dl class=\"{class}\">")?;
    for (name, value) in terms {
        write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value))?;
    }
    writeln!(out, "</dl>")
}

fn write_table(out: &mut String, table: &Table) -> std::fmt::Result {
    let caption = escape(&table.caption);
    write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\
         <table><caption><span>{caption}</span></caption>\n<thead><tr>"
    )?;
    let texts: Vec<bool> = (0..table.columns.len()).map(|column| is_text(table, column)).collect();
    for (column, text) in table.columns.iter().zip(&texts) {
        let class = if *text { " class=\"text\"" } else { "" };
        write!(out, "<th scope=\"col\"{class}>{}</th>", escape(column))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in &table.rows {
        write!(out, "<tr>")?;
        for (place, Cell { text, mark }) in row.iter().enumerate() {
            let (text, share) = (escape(text), |share: f64| share.clamp(0.0, 1.0));
            // A row may be longer than the heading; its cells are then numbers.
            let is_text = texts.get(place).copied().unwrap_or(false);
            let (class, content) = match *mark {
                Mark::Plain if is_text => (" class=\"text\"".into(), text),
                Mark::Plain => (String::new(), text),
                Mark::Strong => (String::new(), format!("<strong>{text}</strong>")),
                Mark::Heat(heat) => (format!(" class=\"h{:.0}\"", (10.0 * share(heat)).round()), text),
                Mark::Bar(length) => (
                    " class=\"bar\"".into(),
                    format!(
                        "<svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
                         <rect width=\"{:.1}\" height=\"10\"/></svg>{text}",
                        100.0 * share(length)
                    ),
                ),
                Mark::Swatch([r, g, b]) => (
                    String::new(),
                    format!(
                        "<svg class=\"swatch\" viewBox=\"0 0 1 1\" aria-hidden=\"true\">\
                         <rect width=\"1\" height=\"1\" fill=\"#{r:02x}{g:02x}{b:02x}\"/></svg>{text}"
                    ),
                ),
            };
            match place {
                0 => write!(out, "<th scope=\"row\"{class}>{content}</th>")?,
                _ => write!(out, "<td{class}>{content}</td>")?,
            }
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

/// Whether a column has words in it, which stand on the left, and not numbers only.
fn is_text(table: &Table, column: usize) -> bool {
    let number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || "+-–".contains(c));
    table.rows.iter().filter_map(|row| row.get(column)).any(|cell| !number(&cell.text))
}

fn picture(Picture { source, size: Size { height, width }, alt, caption }: &Picture) -> String {
    let address = match source {
        Source::Link(address) => escape(address),
        Source::Embedded { name, bytes } => {
            let kind = if name.ends_with(".jpg") { "jpeg" } else { "png" };
            format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))
        }
    };
    let caption = match caption.as_str() {
        "" => String::new(),
        caption => format!("<span>{}</span>", escape(caption)),
    };
    let alt = escape(alt);
    format!(
        "<div><img src=\"{address}\" width=\"{width}\" height=\"{height}\" alt=\"{alt}\">{caption}</div>\n"
    )
}
