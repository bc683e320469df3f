//! Which samples are for training, for validation and for the test.

mod assign;
mod division;

pub use division::{DEFAULT_TRAIN_FRACTION, Fold, Split, SplitIndices, SplitSettings, train_count};
