//! The 8-bit image in memory, and how large it may be.

use std::path::Path;

use image::metadata::Orientation;

use crate::error::DataError;
use crate::image::orientation::orient;

/// The memory one decoded image may take, in bytes: 178 million RGB pixels, more than any camera has, and little
/// enough that a file whose header lies cannot bring the machine down.
pub const DECODE_LIMIT_BYTES: u64 = 512 << 20;

/// The largest file that is read as a whole, in bytes: nothing larger decodes to an image within [`DECODE_LIMIT_BYTES`].
pub const FILE_LIMIT_BYTES: u64 = 2 * DECODE_LIMIT_BYTES;

/// The most channels an image may have.
pub const MAX_CHANNELS: usize = 64;

/// The channels that an image is decoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Brightness; colour becomes grey by [`luma`].
    Grey,
    /// Red, green and blue; grey is repeated, alpha dropped.
    Rgb,
    /// The first so many of the stored channels, alpha included: pictures of satellites and microscopes.
    First(usize),
}

impl Channels {
    /// The number of channels.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::First(count) => count,
        }
    }
}

impl From<usize> for Channels {
    /// The input of a network with so many channels: grey for 1, colour for 3.
    fn from(count: usize) -> Self {
        match count {
            1 => Self::Grey,
            3 => Self::Rgb,
            count => Self::First(count),
        }
    }
}

/// An 8-bit image, `[height, width, channels]`, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// Width in pixels, at least 1.
    pub width: usize,
    /// Height in pixels, at least 1.
    pub height: usize,
    /// 1 (grey), 3 (red, green, blue), or any other number up to [`MAX_CHANNELS`] of a multispectral image.
    pub channels: usize,
    /// `height * width * channels` values.
    pub data: Vec<u8>,
}

impl Raster {
    /// A raster of the given data.
    ///
    /// # Panics
    /// If a side is 0, `channels` is not 1 to [`MAX_CHANNELS`], or `data` has another length: a mistake of the caller.
    pub fn new(width: usize, height: usize, channels: usize, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0, "a raster has at least one pixel");
        assert!((1..=MAX_CHANNELS).contains(&channels), "a raster has 1 to 64 channels");
        assert_eq!(data.len(), width * height * channels, "raster data of the wrong length");
        Self { width, height, channels, data }
    }

    /// Whether [`Raster::with_channels`] can give these channels.
    pub fn converts_to(&self, channels: Channels) -> bool {
        self.channels >= channels.count() || (self.channels, channels) == (1, Channels::Rgb)
    }

    /// The same image with other channels: grey of colour by [`luma`], colour of grey by repeating it, otherwise the
    /// first of them. The first three of many are taken for red, green and blue.
    ///
    /// # Panics
    /// Unless [`Raster::converts_to`] these channels: a mistake of the caller.
    pub fn with_channels(self, channels: Channels) -> Self {
        let count = channels.count();
        let data = match (self.channels, channels) {
            (from, _) if from == count => return self,
            (1, Channels::Rgb) => self.data.iter().flat_map(|&v| [v; 3]).collect(),
            (3.., Channels::Grey) => {
                self.data.chunks_exact(self.channels).map(|p| luma([p[0], p[1], p[2]])).collect()
            }
            (from, _) => {
                assert!(from > count, "an image of {from} channels where {count} are needed");
                self.data.chunks_exact(from).flat_map(|pixel| &pixel[..count]).copied().collect()
            }
        };
        Self { channels: count, data, ..self }
    }
}

/// A decoded image with what its file says beyond the colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// The image.
    pub raster: Raster,
    /// How much of each pixel is there, `[height, width]`, 0 to 255: its alpha, and 0 where a georeferenced image has no
    /// data. `None` where all is there.
    pub coverage: Option<Vec<u8>>,
    /// The profile of its colours (ICC.1).
    pub icc: Option<Vec<u8>>,
}

impl Photo {
    /// Turned as EXIF data ask for it.
    pub(crate) fn turned(self, orientation: Orientation) -> Self {
        let Raster { width, height, channels, data } = self.raster;
        let coverage = self.coverage.map(|coverage| orient(width, height, 1, coverage, orientation).2);
        let (width, height, data) = orient(width, height, channels, data, orientation);
        Self { raster: Raster { width, height, channels, data }, coverage, icc: self.icc }
    }
}

impl From<Raster> for Photo {
    fn from(raster: Raster) -> Self {
        Self { raster, coverage: None, icc: None }
    }
}

/// The brightness of an RGB pixel by the weights of ITU-R BT.601, as in Pillow and OpenCV.
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

pub(crate) fn too_large(path: &Path, (width, height): (u32, u32)) -> DataError {
    DataError::TooLarge { path: path.to_owned(), width, height, limit_mib: DECODE_LIMIT_BYTES >> 20 }
}
