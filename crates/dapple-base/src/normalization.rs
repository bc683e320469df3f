//! The one definition of how pixel values become a network's input: data sets and model files share it.

use serde::{Deserialize, Serialize};

/// Mean of the ImageNet training images, red, green, blue, of values in 0..=1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of the ImageNet training images, red, green, blue, of values in 0..=1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// How 8-bit values are normalized for a network. Settings and model files call them `imagenet`, `unit`, `u2net`
/// and `lite`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// `(value / 255 - mean) / std` with [`IMAGENET_MEAN`] and [`IMAGENET_STD`], as pretrained encoders expect it.
    /// Grey images take the mean of the three means and of the three deviations.
    #[default]
    ImageNet,
    /// `value / 255`, in 0..=1.
    Unit,
    /// U²-Net's recipe: divided by the largest value of the image, then as `ImageNet`; an all-black image stays 0 before
    /// the mean is subtracted. Grey images take the first mean and deviation, as its published loader does.
    U2Net,
    /// `(value - 127) / 128`, from about -1 to 1, as the weights of EfficientNet-Lite were trained.
    Lite,
}

impl Normalization {
    /// Mean and standard deviation of each channel, of values in 0..=1. The channels of multispectral images are treated
    /// as grey.
    ///
    /// ```
    /// use dapple_base::Normalization;
    /// assert_eq!(Normalization::Unit.moments(2), [vec![0.0; 2], vec![1.0; 2]]);
    /// ```
    pub fn moments(self, channels: usize) -> [Vec<f32>; 2] {
        let average = |values: [f32; 3]| values.iter().sum::<f32>() / 3.0;
        let (mean, std) = match (self, channels) {
            (Self::Unit, _) => ([0.0; 3], [1.0; 3]),
            (Self::Lite, _) => ([127.0 / 255.0; 3], [128.0 / 255.0; 3]),
            (Self::ImageNet | Self::U2Net, 3) | (Self::U2Net, 1) => (IMAGENET_MEAN, IMAGENET_STD),
            (Self::ImageNet | Self::U2Net, _) => ([average(IMAGENET_MEAN); 3], [average(IMAGENET_STD); 3]),
        };
        [mean, std].map(|values| (0..channels).map(|c| values[c % 3]).collect())
    }
}
