//! Pictures of a training run: learning curves, panels of single images, and mask strips.
//!
//! Everything is drawn in memory and returned as an [`RgbImage`]; [`save_png`] writes it. Text is set in an embedded
//! typeface (Noto Sans), so no font has to be installed and a picture is the same on every machine.
//!
//! - [`Curves`]: loss and scores over the epochs, as SVG and as PNG from one description of the drawing.
//! - [`panels`] and [`contact_sheet`]: image, truth, prediction and overlay next to each other.
//! - [`strips`]: one panel a class, the truth's masks above the prediction's.
//! - [`error_map`]: where a prediction is wrong, and how.
//! - [`document`] and [`Chart`]: pages of HTML and Markdown.
//! - [`overlay`], [`colour_map`] and [`probability_map`]: the single pictures that `predict` writes.
//!
//! Label maps are [`GrayImage`]s whose grey value is the class index; a [`Palette`] says how they are
//! named and painted.
//!
//! ```
//! use dapple_data::Classes;
//! use dapple_report::{GrayImage, Palette, colour_map};
//!
//! let palette = Palette::new(Classes::binary("horse"), Some(255))?;
//! let labels = GrayImage::from_raw(2, 1, vec![0, 1]).expect("two labels");
//! let painted = colour_map(&labels, &palette)?;
//! assert_eq!(painted.get_pixel(1, 0).0, palette.colours()[1]);
//! # Ok::<(), dapple_report::ReportError>(())
//! ```

mod axis;
mod chart;
mod curves;
pub mod document;
mod error;
mod error_map;
mod flow;
mod overlay;
mod palette;
mod panels;
mod raster;
mod rate_sweep;
mod save;
mod scene;
mod sheet;
mod strips;
mod text;
mod view;

pub use chart::{Bar, Chart, STYLE as CHART_STYLE};
pub use curves::{Best, Curves, Panel, Series};
pub use error::ReportError;
pub use error_map::{ERROR_COLOURS, ErrorColours, error_map};
pub use image::{GrayImage, RgbImage};
pub use overlay::{OverlayStyle, overlay, overlay_row, probability_map};
pub use palette::{Palette, colour_map};
pub use panels::{PanelStyle, Sample, contact_sheet, panels};
pub use rate_sweep::{RatePoint, rate_sweep};
pub use save::{encode_jpeg, encode_png, save_png};
pub use strips::{StripSample, StripStyle, strips};

/// A colour as red, green and blue, 0 to 255 each, in sRGB.
pub type Colour = [u8; 3];
