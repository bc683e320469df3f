//! "Did you mean": naming the nearest allowed word for one that is not known.

use dapple_nets::nearest;

/// Adds the nearest key to serde's message about an unknown one, which lists the allowed words in backticks after the
/// offending one ("unknown field `epoch`, expected one of `epochs`, `batch`"); other messages stay as they are.
pub(crate) fn with_suggestion(message: String) -> String {
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
    fn serde_messages_get_the_nearest_key() {
        let message = "unknown field `leraning_rate`, expected one of `epochs`, `learning_rate`";
        assert!(with_suggestion(message.into()).ends_with("; did you mean `learning_rate`?"));
        let far = "unknown field `colour`, expected `epochs` or `batch`";
        assert_eq!(with_suggestion(far.into()), far);
        assert_eq!(with_suggestion("missing field `epochs`\n".into()), "missing field `epochs`");
    }
}
