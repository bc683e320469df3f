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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_names_are_not_proposed() {
        assert_eq!(nearest("u2-net", ["unet", "u2net", "segnet"]), Some("u2net"));
        assert_eq!(nearest("deeplabv3", ["unet", "u2net"]), None);
    }
}
