//! What can keep weights from arriving.

use std::io;
use std::path::PathBuf;

/// Weights that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The environment names no folder for the cache.
    #[error("there is no folder for downloads: set DAPPLE_CACHE to one")]
    NoFolder,
    /// Not in the cache, and downloads are forbidden.
    #[error(
        "`{name}` is not in the cache, and downloads are switched off; get {url} on another machine and put it at {}",
        path.display()
    )]
    Offline {
        /// Name.
        name: &'static str,
        /// Where the file is published.
        url: String,
        /// Where it belongs.
        path: PathBuf,
    },
    /// The file in the cache is damaged, and downloads are forbidden.
    #[error(
        "{}: damaged (its SHA-256 is {found}), and downloads are switched off; get {url} on another machine and put \
         it there",
        path.display()
    )]
    DamagedOffline {
        /// The file.
        path: PathBuf,
        /// Its SHA-256.
        found: String,
        /// Where it is published.
        url: String,
    },
    /// The server could not be reached or spoke nonsense.
    #[error("{url}: {why}; check the network, or set HTTPS_PROXY where a proxy is needed")]
    Connection {
        /// Address.
        url: String,
        /// What happened.
        why: String,
    },
    /// The server refused.
    #[error("{url}: the server answered {status}; try again later, or get the file by hand and put it at {}", path.display())]
    Status {
        /// Address.
        url: String,
        /// Status code.
        status: u16,
        /// Where the file belongs.
        path: PathBuf,
    },
    /// A page for people came instead of the file, as from a login or a limit on downloads.
    #[error(
        "{url}: the server sent a web page, not the file; open the address in a browser and put the file at {}",
        path.display()
    )]
    WebPage {
        /// Address.
        url: String,
        /// Where the file belongs.
        path: PathBuf,
    },
    /// The connection broke again and again.
    #[error(
        "{url}: the connection broke after {received} bytes: {why}; what came is kept, try again to go on"
    )]
    Interrupted {
        /// Address.
        url: String,
        /// Bytes that have come so far.
        received: u64,
        /// What happened.
        why: String,
    },
    /// The content is not the published one.
    #[error(
        "{url}: the file that came is not the published one: its SHA-256 is {found}, that published begins with \
         {expected}; it was thrown away"
    )]
    Checksum {
        /// Address.
        url: String,
        /// Published digits.
        expected: &'static str,
        /// SHA-256 of what came.
        found: String,
    },
    /// Another program is downloading it.
    #[error("{}: another program is downloading this file; wait for it", .0.display())]
    Busy(PathBuf),
    /// `SSL_CERT_FILE` cannot be used.
    #[error("SSL_CERT_FILE {}: {why}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The operating system refused.
    #[error("{}: {source}; check the folder, its permissions and the free space", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl WeightsError {
    /// For `map_err` on operations with this file.
    pub(crate) fn io(path: &std::path::Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
