//! The settings of runs, and their differences.

use serde::Serialize;

/// A setting that is not the same in two runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name, such as `network.width`.
    pub key: String,
    /// Its value in the first run; `None` if it is not set there.
    pub first: Option<String>,
    /// In the second.
    pub second: Option<String>,
}

/// The settings of two `config.toml` that differ, in the order of the first.
pub fn differences(first: &str, second: &str) -> Vec<Difference> {
    let (first, second) = (settings(first), settings(second));
    let find = |all: &[(String, String)], key: &str| {
        all.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    let mut keys: Vec<&String> = first.iter().map(|(key, _)| key).collect();
    keys.extend(second.iter().map(|(key, _)| key).filter(|key| first.iter().all(|(name, _)| name != *key)));
    keys.into_iter()
        .map(|key| Difference { key: key.clone(), first: find(&first, key), second: find(&second, key) })
        .filter(|difference| difference.first != difference.second)
        .collect()
}

/// The settings by their full names; none if the text is not TOML.
pub(super) fn settings(text: &str) -> Vec<(String, String)> {
    fn flatten(prefix: &str, value: &toml::Value, out: &mut Vec<(String, String)>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    flatten(&key, value, out);
                }
            }
            toml::Value::String(text) => out.push((prefix.to_owned(), text.clone())),
            value => out.push((prefix.to_owned(), value.to_string())),
        }
    }
    let mut all = Vec::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        flatten("", &toml::Value::Table(table), &mut all);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_differ_are_named_in_full() {
        let first = "seed = 1\n[network]\nname = \"unet\"\nwidth = 8\n";
        let second = "seed = 1\nclip = 2.5\n[network]\nname = \"segnet\"\nwidth = 8\n";
        let named = |key: &str, first: Option<&str>, second: Option<&str>| Difference {
            key: key.into(),
            first: first.map(String::from),
            second: second.map(String::from),
        };
        assert_eq!(
            differences(first, second),
            [named("network.name", Some("unet"), Some("segnet")), named("clip", None, Some("2.5"))]
        );
        assert!(differences(first, first).is_empty());
        assert!(settings("no [ toml").is_empty());
    }
}
