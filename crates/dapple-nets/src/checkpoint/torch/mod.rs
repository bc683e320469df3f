//! Reader of the files of `torch.save`.

mod archive;
mod objects;
mod pickle;
mod stack;
mod tensors;
mod value;

pub(super) use archive::{LEGACY, ZIP, is_torch, read_legacy, read_zip};
