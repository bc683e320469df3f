//! Addresses of objects, folders and patterns.

use std::fmt;
use std::str::FromStr;

use glob::{MatchOptions, Pattern};

use crate::error::CloudError;

/// The kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A web server, which is only read.
    Https,
    /// A web server on this machine, which is only read.
    Http,
}

impl Scheme {
    const ALL: [(Self, &'static str); 5] = [
        (Self::S3, "s3://"),
        (Self::Gcs, "gs://"),
        (Self::Azure, "az://"),
        (Self::Https, "https://"),
        (Self::Http, "http://"),
    ];

    /// What addresses begin with.
    pub fn prefix(self) -> &'static str {
        Self::ALL.iter().find(|(scheme, _)| *scheme == self).map_or("", |(_, prefix)| prefix)
    }

    /// Whether it is a web server, which has no list of its objects and takes none.
    pub fn is_web(self) -> bool {
        matches!(self, Self::Https | Self::Http)
    }
}

/// Whether a text is an address rather than a path: a scheme of letters and `://`.
pub fn is_address(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// An address: a store, a bucket (container, host), and the key of an object, of a folder, or a pattern of keys (`*`, `?`,
/// `[a-z]` within a name, `**` for any folders). It holds no credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    scheme: Scheme,
    bucket: String,
    key: String,
}

impl Location {
    /// The kind of store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket, the container, or the host with its port.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key, without a `/` at its beginning and end.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Another object of the same bucket.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.trim_matches('/').to_owned(), ..self.clone() }
    }

    /// An object below this folder.
    #[must_use]
    pub fn join(&self, below: &str) -> Self {
        let slash = if self.key.is_empty() { "" } else { "/" };
        self.with_key(&format!("{}{slash}{below}", self.key))
    }

    /// Whether the key is a pattern. Web servers have none: `*` stands for itself in their addresses.
    pub fn is_pattern(&self) -> bool {
        !self.scheme.is_web() && self.key.contains(['*', '?', '['])
    }

    /// The folder in which all objects of a pattern lie, or the key itself.
    pub fn folder(&self) -> &str {
        if !self.is_pattern() {
            return &self.key;
        }
        let wild = self.key.find(['*', '?', '[']).unwrap_or(self.key.len());
        self.key[..wild].rfind('/').map_or("", |slash| &self.key[..slash])
    }

    /// Whether a pattern matches a key; without one, whether it is this key or lies below it.
    pub fn matches(&self, key: &str) -> bool {
        if self.is_pattern() {
            let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
            return Pattern::new(&self.key).is_ok_and(|pattern| pattern.matches_with(key, options));
        }
        self.key.is_empty()
            || key.strip_prefix(&self.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The part of a key below this folder, or the pattern's; the name alone where it is the key itself.
    pub fn below<'a>(&self, key: &'a str) -> &'a str {
        let rest = key.strip_prefix(self.folder()).map(|rest| rest.trim_start_matches('/'));
        match rest {
            Some(rest) if !rest.is_empty() => rest,
            _ => key.rsplit('/').next().unwrap_or(key),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", self.scheme.prefix(), self.bucket, self.key)
    }
}

impl FromStr for Location {
    type Err = CloudError;

    fn from_str(text: &str) -> Result<Self, CloudError> {
        // Of an address with credentials, only what stands behind them is repeated.
        let shown = match text.split_once("://") {
            Some((scheme, rest)) => {
                let rest = rest.split('?').next().unwrap_or(rest);
                let host = rest.split('/').next().unwrap_or(rest);
                format!("{scheme}://{}", &rest[host.rfind('@').map_or(0, |at| at + 1)..])
            }
            None => text.to_owned(),
        };
        let wrong =
            |problem: &str| Err(CloudError::Address { address: shown.clone(), problem: problem.to_owned() });
        let known =
            Scheme::ALL.iter().find_map(|(scheme, prefix)| Some((*scheme, text.strip_prefix(prefix)?)));
        let Some((scheme, rest)) = known else {
            return wrong("no address that is known; give s3://, gs://, az://, or https:// to read");
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') {
            return wrong(
                "credentials do not belong in an address, where others see them; set them in the environment",
            );
        }
        let name =
            if scheme.is_web() { bucket.rsplit_once(':').map_or(bucket, |(host, _)| host) } else { bucket };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b)) {
            return wrong(
                "the name of the bucket, container or host is missing or wrong; give it as s3://bucket/folder",
            );
        }
        if scheme == Scheme::Http && !["localhost", "127.0.0.1", "[::1]"].contains(&name) {
            return wrong("without encryption, only this machine is read; give https://");
        }
        if scheme.is_web() && rest.contains(['?', '#']) {
            return wrong(
                "addresses with a query are not read, since it may hold a secret; download the file first",
            );
        }
        let location = Self { scheme, bucket: bucket.to_owned(), key: key.trim_matches('/').to_owned() };
        if location.key.split('/').any(|part| matches!(part, "." | "..")) || location.key.contains("//") {
            return wrong("the key has a part that is empty, `.` or `..`; name it without");
        }
        if location.is_pattern()
            && let Err(error) = Pattern::new(&location.key)
        {
            return wrong(&format!("not a valid pattern: {}", error.msg));
        }
        Ok(location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Location {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn addresses_have_a_bucket_and_a_key() {
        for (text, scheme, bucket, key) in [
            ("s3://b/a/c.png", Scheme::S3, "b", "a/c.png"),
            ("s3://b", Scheme::S3, "b", ""),
            ("gs://b.c/folder/", Scheme::Gcs, "b.c", "folder"),
            ("az://c/größe ä.png", Scheme::Azure, "c", "größe ä.png"),
            ("https://host:8443/a/b.png", Scheme::Https, "host:8443", "a/b.png"),
            ("http://127.0.0.1:80/x", Scheme::Http, "127.0.0.1:80", "x"),
        ] {
            let location = of(text);
            assert_eq!((location.scheme(), location.bucket(), location.key()), (scheme, bucket, key));
            assert_eq!(of(&location.to_string()), location);
        }
        assert!(
            is_address("s3://x") && is_address("ftp://x") && !is_address("C:\\x") && !is_address("a/b://c")
        );
        assert!(!is_address("photos/x.png") && !is_address("://"));
        assert_eq!(of("s3://b/out/").join("a/b.png").to_string(), "s3://b/out/a/b.png");
        assert_eq!(of("s3://b").join("a.png").to_string(), "s3://b/a.png");
    }

    #[test]
    fn wrong_addresses_are_refused_without_their_credentials() {
        for (text, words) in [
            ("ftp://host/x", "s3://, gs://"),
            ("s3://", "bucket"),
            ("s3:///key", "bucket"),
            ("s3://me:hunter2@b/key", "credentials"),
            ("https://me:hunter2@host/key", "credentials"),
            ("https://host/x?token=hunter2", "query"),
            ("http://example.org/x", "https://"),
            ("s3://b/a/../c", "`..`"),
            ("s3://b/a//c", "empty"),
            ("s3://b/a/[", "pattern"),
        ] {
            let error = text.parse::<Location>().expect_err(text).to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn patterns_match_within_folders() {
        let pattern = of("s3://b/p/2024-*/**/*.tif");
        assert_eq!((pattern.is_pattern(), pattern.folder()), (true, "p"));
        for (key, holds) in [
            ("p/2024-05/a.tif", true),
            ("p/2024-05/x/y/a.tif", true),
            ("p/2024-05/a.png", false),
            ("q/2024-05/a.tif", false),
        ] {
            assert_eq!(pattern.matches(key), holds, "{key}");
        }
        assert!(!of("s3://b/*.png").matches("x/a.png") && of("s3://b/*.png").matches("a.png"));
        let folder = of("s3://b/a");
        assert!(folder.matches("a/x.png") && folder.matches("a") && !folder.matches("ab/x.png"));
        assert_eq!((folder.below("a/x/y.png"), of("s3://b/a.png").below("a.png")), ("x/y.png", "a.png"));
        assert_eq!(pattern.below("p/2024-05/a.tif"), "2024-05/a.tif");
        assert!(!of("https://h/a*b.png").is_pattern());
    }
}
