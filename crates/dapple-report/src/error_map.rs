//! Where a prediction is wrong, and how.

use image::{GrayImage, Rgb, RgbImage};

use crate::overlay::same_size;
use crate::{Colour, Palette, ReportError};

/// The colours of [`error_map`]; they stay apart for colour-blind eyes (Okabe and Ito 2008).
pub const ERROR_COLOURS: ErrorColours =
    ErrorColours { false_positive: [213, 94, 0], false_negative: [0, 114, 178], wrong_class: [204, 61, 140] };

/// The weight of an error's colour against the image, inside of regions and within the boundary.
const OPACITY: [f32; 2] = [0.85, 0.45];
/// Half of the ground's brightness is kept, so that errors stand out.
const GROUND: f32 = 0.55;

/// The colours of an error map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorColours {
    /// Predicted as a class where the truth is the background.
    pub false_positive: Colour,
    /// Predicted as background where the truth is another class.
    pub false_negative: Colour,
    /// Predicted as another class than the truth's, neither of them the background.
    pub wrong_class: Colour,
}

/// The grey image with each wrong pixel in the colour of its error: strong, or faint within `boundary` pixels (along rows
/// or columns) of a border between classes of the truth, where annotations themselves are uncertain.
///
/// Without a `background` class, all errors are those of a wrong class. Pixels whose truth is ignored are never wrong.
///
/// # Errors
/// [`ReportError::SizeMismatch`] if the three differ in size.
pub fn error_map(
    photo: &RgbImage,
    truth: &GrayImage,
    prediction: &GrayImage,
    classes: &Palette,
    background: Option<u8>,
    boundary: u32,
) -> Result<RgbImage, ReportError> {
    same_size("the truth", truth, photo)?;
    same_size("the prediction", prediction, photo)?;
    let near = near_borders(truth, boundary);
    Ok(RgbImage::from_fn(photo.width(), photo.height(), |x, y| {
        let [r, g, b] = photo.get_pixel(x, y).0.map(f32::from);
        let grey = 255.0 - (255.0 - (0.299 * r + 0.587 * g + 0.114 * b)) * GROUND;
        let (wanted, found) = (truth.get_pixel(x, y).0[0], prediction.get_pixel(x, y).0[0]);
        if wanted == found || classes.ignores(wanted) {
            return Rgb([grey as u8; 3]);
        }
        let colour = if background == Some(wanted) {
            ERROR_COLOURS.false_positive
        } else if background == Some(found) {
            ERROR_COLOURS.false_negative
        } else {
            ERROR_COLOURS.wrong_class
        };
        let opacity = OPACITY[usize::from(near.get_pixel(x, y).0[0])];
        // Between two values of 0 to 255: the cast cannot overflow.
        Rgb(colour.map(|channel| (grey + (f32::from(channel) - grey) * opacity).round() as u8))
    }))
}

/// 1 within `distance` pixels, along rows or columns, of two neighbours with different labels; 0 elsewhere.
fn near_borders(labels: &GrayImage, distance: u32) -> GrayImage {
    let (width, height) = labels.dimensions();
    let mut near = GrayImage::new(width, height);
    let mut mark = |x: u32, y: u32| near.put_pixel(x, y, image::Luma([1]));
    for y in 0..height {
        for x in 0..width {
            let label = labels.get_pixel(x, y);
            if x + 1 < width && labels.get_pixel(x + 1, y) != label {
                ((x + 1).saturating_sub(distance)..(x + 1 + distance).min(width)).for_each(|x| mark(x, y));
            }
            if y + 1 < height && labels.get_pixel(x, y + 1) != label {
                ((y + 1).saturating_sub(distance)..(y + 1 + distance).min(height)).for_each(|y| mark(x, y));
            }
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::tests::named;
    use image::Luma;

    #[test]
    fn each_error_has_its_colour_and_is_fainter_at_the_boundary() {
        let classes =
            Palette::new(named(&["ground", "a", "b"], &[[0; 3]; 3]), Some(255)).expect("three classes");
        let photo = RgbImage::from_pixel(12, 1, Rgb([200; 3]));
        let truth =
            GrayImage::from_raw(12, 1, vec![0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 255]).expect("12 labels");
        let prediction =
            GrayImage::from_raw(12, 1, vec![1, 0, 0, 0, 1, 0, 1, 1, 0, 2, 1, 0]).expect("12 labels");
        let map = error_map(&photo, &truth, &prediction, &classes, Some(0), 1).expect("of one size");
        let pixel = |x: u32| map.get_pixel(x, 0).0;
        let grey = pixel(1);
        assert!(grey[0] == grey[1] && grey[1] == grey[2]);
        let [fp, fn_, wrong] =
            [ERROR_COLOURS.false_positive, ERROR_COLOURS.false_negative, ERROR_COLOURS.wrong_class];
        let distance = |a: [u8; 3], b: [u8; 3]| (0..3).map(|i| a[i].abs_diff(b[i]) as u32).sum::<u32>();
        assert!(distance(pixel(0), fp) < distance(pixel(4), fp), "a false positive, then one at the border");
        assert!(distance(pixel(8), fn_) < distance(pixel(5), fn_));
        assert!(distance(pixel(9), wrong) < 60);
        assert_eq!(pixel(11), grey, "ignored pixels are never wrong");
        let plain = error_map(&photo, &truth, &prediction, &classes, None, 1).expect("of one size");
        assert!(distance(plain.get_pixel(0, 0).0, wrong) < 60, "without a background all errors are alike");
        let small = GrayImage::from_pixel(2, 1, Luma([0]));
        assert!(error_map(&photo, &small, &prediction, &classes, None, 1).is_err());
    }
}
