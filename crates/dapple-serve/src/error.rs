//! Errors of starting a server.

use std::net::SocketAddr;

use dapple_base::InputFault;
use dapple_model::ModelError;

/// An error of starting a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Invalid settings.
    #[error("{0}")]
    Settings(String),
    /// A model that cannot be served.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The address is not available.
    #[error("cannot listen on {address}: {source}; choose another --port, or stop the program that uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The runtime cannot be started.
    #[error("the server's threads cannot be started: {0}")]
    Runtime(std::io::Error),
}

impl InputFault for ServeError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Settings(_) | Self::Listen { .. } => true,
            Self::Model(error) => error.is_input_fault(),
            Self::Runtime(_) => false,
        }
    }
}
