//! A share of a collection: which items it has is a function of their names and of the number of shares alone.

use std::fmt;
use std::str::FromStr;

use crate::Digest;

/// The most shares of a collection.
const MOST: usize = 1_000_000;

/// One of several shares, counted from 1.
///
/// An item belongs to the share `1 + h mod count`, where `h` is the number of the first 16 hexadecimal digits of
/// [`Digest`] of its name. Every item is in one share, whatever the order and the number of the others, so that a share
/// that is begun again has the same items, also after others were added.
///
/// ```
/// use dapple_base::Shard;
/// let third: Shard = "3/8".parse()?;
/// assert_eq!((third.number(), third.count(), third.suffix()), (3, 8, "-3-of-8".to_owned()));
/// let shares = (1..=8).map(|number| Shard::new(number, 8)).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(shares.iter().filter(|shard| shard.holds("a/photo")).count(), 1);
/// # Ok::<(), dapple_base::ShardError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    count: usize,
}

/// A share that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share of a collection; shares are counted from 1: 1/8 to 8/8 for 8 of them")]
pub struct ShardError(String);

impl Shard {
    /// The share `number` of `count`, counted from 1.
    ///
    /// # Errors
    /// [`ShardError`] unless `number` is from 1 to `count`, and `count` at most a million.
    pub fn new(number: usize, count: usize) -> Result<Self, ShardError> {
        if (1..=MOST).contains(&count) && (1..=count).contains(&number) {
            Ok(Self { number, count })
        } else {
            Err(ShardError(format!("{number}/{count}")))
        }
    }

    /// Its number, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// The number of all shares.
    pub fn count(self) -> usize {
        self.count
    }

    /// Whether the item of this name belongs to it.
    pub fn holds(self, name: &str) -> bool {
        let mut digest = Digest::new();
        digest.part(name.as_bytes());
        let text = digest.text();
        let hash = u64::from_str_radix(&text[..16], 16).expect("16 hexadecimal digits");
        hash % self.count as u64 == self.number as u64 - 1
    }

    /// What the names of its files have before their extension: `-3-of-8`.
    pub fn suffix(self) -> String {
        format!("-{}-of-{}", self.number, self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let wrong = || ShardError(text.to_owned());
        let (number, count) = text.split_once('/').ok_or_else(wrong)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(digits(number) && digits(count)) {
            return Err(wrong());
        }
        let (number, count) = (number.parse().map_err(|_| wrong())?, count.parse().map_err(|_| wrong())?);
        Self::new(number, count).map_err(|_| wrong())
    }
}

/// The fingerprint of a collection: the names of its items in order.
pub fn collection_fingerprint<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Digest::new();
    for name in names {
        digest.part(name.as_bytes());
    }
    digest.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_share_and_the_shares_are_even() {
        let names: Vec<String> = (0..4000).map(|i| format!("folder/{i}")).collect();
        for count in [1, 2, 7, 64] {
            let shares: Vec<Shard> = (1..=count).map(|n| Shard::new(n, count).expect("a share")).collect();
            let mut sizes = vec![0_usize; count];
            for name in &names {
                let holders: Vec<usize> = (0..count).filter(|&i| shares[i].holds(name)).collect();
                assert_eq!(holders.len(), 1, "{name} of {count}");
                sizes[holders[0]] += 1;
            }
            // Five standard deviations of a fair draw.
            let mean = 4000.0 / count as f64;
            let far = sizes.iter().any(|&size| (size as f64 - mean).abs() > 5.0 * mean.sqrt());
            assert!(!far, "{sizes:?}");
        }
    }

    #[test]
    fn the_share_of_a_name_never_changes() {
        // SHA-256 of the length 8 in 8 bytes, lowest first, and the name; computed by Python's hashlib.
        let of = |name: &str| (1..=64).find(|&n| Shard::new(n, 64).expect("a share").holds(name));
        assert_eq!((of("photo001"), of("photo002"), of("a/photo0")), (Some(27), Some(64), Some(47)));
    }

    #[test]
    fn shares_are_counted_from_one() {
        assert_eq!("3/64".parse::<Shard>().map(|shard| shard.suffix()), Ok("-3-of-64".to_owned()));
        for wrong in
            ["0/4", "5/4", "1/0", "1", "", "/", "1/", "+1/4", "-1/4", "1/4/5", "1 / 4", "a/b", "1/1000001"]
        {
            let error = wrong.parse::<Shard>().expect_err(wrong).to_string();
            assert!(error.contains("counted from 1"), "{error}");
        }
    }
}
