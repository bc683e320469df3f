//! How stores are talked to.

use std::time::Duration;

/// How stores are talked to.
#[derive(Clone, Debug)]
pub struct CloudSettings {
    /// Objects that are moved at the same time, at least 1.
    pub parallel: usize,
    /// Attempts after the first one, for requests, and again for the bodies of objects.
    pub retries: usize,
    /// The wait before the second attempt; each further one is about twice as long, with a random share, up to 15 seconds.
    pub first_wait: Duration,
    /// The longest time without a byte before a request counts as failed.
    pub patience: Duration,
    /// Larger files go up in parts of this many bytes, at least 5 MiB for S3; the memory for a file is four of them.
    pub part_bytes: usize,
    /// Settings of the store by the names of their environment variables, which they go before: `aws_endpoint_url` and the like.
    pub variables: Vec<(String, String)>,
}

impl Default for CloudSettings {
    fn default() -> Self {
        Self {
            parallel: 8,
            retries: 8,
            first_wait: Duration::from_millis(200),
            patience: Duration::from_secs(30),
            part_bytes: 16 << 20,
            variables: Vec::new(),
        }
    }
}

impl CloudSettings {
    /// The longest wait between two attempts.
    pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(15);

    /// A variable: given here, or of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let given = self.variables.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        given
            .map(|(_, value)| value.clone())
            .or_else(|| std::env::var(name).ok())
            .filter(|value| !value.is_empty())
    }

    /// The wait before the attempt `number`, from 1.
    pub(super) fn wait(&self, number: usize) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << number.saturating_sub(1).min(16));
        doubled.min(Self::LONGEST_WAIT)
    }
}
