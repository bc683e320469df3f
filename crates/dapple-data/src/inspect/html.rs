//! The page of an inspection: one file, light or dark as the reader's system is.

use std::fmt::Write;

use crate::dataset::samples::Dataset;
use crate::error::Result;
use crate::image::raster::Channels;
use crate::inspect::duplicates::{Duplicate, DuplicateKind};
use crate::inspect::histogram::Bin;
use crate::inspect::inspection::Inspection;
use crate::inspect::thumbnail::{data_uri, paint, shrink};
use crate::parallel::in_parallel;

/// The longer side of thumbnails in pixels; shown at half of that on fine screens.
const SIDE: usize = 320;

/// How many pairs of duplicates are shown with pictures.
const SHOWN_DUPLICATES: usize = 8;

/// How many lines of a list are shown.
const SHOWN_LINES: usize = 50;

const STYLE: &str = include_str!("page.css");

impl Inspection {
    /// The page: one file with everything in it, thumbnails of up to `pictures` samples included.
    ///
    /// # Errors
    /// Those of reading images and masks.
    pub fn to_html(&self, dataset: &Dataset, pictures: usize) -> Result<String> {
        let mut body = String::new();
        summary(&mut body, self);
        notices(&mut body, self);
        classes(&mut body, self);
        body.push_str("<div class=columns>");
        histogram(&mut body, "Longer side in pixels", &self.sizes, 0);
        histogram(&mut body, "Width over height", &self.aspects, 2);
        body.push_str("</div>");
        duplicates(&mut body, self, dataset)?;
        gallery(&mut body, dataset, pictures)?;
        let title = escape(&self.folder);
        Ok(format!(
            "<!doctype html>\n<html lang=en><meta charset=utf-8>\
             <meta name=\"generator\" content=\"dapple\">\
             <meta name=viewport content=\"width=device-width, initial-scale=1\">\
             <meta name=color-scheme content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
             <main>\n<h1>{title}</h1>\n{body}\n</main>\n</html>\n"
        ))
    }
}

/// Text as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number with thin spaces between thousands.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn fact(out: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
}

fn summary(out: &mut String, inspection: &Inspection) {
    out.push_str("<dl class=facts>");
    fact(out, "Format", inspection.format.map_or("in memory", |format| format.name()));
    fact(out, "Pairs", &thousands(inspection.pairs as u64));
    for count in &inspection.parts {
        if let Some(part) = count.part {
            fact(out, part.name(), &thousands(count.images as u64));
        }
    }
    fact(out, "Classes", &inspection.classes.len().to_string());
    let ignored = match inspection.ignore {
        None => "none".to_owned(),
        Some(label) => format!("label {label}, {:.1} % of the pixels", 100.0 * inspection.ignored_share),
    };
    fact(out, "Ignored", &ignored);
    let size = |size: &super::SizeCount| format!("{} × {} ({})", size.width, size.height, size.images);
    let sizes: Vec<String> = inspection.usual_sizes.iter().take(3).map(size).collect();
    fact(out, "Usual sizes", &sizes.join(", "));
    out.push_str("</dl>\n");
}

fn notices(out: &mut String, inspection: &Inspection) {
    let leaks = inspection.leaks().count();
    let mut leak = Vec::new();
    if leaks > 0 {
        leak.push(format!(
            "{leaks} images of one part occur in another, exactly or nearly: scores will be too good"
        ));
    }
    list(out, "bad", "Pairs that cannot be used", &inspection.problems);
    list(out, "bad", "Leakage between parts", &leak);
    list(out, "warn", "Worth knowing", &inspection.warnings);
    let suspicious: Vec<String> =
        inspection.suspicious.iter().map(|s| format!("{}: {}", s.sample, s.reason)).collect();
    list(out, "warn", "Masks that look wrong", &suspicious);
    if inspection.problems.is_empty() && inspection.warnings.is_empty() && suspicious.is_empty() && leaks == 0
    {
        out.push_str("<section class=good><h2>Nothing looks wrong</h2></section>\n");
    }
}

fn list(out: &mut String, class: &str, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "<section class={class}><h2>{title} <small>{}</small></h2><ul>", lines.len());
    for line in lines.iter().take(SHOWN_LINES) {
        let _ = write!(out, "<li>{}</li>", escape(line));
    }
    if lines.len() > SHOWN_LINES {
        let _ = write!(out, "<li>and {} more</li>", lines.len() - SHOWN_LINES);
    }
    out.push_str("</ul></section>\n");
}

fn classes(out: &mut String, inspection: &Inspection) {
    out.push_str(
        "<h2>Classes</h2>\n<div class=scroll><table><thead><tr><th>Label<th class=text>Name<th class=text>\
         Share of pixels<th>Pixels<th>Images<th title=\"Median frequency over frequency\">Weight</tr></thead><tbody>\n",
    );
    let largest = inspection.classes.iter().map(|class| class.share).fold(0.0, f64::max).max(1e-9);
    for class in &inspection.classes {
        let [r, g, b] = class.colour;
        let _ = writeln!(
            out,
            "<tr><td>{}<td class=text><i style=\"background:rgb({r},{g},{b})\"></i>{}<td class=bar>\
             <span><b style=\"width:{:.2}%\"></b></span><em>{:.2} %</em><td>{}<td>{}<td>{:.3}</tr>",
            class.label,
            escape(&class.name),
            100.0 * class.share / largest,
            100.0 * class.share,
            thousands(class.pixels),
            thousands(class.images as u64),
            class.weight
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn histogram(out: &mut String, title: &str, bins: &[Bin], decimals: usize) {
    let most = bins.iter().map(|bin| bin.images).max().unwrap_or(1).max(1);
    let _ = write!(out, "<figure><figcaption>{title}</figcaption><div class=histogram>");
    for bin in bins {
        let label = match (bin.from, bin.to) {
            (0.0, to) => format!("&lt; {to:.decimals$}"),
            (from, to) if to >= 65536.0 => format!("≥ {from:.decimals$}"),
            (from, _) => format!("{from:.decimals$}"),
        };
        let height = 100.0 * bin.images as f64 / most as f64;
        let _ = write!(
            out,
            "<div><span class=count>{}</span><b style=\"height:{height:.1}%\"></b><small>{label}</small></div>",
            bin.images
        );
    }
    out.push_str("</div></figure>\n");
}

fn duplicates(out: &mut String, inspection: &Inspection, dataset: &Dataset) -> Result<()> {
    if inspection.duplicates.is_empty() {
        return Ok(());
    }
    let _ = write!(
        out,
        "<h2>Images that are equal or nearly so <small>{}</small></h2><div class=gallery>",
        inspection.duplicates.len()
    );
    for duplicate in inspection.duplicates.iter().take(SHOWN_DUPLICATES) {
        let Duplicate { first, second, kind, across_parts, indices } = duplicate;
        let kind = if *kind == DuplicateKind::Exact { "equal" } else { "nearly equal" };
        let across = if *across_parts { ", in two parts" } else { "" };
        out.push_str("<figure>");
        for index in indices {
            let image = shrink(&dataset.load(*index, Channels::Rgb)?, SIDE / 2).image;
            let _ = write!(out, "<img alt=\"\" src=\"{}\">", data_uri(&image)?);
        }
        let _ = write!(
            out,
            "<figcaption>{} and {}: {kind}{across}</figcaption></figure>",
            escape(first),
            escape(second)
        );
    }
    out.push_str("</div>\n");
    Ok(())
}

/// Samples spread evenly over the data set, each as it is and with its labels.
fn gallery(out: &mut String, dataset: &Dataset, pictures: usize) -> Result<()> {
    let count = pictures.min(dataset.len());
    out.push_str("<h2>Samples</h2><div class=gallery>\n");
    let figures: Vec<Result<String>> = in_parallel(count, |i| {
        let index = i * dataset.len() / count;
        let sample = shrink(&dataset.load(index, Channels::Rgb)?, SIDE);
        let painted = paint(&sample.image, &sample.labels, dataset.classes(), dataset.ignore());
        Ok(format!(
            "<figure><img alt=\"\" src=\"{}\"><img alt=\"\" src=\"{}\"><figcaption>{}</figcaption></figure>\n",
            data_uri(&sample.image)?,
            data_uri(&painted)?,
            escape(dataset.name(index))
        ))
    });
    for figure in figures {
        out.push_str(&figure?);
    }
    out.push_str("</div>\n<ul class=legend>");
    for (name, [r, g, b]) in dataset.classes().names.iter().zip(&dataset.classes().colours) {
        let _ = write!(out, "<li><i style=\"background:rgb({r},{g},{b})\"></i>{}</li>", escape(name));
    }
    out.push_str("</ul>\n");
    Ok(())
}
