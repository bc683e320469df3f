//! Common parts of outputs made of outlines: a bound on their memory, and documents written item by item.

use std::io::{self, Write};

use serde_json::Value;

use crate::error::PredictError;
use crate::outline::Outlines;

/// Refuses outlines that grow beyond the memory that an output may take: those of noise.
pub(super) fn check_memory(outlines: &Outlines, most: u64) -> Result<(), PredictError> {
    if outlines.bytes() <= most {
        return Ok(());
    }
    Err(PredictError::Settings(format!(
        "the predicted outlines are so ragged that they need more than {} MiB of memory; allow more with --memory, or \
         write masks instead",
        most >> 20
    )))
}

/// Writes a JSON object with one more member, the list of `items`, of which only one is held at a time.
pub(super) fn write_document(
    object: &Value,
    member: &str,
    items: impl Iterator<Item = Value>,
    target: &mut impl Write,
) -> io::Result<()> {
    let text = object.to_string();
    let begin = text.strip_suffix('}').unwrap_or(&text);
    let comma = if begin == "{" { "" } else { "," };
    write!(target, "{begin}{comma}{}:[", Value::from(member))?;
    for (number, item) in items.enumerate() {
        if number > 0 {
            target.write_all(b",")?;
        }
        serde_json::to_writer(&mut *target, &item)?;
    }
    target.write_all(b"]}")?;
    target.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_what_it_is_made_of() {
        for (object, items) in
            [(json!({}), vec![]), (json!({ "a": [1] }), vec![json!(2), json!({ "b": "c" })])]
        {
            let mut text = Vec::new();
            write_document(&object, "list", items.clone().into_iter(), &mut text).expect("memory");
            let mut wanted = object.clone();
            wanted["list"] = items.into();
            assert_eq!(serde_json::from_slice::<Value>(&text).expect("JSON"), wanted);
        }
    }

    #[test]
    fn noise_is_refused_before_it_fills_the_memory() {
        let mut outlines = Outlines::new(0);
        (0..100usize).for_each(|y| outlines.row(&(0..100).map(|x| ((x + y) % 2) as u8).collect::<Vec<_>>()));
        assert!(check_memory(&outlines, 1 << 21).is_ok());
        let error = check_memory(&outlines, 1 << 16).expect_err("too much").to_string();
        assert!(error.contains("--memory"), "{error}");
    }
}
