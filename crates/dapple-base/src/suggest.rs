//! "Did you mean": the known name nearest to an unknown one.

/// The candidate with the smallest edit distance (Levenshtein 1966), if that is at most half the longer name's length; the
/// first of equals.
///
/// ```
/// assert_eq!(dapple_base::nearest("epoch", ["epochs", "batch"]), Some("epochs"));
/// assert_eq!(dapple_base::nearest("colour", ["epochs", "batch"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::levenshtein(name, candidate), candidate))
        .filter(|(d, candidate)| 2 * d <= name.chars().count().max(candidate.chars().count()))
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

/// Adds the nearest key to serde's message about an unknown one, which lists the allowed words in backticks after the
/// offending one ("unknown field `epoch`, expected one of `epochs`, `batch`"); other messages stay as they are.
pub fn with_suggestion(message: String) -> String {
    let listed =
        message.lines().find(|line| line.contains("unknown field") || line.contains("unknown variant"));
    let mut words = listed.unwrap_or_default().split('`').skip(1).step_by(2);
    let suggestion = words.next().and_then(|unknown| nearest(unknown, words));
    match suggestion {
        Some(word) => format!("{}; did you mean `{word}`?", message.trim_end()),
        None => message.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_names_are_not_proposed() {
        assert_eq!(nearest("u2-net", ["unet", "u2net", "segnet"]), Some("u2net"));
        assert_eq!(nearest("deeplabv3", ["unet", "u2net"]), None);
    }

    #[test]
    fn serde_messages_get_the_nearest_key() {
        let message = "unknown field `leraning_rate`, expected one of `epochs`, `learning_rate`";
        assert!(with_suggestion(message.into()).ends_with("; did you mean `learning_rate`?"));
        let far = "unknown field `colour`, expected `epochs` or `batch`";
        assert_eq!(with_suggestion(far.into()), far);
        assert_eq!(with_suggestion("missing field `epochs`\n".into()), "missing field `epochs`");
    }
}
