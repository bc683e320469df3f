//! The reference to a node.

/// Index of a node in its graph. Nodes stand in an order in which they can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);
