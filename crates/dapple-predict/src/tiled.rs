//! Predicting an image tile by tile at its own size, in memory for one row of tiles.

use dapple_base::StopFlag;
use dapple_data::{InputSettings, Raster};
use dapple_graph::{Shape, Tensor};
use dapple_model::decide;

use crate::error::PredictError;
use crate::prediction::{RowValues, Wants};
use crate::predictor::Predictor;
use crate::row::ImageRow;
use crate::source::RowSource;
use crate::tiles::Cuts;

impl Predictor {
    /// Predicts an image in tiles of `side` pixels that overlap by `overlap`, and passes the rows in order to `each`.
    ///
    /// Probabilities are the means over models, flips and samples, blended between tiles as described in [`crate::tiles`]. The
    /// memory is that of the networks on one tile and of `side` rows of the image and its probabilities.
    ///
    /// # Errors
    /// Those of the source, the engine and `each`; [`PredictError::Settings`] for an image with too few channels;
    /// [`PredictError::Stopped`] soon after `stop` was raised.
    pub fn predict_tiles(
        &self,
        source: &mut dyn RowSource,
        (side, overlap): (usize, usize),
        wants: Wants,
        stop: &StopFlag,
        each: &mut dyn FnMut(&ImageRow<'_>) -> Result<(), PredictError>,
    ) -> Result<(), PredictError> {
        let (width, height, channels) = (source.width(), source.height(), source.channels());
        let most = self.models.iter().map(|m| m.input().channels).max().unwrap_or(1);
        if channels < most && (channels, most) != (1, 3) {
            let problem = format!("the image has {channels} channels, but the model needs {most}");
            return Err(PredictError::Settings(problem));
        }
        let largest = self.largest_value(source)?;
        let (columns, rows) = (Cuts::new(width, side, overlap), Cuts::new(height, side, overlap));
        let classes = self.classes().names.len();
        // With two classes, the first one's probability is the complement.
        let maps = if classes == 2 { 1 } else { classes };

        let mut pixels: Vec<u8> = Vec::new();
        let mut sums: Vec<f32> = Vec::new();
        let mut values = RowValues::default();
        // Counted over networks and inputs, so that each draws its own samples.
        let mut inputs = 0;
        for (index, span) in rows.spans.iter().enumerate() {
            let held = pixels.len() / (width * channels);
            pixels.resize(span.len() * width * channels, 0);
            for row in pixels.chunks_exact_mut(width * channels).skip(held) {
                source.next_row(row)?;
                check(stop)?;
            }
            sums.resize(span.len() * width * maps, 0.0);
            for (across, weights) in columns.spans.iter().zip(&columns.weights) {
                let tile = cut(&pixels, (width, span.len(), channels), across.clone());
                check(stop)?;
                let probabilities = self.tile_probabilities(tile, largest, maps, &mut inputs)?;
                let lines = probabilities.chunks_exact(across.len() * maps).zip(&rows.weights[index]);
                for (y, (line, weight)) in lines.enumerate() {
                    let to = &mut sums[(y * width + across.start) * maps..][..across.len() * maps];
                    for ((to, from), w) in to.chunks_exact_mut(maps).zip(line.chunks_exact(maps)).zip(weights)
                    {
                        to.iter_mut().zip(from).for_each(|(to, p)| *to += p * w * weight);
                    }
                }
            }
            let done = rows.final_after(index) - span.start;
            for y in 0..done {
                let line = &sums[y * width * maps..][..width * maps];
                values.probabilities.clear();
                match maps {
                    1 => values.probabilities.extend(line.iter().flat_map(|&p| [1.0 - p, p])),
                    _ => values.probabilities.extend_from_slice(line),
                }
                values.conclude(classes, self.settings.threshold, wants);
                check(stop)?;
                let pixels = &pixels[y * width * channels..][..width * channels];
                each(&ImageRow { y: span.start + y, pixels, channels, values: &values })?;
            }
            pixels.drain(..done * width * channels);
            sums.drain(..done * width * maps);
        }
        Ok(())
    }

    /// The largest value of the image, if a model divides by it; this reads the image once.
    fn largest_value(&self, source: &mut dyn RowSource) -> Result<u8, PredictError> {
        if !self.models.iter().any(|m| m.input().normalization == dapple_data::Normalization::U2Net) {
            return Ok(u8::MAX);
        }
        let mut row = vec![0; source.width() * source.channels()];
        let mut largest = 0;
        for _ in 0..source.height() {
            source.next_row(&mut row)?;
            largest = row.iter().copied().fold(largest, u8::max);
            if largest == u8::MAX {
                break;
            }
        }
        source.rewind()?;
        Ok(largest)
    }

    /// The mean probabilities of a tile, `[height, width, maps]`.
    fn tile_probabilities(
        &self,
        tile: Raster,
        largest: u8,
        maps: usize,
        inputs: &mut usize,
    ) -> Result<Vec<f32>, PredictError> {
        let mut mean = vec![0.0; tile.width * tile.height * maps];
        let share = 1.0 / (self.models.len() * self.flips.len()) as f32;
        for model in &self.models {
            let input: InputSettings = model.input();
            let shape = Shape::new(1, tile.height, tile.width, input.channels);
            let tensor = Tensor::new(shape, input.normalize_part(tile.clone(), largest)?);
            for &flip in &self.flips {
                let logits = flip.apply(self.logits(model, &flip.apply(tensor.clone()), *inputs)?);
                *inputs += 1;
                let probabilities = decide::probabilities(&logits, model.card().network.activation);
                match maps {
                    1 => {
                        let foreground = probabilities.iter().skip(1).step_by(2);
                        mean.iter_mut().zip(foreground).for_each(|(m, p)| *m += p * share);
                    }
                    _ => mean.iter_mut().zip(&probabilities).for_each(|(m, p)| *m += p * share),
                }
            }
        }
        Ok(mean)
    }
}

fn check(stop: &StopFlag) -> Result<(), PredictError> {
    if stop.is_raised() { Err(PredictError::Stopped) } else { Ok(()) }
}

/// Some columns of rows of pixels.
fn cut(
    pixels: &[u8],
    (width, height, channels): (usize, usize, usize),
    across: std::ops::Range<usize>,
) -> Raster {
    let rows = pixels.chunks_exact(width * channels);
    let data = rows.flat_map(|row| &row[across.start * channels..across.end * channels]).copied().collect();
    Raster::new(across.len(), height, channels, data)
}
