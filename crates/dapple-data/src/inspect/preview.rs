//! Contact sheets: what random changes do to samples.

use std::sync::Arc;

use crate::augment::settings::Augment;
use crate::dataset::samples::Dataset;
use crate::error::{DataError, Result};
use crate::image::input::InputSettings;
use crate::image::raster::{Channels, Raster};
use crate::inspect::thumbnail::{paint, shrink};
use crate::load::loader::{Loader, LoaderSettings};
use crate::mask::label_map::LabelledImage;

/// Changed versions of each sample, beside the unchanged one.
const VERSIONS: usize = 5;

/// The longer side of a picture of the sheet in pixels.
const SIDE: usize = 200;

/// Pixels between the pictures.
const GAP: usize = 6;

/// A sheet of `samples` rows, spread evenly over the data set: the sample as it is and changed as in the first epochs of a
/// training with `seed`, with its labels painted over it.
///
/// # Errors
/// [`DataError::Setting`] for settings out of range or no sample, and those of reading.
pub fn sheet(
    dataset: &Arc<Dataset>,
    input: InputSettings,
    augment: Augment,
    seed: u64,
    samples: usize,
) -> Result<Raster> {
    let count = samples.min(dataset.len());
    if count == 0 {
        return Err(DataError::setting("samples", samples, "at least 1"));
    }
    let all = (0..dataset.len()).collect();
    let settings = LoaderSettings { augment, seed, ..LoaderSettings::new(input, 1) };
    let loader = Loader::new(Arc::clone(dataset), all, settings)?;
    let mut rows = Vec::new();
    for row in 0..count {
        let index = row * dataset.len() / count;
        let mut pictures = vec![picture(&dataset.load(index, Channels::Rgb)?, dataset)];
        for epoch in 0..VERSIONS {
            pictures.push(picture(&loader.changed_sample(epoch as u64, index)?, dataset));
        }
        rows.push(pictures);
    }
    Ok(arrange(&rows))
}

fn picture(sample: &LabelledImage, dataset: &Dataset) -> Raster {
    let small = shrink(sample, SIDE);
    paint(&small.image, &small.labels, dataset.classes(), dataset.ignore())
}

/// Rows of pictures on white, each in a field of [`SIDE`] pixels.
fn arrange(rows: &[Vec<Raster>]) -> Raster {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(1);
    let (width, height) = (columns * (SIDE + GAP) + GAP, rows.len() * (SIDE + GAP) + GAP);
    let mut data = vec![255; width * height * 3];
    for (r, row) in rows.iter().enumerate() {
        for (c, picture) in row.iter().enumerate() {
            let left = GAP + c * (SIDE + GAP) + (SIDE - picture.width) / 2;
            let top = GAP + r * (SIDE + GAP) + (SIDE - picture.height) / 2;
            for (y, line) in picture.data.chunks_exact(picture.width * 3).enumerate() {
                data[((top + y) * width + left) * 3..][..line.len()].copy_from_slice(line);
            }
        }
    }
    Raster::new(width, height, 3, data)
}
