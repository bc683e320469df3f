//! Values of flags.

use std::path::{Path, PathBuf};

/// A whole number of at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "give a whole number of at least 1".into())
}

/// A number of threads.
pub fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = 4096;
    let count = text.parse().ok().filter(|n| (1..=MOST).contains(n));
    count.ok_or_else(|| format!("give a whole number from 1 to {MOST}"))
}

/// Height and width in pixels, or one side of a square.
pub fn size(text: &str) -> Result<(usize, usize), String> {
    let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
    match (height.trim().parse(), width.trim().parse()) {
        (Ok(height), Ok(width)) if height > 0 && width > 0 => Ok((height, width)),
        _ => Err("give a side (224) or height x width (360x480) in pixels".into()),
    }
}

/// A path as one word of a command line.
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '/' | '\\' | '.' | '-' | '_' | ':' | '+' | '@' | '%' | '=' | ',')
    };
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    let quote = if cfg!(windows) { '"' } else { '\'' };
    format!("{quote}{}{quote}", text.replace('\'', if cfg!(windows) { "'" } else { "'\\''" }))
}

/// A path as it is written from this folder.
pub fn shortened(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(inside) if !inside.as_os_str().is_empty() => inside.to_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn paths_are_words_of_a_command_line() {
        assert_eq!(shell_word(Path::new("runs/horses-1")), "runs/horses-1");
        assert_eq!(shell_word(Path::new("my runs/it's")), "'my runs/it'\\''s'");
    }

    #[test]
    fn sizes_are_sides_or_height_and_width() {
        assert_eq!(size("224"), Ok((224, 224)));
        assert_eq!(size("360x480"), Ok((360, 480)));
        assert_eq!(size("360X480"), Ok((360, 480)));
        for wrong in ["", "0", "x", "224x", "-1x2", "1x2x3"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert!(threads("0").is_err() && threads("1000000").is_err() && threads("16") == Ok(16));
        assert!(at_least_one("0").is_err() && at_least_one("7") == Ok(7));
    }
}
