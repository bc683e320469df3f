//! Reader of the files of `torch.save`.

mod archive;
mod pickle;
mod tensors;
mod value;

pub(super) use archive::{LEGACY, ZIP, read_legacy, read_zip};
