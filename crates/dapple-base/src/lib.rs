//! The ground that every other crate of dapple stands on. Nothing here reads an image or runs a network.
//!
//! - [`write_atomic`] and [`AtomicFile`]: files that appear whole or not at all.
//! - [`FolderLock`]: one writer a folder.
//! - [`ByteSize`] and [`TimeSpan`]: sizes and spans of time as people write them.
//! - [`nearest`]: "did you mean …?"; [`readable`] and [`json_fault`]: the errors of parsers in words of users.
//! - [`machine`]: the processor and the memory of this machine; [`clock`]: the time.
//! - [`StopFlag`]: asks a long computation to stop.
//! - [`contain`]: panics of libraries, as errors.
//! - [`DistanceTransform`]: exact Euclidean distances.
//! - [`Normalization`]: how pixel values become the input of a network.
//! - [`SampleKind`], [`ValueRange`] and [`TrainingImages`]: the values of pixels in files, and which of them are black and white.
//! - [`Size`]: height and width.
//! - [`InputFault`]: whether an error is the user's to mend.
//! - [`Shard`] and [`join_parts`]: shares of a collection on several machines, and the whole that they make.
//! - [`Digest`]: fingerprints of files and settings.
//! - [`open_regular`], [`read_regular`]: files that end, and no pipes or devices.
//! - [`Ranks`]: processes that work on one thing together, and the order of their sums.
//! - [`plain`], [`csv_cell`], [`file_part`]: names of other people's choice, made harmless.
//!
//! ```
//! use dapple_base::{ByteSize, TimeSpan, nearest};
//! assert_eq!("2GiB".parse(), Ok(ByteSize(2 << 30)));
//! assert_eq!("1h 30m".parse(), Ok(TimeSpan::seconds(5400)));
//! assert_eq!(nearest("unett", ["unet", "segnet"]), Some("unet"));
//! ```

mod atomic;
mod byte_size;
pub mod clock;
mod contain;
mod digest;
mod distance;
mod fault;
mod json;
mod lock;
pub mod machine;
mod normalization;
mod pixel_values;
mod plain;
mod ranks;
mod readable;
mod regular;
mod shard;
mod size;
mod stop;
mod suggest;
mod time_span;

pub use atomic::{AtomicFile, WriteError, remove_leftovers, write_atomic};
pub use byte_size::{ByteSize, ByteSizeError};
pub use contain::{PanicPlace, Panicked, contain, panic_place};
pub use digest::Digest;
pub use distance::DistanceTransform;
pub use fault::InputFault;
pub use json::json_fault;
pub use lock::{FolderLock, LockError};
pub use normalization::{IMAGENET_MEAN, IMAGENET_STD, Normalization};
pub use pixel_values::{BadRange, SampleKind, TrainingImages, ValueRange};
pub use plain::{csv_cell, file_part, plain, plain_name};
pub use ranks::{Alone, Ranks, RanksError, ThreadRank, share, thread_ranks};
pub use readable::readable;
pub use regular::{check_regular, open_regular, read_limited, read_regular};
pub use shard::{
    PartsFault, Shard, ShardChoice, ShardError, ShardPart, ShardSource, collection_fingerprint, join_parts,
};
pub use size::Size;
pub use stop::StopFlag;
pub use suggest::nearest;
pub use time_span::{TimeSpan, TimeSpanError};
