//! Image, truth, prediction and overlay of a sample next to each other; for several samples, one below the other.

use std::collections::BTreeSet;

use image::{GrayImage, RgbImage};

use crate::overlay::{draw_contour, same_size};
use crate::scene::Anchor;
use crate::sheet::{FAINT_INK, INK, Legend, MARGIN, Sheet, Type};
use crate::text::{self, Weight};
use crate::view::View;
use crate::{OverlayStyle, Palette, ReportError};

const GAP: u32 = 12;
const CAPTION: Type = Type { size: 15.0, weight: Weight::Regular, colour: FAINT_INK };
const NAME: Type = Type { size: 16.0, weight: Weight::Bold, colour: INK };
const SCORE: Type = Type { size: 15.0, weight: Weight::Regular, colour: INK };
const CAPTION_HEIGHT: u32 = 26;
const NAME_HEIGHT: u32 = 28;
/// Between one sample and the next.
const SAMPLE_GAP: u32 = 18;

/// One image of the validation part and what the network made of it.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The name in the caption, usually the file name.
    pub name: &'a str,
    /// The photograph.
    pub image: &'a RgbImage,
    /// The true labels; without them, there is no truth panel and no contour.
    pub truth: Option<&'a GrayImage>,
    /// The predicted labels.
    pub prediction: &'a GrayImage,
    /// Scores of this image, such as `("IoU", 0.912)`; one that is not a number is shown as "–".
    pub scores: &'a [(&'a str, f64)],
}

/// How [`panels`] and [`contact_sheet`] look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PanelStyle {
    /// The longest side of each picture in pixels; at least 32.
    pub side: u32,
    /// The weight of the prediction's colours in the overlay, 0 to 1.
    pub opacity: f32,
    /// Whether the truth's outlines are drawn over the overlay.
    pub truth_contour: bool,
}

impl Default for PanelStyle {
    /// Pictures of 360 pixels, half opacity, the truth's outlines drawn.
    fn default() -> Self {
        Self { side: 360, opacity: 0.5, truth_contour: true }
    }
}

/// Image, truth, prediction and overlay of one sample, with captions, its scores and a legend of the classes in it.
///
/// With two classes, class 0, the background, stays unpainted in the overlay, and unless some pixels are ignored there is
/// no legend.
///
/// # Errors
/// As [`contact_sheet`].
pub fn panels(sample: &Sample<'_>, classes: &Palette, style: PanelStyle) -> Result<RgbImage, ReportError> {
    contact_sheet(std::slice::from_ref(sample), classes, style)
}

/// The panels of several samples, one row each, under common captions and over one legend.
///
/// # Errors
/// [`ReportError::NothingToDraw`] without a sample, [`ReportError::Empty`] and [`ReportError::SizeMismatch`] for
/// images that do not fit each other, [`ReportError::UnknownLabel`] for a label that is neither a class nor the ignore
/// index, [`ReportError::TooLarge`] for too many samples.
pub fn contact_sheet(
    samples: &[Sample<'_>],
    classes: &Palette,
    style: PanelStyle,
) -> Result<RgbImage, ReportError> {
    if samples.is_empty() {
        return Err(ReportError::NothingToDraw { what: "the contact sheet", needed: "sample" });
    }
    for sample in samples {
        check(sample)?;
    }
    let side = style.side.max(32);
    let with_truth = samples.iter().any(|sample| sample.truth.is_some());
    let views: Vec<_> = samples.iter().map(|sample| View::within(side, sample.image.dimensions())).collect();
    let outlined = style.truth_contour && with_truth;
    let mut captions =
        vec!["Image", "Prediction", if outlined { "Overlay, truth outlined" } else { "Overlay" }];
    if with_truth {
        captions.insert(1, "Truth");
    }
    // Wide enough for the pictures and for their captions.
    let widest_picture = views.iter().map(|view| view.width).max().unwrap_or(side);
    let widest_caption = captions.iter().map(|caption| text::width(caption, CAPTION.size, CAPTION.weight));
    let column = widest_caption.map(|width| width.ceil() as u32).fold(widest_picture, u32::max);
    let columns = captions.len() as u32;
    let content = columns * (column + GAP) - GAP;

    let occurring = occurring(samples);
    let explained =
        classes.count() > 2 || classes.ignore_index().is_some_and(|label| occurring.contains(&label));
    let legend = explained.then(|| Legend::new(classes, &occurring, content));
    let rows: u64 = views.iter().map(|view| u64::from(view.height + NAME_HEIGHT + SAMPLE_GAP)).sum();
    let foot = legend.as_ref().map_or(0, |legend| legend.height() + SAMPLE_GAP / 2);
    let height = u64::from(2 * MARGIN + CAPTION_HEIGHT + foot) + rows - u64::from(SAMPLE_GAP);

    let mut sheet = Sheet::new(u64::from(content + 2 * MARGIN), height)?;
    let left = |place: usize| MARGIN + place as u32 * (column + GAP);
    let mut top = MARGIN;
    for (sample, view) in samples.iter().zip(&views) {
        write_name(&mut sheet, sample, top, content);
        top += NAME_HEIGHT;
        if top == MARGIN + NAME_HEIGHT {
            for (place, caption) in captions.iter().enumerate() {
                let middle = left(place) as f32 + column as f32 / 2.0;
                sheet.write(caption, (middle, top as f32 + CAPTION.size), Anchor::Middle, CAPTION);
            }
            top += CAPTION_HEIGHT;
        }
        let pictures = pictures(sample, *view, classes, style)?;
        for (place, picture) in pictures.iter().enumerate() {
            if let Some(picture) = picture.as_ref() {
                // Where only some samples have a truth, the others leave its place empty.
                let place = if !with_truth && place > 0 { place - 1 } else { place };
                sheet.paste(picture, left(place) + (column - view.width) / 2, top);
            }
        }
        top += view.height + SAMPLE_GAP;
    }
    if let Some(legend) = legend {
        legend.draw(&mut sheet, MARGIN, top - SAMPLE_GAP / 2);
    }
    Ok(sheet.finish())
}

/// The labels that occur in any of the label maps.
fn occurring(samples: &[Sample<'_>]) -> BTreeSet<u8> {
    let maps = samples.iter().flat_map(|sample| sample.truth.into_iter().chain([sample.prediction]));
    maps.flat_map(|map| map.as_raw()).copied().collect()
}

/// Image, truth, prediction and overlay at the size shown.
fn pictures(
    sample: &Sample<'_>,
    view: View,
    classes: &Palette,
    style: PanelStyle,
) -> Result<[Option<RgbImage>; 4], ReportError> {
    let unpainted = (classes.count() == 2).then_some(0);
    let blend = OverlayStyle { opacity: style.opacity, unpainted };
    let mut painted = view.overlay(sample.image, sample.prediction, classes, blend)?;
    if let (true, Some(truth)) = (style.truth_contour, sample.truth) {
        draw_contour(&mut painted, &view.labels(truth));
    }
    Ok([
        Some(view.photograph(sample.image)),
        sample.truth.map(|truth| view.colours(truth, classes)).transpose()?,
        Some(view.colours(sample.prediction, classes)?),
        Some(painted),
    ])
}

/// The sample's name on the left and its scores on the right of a line of `width` pixels.
fn write_name(sheet: &mut Sheet, sample: &Sample<'_>, top: u32, width: u32) {
    let baseline = (top + 18) as f32;
    let (left, width) = (MARGIN as f32, width as f32);
    let scores = scores(sample.scores);
    let scores = text::fit(&scores, SCORE.size, SCORE.weight, width);
    let taken = text::width(&scores, SCORE.size, SCORE.weight);
    sheet.write(&scores, (left + width, baseline), Anchor::End, SCORE);
    let name = text::fit(sample.name, NAME.size, NAME.weight, width - taken - 20.0);
    sheet.write(&name, (left, baseline), Anchor::Start, NAME);
}

fn scores(scores: &[(&str, f64)]) -> String {
    let write = |(name, value): &(&str, f64)| match value.is_finite() {
        true => format!("{name} {value:.3}"),
        false => format!("{name} –"),
    };
    scores.iter().map(write).collect::<Vec<_>>().join("    ")
}

/// Checks that the sample's pictures exist and have one size.
pub(crate) fn check(sample: &Sample<'_>) -> Result<(), ReportError> {
    if sample.image.width() == 0 || sample.image.height() == 0 {
        return Err(ReportError::Empty { what: format!("the image of {}", sample.name) });
    }
    same_size(&format!("the prediction for {}", sample.name), sample.prediction, sample.image)?;
    if let Some(truth) = sample.truth {
        same_size(&format!("the truth of {}", sample.name), truth, sample.image)?;
    }
    Ok(())
}
