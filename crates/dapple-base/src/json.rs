//! Faults of JSON files in plain words: serde's own name types of Rust, which tell a user nothing.

use serde_json::error::Category;

use crate::readable;

/// Where a JSON text is wrong, to follow the name of the file: it ends too early, is not JSON, or holds something else than it
/// should, which is named as by [`readable()`].
pub fn json_fault(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    // serde has no category of its own for it.
    if text.starts_with("recursion limit") {
        return format!("the JSON nests too deeply at {place}");
    }
    match error.classify() {
        Category::Eof => format!("the JSON ends at {place} before it is complete"),
        Category::Syntax => format!("it is not JSON at {place}"),
        // Errors about a value that is already in memory have no place.
        Category::Data | Category::Io => match text.rsplit_once(" at line ") {
            Some((message, _)) => format!("{} at {place}", readable(message)),
            None => readable(&text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_their_place_and_no_type_of_rust() {
        for (text, words) in [
            ("[1, 2", "ends at line 1, column 5"),
            ("[1,\n 2}", "not JSON at line 2, column 3"),
            ("[1, \"2\"]", "\"2\" stands where a whole number from 0 to 255 is expected at line 1, column 7"),
        ] {
            let error = serde_json::from_str::<Vec<u8>>(text).expect_err(text);
            let fault = json_fault(&error);
            assert!(fault.contains(words) && !fault.contains("u8"), "{fault}");
        }
        let error = serde_json::from_str::<serde_json::Value>(&"[".repeat(1000)).expect_err("too deep");
        assert!(json_fault(&error).contains("nests too deeply"), "{}", json_fault(&error));
    }
}
