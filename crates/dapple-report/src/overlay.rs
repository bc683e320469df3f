//! A photograph with a label map over it, the outlines of a label map, and probabilities as grey values.

use image::{GrayImage, Luma, RgbImage};

use crate::{Colour, Palette, ReportError};

/// How [`overlay`] paints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverlayStyle {
    /// The weight of the class colour against the photograph, 0 (photograph only) to 1; half by default.
    pub opacity: f32,
    /// A class whose pixels keep the photograph as it is, usually the background of a two-class data set.
    pub unpainted: Option<u8>,
}

impl Default for OverlayStyle {
    fn default() -> Self {
        Self { opacity: 0.5, unpainted: None }
    }
}

/// Blends the colours of a label map over its photograph.
///
/// # Errors
/// [`ReportError::SizeMismatch`] if the two differ in size, [`ReportError::UnknownLabel`] for a label that is neither
/// a class nor the ignore index.
pub fn overlay(
    photo: &RgbImage,
    labels: &GrayImage,
    classes: &Palette,
    style: OverlayStyle,
) -> Result<RgbImage, ReportError> {
    same_size("the label map", labels, photo)?;
    classes.check(labels)?;
    let mut painted = photo.clone();
    let width = photo.width() as usize;
    let rows = painted.chunks_exact_mut(3 * width.max(1)).zip(labels.as_raw().chunks_exact(width.max(1)));
    for (y, (row, labels)) in (0..).zip(rows) {
        overlay_row(row, labels, y, classes, style);
    }
    Ok(painted)
}

/// Blends the colours of one row of a label map over the row of its photograph, as [`overlay`] does for all rows.
///
/// `photo` holds the red, green and blue values of row `y` and is painted over; a label that is neither a class nor
/// ignored is left as it is.
pub fn overlay_row(photo: &mut [u8], labels: &[u8], y: u32, classes: &Palette, style: OverlayStyle) {
    let opacity = if style.opacity.is_nan() { 0.0 } else { style.opacity.clamp(0.0, 1.0) };
    for ((x, pixel), &label) in (0..).zip(photo.as_chunks_mut::<3>().0).zip(labels) {
        if style.unpainted == Some(label) {
            continue;
        }
        if let Some(colour) = classes.colour_at(label, x, y) {
            *pixel = blend(*pixel, colour, opacity);
        }
    }
}

fn blend(under: Colour, over: Colour, opacity: f32) -> Colour {
    std::array::from_fn(|channel| {
        let (under, over) = (f32::from(under[channel]), f32::from(over[channel]));
        // Between two values of 0 to 255: the cast cannot overflow.
        (under + (over - under) * opacity).round() as u8
    })
}

/// One class's probabilities (`[height, width]`, 0 to 1) as an 8-bit grey image: 0 is black, 1 is white.
///
/// Values outside of 0 to 1 are clamped, not-a-number becomes black.
///
/// # Errors
/// [`ReportError::ProbabilityCount`] unless there are `width * height` values.
pub fn probability_map(width: u32, height: u32, probabilities: &[f32]) -> Result<GrayImage, ReportError> {
    let wanted = width as usize * height as usize;
    if probabilities.len() != wanted {
        let shape = format!("height {height} x width {width}");
        return Err(ReportError::ProbabilityCount { found: probabilities.len(), wanted, shape });
    }
    // The cast saturates, which is the clamping promised, and takes not-a-number to 0.
    let grey = probabilities.iter().map(|probability| (probability * 255.0).round() as u8).collect();
    Ok(GrayImage::from_raw(width, height, grey).expect("the length was checked above"))
}

/// Draws the borders between different labels over an image of the same size: a white line with a dark seam.
pub(crate) fn draw_contour(image: &mut RgbImage, labels: &GrayImage) {
    let label = |x: u32, y: u32| labels.get_pixel(x, y).0[0];
    let (width, height) = labels.dimensions();
    let border = GrayImage::from_fn(width, height, |x, y| {
        let right = x + 1 < width && label(x, y) != label(x + 1, y);
        let below = y + 1 < height && label(x, y) != label(x, y + 1);
        Luma([u8::from(right || below)])
    });
    let on_border = |x: u32, y: u32| x < width && y < height && border.get_pixel(x, y).0[0] != 0;
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        if on_border(x, y) {
            pixel.0 = [255; 3];
        } else if (0..3u32)
            .any(|dx| (0..3u32).any(|dy| on_border((x + 1).wrapping_sub(dx), (y + 1).wrapping_sub(dy))))
        {
            pixel.0 = blend(pixel.0, [0; 3], 0.55);
        }
    }
}

/// Checks that `labels` covers `photo`; `what` names the labels in the message.
pub(crate) fn same_size(what: &str, labels: &GrayImage, photo: &RgbImage) -> Result<(), ReportError> {
    if labels.dimensions() == photo.dimensions() {
        return Ok(());
    }
    Err(ReportError::SizeMismatch {
        what: what.into(),
        found: labels.dimensions(),
        wanted: photo.dimensions(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::tests::named;
    use image::Rgb;
    use proptest::prelude::*;

    fn classes() -> Palette {
        Palette::new(named(&["a", "b"], &[[0; 3], [200, 100, 0]]), Some(255)).expect("two classes")
    }

    #[test]
    fn half_an_overlay_is_the_mean_and_the_background_can_stay() {
        let photo = RgbImage::from_pixel(2, 1, Rgb([100, 100, 100]));
        let labels = GrayImage::from_raw(2, 1, vec![0, 1]).expect("two labels");
        let style = OverlayStyle { opacity: 0.5, unpainted: Some(0) };
        let painted = overlay(&photo, &labels, &classes(), style).expect("an overlay");
        assert_eq!(painted.as_raw(), &[100, 100, 100, 150, 100, 50]);
    }

    #[test]
    fn probabilities_are_rounded_clamped_and_never_panic() {
        let grey = probability_map(5, 1, &[0.0, 0.5, 1.0, 7.0, f32::NAN]).expect("five values");
        assert_eq!(grey.as_raw(), &[0, 128, 255, 255, 0]);
        assert!(probability_map(5, 2, &[0.0]).is_err());
    }

    #[test]
    fn a_contour_marks_borders_only() {
        let labels = GrayImage::from_fn(20, 20, |x, _| Luma([u8::from(x >= 10)]));
        let mut image = RgbImage::from_pixel(20, 20, Rgb([90; 3]));
        draw_contour(&mut image, &labels);
        assert_eq!(image.get_pixel(9, 5).0, [255; 3]);
        assert_eq!(image.get_pixel(10, 5).0, [41; 3]);
        assert_eq!(image.get_pixel(0, 5).0, [90; 3]);
        assert_eq!(image.get_pixel(19, 5).0, [90; 3]);
    }

    proptest! {
        #[test]
        fn no_opacity_is_the_photograph_and_full_opacity_the_colours(
            (width, height) in (1u32..9, 1u32..9), seed in any::<u8>(),
        ) {
            let photo = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, seed]));
            let labels = GrayImage::from_fn(width, height, |x, y| Luma([((x * y) % 2) as u8]));
            let at = |opacity| overlay(&photo, &labels, &classes(), OverlayStyle { opacity, unpainted: None });
            prop_assert_eq!(at(0.0).expect("an overlay"), photo.clone());
            prop_assert_eq!(at(f32::NAN).expect("an overlay"), photo.clone());
            prop_assert_eq!(at(1.0).expect("an overlay"), crate::colour_map(&labels, &classes()).expect("a map"));
        }
    }
}
