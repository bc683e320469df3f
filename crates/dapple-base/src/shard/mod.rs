//! One piece of work on several machines: shares of a collection, who takes which, and whether all came together.

mod environment;
mod parts;
mod share;

pub use environment::{ShardChoice, ShardSource};
pub use parts::{PartsFault, ShardPart, join_parts};
pub use share::{Shard, ShardError, collection_fingerprint};
