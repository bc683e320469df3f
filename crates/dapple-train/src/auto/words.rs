//! Numbers in words.

/// A number of images in words, at least one.
pub(super) fn images(number: usize) -> String {
    match number {
        0 | 1 => "1 image".to_owned(),
        _ => format!("{number} images"),
    }
}

/// A span of time in words.
pub(super) fn span(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("{seconds:.0} seconds");
    }
    format!("{:.0} minutes", seconds / 60.0)
}
