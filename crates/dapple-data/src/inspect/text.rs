//! An inspection for the terminal.

use std::fmt::Write;

use dapple_base::ValueRange;

use crate::dataset::samples::first_lines;
use crate::inspect::duplicates::DuplicateKind;
use crate::inspect::inspection::Inspection;

/// How many lines of a list are shown.
const SHOWN: usize = 10;

impl Inspection {
    /// For the terminal: everything but the histograms.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}", self.folder);
        let format = self.format.map_or("in memory", |format| format.name());
        let _ = writeln!(out, "format   {format}");
        for folders in first_lines(&self.folders) {
            let _ = writeln!(out, "folders  {folders}");
        }
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|count| match count.part {
                Some(part) => format!("{} {}", count.images, part.name()),
                None if self.parts.len() > 1 => format!("{} in no part", count.images),
                None => "no parts".to_owned(),
            })
            .collect();
        let _ = writeln!(out, "pairs    {} ({})", self.pairs, parts.join(", "));
        let sizes: Vec<String> =
            self.usual_sizes.iter().map(|s| format!("{} x {} ({})", s.width, s.height, s.images)).collect();
        let _ = writeln!(out, "sizes    {}", sizes.join(", "));
        let range = match &self.value_range {
            ValueRange::Type => String::new(),
            range => format!(", {range} from black to white"),
        };
        let channels = if self.channels == 1 { "channel" } else { "channels" };
        let _ = writeln!(out, "values   {}{range}, {} {channels}", self.values, self.channels);
        if let Some(label) = self.ignore {
            let _ =
                writeln!(out, "ignored  label {label}, {:.2} % of the pixels", 100.0 * self.ignored_share);
        }
        let width = self.classes.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(5);
        let _ = writeln!(out, "\nlabel  {:width$}  colour    pixels     images  weight", "class");
        for class in &self.classes {
            let [r, g, b] = class.colour;
            let _ = writeln!(
                out,
                "{:5}  {:width$}  #{r:02x}{g:02x}{b:02x}  {:7.3} %  {:7}  {:.4}",
                class.label,
                class.name,
                100.0 * class.share,
                class.images,
                class.weight
            );
        }
        list(&mut out, "cannot be used", &self.problems);
        list(&mut out, "worth knowing", &self.warnings);
        let suspicious: Vec<String> =
            self.suspicious.iter().map(|s| format!("{}: {}", s.sample, s.reason)).collect();
        list(&mut out, "masks that look wrong", &suspicious);
        let duplicates: Vec<String> = self
            .duplicates
            .iter()
            .map(|d| {
                let kind = if d.kind == DuplicateKind::Exact { "equal" } else { "nearly equal" };
                let across = if d.across_parts { ", in two parts" } else { "" };
                format!("{} and {}: {kind}{across}", d.first, d.second)
            })
            .collect();
        list(&mut out, "images that are equal or nearly so", &duplicates);
        out
    }
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title} ({})", lines.len());
    for line in lines.iter().take(SHOWN) {
        let _ = writeln!(out, "  {line}");
    }
    if lines.len() > SHOWN {
        let _ = writeln!(out, "  and {} more", lines.len() - SHOWN);
    }
}
