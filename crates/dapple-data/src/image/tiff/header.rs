//! The first directory of a TIFF file (TIFF 6.0; GDAL's tag for pixels without data).

use std::io::{Read, Seek};

use image::metadata::Orientation;
use tiff::decoder::Decoder;
use tiff::tags::Tag;
use tiff::{TiffError, TiffResult};

use super::codec;
use crate::image::raster::MAX_CHANNELS;

/// GDAL's tag with the value of pixels without data, as text.
const GDAL_NODATA: Tag = Tag::Unknown(42113);
/// The ICC profile.
const ICC: Tag = Tag::Unknown(34675);
/// The largest profile that is kept, as of other formats.
const LARGEST_PROFILE: usize = 16 << 20;
/// The order of bits in a byte; 2 is the reverse of the usual one.
const FILL_ORDER: Tag = Tag::Unknown(266);

/// The kind of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Unsigned,
    Signed,
    Floating,
}

/// The meaning of the samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Colour {
    /// Grey, or channels of any other kind, black at 0.
    Grey,
    /// Grey, white at 0.
    Inverted,
    Rgb,
    /// Red, green and blue of each index.
    Palette(Vec<[u8; 3]>),
    Cmyk,
    YCbCr,
}

/// The facts that are needed to read the pixels.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub width: usize,
    pub height: usize,
    /// Values a pixel as they are stored.
    pub samples: usize,
    pub bits: u32,
    pub numbers: Numbers,
    pub colour: Colour,
    /// The stored sample that is alpha.
    pub alpha: Option<usize>,
    /// Whether the channels lie one after the other.
    pub planes: bool,
    pub compression: u16,
    pub predictor: u16,
    pub reversed_bits: bool,
    /// Width and height of a strip or a tile; strips may end before.
    pub chunk: (usize, usize),
    pub is_tiled: bool,
    pub offsets: Vec<u64>,
    pub lengths: Vec<u64>,
    pub jpeg_tables: Option<Vec<u8>>,
    pub orientation: Orientation,
    pub nodata: Option<f64>,
    pub icc: Option<Vec<u8>>,
    pub big_endian: bool,
}

/// Whether these bytes begin as a TIFF file does.
pub(crate) fn is_tiff(bytes: &[u8]) -> bool {
    matches!(bytes, [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..])
}

impl Header {
    /// Reads the first directory. The inner error is a file that is not read here, with the reason.
    pub fn read<R: Read + Seek>(decoder: &mut Decoder<R>) -> TiffResult<Result<Self, String>> {
        let (width, height) = decoder.dimensions()?;
        let (width, height) = (width as usize, height as usize);
        let number = |decoder: &mut Decoder<R>, tag, default| -> TiffResult<u16> {
            Ok(decoder.find_tag_unsigned::<u16>(tag)?.unwrap_or(default))
        };
        let samples = usize::from(number(decoder, Tag::SamplesPerPixel, 1)?);
        if !(1..=MAX_CHANNELS).contains(&samples) {
            return Ok(Err(format!("it has {samples} channels; 1 to {MAX_CHANNELS} are known")));
        }
        let bits = decoder.find_tag_unsigned_vec::<u16>(Tag::BitsPerSample)?;
        let bits = u32::from(bits.and_then(|bits| bits.first().copied()).unwrap_or(1));
        let format = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat)?;
        let numbers = match format.and_then(|format| format.first().copied()).unwrap_or(1) {
            // 4 is "undefined", which programs write for whole numbers.
            1 | 4 => Numbers::Unsigned,
            2 => Numbers::Signed,
            3 => Numbers::Floating,
            other => return Ok(Err(format!("its values are complex numbers (sample format {other})"))),
        };
        let known = match numbers {
            Numbers::Unsigned => matches!(bits, 1..=16 | 32 | 64),
            Numbers::Signed => matches!(bits, 8 | 16 | 32 | 64),
            Numbers::Floating => matches!(bits, 16 | 32 | 64),
        };
        if !known {
            return Ok(Err(format!("values of {bits} bits of this kind ({numbers:?}) are not read")));
        }
        let photometric = number(decoder, Tag::PhotometricInterpretation, 1)?;
        let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)?;
        let colour = match photometric {
            0 => Colour::Inverted,
            // 4 is a mask: white is there.
            1 | 4 => Colour::Grey,
            2 => Colour::Rgb,
            3 => match palette(decoder, bits)? {
                Some(palette) if samples == 1 && numbers == Numbers::Unsigned => Colour::Palette(palette),
                Some(_) if samples > 1 => {
                    let further = if samples == 2 { "another channel" } else { "other channels" };
                    return Ok(Err(format!(
                        "it has a palette of colours and {further} beside the index, which is not read; save it as RGB or \
                         RGBA (gdal_translate -expand rgba -b 1)"
                    )));
                }
                _ => return Ok(Err("its palette of colours is missing or damaged".into())),
            },
            5 => Colour::Cmyk,
            6 => Colour::YCbCr,
            8..=10 => return Ok(Err("its colours are CIE L*a*b*; convert it to RGB".into())),
            other => return Ok(Err(format!("its colours are of an unknown kind (photometric {other})"))),
        };
        let least = match colour {
            Colour::Rgb | Colour::YCbCr => 3,
            Colour::Cmyk => 4,
            _ => 1,
        };
        if samples < least {
            return Ok(Err(format!("it has {samples} channels where its colours need {least}")));
        }
        let is_plain = matches!(colour, Colour::Grey | Colour::Rgb);
        if !is_plain && (numbers != Numbers::Unsigned || bits > 16) {
            return Ok(Err(format!(
                "its kind of colours (photometric {photometric}) is read for whole numbers of up to 16 bits without a sign \
                 only; convert it to grey or RGB"
            )));
        }
        let is_tiled = decoder.find_tag(Tag::TileOffsets)?.is_some();
        let (across, down) = decoder.chunk_dimensions();
        let chunk = (across as usize, if is_tiled { down as usize } else { (down as usize).min(height) });
        let [offsets, lengths] = match is_tiled {
            true => [Tag::TileOffsets, Tag::TileByteCounts],
            false => [Tag::StripOffsets, Tag::StripByteCounts],
        };
        let offsets = decoder.find_tag_unsigned_vec::<u64>(offsets)?.unwrap_or_default();
        let lengths = decoder.find_tag_unsigned_vec::<u64>(lengths)?.unwrap_or_default();
        let planes = number(decoder, Tag::PlanarConfiguration, 1)? == 2 && samples > 1;
        let subsampling = match decoder.find_tag_unsigned_vec::<u16>(Tag::ChromaSubsampling)?.as_deref() {
            Some(&[across, down]) => (across, down),
            _ => (2, 2),
        };
        let orientation = number(decoder, Tag::Orientation, 1)?.min(255) as u8;
        let compression = number(decoder, Tag::Compression, 1)?;
        if let Err(reason) = codec::check(compression) {
            return Ok(Err(reason));
        }
        if colour == Colour::YCbCr && planes {
            return Ok(Err("its colours are luma and chroma in planes; convert it to RGB".into()));
        }
        let plain_luma = colour == Colour::YCbCr && compression != codec::JPEG;
        if plain_luma && (bits != 8 || planes || subsampling != (1, 1)) {
            return Ok(Err("its colours are luma and reduced chroma without JPEG; convert it to RGB".into()));
        }
        let reversed_bits = number(decoder, FILL_ORDER, 1)? == 2;
        if reversed_bits && compression == codec::FAX_4 {
            return Ok(Err("its fax data have the bits of each byte in reverse order (fill order 2), which is not read; \
                           rewrite it, for instance with tiffcp -f msb2lsb"
                .into()));
        }
        let header = Self {
            width,
            height,
            samples,
            bits,
            numbers,
            alpha: alpha(extra.as_deref(), samples, photometric).filter(|&sample| sample >= least),
            colour,
            planes,
            compression,
            predictor: if codec::has_predictor(compression) {
                number(decoder, Tag::Predictor, 1)?
            } else {
                1
            },
            reversed_bits,
            chunk,
            is_tiled,
            offsets,
            lengths,
            jpeg_tables: bytes(decoder, Tag::JPEGTables)?,
            orientation: Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms),
            nodata: nodata(decoder).map(|value| match (numbers, bits) {
                // The text may have fewer or more digits than the pixels' type.
                (Numbers::Floating, 32) => f64::from(value as f32),
                _ => value,
            }),
            icc: bytes(decoder, ICC).ok().flatten().filter(|icc| icc.len() <= LARGEST_PROFILE),
            big_endian: decoder.byte_order() == tiff::tags::ByteOrder::BigEndian,
        };
        Ok(if header.has_all_chunks() {
            Ok(header)
        } else {
            Err("its strips or tiles are incomplete".into())
        })
    }

    /// Chunks in a row of them.
    pub fn across(&self) -> usize {
        self.width.div_ceil(self.chunk.0.max(1))
    }

    /// Rows of chunks.
    pub fn down(&self) -> usize {
        self.height.div_ceil(self.chunk.1.max(1))
    }

    /// Planes, each of which has all chunks.
    pub fn plane_count(&self) -> usize {
        if self.planes { self.samples } else { 1 }
    }

    /// Values a pixel in a chunk.
    pub fn chunk_samples(&self) -> usize {
        if self.planes { 1 } else { self.samples }
    }

    /// Bytes of a row of `width` pixels of a chunk.
    pub fn row_bytes(&self, width: usize) -> usize {
        (width * self.chunk_samples() * self.bits as usize).div_ceil(8)
    }

    fn has_all_chunks(&self) -> bool {
        let needed = self.across().checked_mul(self.down()).and_then(|n| n.checked_mul(self.plane_count()));
        let (width, height) = self.chunk;
        width > 0 && height > 0 && needed.is_some_and(|n| self.offsets.len() >= n && self.lengths.len() >= n)
    }
}

/// The sample that is alpha: the first extra sample that says so. Of four samples that do not say what they are, many
/// programs and the usual readers take the fourth for alpha where the others are red, green and blue.
fn alpha(extra: Option<&[u16]>, samples: usize, photometric: u16) -> Option<usize> {
    match extra {
        Some(extra) => {
            let first = samples.checked_sub(extra.len())?;
            extra.iter().position(|&kind| kind == 1 || kind == 2).map(|place| first + place)
        }
        None => (photometric == 2 && samples == 4).then_some(3),
    }
}

/// Colours of 16 bits a channel, all reds first, as 8 bits. Some programs wrote 8 bits into the 16.
fn palette<R: Read + Seek>(decoder: &mut Decoder<R>, bits: u32) -> TiffResult<Option<Vec<[u8; 3]>>> {
    let Some(map) = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap)? else { return Ok(None) };
    if bits > 16 || map.len() != 3 << bits {
        return Ok(None);
    }
    let narrow = map.iter().all(|&v| v < 256);
    let byte = |v: u16| if narrow { v as u8 } else { (v >> 8) as u8 };
    let count = map.len() / 3;
    Ok(Some((0..count).map(|i| [0, 1, 2].map(|c| byte(map[c * count + i]))).collect()))
}

fn nodata<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<f64> {
    let text = decoder.get_tag_ascii_string(GDAL_NODATA).ok()?;
    text.trim_matches(['\0', ' ']).parse().ok()
}

fn bytes<R: Read + Seek>(decoder: &mut Decoder<R>, tag: Tag) -> TiffResult<Option<Vec<u8>>> {
    match decoder.get_tag_u8_vec(tag) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(TiffError::FormatError(tiff::TiffFormatError::RequiredTagNotFound(_))) => Ok(None),
        Err(error) => Err(error),
    }
}
