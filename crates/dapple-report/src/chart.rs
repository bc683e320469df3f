//! Charts that stand in a page: they take its type and its colours, light or dark, and say in words what they show.

use std::fmt::Write;

use crate::Series;
use crate::axis::{Axis, Quantity};
use crate::flow::{flow, rows};
use crate::scene::escape;
use crate::text::{self, Weight};

/// The style of charts, for pages that hold some.
pub const STYLE: &str = include_str!("chart.css");

const WIDTH: f32 = 430.0;
const PLOT_HEIGHT: f32 = 190.0;
const LEFT: f32 = 56.0;
const RIGHT: f32 = 10.0;
const TOP: f32 = 28.0;
const FOOT: f32 = 40.0;
const LEGEND_ROW: f32 = 19.0;
const LEGEND_SAMPLE: f32 = 26.0;
const TEXT_SIZE: f32 = 13.0;
/// Other typefaces than the embedded one, by which texts are measured, may be wider.
const SLACK: f32 = 1.12;
/// Looks of lines: colours and dashes together, so that they are told apart without colours.
const LOOKS: usize = 8;

/// Lines, and perhaps bars, over two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    across: (String, Quantity),
    up: (String, Quantity),
    series: Vec<Series>,
    bars: Vec<Bar>,
    diagonal: bool,
    remark: String,
}

/// A bar of a [`Chart`] from `low` to `high` across.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Its left edge.
    pub low: f64,
    /// Its right edge.
    pub high: f64,
    /// Its height.
    pub height: f64,
}

impl Chart {
    /// Any quantity, for example a loss, over the epochs.
    pub fn over_epochs(title: impl Into<String>, series: Vec<Series>) -> Self {
        Self {
            title: title.into(),
            across: ("epoch".into(), Quantity::Epoch),
            up: (String::new(), Quantity::Value),
            series,
            bars: Vec::new(),
            diagonal: false,
            remark: String::new(),
        }
    }

    /// A score between 0 and 1 over the epochs.
    pub fn share_over_epochs(title: impl Into<String>, series: Vec<Series>) -> Self {
        Self { up: (String::new(), Quantity::Share), ..Self::over_epochs(title, series) }
    }

    /// A square of shares, both axes from 0 to 1, with their names.
    pub fn shares(
        title: impl Into<String>,
        across: &str,
        up: &str,
        series: Vec<Series>,
        bars: Vec<Bar>,
    ) -> Self {
        Self {
            across: (across.into(), Quantity::Share),
            up: (up.into(), Quantity::Share),
            bars,
            ..Self::over_epochs(title, series)
        }
    }

    /// Draws the line on which both axes agree.
    pub fn with_diagonal(mut self) -> Self {
        self.diagonal = true;
        self
    }

    /// Adds a sentence to the description.
    pub fn with_remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The description, in words.
    pub fn description(&self) -> String {
        let mut sentences = Vec::new();
        for series in &self.series {
            let (mut drawn, name) = (series.drawn(), series.name());
            let Some(first) = drawn.next() else {
                sentences.push(format!("{name}: no values yet"));
                continue;
            };
            let last = drawn.last().unwrap_or(first);
            let across = &self.across.0;
            let mut text = format!(
                "{name}: from {} at {across} {} to {} at {across} {}",
                number(first.1),
                number(first.0),
                number(last.1),
                number(last.0)
            );
            if let Some((x, y)) = series.best_point() {
                let _ = write!(text, ", best {} at {across} {}", number(y), number(x));
            }
            sentences.push(text);
        }
        if !self.bars.is_empty() {
            let bars: Vec<String> = self
                .bars
                .iter()
                .map(|bar| format!("{} for {} to {}", number(bar.height), number(bar.low), number(bar.high)))
                .collect();
            sentences.push(format!("{}: {}", self.up.0, bars.join(", ")));
        }
        if !self.remark.is_empty() {
            sentences.push(self.remark.clone());
        }
        sentences.join(". ")
    }

    /// The chart as a file of its own.
    pub fn to_svg(&self) -> String {
        self.svg(" xmlns=\"http://www.w3.org/2000/svg\"", &format!("<style>{STYLE}</style>"))
    }

    /// The chart as an element of a page that has [`STYLE`].
    pub(crate) fn to_inline_svg(&self) -> String {
        self.svg("", "")
    }

    fn svg(&self, namespace: &str, style: &str) -> String {
        let plot_width = WIDTH - LEFT - RIGHT;
        let names: Vec<&str> = self.series.iter().map(Series::name).collect();
        let legend = match names.len() {
            0 | 1 => Vec::new(),
            _ => flow(names.iter().map(|name| legend_width(name)), 12.0, WIDTH - LEFT),
        };
        let named = if self.up.0.is_empty() { 0.0 } else { LEGEND_ROW };
        let head = TOP + named + rows(&legend) as f32 * LEGEND_ROW;
        let square = self.across.1 == Quantity::Share;
        let plot_height = if square { plot_width * 0.7 } else { PLOT_HEIGHT };
        let height = head + plot_height + FOOT;
        let (across, up) = self.axes();
        let at = |x: f64, y: f64| {
            let right = LEFT + across.position(x) as f32 * plot_width;
            (right, head + (1.0 - up.position(y)) as f32 * plot_height)
        };

        let (title, words) = (escape(&self.title), escape(&self.description()));
        let mut out = format!(
            "<svg{namespace} class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{title}. {words}\">{style}<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\
             <text class=\"title\" x=\"0\" y=\"15\">{title}</text>"
        );
        for ((place, slot), name) in legend.iter().enumerate().zip(&names) {
            let (x, y) = (LEFT + slot.x, TOP + 8.0 + slot.row as f32 * LEGEND_ROW);
            let look = place % LOOKS;
            // Writing to a string cannot fail, here and below.
            let _ = write!(
                out,
                "<path class=\"line l{look}\" d=\"M{x} {y}h{LEGEND_SAMPLE}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + LEGEND_SAMPLE + 6.0,
                y + 4.5,
                escape(name)
            );
        }
        for tick in &up.ticks {
            let y = at(across.low, tick.value).1;
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}h{plot_width}\"/>\
                 <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 7.0,
                y + 4.5,
                tick.label
            );
        }
        let floor = head + plot_height;
        for tick in &across.ticks {
            let x = at(tick.value, up.low).0;
            let _ = write!(
                out,
                "<path class=\"axis\" d=\"M{x:.1} {floor:.1}v4\"/><text class=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                floor + 18.0,
                tick.label
            );
        }
        let _ = write!(out, "<path class=\"axis\" d=\"M{LEFT} {floor:.1}h{plot_width}\"/>");
        let _ = write!(
            out,
            "<text class=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT + plot_width / 2.0,
            floor + 35.0,
            escape(&self.across.0)
        );
        if !self.up.0.is_empty() {
            let _ = write!(out, "<text x=\"0\" y=\"{:.1}\">{}</text>", head - 12.0, escape(&self.up.0));
        }
        for Bar { low, high, height } in &self.bars {
            let ((left, top), (right, _)) = (at(*low, *height), at(*high, *height));
            let _ = write!(
                out,
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                left + 0.8,
                (right - left - 1.6).max(0.5),
                (floor - top).max(0.0)
            );
        }
        if self.diagonal {
            let ((x0, y0), (x1, y1)) = (at(0.0, 0.0), at(1.0, 1.0));
            let _ = write!(out, "<path class=\"diagonal\" d=\"M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}\"/>");
        }
        for (place, series) in self.series.iter().enumerate() {
            let look = place % LOOKS;
            for stretch in series.stretches() {
                let points: Vec<(f32, f32)> = stretch.iter().map(|&(x, y)| at(x, y)).collect();
                let path: String = points.iter().map(|(x, y)| format!("{x:.1} {y:.1} ")).collect();
                let _ = match points[..] {
                    [(x, y)] => {
                        write!(out, "<circle class=\"dot l{look}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>")
                    }
                    _ => write!(out, "<path class=\"line l{look}\" d=\"M{}\"/>", path.trim_end()),
                };
            }
            if let Some((x, y)) = series.best_point().map(|(x, y)| at(x, y)) {
                let _ = write!(out, "<circle class=\"best l{look}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>");
            }
        }
        out + "</svg>"
    }

    fn axes(&self) -> (Axis, Axis) {
        let points = || self.series.iter().flat_map(Series::drawn);
        let range = |values: Vec<f64>| {
            let low = values.iter().copied().reduce(f64::min);
            low.zip(values.iter().copied().reduce(f64::max))
        };
        if self.across.1 == Quantity::Share {
            let unit = || Axis::covering(0.0, 1.0, Quantity::Share, 5);
            return (unit(), unit());
        }
        let across = range(points().map(|point| point.0).collect()).unwrap_or((1.0, 1.0));
        let up = range(points().map(|point| point.1).collect()).unwrap_or((0.0, 1.0));
        (Axis::covering(across.0, across.1, self.across.1, 7), Axis::covering(up.0, up.1, self.up.1, 5))
    }
}

fn legend_width(name: &str) -> f32 {
    SLACK * text::width(name, TEXT_SIZE, Weight::Regular) + LEGEND_SAMPLE + 6.0
}

/// A number in as few digits as tell enough.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if value.fract() == 0.0 && size < 1e6 => format!("{value:.0}"),
        size if !(1e-3..1e6).contains(&size) => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Best;

    fn loss() -> Chart {
        let values = [Some(2.0), None, Some(0.5), Some(0.75)];
        Chart::over_epochs("Loss", vec![Series::from_epochs("a < b", values).marking(Best::Lowest)])
    }

    #[test]
    fn a_chart_says_what_it_shows() {
        assert_eq!(
            loss().description(),
            "a < b: from 2 at epoch 1 to 0.750 at epoch 4, best 0.500 at epoch 3"
        );
        let empty = Chart::over_epochs("Loss", vec![Series::from_epochs("x", [])]);
        assert_eq!(empty.description(), "x: no values yet");
    }

    #[test]
    fn a_chart_is_a_drawing_that_another_program_reads() {
        let bars = vec![Bar { low: 0.0, high: 0.5, height: 0.25 }, Bar { low: 0.5, high: 1.0, height: 0.8 }];
        let square = Chart::shares("Reliability", "confidence", "accuracy", Vec::new(), bars).with_diagonal();
        for (chart, paths) in [(loss(), 1), (square, 1), (Chart::over_epochs("Nothing", Vec::new()), 0)] {
            let svg = chart.to_svg();
            let tree = resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default());
            tree.unwrap_or_else(|e| panic!("{e}: {svg}"));
            let lines = svg.matches("class=\"line").count() + svg.matches("class=\"diagonal").count();
            assert!(lines >= paths, "{svg}");
            assert!(!svg.contains("a < b") && !svg.contains("NaN"), "{svg}");
        }
    }
}
