//! The types of settings: their ranges, and reading them from the text of a flag.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::Serialize;
use toml::Value;

/// The type of a setting with its range.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A table of settings.
    Table,
    /// A whole number.
    Whole {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A number.
    Number(Range),
    /// A list of numbers.
    Numbers(Range),
    /// Height and width, at least 1 each.
    Size,
    /// True or false.
    Switch,
    /// One of these words.
    Word(&'static [Word]),
    /// One of these words, or a list of numbers.
    WordOrNumbers(&'static [Word], Range),
    /// Text in a form of its own.
    Text {
        /// Its description, as a noun phrase.
        what: &'static str,
        /// Reads it as a flag has it.
        read: fn(&str) -> Result<Value, BadValue>,
    },
    /// A value that only files have.
    Other(&'static str),
}

/// A word that a setting or flag takes, and what it means; empty where the word says it.
pub type Word = (&'static str, &'static str);

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    least: f64,
    most: f64,
    above: bool,
    below: bool,
}

/// A value that a setting does not take; the message says which it takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub(crate) String);

/// TOML's integers have a sign.
pub(super) const LARGEST: u64 = i64::MAX as u64;

/// Reads text as a type does.
pub(super) fn read<T: FromStr<Err: Display> + Serialize>(text: &str) -> Result<Value, BadValue> {
    let value: T = text.parse().map_err(|error: T::Err| BadValue(error.to_string()))?;
    Value::try_from(value).map_err(|error| BadValue(error.to_string()))
}

impl Kind {
    /// Reads a flag's text.
    ///
    /// # Errors
    /// [`BadValue`] for anything else than this kind takes.
    pub fn read(&self, text: &str) -> Result<Value, BadValue> {
        let number = |text: &str| text.parse::<f64>().ok().map(Value::Float);
        let numbers = |text: &str| {
            let values: Option<Vec<Value>> = text.split(',').map(|text| number(text.trim())).collect();
            values.map(Value::Array)
        };
        let value = match self {
            Self::Text { read, .. } => return read(text),
            Self::Whole { .. } => text.parse().ok().map(Value::Integer),
            Self::Number(_) => number(text),
            Self::Numbers(_) => numbers(text),
            Self::Switch => text.parse().ok().map(Value::Boolean),
            Self::WordOrNumbers(words, _) if !words.iter().any(|(word, _)| *word == text) => numbers(text),
            Self::Word(_) | Self::WordOrNumbers(..) => Some(Value::String(text.to_owned())),
            Self::Table | Self::Size | Self::Other(_) => None,
        };
        value.filter(|value| self.takes(value)).ok_or_else(|| BadValue(format!("give {self}")))
    }

    /// Whether a value of the file is in the range. Text is judged by the type that it is read into.
    pub fn takes(&self, value: &Value) -> bool {
        let whole = |value: &Value, least: u64, most: u64| {
            value
                .as_integer()
                .and_then(|n| u64::try_from(n).ok())
                .is_some_and(|n| (least..=most).contains(&n))
        };
        let in_range = |value: &Value, range: &Range| match *value {
            Value::Float(value) => range.contains(value),
            Value::Integer(value) => range.contains(value as f64),
            _ => false,
        };
        let all = |value: &Value, range: &Range| {
            value.as_array().is_some_and(|values| values.iter().all(|value| in_range(value, range)))
        };
        let known = |value: &Value, words: &[Word]| {
            value.as_str().is_some_and(|text| words.iter().any(|(word, _)| *word == text))
        };
        match self {
            Self::Whole { least, most } => whole(value, *least, *most),
            Self::Number(range) => in_range(value, range),
            Self::Numbers(range) => all(value, range),
            Self::Size => value
                .as_array()
                .is_some_and(|sides| sides.len() == 2 && sides.iter().all(|side| whole(side, 1, LARGEST))),
            Self::Switch => value.is_bool(),
            Self::Word(words) => known(value, words),
            Self::WordOrNumbers(words, range) => known(value, words) || all(value, range),
            Self::Table => value.is_table(),
            Self::Text { .. } => value.is_str(),
            Self::Other(_) => true,
        }
    }
}

impl Range {
    /// All finite numbers from `least` on.
    pub const fn from(least: f64) -> Self {
        Self { least, most: f64::MAX, above: false, below: false }
    }

    /// All finite numbers above `least`.
    pub const fn above(least: f64) -> Self {
        Self { above: true, ..Self::from(least) }
    }

    /// Up to `most`.
    #[must_use]
    pub const fn to(self, most: f64) -> Self {
        Self { most, ..self }
    }

    /// Up to `most`, without it.
    #[must_use]
    pub const fn below(self, most: f64) -> Self {
        Self { most, below: true, ..self }
    }

    /// Whether it has that number.
    pub fn contains(&self, value: f64) -> bool {
        let enough = if self.above { value > self.least } else { value >= self.least };
        enough && if self.below { value < self.most } else { value <= self.most }
    }
}

/// `at least 0`, `from 0 to below 1`.
impl Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, most, above, below } = *self;
        match (above, most < f64::MAX) {
            (true, false) => return write!(f, "above {least}"),
            (false, false) => return write!(f, "of at least {least}"),
            (true, true) => write!(f, "above {least} and ")?,
            (false, true) => write!(f, "from {least} to ")?,
        }
        match (above, below) {
            (_, true) => write!(f, "below {most}"),
            (true, false) => write!(f, "at most {most}"),
            (false, false) => write!(f, "{most}"),
        }
    }
}

/// As a noun phrase, to follow "give".
impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Table => f.write_str("a table"),
            Self::Whole { least: 0, most: LARGEST } => f.write_str("a whole number"),
            Self::Whole { least, most: LARGEST } => write!(f, "a whole number of at least {least}"),
            Self::Whole { least, most } => write!(f, "a whole number from {least} to {most}"),
            Self::Number(range) => write!(f, "a number {range}"),
            Self::Numbers(range) => write!(f, "numbers {range}"),
            Self::Size => f.write_str("height and width of at least 1"),
            Self::Switch => f.write_str("true or false"),
            Self::Word(words) => f.write_str(&listed(words, " or ")),
            Self::WordOrNumbers(words, range) => write!(f, "{}, or numbers {range}", listed(words, ", ")),
            Self::Text { what, .. } | Self::Other(what) => f.write_str(what),
        }
    }
}

/// The words with commas, and with `last` before the last of them.
fn listed(words: &[Word], last: &str) -> String {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    match words.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{}{last}{end}", rest.join(", ")),
        _ => words.concat(),
    }
}
