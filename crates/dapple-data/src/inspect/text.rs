//! An inspection for the terminal.

use std::fmt::Write;

use super::{DuplicateKind, Inspection};

/// How many lines of a list are shown.
const SHOWN: usize = 10;

/// Everything but the histograms.
pub(super) fn text(inspection: &Inspection) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", inspection.folder);
    let format = inspection.format.map_or("in memory", |format| format.name());
    let _ = writeln!(out, "format   {format}");
    let parts: Vec<String> = inspection
        .parts
        .iter()
        .map(|count| match count.part {
            Some(part) => format!("{} {}", count.images, part.name()),
            None if inspection.parts.len() > 1 => format!("{} in no part", count.images),
            None => "no parts".to_owned(),
        })
        .collect();
    let _ = writeln!(out, "pairs    {} ({})", inspection.pairs, parts.join(", "));
    let sizes: Vec<String> =
        inspection.usual_sizes.iter().map(|s| format!("{} x {} ({})", s.width, s.height, s.images)).collect();
    let _ = writeln!(out, "sizes    {}", sizes.join(", "));
    if let Some(label) = inspection.ignore {
        let _ =
            writeln!(out, "ignored  label {label}, {:.2} % of the pixels", 100.0 * inspection.ignored_share);
    }
    let width = inspection.classes.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(5);
    let _ = writeln!(out, "\nlabel  {:width$}  colour    pixels     images  weight", "class");
    for class in &inspection.classes {
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
    list(&mut out, "cannot be used", &inspection.problems);
    list(&mut out, "worth knowing", &inspection.warnings);
    let suspicious: Vec<String> =
        inspection.suspicious.iter().map(|s| format!("{}: {}", s.sample, s.reason)).collect();
    list(&mut out, "masks that look wrong", &suspicious);
    let duplicates: Vec<String> = inspection
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
