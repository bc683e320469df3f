//! The plot of a search for a learning rate.

use std::path::Path;

use dapple_report::{RatePoint, rate_sweep, save_png};
use dapple_train::{RateStep, RateSweep};

use crate::error::RunError;

/// Draws the losses of a sweep over the learning rates, with the suggested rate.
///
/// # Errors
/// [`RunError::Report`] with fewer than two steps, or if the file cannot be written.
pub fn save_rate_plot(sweep: &RateSweep, path: &Path) -> Result<(), RunError> {
    let point = |step: &RateStep| RatePoint { rate: step.rate, loss: step.loss, smoothed: step.smoothed };
    let points: Vec<RatePoint> = sweep.steps.iter().map(point).collect();
    Ok(save_png(&rate_sweep(&points, sweep.suggestion())?, path)?)
}
