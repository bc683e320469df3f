//! Errors of the store.

use dapple_base::{InputFault, WriteError};
use std::io;
use std::path::PathBuf;

/// Weights that are not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The user has no home folder, and no cache folder is set.
    #[error("there is no cache folder for downloads: set DAPPLE_CACHE to one")]
    NoFolder,
    /// Not in the cache, and downloads are forbidden.
    #[error(
        "`{name}` is not in the cache, and downloads are switched off; download {url} on another machine and put it at {}",
        path.display()
    )]
    Offline {
        /// Name.
        name: &'static str,
        /// Address of the file.
        url: String,
        /// Its place in the cache.
        path: PathBuf,
    },
    /// The file in the cache is damaged, and downloads are forbidden.
    #[error(
        "{}: damaged (its checksum is {found}), and downloads are switched off; download {url} on another machine \
         and put it there",
        path.display()
    )]
    DamagedOffline {
        /// The file.
        path: PathBuf,
        /// Its checksum, of the publisher's kind.
        found: String,
        /// Address of the file.
        url: String,
    },
    /// The server could not be reached, or its response is not HTTP.
    #[error("{url}: {why}; check the network, or set HTTPS_PROXY where a proxy is needed")]
    Connection {
        /// Address.
        url: String,
        /// Reason.
        why: String,
    },
    /// The server answered with an error status.
    #[error("{url}: the server answered {status}; try again later, or download the file by hand and put it at {}", path.display())]
    Status {
        /// Address.
        url: String,
        /// Status code.
        status: u16,
        /// Place of the file in the cache.
        path: PathBuf,
    },
    /// The server sent a web page instead of the file, such as a login page or a notice of a download limit.
    #[error(
        "{url}: the server sent a web page, not the file; open the address in a browser and put the file at {}",
        path.display()
    )]
    WebPage {
        /// Address.
        url: String,
        /// Place of the file in the cache.
        path: PathBuf,
    },
    /// The connection broke repeatedly.
    #[error(
        "{url}: the connection broke after {received} bytes: {why}; they are kept, run the command again to resume"
    )]
    Interrupted {
        /// Address.
        url: String,
        /// Bytes received so far.
        received: u64,
        /// Reason.
        why: String,
    },
    /// The content is not the published one.
    #[error(
        "{url}: the downloaded file is not the published one: its checksum is {found}, the published one begins with \
         {expected}; the download was deleted"
    )]
    Checksum {
        /// Address.
        url: String,
        /// Published digits.
        expected: String,
        /// Checksum of the download, of the publisher's kind.
        found: String,
    },
    /// The server sent more than the file has.
    #[error("{url}: the server sent more than the {most} bytes that the file has; the download was deleted")]
    TooLong {
        /// Address.
        url: String,
        /// Published size in bytes.
        most: u64,
    },
    /// Not the name of a repository of the hub.
    #[error(
        "{text}: {why}; write it as hf://OWNER/NAME, or hf://OWNER/NAME@REVISION with a branch, a tag or a commit"
    )]
    HubName {
        /// The text.
        text: String,
        /// Reason.
        why: &'static str,
    },
    /// The address of the hub is none.
    #[error("HF_ENDPOINT is {0}, which is no address of a hub; write it as https://HOST")]
    HubEndpoint(String),
    /// A repository of the hub is not in the cache, and downloads are forbidden.
    #[error(
        "{name}: {file} is not in the cache, and downloads are switched off; get it on a machine with a network and copy the \
         folder {} from there",
        folder.display()
    )]
    HubOffline {
        /// Name of the repository.
        name: String,
        /// What is missing.
        file: String,
        /// The repository's folder in the cache.
        folder: PathBuf,
    },
    /// The hub does not give the repository, or a file of it.
    #[error(
        "{name}: the hub {endpoint} answered {status}: there is no such repository or revision, or it is open to its members only; \
         check the name, accept its conditions on its page, and set HF_TOKEN to a token that may read it{}",
        kept_back_note(*kept_back)
    )]
    HubRefused {
        /// Name of the repository.
        name: String,
        /// Address of the hub.
        endpoint: String,
        /// Status code.
        status: u16,
        /// Whether a token was kept back from an unencrypted connection.
        kept_back: bool,
    },
    /// The hub's answer about a repository cannot be used.
    #[error("{url}: the hub's answer cannot be used: {why}")]
    HubAnswer {
        /// Address.
        url: String,
        /// Reason.
        why: String,
    },
    /// The repository has no such file.
    #[error("{name}: commit {commit} has no file {file}")]
    HubFile {
        /// Name of the repository.
        name: String,
        /// Commit.
        commit: String,
        /// File name.
        file: String,
    },
    /// Another process is downloading the file.
    #[error("{}: another process is downloading this file; wait for it", .0.display())]
    Busy(PathBuf),
    /// The file of certificate authorities cannot be used.
    #[error("{}: certificate authorities cannot be read: {why}; set SSL_CERT_FILE to a PEM file", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Reason.
        why: String,
    },
    /// The address of the proxy is not valid.
    #[error("the proxy address {address} is not valid: {why}; write it as http://HOST:PORT")]
    Proxy {
        /// Address.
        address: String,
        /// Reason.
        why: String,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file or folder could not be read or written.
    #[error("{}: {source}; check the folder, its permissions and the free space", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// The end of the message about a repository that is refused.
fn kept_back_note(kept_back: bool) -> &'static str {
    if kept_back { " (HF_TOKEN is set, but is not sent to an address without https)" } else { "" }
}

impl InputFault for WeightsError {
    /// Settings that the user can change are at fault; networks, servers and disks are not.
    fn is_input_fault(&self) -> bool {
        match self {
            Self::NoFolder
            | Self::Offline { .. }
            | Self::DamagedOffline { .. }
            | Self::HubName { .. }
            | Self::HubEndpoint(_)
            | Self::HubOffline { .. }
            | Self::HubRefused { .. }
            | Self::HubFile { .. }
            | Self::Certificates { .. }
            | Self::Proxy { .. } => true,
            Self::Connection { .. }
            | Self::Status { .. }
            | Self::WebPage { .. }
            | Self::Interrupted { .. }
            | Self::Checksum { .. }
            | Self::TooLong { .. }
            | Self::HubAnswer { .. }
            | Self::Busy(_)
            | Self::Write(_)
            | Self::Io { .. } => false,
        }
    }
}

impl WeightsError {
    /// For `map_err` on operations with this file.
    pub(crate) fn io(path: &std::path::Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
