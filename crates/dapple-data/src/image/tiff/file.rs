//! An open TIFF file, read in blocks of rows.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use dapple_base::{SampleKind, Size};
use image::metadata::Orientation;
use tiff::TiffError;
use tiff::decoder::{Decoder, Limits};
use tiff::tags::Tag;

use super::chunk::{self, Wanted};
use super::header::{Colour, Header, Numbers};
use super::{codec, colour, unpack};
use crate::error::{DataError, Result};
use crate::image::raster::{DECODE_LIMIT_BYTES, too_large};
use crate::image::stored::{Samples, Stored};

/// Rows that are read at once from strips that are not compressed: many programs write a whole image as one strip.
const PLAIN_ROWS: usize = 64;
/// Pages that are looked at.
const MOST_PAGES: usize = 4096;
/// The largest tag: the places of the tiles of a scene.
const LARGEST_TAG: usize = 64 << 20;

/// The image of a TIFF file. Its rows are read from top to bottom as they are stored, a block at a time.
pub struct TiffFile<R: Read + Seek> {
    path: PathBuf,
    decoder: Decoder<R>,
    header: Header,
}

impl<R: Read + Seek> TiffFile<R> {
    /// Reads the header; errors call the file `path`.
    ///
    /// # Errors
    /// [`DataError::Decode`] for a damaged file, [`DataError::Image`] for one of a kind that is not read, and for several
    /// pages of one size, which might all be meant.
    pub fn open(source: R, path: &Path) -> Result<Self> {
        let failed = |error: TiffError| damaged(path, error.to_string());
        let mut limits = Limits::default();
        limits.decoding_buffer_size = DECODE_LIMIT_BYTES as usize;
        limits.intermediate_buffer_size = DECODE_LIMIT_BYTES as usize;
        limits.ifd_value_size = LARGEST_TAG;
        let mut decoder = Decoder::new(source).map_err(failed)?.with_limits(limits);
        let header = Header::read(&mut decoder).map_err(failed)?;
        let header = header.map_err(|problem| DataError::image(path, problem))?;
        let pages = pages(&mut decoder, (header.width as u64, header.height as u64));
        if pages > 1 {
            let problem = format!(
                "it has {pages} pages, and nothing says which of them is meant; save each page as a file of its own \
                 (tiffsplit does it), or the wanted one only"
            );
            return Err(DataError::image(path, problem));
        }
        Ok(Self { path: path.to_owned(), decoder, header })
    }

    /// Height and width as the pixels are stored.
    pub fn size(&self) -> Size {
        Size { height: self.header.height, width: self.header.width }
    }

    /// Whether the pixels have to be turned to stand upright.
    pub fn is_turned(&self) -> bool {
        self.header.orientation != Orientation::NoTransforms
    }

    /// Channels of its images, without alpha.
    pub fn bands(&self) -> usize {
        let header = &self.header;
        let channels = match &header.colour {
            Colour::Palette(_) => 3,
            Colour::Cmyk => header.samples - 1,
            _ => header.samples,
        };
        channels - usize::from(header.alpha.is_some())
    }

    /// The type of its values.
    pub fn kind(&self) -> SampleKind {
        let Header { numbers, bits, .. } = self.header;
        match (numbers, &self.header.colour) {
            (_, Colour::Palette(_)) => SampleKind::BYTE,
            (Numbers::Unsigned, _) => SampleKind::Uint(bits.max(8)),
            (Numbers::Signed, _) => SampleKind::Int(bits),
            (Numbers::Floating, _) => SampleKind::Float(bits),
        }
    }

    /// The profile of its colours.
    pub(crate) fn profile(&self) -> Option<&[u8]> {
        self.header.icc.as_deref()
    }

    /// The tags.
    pub fn tags(&mut self) -> &mut Decoder<R> {
        &mut self.decoder
    }

    pub(crate) fn orientation(&self) -> Orientation {
        self.header.orientation
    }

    /// Reads the block of rows that begins at row `first`: as many as are compressed together.
    ///
    /// # Errors
    /// [`DataError::Decode`] for damaged data, [`DataError::Image`] for a block that is too large.
    pub fn read_rows(&mut self, first: usize) -> Result<Stored> {
        let (rows, values) = self.read_plain_rows(first)?;
        let header = &self.header;
        let (samples, channels) = colour::interpret(header, values);
        Ok(Stored {
            width: header.width,
            height: rows,
            channels,
            alpha: colour::alpha(header),
            samples,
            kind: self.kind(),
            nodata: colour::nodata(header),
            icc: None,
        })
    }

    /// The number of rows of that block, and its samples as the file has them: indices of palettes, greys not scaled.
    fn read_plain_rows(&mut self, first: usize) -> Result<(usize, Samples)> {
        let header = &self.header;
        let height = header.chunk.1;
        let (chunk_row, inside) = (first / height, first % height);
        let plain = header.compression == codec::NONE;
        let most = if plain && !header.is_tiled { height.min(PLAIN_ROWS) } else { height };
        let rows = most.min(height - inside).min(header.height - first);
        let across = header.across();
        // Tiles may be larger than the image.
        let factors = [across, header.chunk.0, header.samples, header.bits.div_ceil(8) as usize];
        let bytes = factors.iter().fold(rows as u64, |bytes, &factor| bytes.saturating_mul(factor as u64));
        if bytes > DECODE_LIMIT_BYTES {
            let problem = format!(
                "its strips or tiles of {} x {height} pixels are too large to be read one by one; write it in tiles \
                 (gdal_translate -co TILED=YES)",
                header.chunk.0
            );
            return Err(DataError::image(&self.path, problem));
        }
        let wanted = |plane: usize, column: usize| Wanted {
            chunk: (plane * header.down() + chunk_row) * across + column,
            first: inside,
            rows,
        };
        let mut planes = Vec::with_capacity(header.plane_count());
        for plane in 0..header.plane_count() {
            let mut chunks = Vec::with_capacity(across);
            for column in 0..across {
                let read = chunk::read(&mut self.decoder, header, wanted(plane, column));
                chunks.push(read.map_err(|reason| damaged(&self.path, reason))?);
            }
            let mut values = unpack::list(header, rows * header.width * header.chunk_samples());
            for y in 0..rows {
                for (column, chunk) in chunks.iter().enumerate() {
                    let width = header.chunk.0.min(header.width - column * header.chunk.0);
                    let count = width * header.chunk_samples();
                    let row = &chunk.bytes[y * chunk.row_bytes..][..chunk.row_bytes];
                    match header.nodata.filter(|_| chunk.is_missing) {
                        Some(nodata) => values.repeat(nodata, count),
                        None => unpack::append(header, row, count, &mut values),
                    }
                }
            }
            planes.push(values);
        }
        Ok((rows, Samples::interleave(planes)))
    }

    /// Reads all rows.
    ///
    /// # Errors
    /// Those of [`TiffFile::read_rows`], and [`DataError::TooLarge`].
    pub(crate) fn read(&mut self) -> Result<Stored> {
        self.check_size()?;
        let height = self.header.height;
        let mut whole = self.read_rows(0)?;
        while whole.height < height {
            let more = self.read_rows(whole.height)?;
            whole.height += more.height;
            whole.samples.append(more.samples);
        }
        whole.icc = self.header.icc.clone();
        Ok(whole)
    }

    /// Reads the indices and the palette of an image that has one, or greys of fewer than 8 bits and their white; `None` for
    /// all others, whose values stand for themselves.
    ///
    /// # Errors
    /// As [`TiffFile::read`].
    pub(crate) fn read_plain(&mut self) -> Result<Option<Plain>> {
        let Header { samples, bits, height, ref colour, .. } = self.header;
        let palette = match colour {
            Colour::Palette(palette) if samples == 1 => Some(palette.clone()),
            Colour::Grey if samples == 1 && bits < 8 => None,
            _ => return Ok(None),
        };
        self.check_size()?;
        let mut values = Vec::new();
        let mut rows = 0;
        while rows < height {
            let (more, block) = self.read_plain_rows(rows)?;
            match block {
                Samples::U8(block) => values.extend(block.into_iter().map(u16::from)),
                Samples::U16(block) => values.extend(block),
                _ => return Err(damaged(&self.path, "its indices are not whole numbers")),
            }
            rows += more;
        }
        let white = u16::MAX >> (16 - bits.min(16));
        Ok(Some(Plain { values, white, palette }))
    }

    fn check_size(&self) -> Result<()> {
        let Header { width, height, samples, bits, .. } = self.header;
        let values = (width as u64).saturating_mul(height as u64).saturating_mul(samples as u64);
        match values.saturating_mul(u64::from(bits.div_ceil(8))) > DECODE_LIMIT_BYTES {
            true => Err(too_large(&self.path, (width as u32, height as u32))),
            false => Ok(()),
        }
    }
}

/// Values as a file has them, one a pixel.
pub(crate) struct Plain {
    pub values: Vec<u16>,
    /// The largest value of as many bits.
    pub white: u16,
    /// The colours that the values are indices into.
    pub palette: Option<Vec<[u8; 3]>>,
}

fn damaged(path: &Path, reason: impl Into<String>) -> DataError {
    DataError::Decode { path: path.to_owned(), reason: reason.into() }
}

/// The number of pages that are about as large as the first or larger, itself included. Reduced copies, which have half its
/// sides or less where they do not say what they are, and masks do not count.
fn pages<R: Read + Seek>(decoder: &mut Decoder<R>, (width, height): (u64, u64)) -> usize {
    /// Bits of the tag: a reduced copy, and a mask of transparency.
    const REDUCED_OR_MASK: u32 = 1 | 4;
    let mut count = 1;
    let mut seen = Vec::new();
    let mut next = decoder.image_ifd().directory().next();
    while let Some(place) = next.filter(|place| seen.len() < MOST_PAGES && !seen.contains(&place.0)) {
        seen.push(place.0);
        // A damaged page behind the image is no reason to refuse the image.
        let Ok(page) = decoder.read_directory(place) else { break };
        let mut tags = decoder.read_directory_tags(&page);
        let mut number = |tag| tags.find_tag_unsigned::<u32>(tag).ok().flatten().unwrap_or(0);
        let kind = number(Tag::NewSubfileType);
        let size = [number(Tag::ImageWidth), number(Tag::ImageLength)].map(u64::from);
        if kind & REDUCED_OR_MASK == 0 && 2 * size[0] > width && 2 * size[1] > height {
            count += 1;
        }
        next = page.next();
    }
    count
}
