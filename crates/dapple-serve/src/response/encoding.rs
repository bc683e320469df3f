//! One output, encoded in steps: between them, nothing of it is held but the rows that it still needs.

use std::sync::Arc;

use dapple_data::Raster;
use dapple_predict::output::{
    self, ImageInfo, Output, OutputFile, OutputKind, OutputSettings, ProbabilityFormat, Target,
};
use dapple_predict::{ImageRow, PredictError, Prediction, Wants};
use dapple_report::Palette;

use crate::bounds::memory::memory_of_output;

/// Values of a step, whose rows are encoded at once.
const STEP_VALUES: usize = 1 << 18;

/// The material that outputs are made from.
pub(crate) struct Material {
    /// The image, if an output shows it.
    pub image: Option<Raster>,
    /// How much of each pixel is there; `None` where all is.
    pub coverage: Option<Vec<u8>>,
    pub info: ImageInfo,
    pub prediction: Prediction,
    pub classes: Arc<Palette>,
    pub settings: OutputSettings,
}

/// An output that is being encoded.
pub(crate) struct Encoding {
    /// `None` at the end.
    output: Option<Box<dyn Output>>,
    target: Target,
    wants: Wants,
    /// The next row.
    y: usize,
    /// Rows of a step.
    rows: usize,
}

impl Encoding {
    pub fn begin(file: &OutputFile, material: &Material) -> Result<Self, PredictError> {
        let Material { info, classes, settings, .. } = material;
        let target = Target::memory();
        let pixels = (info.width * info.height) as u64;
        let memory_bytes = memory_of_output(file.kind, pixels).limit;
        let settings = OutputSettings { memory_bytes, ..settings.clone() };
        let output = output::output(file, info, classes, &settings, target.clone())?;
        let array = file.kind == OutputKind::Probability && settings.probability == ProbabilityFormat::Npy;
        let depth = if array { classes.count() } else { 1 };
        let rows = (STEP_VALUES / (info.width * depth).max(1)).max(1);
        Ok(Self { wants: output.wants(), output: Some(output), target, y: 0, rows })
    }

    /// Encodes further rows, the end after the last ones; `None` when there is no more.
    pub fn step(&mut self, material: &Material) -> Result<Option<Vec<u8>>, PredictError> {
        let Some(output) = &mut self.output else { return Ok(None) };
        let mut rows = material.prediction.rows(self.wants);
        let height = material.info.height;
        let end = height.min(self.y + self.rows);
        for y in self.y..end {
            let (pixels, channels) = match &material.image {
                Some(image) => {
                    let length = image.width * image.channels;
                    (&image.data[y * length..][..length], image.channels)
                }
                None => (&[][..], 0),
            };
            let width = material.info.width;
            let coverage =
                material.coverage.as_ref().map_or(&[][..], |coverage| &coverage[y * width..][..width]);
            output.row(&ImageRow { y, pixels, channels, coverage, values: rows.row(y) })?;
        }
        self.y = end;
        if end == height
            && let Some(output) = self.output.take()
        {
            output.finish()?;
        }
        Ok(Some(self.target.take()))
    }
}
