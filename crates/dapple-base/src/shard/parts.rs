//! Joining what the shares of a collection became: all of them, each once, of one collection and one kind of work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::share::Shard;
use crate::InputFault;

/// What a share says of itself, beside its results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardPart {
    /// The work, such as `score`.
    pub work: String,
    /// The share's number, from 1.
    pub number: usize,
    /// The number of all shares.
    pub count: usize,
    /// The number of items of the whole collection.
    pub items: usize,
    /// The fingerprint of the names of the whole collection.
    pub collection: String,
    /// The fingerprint of the settings that results depend on.
    pub settings: String,
    /// The places in the whole collection, from 0, of the share's items that have results.
    pub positions: Vec<usize>,
    /// The names of those that have none.
    pub failed: Vec<String>,
}

impl ShardPart {
    /// Its share.
    pub fn shard(&self) -> Option<Shard> {
        Shard::new(self.number, self.count).ok()
    }
}

/// Why shares do not make a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default())]
pub struct PartsFault {
    path: Option<PathBuf>,
    problem: String,
}

impl InputFault for PartsFault {
    fn is_input_fault(&self) -> bool {
        true
    }
}

fn fault<T>(path: &Path, problem: String) -> Result<T, PartsFault> {
    Err(PartsFault { path: Some(path.to_owned()), problem })
}

/// The most numbers that a message lists.
const LISTED: usize = 12;

/// Checks that parts make a whole, and gives the order of all results: for each the place of its part in `parts`, and its
/// place among that part's positions.
///
/// # Errors
/// [`PartsFault`], which names the file of a part that is foreign (of other work, settings, collection or division), that
/// is there twice, or whose items are not its share, and the numbers of those that are missing.
pub fn join_parts(parts: &[(PathBuf, ShardPart)]) -> Result<Vec<(usize, usize)>, PartsFault> {
    let Some((first_path, first)) = parts.first() else {
        return Err(PartsFault { path: None, problem: "there are no shards to join".to_owned() });
    };
    let mut owners: BTreeMap<usize, &Path> = BTreeMap::new();
    for (path, part) in parts {
        let other = first_path.display();
        let differs = |what: &str, cure: &str| fault(path, format!("{what} than {other}; {cure}"));
        if part.work != first.work {
            return differs("holds the results of other work", "join the files of one command");
        }
        if part.count != first.count {
            let (count, counted) = (part.count, first.count);
            return fault(
                path,
                format!(
                    "is one of {count} shards, but {other} one of {counted}; join the files of one division"
                ),
            );
        }
        if part.shard().is_none() {
            return fault(path, format!("{} of {} is no shard; make it anew", part.number, part.count));
        }
        if (part.items, &part.collection) != (first.items, &first.collection) {
            return fault(
                path,
                format!(
                    "is a shard of another collection ({} items) than {other} ({} items): files came or went between the \
                     shards; run them again over the same files",
                    part.items, first.items
                ),
            );
        }
        if part.settings != first.settings {
            return differs(
                "was made with other settings, models or another version",
                "run it again as the others",
            );
        }
        if let Some(earlier) = owners.insert(part.number, path) {
            let (number, count) = (part.number, part.count);
            return fault(
                path,
                format!(
                    "is shard {number} of {count}, and so is {}; leave one of them out",
                    earlier.display()
                ),
            );
        }
    }
    let missing: Vec<usize> = (1..=first.count).filter(|number| !owners.contains_key(number)).collect();
    if !missing.is_empty() {
        let mut shown: Vec<String> = missing.iter().take(LISTED).map(usize::to_string).collect();
        shown.extend((missing.len() > LISTED).then(|| "…".to_owned()));
        let shards = if missing.len() == 1 { "shard" } else { "shards" };
        let problem = format!(
            "{} of {} shards are there; missing: {shards} {}; run them, or name their files too",
            owners.len(),
            first.count,
            shown.join(", ")
        );
        return Err(PartsFault { path: None, problem });
    }
    let mut order: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let mut failed = 0;
    for (number, (path, part)) in parts.iter().enumerate() {
        failed += part.failed.len();
        for (place, &position) in part.positions.iter().enumerate() {
            let twice = order.insert(position, (number, place)).is_some();
            if twice || position >= first.items {
                return fault(path, "holds items that are not its share; make it anew".to_owned());
            }
        }
    }
    if order.len() + failed != first.items {
        let problem = format!(
            "the shards hold {} results and {failed} failures of {} items; make them anew",
            order.len(),
            first.items
        );
        return Err(PartsFault { path: None, problem });
    }
    Ok(order.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: usize, positions: &[usize]) -> (PathBuf, ShardPart) {
        let part = ShardPart {
            work: "score".to_owned(),
            number,
            count: 3,
            items: 5,
            collection: "c".to_owned(),
            settings: "s".to_owned(),
            positions: positions.to_vec(),
            failed: Vec::new(),
        };
        (PathBuf::from(format!("{number}.json")), part)
    }

    fn parts() -> Vec<(PathBuf, ShardPart)> {
        vec![part(2, &[4, 1]), part(1, &[0]), part(3, &[2, 3])]
    }

    #[test]
    fn results_come_in_the_order_of_the_whole() {
        assert_eq!(join_parts(&parts()), Ok(vec![(1, 0), (0, 1), (2, 0), (2, 1), (0, 0)]));
        let mut with_failure = parts();
        with_failure[1].1 = ShardPart { positions: vec![], failed: vec!["a".to_owned()], ..part(1, &[]).1 };
        assert_eq!(join_parts(&with_failure).map(|order| order.len()), Ok(4));
    }

    #[test]
    fn what_is_not_a_whole_is_refused_by_name() {
        type Change<'a> = &'a dyn Fn(&mut Vec<(PathBuf, ShardPart)>);
        let changed = |change: Change<'_>| {
            let mut parts = parts();
            change(&mut parts);
            join_parts(&parts).expect_err("not a whole").to_string()
        };
        for (error, words) in [
            (changed(&|parts| drop(parts.remove(0))), "2 of 3 shards are there; missing: shard 2;"),
            (changed(&|parts| parts.clear()), "no shards"),
            (
                changed(&|parts| parts.push((PathBuf::from("copy.json"), parts[0].1.clone()))),
                "copy.json: is shard 2 of 3",
            ),
            (changed(&|parts| parts[2].1.count = 4), "3.json: is one of 4 shards"),
            (changed(&|parts| parts[2].1.work = "predict".into()), "3.json: holds the results of other work"),
            (
                changed(&|parts| parts[2].1.collection = "d".into()),
                "3.json: is a shard of another collection",
            ),
            (changed(&|parts| parts[2].1.settings = "t".into()), "3.json: was made with other settings"),
            (changed(&|parts| parts[2].1.positions[0] = 1), "3.json: holds items that are not its share"),
            (changed(&|parts| parts[2].1.positions[0] = 5), "3.json: holds items that are not its share"),
            (changed(&|parts| parts[2].1.positions.truncate(1)), "4 results and 0 failures of 5"),
            (changed(&|parts| parts[2].1.number = 0), "3.json: 0 of 3 is no shard"),
        ] {
            assert!(error.contains(words), "no `{words}` in {error}");
        }
    }
}
