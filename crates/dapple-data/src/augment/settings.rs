//! The settings of augmentation.

use dapple_base::Size;
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::image::input::InputSettings;

/// Which random changes training samples get. The default is none.
///
/// Amounts are the ends of ranges from which every sample draws evenly; probabilities say how often something is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Probability of exchanging left and right, 0 to 1.
    pub flip_horizontal: f64,
    /// Probability of exchanging top and bottom, 0 to 1.
    pub flip_vertical: f64,
    /// Largest zoom: the sides of the window shown are drawn from `1 - zoom` to 1 of the image's (or of the crop's), its
    /// place at random. 0 to 0.9.
    pub zoom: f64,
    /// Random crop `[height, width]` of the resized image, as U²-Net's 288 x 288 of 320 x 320; the samples have this size
    /// then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<[usize; 2]>,
    /// Probability that zoom and crop are placed around a pixel of a class drawn evenly from those in the image, so that
    /// rare classes are seen; without effect where the whole image is shown. 0 to 1.
    pub balanced: f64,
    /// Probability that zoom and crop are placed around a pixel of a rare class, which has less than an even share of the
    /// pixels of all samples; of several in the image, the rarer a class the more often, by the inverse of its share. It
    /// comes before [`Augment::balanced`], and is without effect where the whole image is shown or the image has no rare
    /// class. 0 to 1.
    pub rare: f64,
    /// Largest rotation about the centre of what is shown, either way, in degrees. 0 to 180.
    pub rotate: f64,
    /// Things are shown at `1 / (1 + scale)` to `1 + scale` times their size, evenly on a logarithmic scale. 0 to 4.
    pub scale: f64,
    /// Largest shear of either axis, either way, in degrees. 0 to 45.
    pub shear: f64,
    /// Largest shift of each corner as in a view from the side, as a share of the sides. 0 to 0.2.
    pub perspective: f64,
    /// Standard deviation of a smooth random displacement, as a share of the shorter side; the waves are about a fifth of
    /// the side long. 0 to 0.1.
    pub elastic: f64,
    /// The padding beyond the image's border, which rotation and shrinking expose.
    pub border: Border,
    /// Brightness is multiplied by a factor from `1 - brightness` to `1 + brightness`. 0 to 0.9.
    pub brightness: f64,
    /// Differences from the image's mean grey are multiplied by a factor from `1 - contrast` to `1 + contrast`. 0 to 0.9.
    pub contrast: f64,
    /// Differences from each pixel's grey are multiplied by a factor from `1 - saturation` to `1 + saturation`; without
    /// effect on grey images. 0 to 0.9.
    pub saturation: f64,
    /// Largest turn of the hue, either way, in degrees. 0 to 180.
    pub hue: f64,
    /// Values (0 to 1) are raised to a power from `1 / (1 + gamma)` to `1 + gamma`. 0 to 4.
    pub gamma: f64,
    /// Probability of taking the colour away. 0 to 1.
    pub grey: f64,
    /// Probability of blurring with a Gaussian of 0.3 to 2 pixels. 0 to 1.
    pub blur: f64,
    /// Probability of adding noise with a standard deviation of 2 to 12 of 255. 0 to 1.
    pub noise: f64,
    /// Probability of compressing as JPEG at quality 25 to 90. 0 to 1.
    pub jpeg: f64,
    /// Probability of covering one to four rectangles, 5 % to 25 % of the sides each, with the mean colour; their labels
    /// stay. DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017. 0 to 1.
    pub cutout: f64,
    /// Probability of pasting a rectangle of another sample, a tenth to half of the area, labels included. Yun et al.,
    /// "CutMix", ICCV 2019. 0 to 1.
    pub cutmix: f64,
    /// Probability of joining the quarters of four samples around a random centre. Bochkovskiy et al., "YOLOv4", 2020,
    /// without its shrinking. 0 to 1.
    pub mosaic: f64,
}

/// Padding beyond the border of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// The image and its labels, mirrored.
    #[default]
    Mirror,
    /// The mean colour of ImageNet, with the ignore label; with class 0 where the data have none.
    Pad,
}

impl Augment {
    /// No change.
    pub fn none() -> Self {
        Self::default()
    }

    /// The changes that move pixels or mix samples.
    #[must_use]
    pub fn without_painting(&self) -> Self {
        Self { cutmix: self.cutmix, mosaic: self.mosaic, ..self.painted_as(&Self::none()) }
    }

    /// These changes of places with another's changes of colours and its damage, and no mixing of samples.
    #[must_use]
    pub fn painted_as(&self, other: &Self) -> Self {
        let Self { brightness, contrast, saturation, hue, gamma, grey, blur, noise, jpeg, cutout, .. } =
            *other;
        Self {
            brightness,
            contrast,
            saturation,
            hue,
            gamma,
            grey,
            blur,
            noise,
            jpeg,
            cutout,
            cutmix: 0.0,
            mosaic: 0.0,
            ..*self
        }
    }

    /// The size of augmented samples.
    pub fn output_size(&self, input: &InputSettings) -> Size {
        let [height, width] = self.crop.unwrap_or([input.height, input.width]);
        Size { height, width }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Setting`].
    pub fn validate(&self, input: &InputSettings) -> Result<()> {
        for (name, probability) in [
            ("augment.flip_horizontal", self.flip_horizontal),
            ("augment.flip_vertical", self.flip_vertical),
            ("augment.balanced", self.balanced),
            ("augment.rare", self.rare),
            ("augment.grey", self.grey),
            ("augment.blur", self.blur),
            ("augment.noise", self.noise),
            ("augment.jpeg", self.jpeg),
            ("augment.cutout", self.cutout),
            ("augment.cutmix", self.cutmix),
            ("augment.mosaic", self.mosaic),
        ] {
            if !(0.0..=1.0).contains(&probability) {
                return Err(DataError::setting(name, probability, "a probability, 0 to 1"));
            }
        }
        for (name, amount, largest, allowed) in [
            ("augment.zoom", self.zoom, 0.9, "0 to 0.9"),
            ("augment.rotate", self.rotate, 180.0, "0 to 180 degrees"),
            ("augment.scale", self.scale, 4.0, "0 to 4"),
            ("augment.shear", self.shear, 45.0, "0 to 45 degrees"),
            ("augment.perspective", self.perspective, 0.2, "0 to 0.2"),
            ("augment.elastic", self.elastic, 0.1, "0 to 0.1"),
            ("augment.brightness", self.brightness, 0.9, "0 to 0.9"),
            ("augment.contrast", self.contrast, 0.9, "0 to 0.9"),
            ("augment.saturation", self.saturation, 0.9, "0 to 0.9"),
            ("augment.hue", self.hue, 180.0, "0 to 180 degrees"),
            ("augment.gamma", self.gamma, 4.0, "0 to 4"),
        ] {
            if !(0.0..=largest).contains(&amount) {
                return Err(DataError::setting(name, amount, allowed));
            }
        }
        if let Some([height, width]) = self.crop
            && !((1..=input.height).contains(&height) && (1..=input.width).contains(&width))
        {
            let value = format!("{height} x {width}");
            return Err(DataError::setting(
                "augment.crop",
                value,
                "at least 1 x 1 and at most the input's size",
            ));
        }
        Ok(())
    }

    /// Whether every sample shows its whole image, so that the resized image can be kept.
    pub(crate) fn keeps_window(&self) -> bool {
        self.zoom == 0.0 && self.crop.is_none() && !self.warps()
    }

    /// Whether samples are sampled pixel by pixel through a map, not cut out of the resized image.
    pub(crate) fn warps(&self) -> bool {
        [self.rotate, self.scale, self.shear, self.perspective, self.elastic]
            .iter()
            .any(|&amount| amount > 0.0)
    }
}
