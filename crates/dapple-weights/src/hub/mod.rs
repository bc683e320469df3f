//! Models of the Hugging Face hub.
//!
//! A repository is named `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`. The first use asks the hub for the commit of the
//! revision and keeps it, so that later uses take the same files, whatever happens to the branch. Of the listing that the hub
//! gives, every file has a checksum: the SHA-256 of large files, Git's SHA-1 of small ones.
//!
//! In the cache, `hub/OWNER--NAME` has a folder for each commit with its files, `COMMIT.json` with the listing, and in `pins`
//! the commit of each revision.

mod client;
mod listing;
mod name;

pub use client::Hub;
pub use listing::{HubFile, Snapshot};
pub use name::HubName;
