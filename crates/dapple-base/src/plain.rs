//! Names that other people chose, made harmless where they are shown or written into tables.

use std::borrow::Cow;

/// A text without control characters: those that move the cursor, colour a terminal or turn the direction of writing are
/// shown as escapes (`\u{1b}`). Line feeds and tabs stay.
///
/// ```
/// assert_eq!(dapple_base::plain("a\u{1b}[31mb\r.png"), "a\\u{1b}[31mb\\u{d}.png");
/// ```
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(acts_on_terminals) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if acts_on_terminals(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// As [`plain`], on one line: for names in the midst of a message.
pub fn plain_name(text: &str) -> Cow<'_, str> {
    let text = plain(text);
    if !text.contains(['\n', '\t']) {
        return text;
    }
    Cow::Owned(text.replace('\n', "\\n").replace('\t', "\\t"))
}

fn acts_on_terminals(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && !matches!(c, '\n' | '\t')
}

/// A cell of a CSV table that no spreadsheet program takes for a formula: one that begins like a formula gets an apostrophe
/// before it, as OWASP advises ("CSV Injection"), and control characters are shown as escapes. Numbers stay as they are.
///
/// ```
/// assert_eq!(dapple_base::csv_cell("=1+1"), "'=1+1");
/// assert_eq!(dapple_base::csv_cell("-1.5"), "-1.5");
/// ```
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let text = plain_name(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if formula && text.parse::<f64>().is_err() { Cow::Owned(format!("'{text}")) } else { text }
}

/// The longest part of a file name that a name of other people's choice becomes, in bytes.
const PART_BYTES: usize = 80;

/// A part of a file name made of a name: letters and digits of all scripts, `-`, `_` and `.` stay, any other character
/// becomes `-`. It is never empty, and at most 80 bytes long. Different names may become the same part.
///
/// ```
/// assert_eq!(dapple_base::file_part("road/side <b>"), "road-side--b-");
/// ```
pub fn file_part(name: &str) -> String {
    let mut part = String::new();
    for c in name.chars() {
        let c = if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        if part.len() + c.len_utf8() > PART_BYTES {
            break;
        }
        part.push(c);
    }
    if part.is_empty() { "-".to_owned() } else { part }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_act_on_no_terminal() {
        assert_eq!(plain("Größe 道 a\tb\n"), "Größe 道 a\tb\n");
        assert_eq!(plain("\u{9b}2J\u{7f}\u{202e}gnp"), "\\u{9b}2J\\u{7f}\\u{202e}gnp");
        assert_eq!(plain_name("a\nb"), "a\\nb");
    }

    #[test]
    fn cells_are_no_formulas() {
        for bad in ["=SUM(A1)", "+cmd", "-2+3", "@x", "\u{ff1d}1"] {
            assert_eq!(csv_cell(bad), format!("'{bad}"));
        }
        assert_eq!(csv_cell("\t=1"), "\\t=1");
        for good in ["horse", "a=b", "+1", "1e-3"] {
            assert_eq!(csv_cell(good), good);
        }
    }

    #[test]
    fn parts_of_file_names_are_short_and_harmless() {
        assert_eq!(file_part("Straße_道.1"), "Straße_道.1");
        assert_eq!(file_part("a\u{1b}[31m<script>\\../b"), "a--31m-script--..-b");
        assert_eq!(file_part(""), "-");
        assert!(file_part(&"道".repeat(200)).len() <= PART_BYTES);
    }
}
