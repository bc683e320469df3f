//! `--json`: results for other programs.

use std::borrow::Cow;
use std::path::Path;

use dapple_base::{plain, write_atomic};
use serde::Serialize;

use super::written::{Own, check_written};
use crate::cli::console::write_raw;
use crate::cli::failure::Failure;

/// The value of `--json` that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// Prints JSON to standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    write_raw((harmless(text(value)?) + "\n").as_bytes());
    Ok(())
}

/// JSON in which all characters that act on terminals are escapes; serde_json escapes only those below U+0020.
fn harmless(json: String) -> String {
    if matches!(plain(&json), Cow::Borrowed(_)) {
        return json;
    }
    let mut shown = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        match plain(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(_) => shown.push(c),
            // None of them needs more than four digits.
            Cow::Owned(_) => shown += &format!("\\u{:04x}", u32::from(c)),
        }
    }
    shown
}

/// Checks, before the work, that the file of `--json` may be written.
pub fn check_json(path: Option<&Path>, own: Own, inputs: &[&Path]) -> Result<(), Failure> {
    match path.filter(|path| *path != Path::new(STANDARD_OUTPUT)) {
        Some(path) => check_written(path, own, inputs, None),
        None => Ok(()),
    }
}

/// Writes JSON to a file or, for `-`, to standard output. Returns whether standard output is left for text.
pub fn write_json(value: &impl Serialize, path: Option<&Path>) -> Result<bool, Failure> {
    match path {
        None => Ok(true),
        Some(path) if path == Path::new(STANDARD_OUTPUT) => print_json(value).map(|()| false),
        Some(path) => {
            write_atomic(path, (text(value)? + "\n").as_bytes())?;
            Ok(true)
        }
    }
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(Failure::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json_do_not_act_on_terminals_and_stay_the_same() {
        let names = ["a\u{9b}31m", "\u{202e}gnp", "\u{1b}\u{7f}", "Größe 道"];
        let shown = harmless(serde_json::to_string_pretty(&names).expect("names become JSON"));
        assert!(matches!(plain(&shown), Cow::Borrowed(_)), "{shown}");
        let read: Vec<String> = serde_json::from_str(&shown).expect("it is JSON still");
        assert_eq!(read, names);
    }
}
