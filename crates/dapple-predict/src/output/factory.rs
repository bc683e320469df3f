//! From a kind of output to the output itself.

use std::sync::Arc;

use dapple_report::Palette;

use super::ground::GroundMask;
use super::image_info::ImageInfo;
use super::kind::{OutputFile, OutputKind};
use super::settings::{OutputSettings, ProbabilityFormat};
use super::sink::Output;
use super::target::Target;
use super::{areas, coco, contours, cutout, maps, pictures};
use crate::error::PredictError;
use crate::geo::GeoReference;

/// Begins an output of an image into a target.
///
/// # Errors
/// [`PredictError::Settings`] for an image too large for an output, [`PredictError::Write`].
pub fn output(
    file: &OutputFile,
    image: &ImageInfo,
    classes: &Arc<Palette>,
    settings: &OutputSettings,
    target: Target,
) -> Result<Box<dyn Output>, PredictError> {
    let is_ground = image.geo.as_ref().is_some_and(GeoReference::is_in_tags) && file.suffix.ends_with(".tif");
    Ok(match file.kind {
        OutputKind::Mask if is_ground => {
            Box::new(GroundMask::new(image, Some(pictures::mask_palette(classes, true)), target))
        }
        OutputKind::Labels if is_ground => Box::new(GroundMask::new(image, None, target)),
        OutputKind::Mask => Box::new(pictures::Mask::new(image, classes, target)?),
        OutputKind::Labels => Box::new(pictures::Labels::new(image, target)?),
        OutputKind::Overlay => Box::new(pictures::Overlay::new(image, classes, settings.opacity, target)?),
        OutputKind::Probability => {
            let format = settings.probability;
            let values = match (file.class, classes.count(), format) {
                (Some(class), count, _) => maps::Values::Class(class, count),
                (None, count, ProbabilityFormat::Npy) if count > 2 => maps::Values::Classes(count),
                (None, count, _) => maps::Values::Class(1, count),
            };
            Box::new(maps::Map::new(image, values, format, target)?)
        }
        OutputKind::Uncertainty => {
            Box::new(maps::Map::new(image, maps::Values::Uncertainty, settings.probability, target)?)
        }
        OutputKind::Heatmap => Box::new(maps::Heatmap::new(image, settings.opacity, target)?),
        OutputKind::Cutout => Box::new(cutout::Cutout::new(image, classes.count(), settings, target)?),
        OutputKind::Contours => Box::new(contours::Contours::new(image, classes, settings, target)),
        OutputKind::Coco => Box::new(coco::Coco::new(image, classes, settings, target)),
        OutputKind::Areas => Box::new(areas::Areas::new(image, classes, settings.min_area, target)),
    })
}
