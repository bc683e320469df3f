//! Images without labels, from which a network learns the predictions of the average of its own weights.
//!
//! Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017, <https://arxiv.org/abs/1703.01780>; Sohn et al.,
//! "FixMatch", NeurIPS 2020, <https://arxiv.org/abs/2001.07685>, pixel by pixel.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::kind::Range;
use super::setting::{Group, number, settings, text};

settings! {
    /// Images without labels, which the network learns from beside those with labels.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct UnlabelledConfig: SETTINGS("unlabelled.", Group::Data) {
        /// Folder of the images, with the folders in it.
        dir: PathBuf = text("a folder").example("\"photos\""),
        /// Probability above which a pixel of the teacher's prediction counts.
        ///
        /// The teacher is the moving average of the weights (`ema_decay`), and sees the images without changes of their colours.
        #[serde(default = "threshold")]
        threshold: f32 = number(Range::from(0.0).below(1.0)).default("0.95").example("0.9"),
        /// Factor of the loss.
        ///
        /// It is the cross-entropy between the network's prediction for strongly changed images and the teacher's, summed over the
        /// pixels that count and divided by all pixels.
        #[serde(default = "weight")]
        weight: f32 = number(Range::from(0.0)).default("1").example("0.5"),
        /// Share of the training, at its beginning, in which the factor grows to `weight`.
        ///
        /// As `exp(-5 (1 - share / ramp)^2)`, after Laine and Aila 2017, section 3.1.
        #[serde(default = "ramp")]
        ramp: f64 = number(Range::from(0.0).to(1.0)).default("0.3").example("0.5"),
    }
}

/// FixMatch, section 2.3.
fn threshold() -> f32 {
    0.95
}

fn weight() -> f32 {
    1.0
}

fn ramp() -> f64 {
    0.3
}

impl UnlabelledConfig {
    /// A folder with the usual settings.
    pub fn of_folder(dir: PathBuf) -> Self {
        Self { dir, threshold: threshold(), weight: weight(), ramp: ramp() }
    }

    /// The factor of the loss after a share of the training.
    pub fn factor(&self, share: f64) -> f32 {
        let left = 1.0 - if self.ramp > 0.0 { (share / self.ramp).clamp(0.0, 1.0) } else { 1.0 };
        self.weight * (-5.0 * left * left).exp() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_grows_to_the_weight() {
        let config = UnlabelledConfig { weight: 2.0, ramp: 0.5, ..UnlabelledConfig::of_folder("x".into()) };
        assert!((config.factor(0.0) - 2.0 * (-5.0f32).exp()).abs() < 1e-6);
        assert!(config.factor(0.1) < config.factor(0.3) && config.factor(0.3) < 2.0);
        assert_eq!([config.factor(0.5), config.factor(1.0)], [2.0, 2.0]);
        assert_eq!(UnlabelledConfig { ramp: 0.0, ..config }.factor(0.0), 2.0);
    }
}
