//! The settings of a server: address, limits, key, origins.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Limits that bound memory and time whatever arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// The largest image, in pixels; the header is checked before anything is decoded.
    pub pixels: u64,
    /// The longest time for a request, from its first byte to its response.
    pub time: Duration,
    /// In-flight prediction requests; further ones are refused with 429.
    pub queue: usize,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
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
            batch: 4,
            batch_delay: Duration::from_millis(2),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

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
}

impl Default for ServeConfig {
    /// On the loopback interface, port 8080.
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            limits: Limits::default(),
            api_key: None,
            cors: Vec::new(),
        }
    }
}
