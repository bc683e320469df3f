//! The settings of a server: address, limits, key, origins.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use dapple_base::machine;

use crate::bounds::pace::Pace;
use crate::error::ServeError;

/// The least memory for requests that is taken if there is as much.
const LEAST_MEMORY: u64 = 256 << 20;
/// The default where it does not, and the most that is taken unless asked for.
const MOST_MEMORY: u64 = 4 << 30;

/// Limits that bound memory and time whatever arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// The largest image, in pixels; the header is checked before anything is decoded.
    pub pixels: u64,
    /// The longest time for a request, from its first byte to the first one of its response.
    pub time: Duration,
    /// In-flight prediction requests; further ones are refused with 429.
    pub queue: usize,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// The share of connections, in-flight requests and memory that one address can hold, 0 to 1.
    pub peer_share: f64,
    /// The memory for all requests together, in bytes: bodies, images, and everything made of them.
    pub memory_bytes: u64,
    /// The least bytes a second that a client sends and takes, on average; who is slower for longer than `patience` loses the
    /// connection.
    pub min_rate: u64,
    /// The longest time that a client sends or takes nothing.
    pub patience: Duration,
    /// The largest number of images in a batch of a network.
    pub batch: usize,
    /// The longest time that an image waits for others to join its batch.
    pub batch_delay: Duration,
    /// Images that are decoded, and results that are encoded, at a time.
    pub workers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            pixels: 50_000_000,
            time: Duration::from_secs(60),
            queue: 32,
            connections: 512,
            peer_share: 0.75,
            memory_bytes: default_memory(machine::memory_limit()),
            min_rate: 8 << 10,
            patience: Duration::from_secs(10),
            batch: 4,
            batch_delay: Duration::from_millis(2),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

/// Half of the memory that the process may use; of little, more.
fn default_memory(obtainable: Option<u64>) -> u64 {
    let least = |bytes: u64| LEAST_MEMORY.min(bytes / 4 * 3);
    obtainable.map_or(MOST_MEMORY, |bytes| (bytes / 2).clamp(least(bytes), MOST_MEMORY))
}

impl Limits {
    pub(crate) fn pace(&self) -> Pace {
        Pace { min_rate: self.min_rate, patience: self.patience }
    }

    /// The memory for bodies and for the work on them. One address can send the largest body.
    ///
    /// # Errors
    /// [`ServeError::Settings`] if the largest body does not fit.
    pub(crate) fn memory_parts(&self) -> Result<(u64, u64), ServeError> {
        let least = (BODY_COPIES * self.body_bytes as u64) as f64 / self.peer_share;
        let bodies = (self.memory_bytes / 4).max(least.ceil() as u64);
        if bodies > self.memory_bytes / 2 {
            return Err(ServeError::Settings(format!(
                "bodies of {} MiB need at least {} MiB of memory for requests, and there are {}; lower --max-body, or \
                 raise --memory",
                self.body_bytes >> 20,
                (2 * bodies) >> 20,
                self.memory_bytes >> 20
            )));
        }
        Ok((bodies, self.memory_bytes - bodies))
    }
}

/// How often the bytes of a form or a JSON body are held while the image is taken out of it, at most.
pub(crate) const BODY_COPIES: u64 = 3;

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The address to listen on.
    pub address: SocketAddr,
    /// Its limits.
    pub limits: Limits,
    /// The key that requests must carry, as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
    pub api_key: Option<String>,
    /// Origins whose web pages may use the API, such as `https://example.org`.
    pub cors: Vec<String>,
    /// Names, besides those of this machine, under which a server on the loopback interface is asked: that of a reverse proxy.
    pub host_names: Vec<String>,
    /// Hosts that images may be fetched from, as `example.org` or `*.example.org`; none by default.
    pub url_hosts: Vec<String>,
}

impl Default for ServeConfig {
    /// On the loopback interface, port 8080.
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            limits: Limits::default(),
            api_key: None,
            cors: Vec::new(),
            host_names: Vec::new(),
            url_hosts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_memory_is_for_requests() {
        assert_eq!(default_memory(None), 4 << 30);
        assert_eq!(default_memory(Some(3 << 30)), 3 << 29);
        assert_eq!(default_memory(Some(64 << 30)), 4 << 30);
        assert_eq!(default_memory(Some(400 << 20)), 256 << 20);
        assert_eq!(default_memory(Some(100 << 20)), 75 << 20);
    }

    #[test]
    fn the_largest_body_fits_into_the_memory_for_bodies() {
        let limits = Limits { memory_bytes: 1 << 30, body_bytes: 32 << 20, ..Limits::default() };
        assert_eq!(limits.memory_parts().expect("they fit"), (256 << 20, 768 << 20));
        let error =
            Limits { body_bytes: 200 << 20, ..limits }.memory_parts().expect_err("too large").to_string();
        assert!(error.contains("--max-body") && error.contains("--memory"), "{error}");
    }
}
