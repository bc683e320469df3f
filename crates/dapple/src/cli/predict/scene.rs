//! The notes on the scale at which images are seen.

use std::path::Path;

use dapple::predict::{Predictor, TileGrid};
use dapple_base::Size;

/// Tells how a scene is seen, and how to have it otherwise.
pub fn in_tiles(predictor: &Predictor, name: &Path, Size { height, width }: Size, grid: TileGrid) -> String {
    let [rows, columns] = predictor.trained_size().unwrap_or([grid.side; 2]);
    format!(
        "{}: a scene of {width} x {height} pixels, and the model was trained on images of {columns} x {rows}: predicted in \
         tiles of {side} x {side} at the scale of the training (--tile off sees it whole, --tile N at its own size)",
        name.display(),
        side = grid.side,
    )
}

/// Tells that an image is seen whole, and how to have it otherwise.
pub fn whole(predictor: &Predictor, name: &Path, Size { height, width }: Size) -> String {
    let [rows, columns] = predictor.trained_size().unwrap_or([height, width]);
    format!(
        "{}: {width} x {height} pixels, and the model was trained on images of {columns} x {rows}: seen whole, as a photograph; \
         for a scene (from above, through a microscope) give --tile scene, which sees it at the scale of the training",
        name.display(),
    )
}
