//! Learning curves: one panel a quantity, one line a part of the data.

use std::path::Path;

use dapple_base::write_atomic;
use image::RgbImage;

use crate::axis::{Axis, Quantity, plottable};
use crate::flow::{Slot, flow, rows};
use crate::scene::{Anchor, Scene, Shape, Text};
use crate::text::{self, Weight};
use crate::{Colour, ReportError, raster, save_png};

/// Colours that stay apart for colour-blind eyes: Okabe and Ito, "Color Universal Design" (2008), without the yellow,
/// which is too faint on white.
const LINE_COLOURS: [Colour; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [60, 60, 60],
];
const INK: Colour = [38, 38, 38];
const FAINT_INK: Colour = [110, 110, 110];
const GRID: Colour = [228, 228, 228];
const AXIS_LINE: Colour = [150, 150, 150];

/// Pixels of the PNG for each of the drawing's.
const PNG_SCALE: f32 = 2.0;
const PANEL_WIDTH: f32 = 540.0;
const PLOT_HEIGHT: f32 = 220.0;
const MARGIN: f32 = 24.0;
const GAP: f32 = 28.0;
const TITLE_HEIGHT: f32 = 40.0;
const TITLE_SIZE: f32 = 19.0;
const PANEL_TITLE_SIZE: f32 = 15.0;
const LABEL_SIZE: f32 = 12.5;
const LEGEND_ROW: f32 = 20.0;
const LEGEND_SAMPLE: f32 = 20.0;
const TICK_GUTTER: f32 = 50.0;
/// Below the plot: tick labels and the name of the axis.
const FOOT: f32 = 42.0;
/// With at most so many points each one is marked.
const MARKED_POINTS: usize = 30;

/// Which of a series' values is its best, to be named in the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Best {
    /// The smallest value, as for a loss.
    Lowest,
    /// The largest value, as for a score.
    Highest,
}

/// A line of a [`Panel`]: a value for some of the epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    points: Vec<(f64, Option<f64>)>,
    best: Option<Best>,
}

impl Series {
    /// A line through `(epoch, value)`, in rising order of the epochs.
    ///
    /// `None`, and any value that is not finite, leaves a gap in the line; an epoch left out altogether does not.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, Option<f64>)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect(), best: None }
    }

    /// A line through values of the epochs 1, 2, 3, …; `None` leaves a gap.
    pub fn from_epochs(name: impl Into<String>, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        Self::new(name, values.into_iter().enumerate().map(|(index, value)| ((index + 1) as f64, value)))
    }

    /// Rings the best value and names it and its epoch in the legend.
    pub fn marking(mut self, best: Best) -> Self {
        self.best = Some(best);
        self
    }

    /// The name of the line.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The points that can be drawn, without the gaps.
    pub(crate) fn drawn(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.stretches().flatten()
    }

    /// The stretches between gaps.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = Vec<(f64, f64)>> + '_ {
        let drawable = |point: &(f64, Option<f64>)| match *point {
            (x, Some(y)) if plottable(x) && plottable(y) => Some((x, y)),
            _ => None,
        };
        self.points
            .split(move |point| drawable(point).is_none())
            .filter(|stretch| !stretch.is_empty())
            .map(move |stretch| stretch.iter().filter_map(drawable).collect())
    }

    /// The first point with the best value.
    pub(crate) fn best_point(&self) -> Option<(f64, f64)> {
        let better = match self.best? {
            Best::Lowest => |new: f64, old: f64| new < old,
            Best::Highest => |new: f64, old: f64| new > old,
        };
        self.drawn().reduce(|old, new| if better(new.1, old.1) { new } else { old })
    }

    /// The text behind the name in the legend.
    fn remark(&self) -> String {
        match self.best_point() {
            None => String::new(),
            Some((x, y)) if y != 0.0 && !(0.01..1e5).contains(&y.abs()) => format!("best {y:.2e}, epoch {x}"),
            Some((x, y)) => format!("best {y:.3}, epoch {x}"),
        }
    }
}

/// One quantity over the epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    title: String,
    share: bool,
    series: Vec<Series>,
}

impl Panel {
    /// A panel for any number, for example a loss.
    pub fn new(title: impl Into<String>, series: Vec<Series>) -> Self {
        Self { title: title.into(), share: false, series }
    }

    /// A panel for a score between 0 and 1, whose axis does not leave that range.
    pub fn share(title: impl Into<String>, series: Vec<Series>) -> Self {
        Self { share: true, ..Self::new(title, series) }
    }

    fn value_axis(&self) -> Axis {
        let quantity = if self.share { Quantity::Share } else { Quantity::Value };
        let (low, high) =
            extent(self.series.iter().flat_map(Series::drawn).map(|(_, y)| y)).unwrap_or((0.0, 1.0));
        Axis::covering(low, high, quantity, 5)
    }
}

/// Panels on one sheet, two in a row; a name has the same colour in all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    title: String,
    panels: Vec<Panel>,
}

impl Curves {
    /// A sheet of panels under a title, which may be empty.
    ///
    /// # Errors
    /// [`ReportError::NothingToDraw`] without a panel.
    pub fn new(title: impl Into<String>, panels: Vec<Panel>) -> Result<Self, ReportError> {
        if panels.is_empty() {
            return Err(ReportError::NothingToDraw { what: "the curves", needed: "panel" });
        }
        Ok(Self { title: title.into(), panels })
    }

    /// The sheet as an SVG document that needs no font.
    pub fn to_svg(&self) -> String {
        self.scene().to_svg(if self.title.is_empty() { "Learning curves" } else { &self.title })
    }

    /// The sheet as an image, two pixels for each of the SVG's.
    ///
    /// # Errors
    /// [`ReportError::TooLarge`] with a hundred panels or so.
    pub fn to_image(&self) -> Result<RgbImage, ReportError> {
        raster::rasterize(&self.scene(), PNG_SCALE)
    }

    /// Writes `curves.svg` and `curves.png` into `folder`, replacing what was there.
    ///
    /// # Errors
    /// As [`Curves::to_image`], and [`ReportError::Write`] if the folder is missing or not writable.
    pub fn save(&self, folder: &Path) -> Result<(), ReportError> {
        write_atomic(folder.join("curves.svg"), self.to_svg().as_bytes())?;
        save_png(&self.to_image()?, &folder.join("curves.png"))
    }

    /// The look of the lines of this name: the colours in turn, then the same ones dashed, and again.
    fn look_of(&self, name: &str) -> Look {
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        let place = names.iter().position(|other| *other == name).unwrap_or(0);
        let (turn, place) = (place / LINE_COLOURS.len(), place % LINE_COLOURS.len());
        Look { colour: LINE_COLOURS[place], dashed: turn % 2 == 1 }
    }

    fn scene(&self) -> Scene {
        let columns = self.panels.len().min(2);
        let legends: Vec<_> = self.panels.iter().map(legend).collect();
        let legend_rows = legends.iter().map(|legend| rows(&legend.slots)).max().unwrap_or(0);
        let head = PANEL_TITLE_SIZE + 10.0 + legend_rows as f32 * LEGEND_ROW + 8.0;
        let panel_height = head + PLOT_HEIGHT + FOOT;
        let top = if self.title.is_empty() { MARGIN } else { MARGIN + TITLE_HEIGHT };
        let lines = self.panels.len().div_ceil(columns) as f32;
        let mut scene = Scene::new(
            MARGIN * 2.0 + columns as f32 * (PANEL_WIDTH + GAP) - GAP,
            top + lines * (panel_height + GAP) - GAP + MARGIN / 2.0,
        );
        let (width, height) = (scene.width, scene.height);
        scene.push(Shape::Rectangle { x: 0.0, y: 0.0, width, height, fill: [255; 3] });
        let title = text::fit(&self.title, TITLE_SIZE, Weight::Bold, width - 2.0 * MARGIN);
        write(
            &mut scene,
            (MARGIN, MARGIN + TITLE_SIZE - 3.0),
            Anchor::Start,
            (TITLE_SIZE, Weight::Bold, INK),
            &title,
        );

        let epochs =
            self.panels.iter().flat_map(|panel| &panel.series).flat_map(Series::drawn).map(|(x, _)| x);
        let (first, last) = extent(epochs).unwrap_or((1.0, 1.0));
        let epochs = Axis::covering(first, last, Quantity::Epoch, 8);
        for (index, (panel, legend)) in self.panels.iter().zip(&legends).enumerate() {
            let x = MARGIN + (index % columns) as f32 * (PANEL_WIDTH + GAP);
            let y = top + (index / columns) as f32 * (panel_height + GAP);
            self.draw_head(&mut scene, panel, legend, (x, y));
            let plot = Plot { x: x + TICK_GUTTER, y: y + head, epochs: &epochs, values: panel.value_axis() };
            plot.draw_axes(&mut scene);
            for series in &panel.series {
                plot.draw_series(&mut scene, series, self.look_of(&series.name));
            }
            if panel.series.iter().all(|series| series.drawn().next().is_none()) {
                let middle = (plot.x + Plot::WIDTH / 2.0, plot.y + PLOT_HEIGHT / 2.0);
                let style = (LABEL_SIZE, Weight::Regular, FAINT_INK);
                write(&mut scene, middle, Anchor::Middle, style, "no values yet");
            }
        }
        scene
    }

    fn draw_head(&self, scene: &mut Scene, panel: &Panel, legend: &Legend, (x, y): (f32, f32)) {
        let title = text::fit(&panel.title, PANEL_TITLE_SIZE, Weight::Bold, PANEL_WIDTH);
        let baseline = y + PANEL_TITLE_SIZE;
        write(scene, (x, baseline), Anchor::Start, (PANEL_TITLE_SIZE, Weight::Bold, INK), &title);
        for ((series, slot), name) in panel.series.iter().zip(&legend.slots).zip(&legend.names) {
            let left = x + slot.x;
            let Look { colour, dashed } = self.look_of(&series.name);
            let baseline = baseline + 4.0 + (slot.row + 1) as f32 * LEGEND_ROW;
            let height = baseline - LABEL_SIZE * 0.33;
            scene.push(Shape::Line {
                points: vec![(left + 1.0, height), (left + LEGEND_SAMPLE, height)],
                colour,
                width: 2.5,
                dashed,
            });
            let left = left + LEGEND_SAMPLE + 7.0;
            write(scene, (left, baseline), Anchor::Start, (LABEL_SIZE, Weight::Regular, INK), name);
            let left = left + text::width(&format!("{name} "), LABEL_SIZE, Weight::Regular) + 2.0;
            let style = (LABEL_SIZE, Weight::Regular, FAINT_INK);
            write(scene, (left, baseline), Anchor::Start, style, &series.remark());
        }
    }
}

/// How a line is drawn.
#[derive(Clone, Copy)]
struct Look {
    colour: Colour,
    dashed: bool,
}

/// Where a panel's legend entries go, and their names as far as they fit.
struct Legend {
    names: Vec<String>,
    slots: Vec<Slot>,
}

fn legend(panel: &Panel) -> Legend {
    let mut names = Vec::new();
    let mut widths = Vec::new();
    for series in &panel.series {
        let remark = text::width(&series.remark(), LABEL_SIZE, Weight::Regular) + LEGEND_SAMPLE + 16.0;
        let name = text::fit(&series.name, LABEL_SIZE, Weight::Regular, PANEL_WIDTH - remark).into_owned();
        widths.push(text::width(&name, LABEL_SIZE, Weight::Regular) + remark);
        names.push(name);
    }
    Legend { names, slots: flow(widths, 14.0, PANEL_WIDTH) }
}

/// The area inside a panel's axes.
struct Plot<'a> {
    x: f32,
    y: f32,
    epochs: &'a Axis,
    values: Axis,
}

impl Plot<'_> {
    const WIDTH: f32 = PANEL_WIDTH - TICK_GUTTER - 8.0;

    fn at(&self, (x, y): (f64, f64)) -> (f32, f32) {
        let across = self.epochs.position(x) as f32 * Self::WIDTH;
        let down = (1.0 - self.values.position(y)) as f32 * PLOT_HEIGHT;
        (self.x + across, self.y + down)
    }

    fn draw_axes(&self, scene: &mut Scene) {
        let style = (LABEL_SIZE, Weight::Regular, FAINT_INK);
        for tick in &self.values.ticks {
            let y = self.at((self.epochs.low, tick.value)).1;
            let points = vec![(self.x, y), (self.x + Self::WIDTH, y)];
            scene.push(Shape::Line { points, colour: GRID, width: 1.0, dashed: false });
            write(scene, (self.x - 9.0, y + LABEL_SIZE * 0.36), Anchor::End, style, &tick.label);
        }
        let floor = self.y + PLOT_HEIGHT;
        let points = vec![(self.x, floor), (self.x + Self::WIDTH, floor)];
        scene.push(Shape::Line { points, colour: AXIS_LINE, width: 1.0, dashed: false });
        for tick in &self.epochs.ticks {
            let x = self.at((tick.value, self.values.low)).0;
            scene.push(Shape::Line {
                points: vec![(x, floor), (x, floor + 4.0)],
                colour: AXIS_LINE,
                width: 1.0,
                dashed: false,
            });
            write(scene, (x, floor + 7.0 + LABEL_SIZE), Anchor::Middle, style, &tick.label);
        }
        let below = (self.x + Self::WIDTH / 2.0, floor + FOOT - 5.0);
        write(scene, below, Anchor::Middle, style, "epoch");
    }

    fn draw_series(&self, scene: &mut Scene, series: &Series, Look { colour, dashed }: Look) {
        let marked = series.drawn().count() <= MARKED_POINTS;
        for stretch in series.stretches() {
            let points: Vec<_> = stretch.into_iter().map(|point| self.at(point)).collect();
            // A point without neighbours makes no line: it must be marked to be seen.
            if marked || points.len() == 1 {
                scene.shapes.extend(points.iter().map(|&(x, y)| Shape::Disc {
                    x,
                    y,
                    radius: 2.6,
                    fill: colour,
                }));
            }
            if points.len() > 1 {
                scene.push(Shape::Line { points, colour, width: 1.8, dashed });
            }
        }
        if let Some(best) = series.best_point() {
            let (x, y) = self.at(best);
            scene.push(Shape::Disc { x, y, radius: 5.5, fill: colour });
            scene.push(Shape::Disc { x, y, radius: 3.5, fill: [255; 3] });
        }
    }
}

/// Adds a line of text at `(x, baseline)`.
fn write(scene: &mut Scene, at: (f32, f32), anchor: Anchor, style: (f32, Weight, Colour), text: &str) {
    let (size, weight, colour) = style;
    scene.push(Shape::Text(Text { x: at.0, y: at.1, anchor, size, weight, colour, text: text.into() }));
}

/// The smallest and the largest of the values.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
    })
}
