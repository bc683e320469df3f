//! Errors of object storage, worded so that the reader can act on them, and without credentials.

use std::path::PathBuf;

use dapple_base::{InputFault, WriteError};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// An address that cannot be used.
    #[error("{address}: {problem}")]
    Address {
        /// The address, without credentials.
        address: String,
        /// The problem and its cure.
        problem: String,
    },
    /// No object where one is named.
    #[error("{address}: there is no such object, and no folder of this name; check the address")]
    Absent {
        /// The address.
        address: String,
    },
    /// Access refused, or no credentials.
    #[error(
        "{address}: access refused: {reason}; check the credentials (for s3://, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
         AWS_PROFILE or the machine's role; for gs://, GOOGLE_APPLICATION_CREDENTIALS; for az://, AZURE_STORAGE_ACCOUNT_NAME \
         and _KEY) and their rights"
    )]
    Refused {
        /// The address.
        address: String,
        /// The store's answer.
        reason: String,
    },
    /// An object that changed while it was read.
    #[error("{address}: changed while it was read; run the command again when nobody writes it")]
    Changed {
        /// The address.
        address: String,
    },
    /// A fault that stayed after all attempts.
    #[error(
        "{address}: {reason}, also after several attempts; check the network and the store, then run the command again"
    )]
    Fault {
        /// The address.
        address: String,
        /// The last reason.
        reason: String,
    },
    /// A local file that could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A local file that could not be written.
    #[error(transparent)]
    File(#[from] WriteError),
    /// A client that could not be started.
    #[error("object storage cannot be used: {0}")]
    Start(String),
}

impl InputFault for CloudError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Address { .. } | Self::Absent { .. } | Self::Refused { .. } => true,
            Self::Changed { .. }
            | Self::Fault { .. }
            | Self::Read { .. }
            | Self::File(_)
            | Self::Start(_) => false,
        }
    }
}

/// The most characters of a store's answer in a message.
const SHOWN: usize = 300;

/// A message of a store on one line, shortened, without what may hold secrets: users and queries of addresses, and keys, tokens and
/// signatures by their names.
pub fn without_secrets(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown += &harmless_word(word);
    }
    if shown.chars().count() > SHOWN {
        shown = shown.chars().take(SHOWN).collect();
        shown.push('…');
    }
    shown
}

/// Parts of names, in lower case, whose values are left out.
const SECRET: [&str; 8] =
    ["key", "token", "signature", "secret", "password", "credential", "authorization", "bearer"];

fn harmless_word(word: &str) -> String {
    let mut word = word.to_owned();
    // An address: no user, no query.
    if let Some(at) = word.find("://") {
        let start = at + 3;
        let end =
            word[start..].find(['/', '?', '#', '"', '\'', ')', '>']).map_or(word.len(), |end| start + end);
        if let Some(user) = word[start..end].rfind('@') {
            word.replace_range(start..=start + user, "");
        }
        if let Some(query) = word.find('?') {
            word.truncate(query);
            word.push_str("?…");
        }
    }
    // NAME=value, "name":"value", <Name>value</Name>
    let lower = word.to_lowercase();
    let is_secret = |name: &str| SECRET.iter().any(|secret| name.contains(secret));
    match lower.find(['=', ':', '>']) {
        Some(place)
            if !lower[place..].starts_with("://") && is_secret(&lower[..place]) && place + 1 < word.len() =>
        {
            word.truncate(place + 1);
            word.push('…');
        }
        _ => {}
    }
    // The store's own documents hold more of them.
    match word.to_lowercase() {
        lower if lower.matches('<').count() > 1 && is_secret(&lower) => "…".to_owned(),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_secrets() {
        for (text, wanted) in [
            ("GET https://me:pw@host/a?X-Amz-Signature=abc failed", "GET https://host/a?… failed"),
            ("error (https://h/c?sig=abc)", "error (https://h/c?…"),
            ("AWS_SECRET_ACCESS_KEY=abc x", "AWS_SECRET_ACCESS_KEY=… x"),
            ("{\"token\":\"abc\"} \n\n  y", "{\"token\":… y"),
            ("<Code>No</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId>", "…"),
            ("s3://bucket/key: 503 Service Unavailable", "s3://bucket/key: 503 Service Unavailable"),
        ] {
            assert_eq!(without_secrets(text), wanted);
        }
        assert!(without_secrets(&"x".repeat(1000)).chars().count() == SHOWN + 1);
    }
}
