//! The formats of data sets, one module each: which files belong together and what the labels in them mean.
//!
//! A format is found by the folders and files that only it has ([`Format::probe`]), or named by the user. Its module
//! lists the samples ([`Record`]) and says how their masks are decoded; nothing is decoded here.

mod ade20k;
mod camvid;
mod cityscapes;
pub(crate) mod class_table;
mod coco;
mod coco_names;
mod coco_stuff;
mod detect;
mod folders;
pub(crate) mod found;
mod kind;
mod labelme;
mod lists;
pub(crate) mod mask_files;
mod panoptic;
mod voc;
pub(crate) mod walk;

pub use kind::{Format, UnknownFormat};
