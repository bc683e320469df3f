//! Outputs of a prediction, one file each.
//!
//! An [`Output`] takes an image's rows in order, so that masks, overlays, probabilities and areas of images of any size
//! are written in memory for a few rows. Outlines take memory for their corners, cut-outs for strips of the image; both
//! are bounded.

mod areas;
mod background;
mod coco;
mod contours;
mod cutout;
mod factory;
mod ground;
mod image_info;
mod kind;
mod maps;
mod npy;
mod outlined;
mod painted;
mod palette;
mod pictures;
mod png_rows;
mod save;
mod settings;
mod sink;
mod target;

pub(crate) use areas::areas_rows;
pub use areas::{AREAS_HEADER, merge_areas};
pub use background::Background;
pub(crate) use coco::split_coco;
pub use coco::{coco_annotation, merge_coco};
pub(crate) use cutout::compose;
pub use factory::output;
pub use image_info::ImageInfo;
pub(crate) use image_info::rgb_profile;
pub use kind::{OutputFile, OutputKind, UnknownKind};
pub use palette::output_palette;
pub use settings::{CocoForm, MEMORY_OF_OUTPUTS, OutputSettings, ProbabilityFormat, Refine};
pub use sink::{Output, wants_of, write_all};
pub use target::Target;
