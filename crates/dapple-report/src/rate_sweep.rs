//! The loss over rising learning rates, as a learning-rate finder measures it.

use image::RgbImage;

use crate::axis::{Axis, Quantity, plottable};
use crate::scene::{Anchor, Scene, Shape, Text};
use crate::text::Weight;
use crate::{Colour, ReportError, raster};

const WIDTH: f32 = 720.0;
const HEIGHT: f32 = 420.0;
const LEFT: f32 = 74.0;
const TOP: f32 = 64.0;
const PLOT_WIDTH: f32 = WIDTH - LEFT - 30.0;
const PLOT_HEIGHT: f32 = HEIGHT - TOP - 62.0;
const INK: Colour = [38, 38, 38];
const FAINT_INK: Colour = [110, 110, 110];
const GRID: Colour = [228, 228, 228];
const MEASURED: Colour = [175, 205, 225];
const SMOOTHED: Colour = [0, 114, 178];
const SUGGESTED: Colour = [213, 94, 0];

/// One step of a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// Learning rate, above 0.
    pub rate: f64,
    /// Loss of the step's batch.
    pub loss: f64,
    /// Its moving average.
    pub smoothed: f64,
}

/// Draws a sweep: losses in pale, their average in full, and the suggested rate as a dashed line. The axis of the losses
/// covers the average.
///
/// # Errors
/// [`ReportError::NothingToDraw`] without two points that can be drawn.
pub fn rate_sweep(points: &[RatePoint], suggested: Option<f64>) -> Result<RgbImage, ReportError> {
    let fits = |p: &&RatePoint| p.rate > 0.0 && plottable(p.rate.log10()) && plottable(p.smoothed);
    let points: Vec<RatePoint> = points.iter().filter(fits).copied().collect();
    let (Some(first), Some(last), 2..) = (points.first(), points.last(), points.len()) else {
        return Err(ReportError::NothingToDraw { what: "the learning rates", needed: "pair of losses" });
    };
    let low = points.iter().map(|p| p.smoothed).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.smoothed).fold(f64::NEG_INFINITY, f64::max);
    let losses = Axis::covering(low, high, Quantity::Value, 5);
    let rates = Axis::covering(first.rate.log10(), last.rate.log10(), Quantity::Epoch, 8);
    let x = |rate: f64| LEFT + rates.position(rate.log10()) as f32 * PLOT_WIDTH;
    let y = |loss: f64| TOP + (1.0 - losses.position(loss).clamp(0.0, 1.0)) as f32 * PLOT_HEIGHT;
    let floor = TOP + PLOT_HEIGHT;

    let mut scene = Scene::new(WIDTH, HEIGHT);
    scene.push(Shape::Rectangle { x: 0.0, y: 0.0, width: WIDTH, height: HEIGHT, fill: [255; 3] });
    let mut write = |at: (f32, f32), anchor, (size, weight, colour): (f32, Weight, Colour), text: String| {
        scene.push(Shape::Text(Text { x: at.0, y: at.1, anchor, size, weight, colour, text }));
    };
    let label = (12.5, Weight::Regular, FAINT_INK);
    let heading = (17.0, Weight::Bold, INK);
    write((24.0, 32.0), Anchor::Start, heading, "Loss over rising learning rates".into());
    if let Some(rate) = suggested {
        let text = format!("suggested: {rate:.1e}");
        write((WIDTH - 30.0, 32.0), Anchor::End, (14.0, Weight::Regular, SUGGESTED), text);
    }
    write((LEFT + PLOT_WIDTH / 2.0, HEIGHT - 16.0), Anchor::Middle, label, "learning rate".into());
    for tick in &losses.ticks {
        write((LEFT - 9.0, y(tick.value) + 4.5), Anchor::End, label, tick.label.clone());
    }
    for tick in &rates.ticks {
        let at = (LEFT + rates.position(tick.value) as f32 * PLOT_WIDTH, floor + 20.0);
        write(at, Anchor::Middle, label, format!("1e{:.0}", tick.value));
    }
    let mut line = |points: Vec<(f32, f32)>, colour, width, dashed| {
        scene.push(Shape::Line { points, colour, width, dashed });
    };
    for tick in &losses.ticks {
        line(vec![(LEFT, y(tick.value)), (LEFT + PLOT_WIDTH, y(tick.value))], GRID, 1.0, false);
    }
    line(vec![(LEFT, floor), (LEFT + PLOT_WIDTH, floor)], FAINT_INK, 1.0, false);
    let measured = points.iter().filter(|p| p.loss.is_finite());
    line(measured.map(|p| (x(p.rate), y(p.loss))).collect(), MEASURED, 1.2, false);
    line(points.iter().map(|p| (x(p.rate), y(p.smoothed))).collect(), SMOOTHED, 2.2, false);
    if let Some(rate) = suggested {
        line(vec![(x(rate), TOP), (x(rate), floor)], SUGGESTED, 1.6, true);
    }
    raster::rasterize(&scene, 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_drawn_and_nothing_is_not() {
        let point = |i: i32| {
            let rate = 10f64.powf(f64::from(i) / 10.0 - 6.0);
            RatePoint { rate, loss: 1.0 / (1.0 + rate), smoothed: 1.0 / (1.0 + rate) }
        };
        let points: Vec<RatePoint> = (0..60).map(point).collect();
        let image = rate_sweep(&points, Some(1e-3)).expect("there are points");
        assert_eq!(image.dimensions(), (1440, 840));
        let has = |colour: Colour| image.pixels().any(|pixel| pixel.0 == colour);
        assert!(has(SMOOTHED) && has(SUGGESTED));
        let infinite = RatePoint { rate: 1.0, loss: f64::NAN, smoothed: f64::NAN };
        assert!(matches!(rate_sweep(&[infinite; 3], None), Err(ReportError::NothingToDraw { .. })));
    }
}
