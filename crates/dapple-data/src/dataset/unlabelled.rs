//! Images without labels, from which a network in training learns by predictions of its own.

use std::path::{Path, PathBuf};

use crate::dataset::samples::{Dataset, Sample, Source};
use crate::error::Result;
use crate::format::Format;
use crate::format::stems::no_images;
use crate::format::walk::{FoundImages, bad_file, find_images};
use crate::image::decode::decode_photo;
use crate::image::raster::Channels;
use crate::parallel::in_parallel;

/// The label of what lies beyond the borders of images without labels; all that is image has label 0.
pub const BEYOND: u8 = 255;

impl Dataset {
    /// The images below a folder, to be read as those of this data set are. No mask is looked for, and none is read.
    ///
    /// # Errors
    /// [`DataError::BadFile`](crate::DataError::BadFile) for a folder with masks, of which it is not plain which files are images,
    /// and for one that holds files of other kinds only; [`DataError::EmptyFolder`](crate::DataError::EmptyFolder); the first
    /// image that cannot be decoded.
    pub fn unlabelled(&self, folder: impl AsRef<Path>, channels: Channels) -> Result<Self> {
        let folder = folder.as_ref();
        if let Ok(format) = Format::detect(folder) {
            let problem = format!(
                "it is a data set with masks (format {format}), which are not read here; give the folder that holds its images \
                 alone, or the whole as the data set to train on"
            );
            return Err(bad_file(folder, problem));
        }
        let FoundImages { images, unreadable, .. } = find_images(folder)?;
        if let Some(error) = unreadable.into_iter().next() {
            return Err(error);
        }
        if images.is_empty() {
            return Err(no_images(folder));
        }
        let reading = self.reading(channels);
        let sample = |path: &PathBuf| -> Result<Sample> {
            let raster = decode_photo(path, &reading)?.raster;
            let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
            let source = Source::Unlabelled { image: path.clone() };
            Ok(Sample {
                name,
                part: None,
                width: raster.width,
                height: raster.height,
                counts: Vec::new(),
                source,
            })
        };
        let samples = in_parallel(images.len(), |i| sample(&images[i])).into_iter().collect::<Result<_>>()?;
        let (classes, decoder, values) = (self.classes.clone(), self.decoder.clone(), self.values.clone());
        Ok(Self::of_samples(samples, classes, Some(BEYOND), decoder, values))
    }
}
