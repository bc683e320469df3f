//! The time of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 for a clock set before that.
pub fn now() -> u64 {
    now_exactly() as u64
}

/// Seconds since 1970 with fractions; 0 for a clock set before that.
pub fn now_exactly() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// Seconds since 1970 as `2026-11-21 14:03:12` in universal time; the last second of the year 9999 for times after it.
pub fn utc(seconds: u64) -> String {
    /// 9999-12-31 23:59:59, the last time that RFC 3339 can write.
    const LAST: u64 = 253_402_300_799;
    let time = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST));
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(utc(1_735_689_599), "2024-12-31 23:59:59");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00");
        assert_eq!(utc(u64::MAX), "9999-12-31 23:59:59");
    }
}
