//! Spans of time as people write them: `30m`, `1h 30m`, `90s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A year: beyond it, arithmetic on spans would only gain ways to fail.
const LONGEST: u64 = 366 * 86_400;

/// A span of time in whole seconds, from 1 to those of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeSpan(u64);

/// A text that is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a span of time; write one such as 30m, 1h 30m or 90s")]
pub struct TimeSpanError(pub String);

impl TimeSpan {
    /// A span of so many seconds, at least one.
    pub fn seconds(seconds: u64) -> Self {
        Self(seconds.max(1))
    }

    /// The span in the standard library's type.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for TimeSpan {
    type Err = TimeSpanError;

    /// ```
    /// use dapple_base::TimeSpan;
    /// assert_eq!("1h 30m".parse(), Ok(TimeSpan::seconds(5400)));
    /// assert_eq!("90s".parse::<TimeSpan>().unwrap().to_string(), "1m 30s");
    /// assert!("30".parse::<TimeSpan>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, TimeSpanError> {
        let wrong = || TimeSpanError(text.to_owned());
        // `M` would be months: too easily meant as minutes.
        if text.contains(char::is_uppercase) {
            return Err(wrong());
        }
        let span = humantime::parse_duration(text.trim()).map_err(|_| wrong())?;
        let whole = span.subsec_nanos() == 0 && (1..=LONGEST).contains(&span.as_secs());
        if whole { Ok(Self(span.as_secs())) } else { Err(wrong()) }
    }
}

impl fmt::Display for TimeSpan {
    /// Hours, minutes and seconds: `26h`, `1h 30m`, `45s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.0 / 3600, "h"), (self.0 / 60 % 60, "m"), (self.0 % 60, "s")];
        let words: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        f.write_str(&words.join(" "))
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = TimeSpanError;

    fn try_from(text: String) -> Result<Self, TimeSpanError> {
        text.parse()
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("30m", 1800),
            (" 1h 30m ", 5400),
            ("1h30m", 5400),
            ("90s", 90),
            ("2d", 172_800),
            ("2 hours", 7200),
        ] {
            assert_eq!(text.parse(), Ok(TimeSpan::seconds(seconds)), "{text}");
        }
        for text in ["", "30", "m", "-1h", "0s", "1500ms", "5M", "99999d", "1h 30", "99999999999999999999d"] {
            let error = text.parse::<TimeSpan>().expect_err(text);
            assert!(error.to_string().contains("30m"), "{error}");
        }
        assert_eq!(TimeSpan::seconds(2 * 86_400 + 5).to_string(), "48h 5s");
    }
}
