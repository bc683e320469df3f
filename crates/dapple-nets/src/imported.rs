//! Networks that came from files of other programs, in place of one of the registry.

use dapple_graph::Network;
use std::fmt;
use std::sync::Arc;

/// A network that was read from a file. It has no name in the registry, so that model files cannot describe it.
#[derive(Clone)]
pub struct ImportedNetwork(Arc<dyn Network>);

impl ImportedNetwork {
    /// Any network.
    pub fn new(network: impl Network + 'static) -> Self {
        Self(Arc::new(network))
    }

    /// The network itself.
    pub fn network(&self) -> &dyn Network {
        self.0.as_ref()
    }
}

impl fmt::Debug for ImportedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ImportedNetwork").field(&self.0.example_input()).finish()
    }
}

impl PartialEq for ImportedNetwork {
    /// The same one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
