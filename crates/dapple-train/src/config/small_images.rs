//! Small images at the beginning of a training, from which a network learns much in little time.
//!
//! Tan and Le, "EfficientNetV2", ICML 2021, section 4, <https://arxiv.org/abs/2104.00298>, raise the size in steps; here there
//! are two sizes, so that the engine plans two shapes only.

use dapple_data::InputSettings;
use serde::{Deserialize, Serialize};

use super::kind::Range;
use super::setting::{Group, number, settings};

/// Sides of small images are multiples of it, as most networks' stages divide them.
const STEP: usize = 16;
/// Factor of the sides where none is given: a little less than half of the pixels.
const SCALE: f64 = 0.67;

settings! {
    /// The first part of a training, in which images are smaller than the input's size.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct SmallImages: SETTINGS("small_images.", Group::Schedule) {
        /// Share of the training, at its beginning, in which images are smaller.
        ///
        /// Of the epochs, or of the time where a span of time is given. Each epoch has images of one size.
        share: f64 = number(Range::above(0.0).below(1.0)).auto().default("0.5 with `--recipe auto`").example("0.5"),
        /// Factor of their height and width; sides are rounded to multiples of 16.
        #[serde(default = "scale")]
        scale: f64 = number(Range::above(0.0).below(1.0)).default("0.67").example("0.5"),
    }
}

fn scale() -> f64 {
    SCALE
}

impl SmallImages {
    /// For a share of the training, with two thirds of the sides.
    pub fn for_share(share: f64) -> Self {
        Self { share, scale: SCALE }
    }

    /// The input with small images.
    pub fn input(&self, input: InputSettings) -> InputSettings {
        let small = |side: usize| {
            let steps = (side as f64 * self.scale / STEP as f64).round() as usize;
            (steps.max(1) * STEP).min(side)
        };
        InputSettings { height: small(input.height), width: small(input.width), ..input }
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
