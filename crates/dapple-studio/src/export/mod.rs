//! The labels of a folder in the forms of other programs, as ZIP archives.

mod archive;
mod coco;
mod cvat;
mod format;
mod labelme;
mod material;
mod palette;
mod shapes;
mod yolo;

pub use format::{Export, ExportFormat, export};
