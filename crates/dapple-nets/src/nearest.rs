//! Names that somebody may have meant.

/// The candidate with the smallest edit distance (Levenshtein 1966), if it is at most half the longer name.
///
/// ```
/// assert_eq!(dapple_nets::nearest("epoch", ["epochs", "batch"]), Some("epochs"));
/// assert_eq!(dapple_nets::nearest("colour", ["epochs", "batch"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(d, candidate)| 2 * d <= name.chars().count().max(candidate.chars().count()))
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, d) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("unet", "u-net", 1)] {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn far_names_are_not_proposed() {
        assert_eq!(nearest("u2-net", ["unet", "u2net", "segnet"]), Some("u2net"));
        assert_eq!(nearest("deeplabv3", ["unet", "u2net"]), None);
    }
}
