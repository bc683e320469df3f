//! Pretrained encoders: the one that a training starts from.

use std::fmt;

use dapple_nets::NetConfig;
use dapple_nets::registry::find;

/// Published weights of an encoder that a training may start from.
#[derive(Clone, Debug, PartialEq)]
pub struct Pretrained {
    /// Name of the encoder.
    pub encoder: &'static str,
    /// Name of the weights, or their file.
    pub weights: String,
    /// Top-1 accuracy on ImageNet in percent, if it is known.
    pub accuracy: Option<f32>,
    /// Where the weights are to come from.
    pub origin: Origin,
}

/// The origin of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user asked for them; they are taken however long the training takes.
    Asked,
    /// They are on this machine.
    Here,
    /// They are fetched.
    Fetched,
}

/// The decoder above a pretrained encoder.
const DECODER: &str = "unet";
/// Rate of the encoder's layers. In a calibration on CamVid with EfficientNet-Lite0, 2e-3 and 3e-4 did well; here the decoder's
/// is half as large.
pub(super) const ENCODER_RATE: f64 = 0.3;
/// Part of the profile's images that an encoder must see to be preferred to a smaller one.
const SHOWN: f64 = 0.5;
/// Part of them with which it is still better than random weights.
const LEAST: f64 = 0.05;

/// The weights to start from: those on this machine before those that are fetched; of these the most accurate encoder that
/// can be shown enough images in `limit` seconds, or else the fastest. `seconds` gives the time of a step for one image.
pub(super) fn pick(
    among: &[Pretrained],
    seconds: impl Fn(&Pretrained) -> Option<f64>,
    shown: usize,
    limit: f64,
) -> Option<&Pretrained> {
    if let Some(asked) = among.iter().find(|weights| weights.origin == Origin::Asked) {
        return Some(asked);
    }
    [Origin::Here, Origin::Fetched].into_iter().find_map(|origin| {
        let of_origin = among.iter().filter(|weights| weights.origin == origin);
        let timed: Vec<(f64, &Pretrained)> =
            of_origin.filter_map(|weights| Some((seconds(weights)?, weights))).collect();
        let fits = |part: f64| move |(seconds, _): &&(f64, _)| seconds * shown as f64 * part <= limit;
        let accuracy = |weights: &Pretrained| weights.accuracy.unwrap_or(0.0);
        let enough = timed.iter().filter(fits(SHOWN));
        let best = enough.max_by(|a, b| accuracy(a.1).total_cmp(&accuracy(b.1)).then(b.0.total_cmp(&a.0)));
        let fastest = || timed.iter().filter(fits(LEAST)).min_by(|a, b| a.0.total_cmp(&b.0));
        best.or_else(fastest).map(|(_, weights)| *weights)
    })
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "as asked for",
            Self::Here => "the weights are on this machine",
            Self::Fetched => "the weights are fetched",
        })
    }
}

impl Pretrained {
    /// The network that takes them: the one that the user wishes, if it is on their encoder, or a U-Net.
    pub fn network(&self, wished: Option<&str>) -> Option<String> {
        let Some(name) = wished else { return Some(format!("{DECODER}-{}", self.encoder)) };
        let encoder = find(name).ok()?.encoder?;
        (encoder.name == self.encoder).then(|| name.to_owned())
    }

    /// The width of the decoder above them, where the recipe chooses the network: half of the published one. In a pair of short
    /// trainings on the horses, it was as good an epoch as the whole one, in two thirds of the time (RESULTS.md).
    pub(super) fn decoder_width(network: &NetConfig, wished: Option<&str>) -> Option<usize> {
        wished.is_none().then_some(network.width / 2)
    }

    /// The reason to start from them.
    pub(super) fn reason(&self) -> String {
        let accuracy =
            self.accuracy.map(|percent| format!(", {percent:.1} % right there")).unwrap_or_default();
        format!("an encoder that knows ImageNet{accuracy}, needs fewer images and less time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(encoder: &'static str, accuracy: f32, origin: Origin) -> Pretrained {
        Pretrained { encoder, weights: encoder.to_owned(), accuracy: Some(accuracy), origin }
    }

    /// Seconds for an image: the last digit of the name.
    fn seconds(weights: &Pretrained) -> Option<f64> {
        weights.encoder.chars().last()?.to_digit(10).map(f64::from)
    }

    #[test]
    fn the_most_accurate_encoder_that_the_time_allows_is_taken() {
        let all = [1, 2, 4]
            .map(|n: u8| weights(["a1", "b2", "c4"][usize::from(n / 2)], 70.0 + f32::from(n), Origin::Here));
        let taken = |limit: f64| pick(&all, seconds, 1000, limit).map(|weights| weights.encoder);
        assert_eq!(taken(4.0 * 500.0), Some("c4"));
        assert_eq!(taken(4.0 * 500.0 - 1.0), Some("b2"));
        assert_eq!(taken(1.0 * 500.0 - 1.0), Some("a1"), "the fastest does with less");
        assert_eq!(taken(1.0 * 50.0 - 1.0), None);
    }

    #[test]
    fn weights_on_the_machine_and_wishes_come_first() {
        let here = weights("a1", 70.0, Origin::Here);
        let fetched = weights("b1", 80.0, Origin::Fetched);
        let asked = weights("c9", 60.0, Origin::Asked);
        let taken = |among: &[Pretrained]| pick(among, seconds, 1000, 1e4).map(|weights| weights.encoder);
        assert_eq!(taken(&[fetched.clone(), here.clone()]), Some("a1"));
        assert_eq!(taken(std::slice::from_ref(&fetched)), Some("b1"));
        assert_eq!(taken(&[fetched, here, asked]), Some("c9"));
        assert_eq!(taken(&[]), None);
    }
}
