//! The messages of TOML's reader as users understand them: no types of Rust, and the nearest of the words that it lists.

use crate::nearest;

/// Letters that are shown of a value that was found: some are whole files.
const SHOWN: usize = 80;

/// A message of serde, alone or below the lines that TOML's reader shows of a file, in words that name no type of Rust; an
/// unknown key or word gets the nearest of those that the message lists in backticks.
///
/// ```
/// let message = "unknown field `epoch`, expected one of `batch`, `epochs`";
/// let shown = dapple_base::readable(message);
/// assert_eq!(shown, "unknown key `epoch`, expected one of `batch`, `epochs`; did you mean `epochs`?");
/// let shown = dapple_base::readable("invalid type: string \"8\", expected usize");
/// assert_eq!(shown, "\"8\" stands where a whole number of at least 0 is expected");
/// ```
pub fn readable(message: &str) -> String {
    let lines: Vec<String> = message.trim_end().lines().map(line).collect();
    lines.join("\n")
}

fn line(line: &str) -> String {
    // JSON's reader ends its messages with the place.
    let is_place = |text: &str| {
        let numbers = text.split_once(" column ").map(|(line, column)| [line, column]);
        numbers.is_some_and(|numbers| numbers.iter().all(|number| number.parse::<usize>().is_ok()))
    };
    match line.rsplit_once(" at line ").filter(|(_, place)| is_place(place)) {
        Some((message, place)) => format!("{} at line {place}", said(message)),
        None => said(line),
    }
}

fn said(line: &str) -> String {
    if let Some((found, expected)) = mismatch(line) {
        return format!("{} stands where {} is expected", value(found), kind(expected));
    }
    if let Some(key) = line.strip_prefix("missing field ") {
        return format!("the key {key} is missing");
    }
    if line.contains("did not match any variant of untagged enum") {
        return "a value of another type is expected here".to_owned();
    }
    for (theirs, ours) in [("unknown field ", "unknown key "), ("unknown variant ", "unknown word ")] {
        let Some(rest) = line.strip_prefix(theirs) else { continue };
        let mut words = rest.split('`').skip(1).step_by(2);
        let near = words.next().and_then(|unknown| nearest(unknown, words));
        return match near {
            Some(near) => format!("{ours}{rest}; did you mean `{near}`?"),
            None => format!("{ours}{rest}"),
        };
    }
    line.to_owned()
}

/// What was found and what was expected, in serde's words.
fn mismatch(line: &str) -> Option<(&str, &str)> {
    let starts = ["invalid type: ", "invalid value: ", "invalid length "];
    starts.iter().find_map(|start| line.strip_prefix(start)?.rsplit_once(", expected "))
}

/// A value that was found.
fn value(found: &str) -> String {
    match found {
        "map" => return "a table".to_owned(),
        "sequence" => return "a list".to_owned(),
        length if length.bytes().all(|byte| byte.is_ascii_digit()) => return format!("a list of {length}"),
        _ => {}
    }
    let kinds = ["string ", "integer ", "floating point ", "boolean ", "character "];
    let value = kinds.iter().find_map(|kind| found.strip_prefix(kind)).unwrap_or(found);
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// A type that was expected.
fn kind(expected: &str) -> String {
    let number = |text: &str| text.split(' ').find(|word| word.parse::<usize>().is_ok()).map(str::to_owned);
    match expected {
        "f32" | "f64" => "a number".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "u128" | "usize" => "a whole number of at least 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "a string" | "path string" | "a borrowed string" => "a text in quotes".to_owned(),
        _ if ["array", "tuple"].iter().any(|word| expected.contains(word)) => {
            number(expected).map_or_else(|| "a list".to_owned(), |count| format!("a list of {count}"))
        }
        _ if expected.starts_with("struct ") || expected.contains("map with") => "a table".to_owned(),
        _ if ["enum ", "variant", "string or table"].iter().any(|word| expected.contains(word)) => {
            "a word in quotes".to_owned()
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_rust_are_told_in_words() {
        for (theirs, ours) in [
            ("invalid type: integer `3`, expected struct NetConfig", "`3` stands where a table is expected"),
            ("invalid type: sequence, expected f32", "a list stands where a number is expected"),
            ("invalid type: map, expected a sequence", "a table stands where a list is expected"),
            (
                "invalid value: integer `-1`, expected usize",
                "`-1` stands where a whole number of at least 0 is expected",
            ),
            (
                "invalid length 2, expected an array of length 3",
                "a list of 2 stands where a list of 3 is expected",
            ),
            (
                "invalid type: boolean `true`, expected enum Profile",
                "`true` stands where a word in quotes is expected",
            ),
            ("missing field `epochs`\n", "the key `epochs` is missing"),
            (
                "unknown field `colour`, expected `epochs` or `batch`",
                "unknown key `colour`, expected `epochs` or `batch`",
            ),
            (
                "invalid type: null, expected u32 at line 3 column 14",
                "null stands where a whole number of at least 0 is expected at line 3 column 14",
            ),
            (
                "invalid value: integer `300`, expected u8",
                "`300` stands where a whole number from 0 to 255 is expected",
            ),
            ("give 3 colours", "give 3 colours"),
        ] {
            assert_eq!(readable(theirs), ours);
        }
        let long = readable(&format!("invalid type: string \"{}\", expected f32", "é".repeat(1 << 20)));
        assert!(long.chars().count() < 150, "{} letters", long.chars().count());
    }

    #[test]
    fn the_lines_of_the_file_stay_as_they_are() {
        let theirs = "TOML parse error at line 2, column 7\n  |\n2 | size = \"x\"\n  |        ^^^\ninvalid type: string \"x\", expected u32\n";
        let ours = "TOML parse error at line 2, column 7\n  |\n2 | size = \"x\"\n  |        ^^^\n\"x\" stands where a whole number of at least 0 is expected";
        assert_eq!(readable(theirs), ours);
    }
}
