//! Whether an image is cut into tiles, and into which: by the scale of the training, by the memory, or as it was asked for.
//!
//! Things on the ground and under a microscope have one size, whatever the size of the picture; a photograph is of its
//! subject as a whole. The place on the ground tells scenes, the format of cameras photographs; of other images the size
//! decides.

use dapple_base::Size;
use dapple_data::TrainingImages;
use dapple_graph::{Network, Shape};
use dapple_model::ModelError;

use crate::error::PredictError;
use crate::predictor::Predictor;
use crate::settings::{PredictSettings, Tiling, WorkingSize};
use crate::tiles::{ALIGN, TileGrid};

/// A scene is much larger than the images of the training from this factor on.
const LARGE: usize = 2;
/// An image that is not known to be a photograph is one of a scene from so many pixels on: few cameras have more.
const SCENE_PIXELS: u64 = 1 << 26;
/// An image that is seen whole is worth a word from this factor on, in both directions.
const WORTH_A_WORD: usize = 8;
/// Tiles that are reduced to fit into the memory have at least this side.
const LEAST_SIDE: usize = 128;

/// Whether an image is a scene, as far as that is known of its place and of its file's first bytes.
pub fn is_scene(on_ground: bool, start: &[u8]) -> Option<bool> {
    match start {
        _ if on_ground => Some(true),
        // JPEG, which cameras write.
        [0xff, 0xd8, 0xff, ..] => Some(false),
        _ => None,
    }
}

impl Predictor {
    /// The tiles that an image is cut into; `None` if it is predicted whole. `is_scene` is that of [`is_scene`].
    ///
    /// Where settings leave the choice, a scene that is much larger than the images of the training is cut into tiles as large
    /// as one of those, which are reduced as they were. Any other image is seen whole unless it is too large for the memory.
    ///
    /// # Errors
    /// [`PredictError::Settings`] for an image that is too large for settings which forbid tiles, or tiles that are too large
    /// for the memory.
    pub fn tiles(&self, size: Size, is_scene: Option<bool>) -> Result<Option<TileGrid>, PredictError> {
        let PredictSettings { tile, size: working, ref scales, memory_bytes, .. } = self.settings;
        let Size { height, width } = size;
        let pixels = (width as u64).saturating_mul(height as u64);
        let too_large = pixels.saturating_mul(self.channels() as u64) > memory_bytes;
        let fitting = |grid: TileGrid| (width > grid.side || height > grid.side).then_some(grid);
        match tile {
            Tiling::Side { side, overlap } => {
                let side = side.next_multiple_of(ALIGN);
                let grid = TileGrid::from((side, overlap.unwrap_or(side / 4)));
                Ok(fitting(grid).or(too_large.then_some(TileGrid::from((side, side / 4)))))
            }
            Tiling::Off if too_large => Err(PredictError::Settings(format!(
                "{width} x {height} pixels need more than the {} MiB allowed for one image; cut it with --tile auto, \
                 or allow more with --memory",
                memory_bytes >> 20
            ))),
            Tiling::Off => Ok(None),
            Tiling::Scene => {
                let trained = self.trained_size().ok_or_else(|| {
                    PredictError::Settings(
                        "the model does not say how large the images of its training were, so that scenes have no scale \
                         for it; give the side of tiles, --tile N"
                            .into(),
                    )
                })?;
                let grid = self.scene_grid(width, trained)?;
                Ok(fitting(grid).or(too_large.then_some(grid)))
            }
            Tiling::Auto if working == WorkingSize::Image => {
                let whole = self.working_bytes_of_a_pixel()?.saturating_mul(pixels);
                if !too_large && whole <= memory_bytes {
                    return Ok(None);
                }
                let grid = self.native_grid(width)?;
                Ok(fitting(grid).or(too_large.then_some(grid)))
            }
            Tiling::Auto => {
                let is_free = working == WorkingSize::Input && scales[..] == [1.0];
                let trained = self.trained_size();
                let is_scene = is_free
                    && is_scene.unwrap_or(pixels >= SCENE_PIXELS)
                    && trained
                        .is_some_and(|[rows, columns]| width >= LARGE * columns || height >= LARGE * rows);
                if !is_scene && !too_large {
                    return Ok(None);
                }
                if !is_free {
                    return Err(PredictError::Settings(format!(
                        "{width} x {height} pixels need more than the {} MiB allowed for one image, and the tiles that it \
                         would be cut into have one scale; omit the size and the scales, or allow more with --memory",
                        memory_bytes >> 20
                    )));
                }
                Ok(Some(match trained {
                    Some(trained) => self.scene_grid(width, trained)?,
                    None => self.native_grid(width)?,
                }))
            }
        }
    }

    /// Whether an image that is seen whole is far larger than the images of the training, so that it might be meant as a
    /// scene.
    pub fn is_far_larger(&self, size: Size, is_scene: Option<bool>) -> bool {
        let pixels = (size.width as u64).saturating_mul(size.height as u64);
        let is_doubtful = match is_scene {
            Some(true) => false,
            Some(false) => pixels >= SCENE_PIXELS,
            None => true,
        };
        let is_open =
            is_doubtful && self.settings.tile == Tiling::Auto && self.settings.size == WorkingSize::Input;
        let is_larger = |[rows, columns]: [usize; 2]| {
            size.height >= WORTH_A_WORD * rows && size.width >= WORTH_A_WORD * columns
        };
        is_open && self.trained_size().is_some_and(is_larger)
    }

    /// Height and width of the images of the first model's training, where it knows them.
    pub fn trained_size(&self) -> Option<[usize; 2]> {
        self.models[0].card().images.as_ref().and_then(TrainingImages::sides)
    }

    /// Tiles as large as the images of the training, and reduced as they were; smaller ones where a row of them takes too much
    /// memory.
    fn scene_grid(&self, width: usize, [rows, columns]: [usize; 2]) -> Result<TileGrid, PredictError> {
        let side = (rows * columns).isqrt().next_multiple_of(ALIGN);
        let side = self.side_in_memory(width, side)?;
        Ok(TileGrid { side, overlap: side / 4, as_trained: true })
    }

    /// The largest tiles, of 256 to 1024 pixels, whose activations take no more than half of the memory allowed; smaller ones
    /// where a row of them takes too much memory.
    fn native_grid(&self, width: usize) -> Result<TileGrid, PredictError> {
        let pixels = self.settings.memory_bytes / 2 / self.working_bytes_of_a_pixel()?.max(1);
        let side = (pixels.isqrt() as usize / 128 * 128).clamp(256, 1024);
        let side = self.side_in_memory(width, side)?;
        Ok(TileGrid::from((side, side / 4)))
    }

    /// A side of tiles of which a row across an image fits into the memory allowed, `side` if that does.
    fn side_in_memory(&self, width: usize, side: usize) -> Result<usize, PredictError> {
        let classes = self.classes().names.len();
        // The image, how much of it is there, and the sums of its probabilities.
        let maps = if classes == 2 { 1 } else { classes };
        let bytes_of_a_row = (width as u64) * (self.channels() + 1 + maps * size_of::<f32>()) as u64;
        let rows = (self.settings.memory_bytes / bytes_of_a_row.max(1)) as usize;
        let fitting = side.min(rows / ALIGN * ALIGN);
        if fitting >= side.min(LEAST_SIDE) {
            return Ok(fitting);
        }
        let needed = bytes_of_a_row * side.min(LEAST_SIDE) as u64;
        Err(PredictError::Settings(format!(
            "a row of tiles of {width} pixels and {classes} classes needs {} MiB of memory; allow it with --memory {0}",
            needed.div_ceil(1 << 20)
        )))
    }

    /// An estimate of a network's memory a pixel of its input: that of all activations at once, halved, since an engine
    /// reuses memory.
    fn working_bytes_of_a_pixel(&self) -> Result<u64, PredictError> {
        const SIDE: usize = 256;
        let mut most = 0;
        for model in self.models.iter() {
            let network = &model.card().network;
            let graph =
                network.build(Shape::new(1, SIDE, SIDE, network.in_channels)).map_err(ModelError::from)?;
            let values: usize = graph.nodes().iter().map(|node| node.shape.len()).sum();
            most = most.max((values * size_of::<f32>() / 2 / (SIDE * SIDE)) as u64);
        }
        Ok(most)
    }
}
