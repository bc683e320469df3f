//! Spans of time as people write them: `30m`, `1h 30m`, `90s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A span of time in whole seconds, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeSpan(u64);

impl TimeSpan {
    /// A span of that many seconds, at least one.
    pub fn seconds(seconds: u64) -> Self {
        Self(seconds.max(1))
    }

    /// As the standard library's.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    /// ```
    /// use dapple_train::TimeSpan;
    /// assert_eq!("1h 30m".parse(), Ok(TimeSpan::seconds(5400)));
    /// assert_eq!("90s".parse::<TimeSpan>().unwrap().to_string(), "1m 30s");
    /// assert!("30".parse::<TimeSpan>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no span of time; give one such as 30m, 1h 30m or 90s");
        let mut rest = text.trim();
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            let unit = rest[digits..].chars().next().ok_or_else(wrong)?;
            let seconds = match unit {
                'd' => 86_400,
                'h' => 3600,
                'm' => 60,
                's' => 1,
                _ => return Err(wrong()),
            };
            total = number.checked_mul(seconds).and_then(|s| total.checked_add(s)).ok_or_else(wrong)?;
            rest = rest[digits + 1..].trim_start();
        }
        // A year: beyond it, arithmetic on spans would only gain ways to fail.
        if (1..=366 * 86_400).contains(&total) { Ok(Self(total)) } else { Err(wrong()) }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.0 / 3600, "h"), (self.0 / 60 % 60, "m"), (self.0 % 60, "s")];
        let words: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        f.write_str(&words.join(" "))
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> Self {
        span.to_string()
    }
}
