//! The formats of data sets, one module each: which files belong together and what the labels in them mean.
//!
//! A format is found by the folders and files that only it has ([`Format::probe`]), or named by the user. Its module
//! lists the samples ([`Record`]) and says how their masks are decoded; nothing is decoded here.

mod ade20k;
mod bitmaps;
mod camvid;
mod cityscapes;
pub(crate) mod class_table;
mod coco;
mod coco_json;
mod coco_names;
mod coco_polygons;
mod coco_stuff;
mod cvat_xml;
mod detect;
mod drive;
mod encodings;
mod folders;
mod foreign;
pub(crate) mod found;
mod geometry;
mod isic;
mod json;
mod kind;
mod label_studio;
mod label_studio_png;
mod labelme;
mod lists;
mod loveda;
pub(crate) mod manifest;
pub(crate) mod mask_files;
mod mask_names;
mod named;
mod nnunet;
mod one_folder;
mod pairs;
mod panoptic;
mod pets;
mod run_lengths;
mod several;
mod similar;
pub(crate) mod stems;
mod supervisely;
pub(crate) mod unread;
mod unread_kinds;
mod via;
mod voc;
pub(crate) mod walk;
mod yolo;

pub use kind::{Format, UnknownFormat};
