//! Predicting an image tile by tile, in memory for one row of tiles.

use dapple_base::StopFlag;
use dapple_data::{InputSettings, Raster};
use dapple_graph::{Shape, Tensor};
use dapple_model::{Model, decide};

use crate::error::PredictError;
use crate::prediction::{RowValues, Wants};
use crate::predictor::Predictor;
use crate::row::ImageRow;
use crate::source::RowSource;
use crate::tiles::{ALIGN, Cuts, TileGrid};

impl Predictor {
    /// Predicts an image in tiles, and passes the rows in order to `each`.
    ///
    /// Probabilities are the means over models, flips and samples, blended between tiles as described in [`crate::tiles`]. The
    /// memory is that of the networks on one tile and of a tile's rows of the image and its probabilities.
    ///
    /// # Errors
    /// Those of the source, the engine and `each`; [`PredictError::Settings`] for an image with too few channels;
    /// [`PredictError::Stopped`] soon after `stop` was raised.
    pub fn predict_tiles(
        &self,
        source: &mut dyn RowSource,
        grid: impl Into<TileGrid>,
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
        let TileGrid { side, overlap, as_trained } = grid.into();
        let largest = self.largest_value(source)?;
        let (columns, rows) = (Cuts::new(width, side, overlap), Cuts::new(height, side, overlap));
        let classes = self.classes().names.len();
        // With two classes, the first one's probability is the complement.
        let maps = if classes == 2 { 1 } else { classes };

        let mut pixels: Vec<u8> = Vec::new();
        let mut coverage: Vec<u8> = Vec::new();
        let mut sums: Vec<f32> = Vec::new();
        let mut values = RowValues::default();
        // Counted over networks and inputs, so that each draws its own samples.
        let mut inputs = 0;
        for (index, span) in rows.spans.iter().enumerate() {
            let held = pixels.len() / (width * channels);
            pixels.resize(span.len() * width * channels, 0);
            coverage.resize(span.len() * width, 0);
            let held_rows = pixels.chunks_exact_mut(width * channels).zip(coverage.chunks_exact_mut(width));
            for (row, coverage) in held_rows.skip(held) {
                source.next_row(row, coverage)?;
                check(stop)?;
            }
            sums.resize(span.len() * width * maps, 0.0);
            for (across, weights) in columns.spans.iter().zip(&columns.weights) {
                let tile = cut(&pixels, (width, span.len(), channels), across.clone());
                check(stop)?;
                let probabilities =
                    self.tile_probabilities(tile, (largest, as_trained), maps, &mut inputs)?;
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
                let coverage = &coverage[y * width..][..width];
                each(&ImageRow { y: span.start + y, pixels, channels, coverage, values: &values })?;
            }
            coverage.drain(..done * width);
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
        let mut coverage = vec![0; source.width()];
        let mut largest = 0;
        for _ in 0..source.height() {
            source.next_row(&mut row, &mut coverage)?;
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
        (largest, as_trained): (u8, bool),
        maps: usize,
        inputs: &mut usize,
    ) -> Result<Vec<f32>, PredictError> {
        let mut mean = vec![0.0; tile.width * tile.height * maps];
        let share = 1.0 / (self.models.len() * self.flips.len()) as f32;
        for model in self.models.iter() {
            let input: InputSettings = model.input();
            let (height, width) = match trained_scale(model).filter(|_| as_trained) {
                Some([down, across]) => (aligned(tile.height, down), aligned(tile.width, across)),
                None => (tile.height, tile.width),
            };
            let shape = Shape::new(1, height, width, input.channels);
            let tensor = Tensor::new(shape, input.prepare_part(tile.clone(), height, width, largest)?);
            for &flip in &self.flips {
                let logits = flip.apply(self.logits(model, &flip.apply(tensor.clone()), *inputs)?);
                *inputs += 1;
                let activation = model.card().network.activation;
                let probabilities = match (logits.shape.h, logits.shape.w) == (tile.height, tile.width) {
                    true => decide::probabilities(&logits, activation),
                    false => {
                        let logits = model.image_logits(logits, tile.width, tile.height);
                        let mut rows = logits.rows();
                        (0..tile.height)
                            .flat_map(|y| decide::probabilities(rows.row(y), activation))
                            .collect()
                    }
                };
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

/// How much smaller than the images of its training a model's input is, down and across.
pub(crate) fn trained_scale(model: &Model) -> Option<[f64; 2]> {
    let [height, width] = model.card().images.as_ref()?.sides()?;
    let input = model.input();
    Some([input.height as f64 / height as f64, input.width as f64 / width as f64])
}

/// A side at a scale, as a multiple of [`ALIGN`].
fn aligned(side: usize, scale: f64) -> usize {
    ((side as f64 * scale / ALIGN as f64).round() as usize).max(1) * ALIGN
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
