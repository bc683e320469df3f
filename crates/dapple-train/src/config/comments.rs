//! The comments of `config.toml`: one for every key.

use super::catalogue::find;

/// Puts its comment above every key, with the reason where there is one.
pub(super) fn with_comments(toml: &str, reasons: &[(String, String)]) -> String {
    let mut text = String::from(
        "# Everything that is needed to repeat this training: dapple train --config THIS_FILE --out RUN\n",
    );
    let mut table = "";
    for line in toml.lines() {
        let key = if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
            Some(table.to_owned())
        } else {
            let key = line.split_once(" = ").map(|(key, _)| key);
            key.map(|key| if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") })
        };
        // The header of a value that is a table itself: `data.coding.binary`.
        let value =
            |key: &str| key.rsplit_once('.').filter(|_| line.starts_with('[')).and_then(|(key, _)| find(key));
        if let Some(setting) = key.as_deref().and_then(|key| find(key).or_else(|| value(key))) {
            text.extend(["# ", &setting.comment()]);
            if let Some((_, reason)) = reasons.iter().find(|(key, _)| *key == setting.key) {
                text.extend([" Chosen: ", reason, "."]);
            }
            text.push('\n');
        }
        text.extend([line, "\n"]);
    }
    text
}
