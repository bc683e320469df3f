//! An open TIFF file, read in blocks of rows.

use std::io::{Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};

use dapple_base::{SampleKind, Size};
use image::metadata::Orientation;
use tiff::TiffError;
use tiff::decoder::{Decoder, Limits};

use super::chunk::{self, Wanted};
use super::header::{Colour, Header, Numbers};
use super::pages::{self, Pages};
use super::{codec, colour, unpack};
use crate::error::{DataError, Result};
use crate::image::raster::{DECODE_LIMIT_BYTES, too_large};
use crate::image::stored::{Samples, Stored};

/// Rows that are read at once from strips that are not compressed: many programs write a whole image as one strip.
const PLAIN_ROWS: usize = 64;
/// The largest tag: the places of the tiles of a scene.
const LARGEST_TAG: usize = 64 << 20;

/// The image of a TIFF file. Its rows are read from top to bottom as they are stored, a block at a time.
pub struct TiffFile<R: Read + Seek> {
    path: PathBuf,
    decoder: Decoder<R>,
    header: Header,
    mask: Option<MaskPage>,
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
        let Pages { count: pages, mask } =
            pages::look(decoder.inner(), (header.width as u64, header.height as u64));
        if pages > 1 {
            let problem = format!(
                "it has {pages} pages, and nothing says which of them is meant; save each page as a file of its own \
                 (tiffsplit does it), or the wanted one only"
            );
            return Err(DataError::image(path, problem));
        }
        let mask = mask.map(|number| MaskPage::open(&mut decoder, number)).transpose();
        let mask = mask.map_err(|reason| damaged(path, reason))?;
        Ok(Self { path: path.to_owned(), decoder, header, mask })
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

    /// Whether pixels may be transparent, or without data.
    pub fn may_have_gaps(&self) -> bool {
        let Header { alpha, nodata, numbers, .. } = &self.header;
        alpha.is_some() || nodata.is_some() || self.mask.is_some() || *numbers == Numbers::Floating
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
        let (rows, values) = plain_rows(&mut self.decoder, &self.path, &self.header, first)?;
        let mask = match &mut self.mask {
            Some(mask) => Some(mask.rows(&mut self.decoder, &self.path, first..first + rows)?),
            None => None,
        };
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
            mask,
            icc: None,
        })
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
            whole.mask.iter_mut().zip(more.mask).for_each(|(mask, more)| mask.extend(more));
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
            let (more, block) = plain_rows(&mut self.decoder, &self.path, &self.header, rows)?;
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
        let Header { width, height, .. } = self.header;
        let pixels = (width as u64).saturating_mul(height as u64);
        match pixels.saturating_mul(unpack::pixel_bytes(&self.header) as u64) > DECODE_LIMIT_BYTES {
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

/// The number of rows of the block that begins at row `first` of a page, and its samples as the file has them: indices of
/// palettes, greys not scaled.
fn plain_rows<R: Read + Seek>(
    decoder: &mut Decoder<R>,
    path: &Path,
    header: &Header,
    first: usize,
) -> Result<(usize, Samples)> {
    let height = header.chunk.1;
    let (chunk_row, inside) = (first / height, first % height);
    let plain = header.compression == codec::NONE;
    let most = if plain && !header.is_tiled { height.min(PLAIN_ROWS) } else { height };
    let rows = most.min(height - inside).min(header.height - first);
    let across = header.across();
    // Tiles may be larger than the image.
    let factors = [across, header.chunk.0, unpack::pixel_bytes(header)];
    let bytes = factors.iter().fold(rows as u64, |bytes, &factor| bytes.saturating_mul(factor as u64));
    if bytes > DECODE_LIMIT_BYTES {
        let problem = format!(
            "its strips or tiles of {} x {height} pixels are too large to be read one by one; write it in tiles \
             (gdal_translate -co TILED=YES)",
            header.chunk.0
        );
        return Err(DataError::image(path, problem));
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
            let read = chunk::read(decoder, header, wanted(plane, column));
            chunks.push(read.map_err(|reason| damaged(path, reason))?);
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

/// A page that says which pixels of the image are there, as GDAL's internal masks do.
struct MaskPage {
    header: Header,
    /// The first of the rows in memory, and their values.
    held: (usize, Vec<u8>),
}

impl MaskPage {
    /// The page of this number.
    ///
    /// # Errors
    /// The reason.
    fn open<R: Read + Seek>(decoder: &mut Decoder<R>, number: usize) -> std::result::Result<Self, String> {
        let failed = |reason: String| format!("the mask of its transparent pixels cannot be read ({reason})");
        let read = decoder.seek_to_image(number).and_then(|()| Header::read(decoder));
        let back = decoder.seek_to_image(0);
        let header =
            read.and_then(|header| back.map(|()| header)).map_err(|error| failed(error.to_string()))?;
        let header = header.map_err(failed)?;
        let is_plain = header.samples == 1 && header.numbers == Numbers::Unsigned && header.bits <= 8;
        match is_plain && header.compression != codec::FAX_4 {
            true => Ok(Self { header, held: (0, Vec::new()) }),
            false => Err(failed("it is not of one channel of whole numbers".into())),
        }
    }

    /// How much of each pixel of these rows is there.
    fn rows<R: Read + Seek>(
        &mut self,
        decoder: &mut Decoder<R>,
        path: &Path,
        rows: Range<usize>,
    ) -> Result<Vec<u8>> {
        let width = self.header.width;
        let mut coverage = Vec::with_capacity(rows.len() * width);
        for row in rows {
            let is_held =
                row.checked_sub(self.held.0).is_some_and(|inside| inside * width < self.held.1.len());
            if !is_held {
                let (_, values) = plain_rows(decoder, path, &self.header, row)?;
                let Samples::U8(values) = values else {
                    return Err(damaged(path, "its mask has values of more than 8 bits"));
                };
                self.held = (row, values);
            }
            let line = &self.held.1[(row - self.held.0) * width..][..width];
            coverage.extend(line.iter().map(|&value| if value == 0 { 0 } else { u8::MAX }));
        }
        Ok(coverage)
    }
}
