//! The classes as outputs paint them.

use dapple_data::Classes;
use dapple_report::Palette;

use crate::decision::UNDECIDED;
use crate::error::PredictError;

/// Names and colours of a model's classes, with the label of undecided pixels where there may be any: with more than two
/// classes and a threshold.
///
/// # Errors
/// [`PredictError::Report`] for more than 256 classes.
pub fn output_palette(classes: &Classes, threshold: Option<f32>) -> Result<Palette, PredictError> {
    let undecided = classes.len() > 2 && threshold.is_some();
    Ok(Palette::new(classes.clone(), undecided.then_some(UNDECIDED))?)
}
