//! A drawing as a list of shapes, which is written as SVG here and painted onto pixels in [`crate::raster`].
//!
//! Both readers take text as the outlines of the embedded typeface, so the two pictures agree wherever they are shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ttf_parser::OutlineBuilder;

use crate::Colour;
use crate::text::{self, Weight};

/// The part of a text that its `x` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// The dashes of a dashed line and the gaps between them, in pixels.
pub(crate) const DASHES: [f32; 2] = [7.0, 5.0];

/// One shape; lengths are in pixels, y points downwards.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Rectangle { x: f32, y: f32, width: f32, height: f32, fill: Colour },
    Line { points: Vec<(f32, f32)>, colour: Colour, width: f32, dashed: bool },
    Disc { x: f32, y: f32, radius: f32, fill: Colour },
    Text(Text),
}

/// A line of text; `y` is its baseline.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub x: f32,
    pub y: f32,
    pub anchor: Anchor,
    pub size: f32,
    pub weight: Weight,
    pub colour: Colour,
    pub text: String,
}

impl Text {
    /// Where the line starts once its anchor is taken into account.
    pub fn start(&self) -> f32 {
        let width = text::width(&self.text, self.size, self.weight);
        match self.anchor {
            Anchor::Start => self.x,
            Anchor::Middle => self.x - width / 2.0,
            Anchor::End => self.x - width,
        }
    }
}

/// Shapes on a canvas, painted in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    pub width: f32,
    pub height: f32,
    pub shapes: Vec<Shape>,
}

impl Scene {
    pub fn new(width: f32, height: f32) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    pub fn push(&mut self, shape: Shape) {
        self.shapes.push(shape);
    }

    /// The drawing as a self-contained SVG document.
    ///
    /// Each glyph is defined once and used where it occurs; the text itself is kept as a label for screen readers.
    pub fn to_svg(&self, title: &str) -> String {
        let mut glyphs = BTreeMap::new();
        let mut body = String::new();
        for shape in &self.shapes {
            write_shape(&mut body, shape, &mut glyphs);
        }
        let (width, height) = (Number(self.width), Number(self.height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\">\n<title>{}</title>\n<defs>\n",
            escape(title)
        );
        for (id, outline) in &glyphs {
            push(&mut svg, format_args!("<path id=\"{id}\" d=\"{outline}\"/>\n"));
        }
        svg.push_str("</defs>\n");
        svg.push_str(&body);
        svg.push_str("</svg>\n");
        svg
    }
}

fn write_shape(svg: &mut String, shape: &Shape, glyphs: &mut BTreeMap<String, String>) {
    match shape {
        Shape::Rectangle { x, y, width, height, fill } => push(
            svg,
            format_args!(
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
                Number(*x),
                Number(*y),
                Number(*width),
                Number(*height),
                Hex(*fill)
            ),
        ),
        Shape::Line { points, colour, width, dashed } => {
            svg.push_str("<polyline points=\"");
            for (x, y) in points {
                push(svg, format_args!("{},{} ", Number(*x), Number(*y)));
            }
            push(
                svg,
                format_args!(
                    "\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\" \
                     stroke-linecap=\"round\"",
                    Hex(*colour),
                    Number(*width)
                ),
            );
            if *dashed {
                push(svg, format_args!(" stroke-dasharray=\"{} {}\"", DASHES[0], DASHES[1]));
            }
            svg.push_str("/>\n");
        }
        Shape::Disc { x, y, radius, fill } => push(
            svg,
            format_args!(
                "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>\n",
                Number(*x),
                Number(*y),
                Number(*radius),
                Hex(*fill)
            ),
        ),
        Shape::Text(line) => write_text(svg, line, glyphs),
    }
}

fn write_text(svg: &mut String, line: &Text, glyphs: &mut BTreeMap<String, String>) {
    let scale = text::scale(line.size, line.weight);
    push(
        svg,
        format_args!(
            "<g role=\"img\" aria-label=\"{}\" fill=\"{}\" transform=\"translate({} {}) scale({scale:.6} -{scale:.6})\">",
            escape(&line.text),
            Hex(line.colour),
            Number(line.start()),
            Number(line.y)
        ),
    );
    for placed in text::place(&line.text, line.weight).0 {
        let prefix = if line.weight == Weight::Bold { 'b' } else { 'r' };
        let id = format!("{prefix}{}", placed.glyph.0);
        let outline = glyphs.entry(id.clone()).or_insert_with(|| {
            let mut pen = SvgPen::default();
            text::outline(placed.glyph, line.weight, &mut pen);
            pen.0
        });
        if !outline.is_empty() {
            push(svg, format_args!("<use href=\"#{id}\" x=\"{}\"/>", placed.x));
        }
    }
    svg.push_str("</g>\n");
}

fn push(svg: &mut String, arguments: std::fmt::Arguments<'_>) {
    svg.write_fmt(arguments).expect("writing to a string cannot fail");
}

/// Collects an outline in the syntax of an SVG path.
#[derive(Default)]
struct SvgPen(String);

impl OutlineBuilder for SvgPen {
    fn move_to(&mut self, x: f32, y: f32) {
        push(&mut self.0, format_args!("M{x} {y}"));
    }
    fn line_to(&mut self, x: f32, y: f32) {
        push(&mut self.0, format_args!("L{x} {y}"));
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        push(&mut self.0, format_args!("Q{x1} {y1} {x} {y}"));
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        push(&mut self.0, format_args!("C{x1} {y1} {x2} {y2} {x} {y}"));
    }
    fn close(&mut self) {
        self.0.push('Z');
    }
}

/// A length with at most two decimals, which is finer than any screen shows.
struct Number(f32);

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", (f64::from(self.0) * 100.0).round() / 100.0)
    }
}

struct Hex(Colour);

impl std::fmt::Display for Hex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// Makes `text` safe between tags and in attributes; control characters, which XML forbids, become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // The two code points at the end of the plane are not allowed in XML either.
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_is_escaped() {
        let mut scene = Scene::new(50.0, 20.0);
        scene.push(Shape::Text(Text {
            x: 1.0,
            y: 10.0,
            anchor: Anchor::Start,
            size: 10.0,
            weight: Weight::Regular,
            colour: [0, 0, 0],
            text: "a<b>&\"c\"\n".into(),
        }));
        let svg = scene.to_svg("<title>");
        assert!(svg.contains("<title>&lt;title&gt;</title>"));
        assert!(svg.contains("aria-label=\"a&lt;b&gt;&amp;&quot;c&quot; \""));
    }

    #[test]
    fn a_glyph_is_defined_once() {
        let mut scene = Scene::new(50.0, 20.0);
        let text = Text {
            x: 1.0,
            y: 10.0,
            anchor: Anchor::End,
            size: 10.0,
            weight: Weight::Bold,
            colour: [0, 0, 0],
            text: "aa".into(),
        };
        scene.push(Shape::Text(text.clone()));
        scene.push(Shape::Text(text));
        let svg = scene.to_svg("twice");
        assert_eq!(svg.matches("<path id=").count(), 1);
        assert_eq!(svg.matches("<use ").count(), 4);
    }
}
