//! Beginning a training with small images, which a network learns much from in little time.
//!
//! Tan and Le, "EfficientNetV2", ICML 2021, section 4, <https://arxiv.org/abs/2104.00298>, raise the size in steps; here there
//! are two sizes, so that the engine plans two shapes only.

use dapple_data::InputSettings;
use serde::{Deserialize, Serialize};

/// Sides of small images are multiples of it, as most networks' stages divide them.
const STEP: usize = 16;
/// Factor of the sides where none is given: a little less than half of the pixels.
const SCALE: f64 = 0.67;

/// The part of a training that shows small images, before the one that shows those of the input's size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallImages {
    /// Share of the training, above 0 and below 1: of the epochs, or of the time of a time span. Whole epochs are of one size.
    pub share: f64,
    /// Factor of the input's height and width, above 0 and below 1; sides are rounded to multiples of 16.
    #[serde(default = "scale")]
    pub scale: f64,
}

fn scale() -> f64 {
    SCALE
}

impl SmallImages {
    /// For a share of the training, with two thirds of the sides.
    pub fn for_share(share: f64) -> Self {
        Self { share, scale: SCALE }
    }

    /// The input in that part.
    pub fn input(&self, input: InputSettings) -> InputSettings {
        let small = |side: usize| {
            let steps = (side as f64 * self.scale / STEP as f64).round() as usize;
            (steps.max(1) * STEP).min(side)
        };
        InputSettings { height: small(input.height), width: small(input.width), ..input }
    }

    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        let inside = |value: f64| value > 0.0 && value < 1.0;
        (!inside(self.share) || !inside(self.scale)).then(|| {
            "small_images: share and scale must be above 0 and below 1, 0.5 and 0.67 for instance; leave the table out to \
             show all images at the input's size"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_multiples_and_never_larger() {
        let small = |height, width| {
            let input = SmallImages::for_share(0.5).input(InputSettings::new(height, width));
            (input.height, input.width)
        };
        assert_eq!(small(192, 256), (128, 176));
        assert_eq!(small(224, 224), (144, 144));
        assert_eq!(small(20, 12), (16, 12));
    }
}
