//! Names of repositories.

use crate::WeightsError;
use std::fmt;

/// The beginning of all names.
const SCHEME: &str = "hf://";

/// Most characters of each part.
const LONGEST: usize = 96;

/// The name of a repository of the hub, with the revision that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubName {
    owner: String,
    name: String,
    revision: Option<String>,
}

impl HubName {
    /// The name that a text stands for; `None` for a text that does not begin as such names do.
    ///
    /// ```
    /// use dapple_weights::HubName;
    /// let name = HubName::parse("hf://nvidia/mit-b0@main").expect("it begins with hf://")?;
    /// assert_eq!(name.to_string(), "hf://nvidia/mit-b0@main");
    /// assert!(HubName::parse("runs/horses").is_none());
    /// # Ok::<(), dapple_weights::WeightsError>(())
    /// ```
    ///
    /// # Errors
    /// [`WeightsError::HubName`] for parts that no repository or revision has.
    pub fn parse(text: &str) -> Option<Result<Self, WeightsError>> {
        let rest = text.strip_prefix(SCHEME)?;
        Some(Self::parts(rest).map_err(|why| WeightsError::HubName { text: text.to_owned(), why }))
    }

    fn parts(rest: &str) -> Result<Self, &'static str> {
        let (repository, revision) = match rest.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (rest, None),
        };
        let Some((owner, name)) = repository.trim_end_matches('/').split_once('/') else {
            return Err("the name of a model on the hub has two parts");
        };
        if !is_word(owner) || !is_word(name) {
            return Err("owner and name have letters, digits, `.`, `_` and `-`, and no more than 96 of them");
        }
        if revision.is_some_and(|revision| !revision.split('/').all(is_word) || revision.len() > LONGEST) {
            return Err("a revision has letters, digits, `.`, `_`, `-` and `/`, and no more than 96 of them");
        }
        let revision = revision.map(str::to_owned);
        Ok(Self { owner: owner.to_owned(), name: name.to_owned(), revision })
    }

    /// `OWNER/NAME`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The wanted branch, tag or commit; `main` if none was given.
    pub(super) fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The name of the repository's folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("{}--{}", self.owner, self.name)
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.owner, self.name)?;
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

/// Whether a text may be a part of an address and of a path: it leads to no other folder and needs no escapes.
pub(super) fn is_word(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !text.is_empty()
        && text.len() <= LONGEST
        && !text.starts_with(['.', '-'])
        && !text.contains("..")
        && text.bytes().all(is_allowed)
}

/// Whether a text is the whole name of a commit.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        let parsed = |text: &str| HubName::parse(text).expect("it begins with hf://");
        let name = parsed("hf://nvidia/segformer-b0@refs/pr/1").expect("a name");
        assert_eq!((name.repository().as_str(), name.revision()), ("nvidia/segformer-b0", "refs/pr/1"));
        assert_eq!(parsed("hf://a/b/").expect("a name").revision(), "main");
        for wrong in [
            "hf://",
            "hf://a",
            "hf://a/",
            "hf:///b",
            "hf://a/b/c",
            "hf://../b",
            "hf://a/..",
            "hf://a/b@",
            "hf://a/b@../c",
            "hf://a/b@/c",
            "hf://a/b@c d",
            "hf://a/b?c",
            "hf://a\\b/c",
            "hf://a/b@c@d",
            "hf://ä/b",
        ] {
            let error = parsed(wrong).expect_err(wrong).to_string();
            assert!(error.contains(wrong) && error.contains("OWNER/NAME"), "{error}");
        }
    }
}
