//! The values that the pixels of images are stored as, and the range of them that a network sees.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The type of the values of an image. Files and messages call them `uint8`, `uint12`, `int16`, `float32` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SampleKind {
    /// Whole numbers from 0, of so many bits.
    Uint(u32),
    /// Whole numbers with a sign, of so many bits.
    Int(u32),
    /// Floating-point numbers of so many bits.
    Float(u32),
}

impl SampleKind {
    /// The values of ordinary photographs.
    pub const BYTE: Self = Self::Uint(8);

    /// The largest value of the type, where that says what is white: unsigned numbers of up to 16 bits.
    pub fn white(self) -> Option<f64> {
        match self {
            Self::Uint(bits @ 1..=16) => Some(f64::from((1_u32 << bits) - 1)),
            _ => None,
        }
    }
}

impl Display for SampleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(bits) => write!(f, "uint{bits}"),
            Self::Int(bits) => write!(f, "int{bits}"),
            Self::Float(bits) => write!(f, "float{bits}"),
        }
    }
}

impl From<SampleKind> for String {
    fn from(kind: SampleKind) -> Self {
        kind.to_string()
    }
}

impl TryFrom<String> for SampleKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let of = |name: &str| text.strip_prefix(name).and_then(|bits| bits.parse().ok());
        let bits = |bits: u32| (1..=64).contains(&bits).then_some(bits);
        let kinds = [("uint", Self::Uint as fn(u32) -> Self), ("int", Self::Int), ("float", Self::Float)];
        kinds.into_iter().find_map(|(name, kind)| of(name).and_then(bits).map(kind)).ok_or_else(|| {
            format!("`{text}` is no type of pixel values: uint8, int16, float32 and so on are")
        })
    }
}

/// The range of stored values that becomes black to white; values beyond it are clipped.
///
/// Its text is `type`, `0..4095`, or a range for each channel: `0..1,-20..35`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ValueRange {
    /// That of each file's type: 0 to 255, 0 to 65535.
    #[default]
    Type,
    /// From the first to the second value: one pair for all channels, or one for each.
    Span(Vec<[f64; 2]>),
}

impl ValueRange {
    /// The range of a channel; `None` for that of the type, and for a channel without one.
    pub fn of_channel(&self, channel: usize) -> Option<[f64; 2]> {
        match self {
            Self::Type => None,
            Self::Span(spans) if spans.len() == 1 => spans.first().copied(),
            Self::Span(spans) => spans.get(channel).copied(),
        }
    }
}

/// A text that is no [`ValueRange`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no range of pixel values: give type, LOW..HIGH, or LOW..HIGH for each channel with commas between"
)]
pub struct BadRange(String);

impl FromStr for ValueRange {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        if text == "type" {
            return Ok(Self::Type);
        }
        let span = |part: &str| {
            let (low, high) = part.split_once("..")?;
            let [low, high] = [low, high].map(|number| number.trim().parse::<f64>().ok());
            let span = [low?, high?];
            (span[0] < span[1] && (span[1] - span[0]).is_finite()).then_some(span)
        };
        let spans: Option<Vec<_>> = text.split(',').map(span).collect();
        spans.map(Self::Span).ok_or_else(|| BadRange(text.to_owned()))
    }
}

impl Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("type"),
            Self::Span(spans) => {
                let spans: Vec<String> = spans.iter().map(|[low, high]| format!("{low}..{high}")).collect();
                f.write_str(&spans.join(","))
            }
        }
    }
}

impl From<ValueRange> for String {
    fn from(range: ValueRange) -> Self {
        range.to_string()
    }
}

impl TryFrom<String> for ValueRange {
    type Error = BadRange;

    fn try_from(text: String) -> Result<Self, BadRange> {
        text.parse()
    }
}

/// The images that a model was trained on: what has to be known of them to read others as they were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingImages {
    /// The type of their values; of several, the widest.
    pub values: SampleKind,
    /// The range of the values that became black to white.
    pub range: ValueRange,
    /// Channels as they are stored, without alpha.
    pub bands: usize,
    /// Height and width in pixels before resizing: those of the image of median area.
    pub size: [usize; 2],
}

impl TrainingImages {
    /// Those of a model that says nothing of them: photographs of 8 bits, with any number of channels.
    pub fn unknown() -> Self {
        Self { values: SampleKind::BYTE, range: ValueRange::Type, bands: usize::MAX, size: [1, 1] }
    }

    /// Height and width, where scales can be made of them: a model file may say anything.
    pub fn sides(&self) -> Option<[usize; 2]> {
        self.size.iter().all(|side| (16..=1 << 20).contains(side)).then_some(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_types_are_read_as_they_are_written() {
        for text in ["type", "0..4095", "-0.25..1", "0..1,-20.5..35"] {
            assert_eq!(text.parse::<ValueRange>().expect("a range").to_string(), text);
        }
        for text in ["", "4095", "1..1", "2..1", "0..nan", "0..inf", "0..1,", "a..b"] {
            assert!(text.parse::<ValueRange>().is_err(), "{text}");
        }
        for kind in [SampleKind::BYTE, SampleKind::Int(16), SampleKind::Float(32)] {
            assert_eq!(SampleKind::try_from(kind.to_string()), Ok(kind));
        }
        assert!(SampleKind::try_from("uint0".to_owned()).is_err());
        assert_eq!(SampleKind::Uint(12).white(), Some(4095.0));
        assert_eq!(SampleKind::Int(16).white(), None);
        let of = |size| TrainingImages { size, ..TrainingImages::unknown() };
        assert_eq!(of([480, 640]).sides(), Some([480, 640]));
        assert_eq!([of([0, 640]).sides(), of([480, usize::MAX]).sides()], [None, None]);
    }
}
