//! A strip or a tile: its place in the file, and its rows expanded.

use std::io::{Read, Seek, SeekFrom};

use tiff::decoder::Decoder;

use super::header::{Colour, Header};
use super::{codec, predictor};
use crate::image::raster::DECODE_LIMIT_BYTES;

/// The rows that are wanted of a chunk, in rows of the chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub chunk: usize,
    pub first: usize,
    pub rows: usize,
}

/// Expanded rows, each of `row_bytes`.
pub(super) struct Rows {
    pub bytes: Vec<u8>,
    pub row_bytes: usize,
    /// Whether the chunk was left out of the file, which programs do with chunks without data.
    pub is_missing: bool,
}

/// Reads rows of a chunk. Rows from the middle are read for themselves where nothing is compressed.
///
/// # Errors
/// The reason.
pub(super) fn read<R: Read + Seek>(
    decoder: &mut Decoder<R>,
    header: &Header,
    wanted: Wanted,
) -> Result<Rows, String> {
    let Wanted { chunk, first, rows } = wanted;
    let (width, height) = (header.chunk.0, chunk_height(header, chunk));
    let row_bytes = header.row_bytes(width);
    let needed = rows * row_bytes;
    let (offset, length) = (header.offsets[chunk], header.lengths[chunk]);
    if length == 0 {
        return Ok(Rows { bytes: vec![0; needed], row_bytes, is_missing: true });
    }
    let short = || format!("strip or tile {chunk} is too short");
    if header.compression == codec::FAX_4 {
        return fax(decoder, header, wanted, row_bytes);
    }
    let skipped = first * row_bytes;
    let mut bytes = if header.compression == codec::NONE {
        let place = offset.checked_add(skipped as u64).ok_or_else(short)?;
        read_at(decoder, place, needed as u64)?
    } else {
        let mut data = read_at(decoder, offset, length)?;
        if header.reversed_bits {
            data.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        let expanded = match header.compression {
            codec::JPEG => {
                if header.bits != 8 {
                    return Err(format!("its JPEG data have {} bits a value; 8 are read", header.bits));
                }
                let size = (width, height, header.chunk_samples());
                let rgb = header.colour == Colour::YCbCr && !header.planes;
                codec::jpeg(&data, header.jpeg_tables.as_deref(), size, rgb)?
            }
            compression => codec::expand(compression, &data, skipped + needed)?,
        };
        match skipped {
            0 => expanded,
            _ => expanded.get(skipped..).unwrap_or_default().to_vec(),
        }
    };
    if header.reversed_bits && header.compression == codec::NONE {
        bytes.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
    }
    if bytes.len() < needed {
        return Err(short());
    }
    bytes.truncate(needed);
    for row in bytes.chunks_exact_mut(row_bytes) {
        predictor::undo(header.predictor, row, (header.bits, header.chunk_samples()), header.big_endian)?;
    }
    Ok(Rows { bytes, row_bytes, is_missing: false })
}

/// Rows that are stored of a chunk: the last strips end with the image, tiles are whole.
fn chunk_height(header: &Header, chunk: usize) -> usize {
    let row = chunk % (header.across() * header.down()) / header.across();
    if header.is_tiled { header.chunk.1 } else { header.chunk.1.min(header.height - row * header.chunk.1) }
}

fn read_at<R: Read + Seek>(decoder: &mut Decoder<R>, place: u64, length: u64) -> Result<Vec<u8>, String> {
    if length > DECODE_LIMIT_BYTES {
        return Err(format!("a strip or tile of {length} bytes is too large"));
    }
    let source = decoder.inner();
    let mut bytes = Vec::new();
    let read = source.seek(SeekFrom::Start(place)).and_then(|_| source.take(length).read_to_end(&mut bytes));
    read.map_err(|error| format!("it cannot be read ({error})"))?;
    Ok(bytes)
}

/// Bilevel scans, which the crate `tiff` expands, white and black as they are to be seen.
fn fax<R: Read + Seek>(
    decoder: &mut Decoder<R>,
    header: &Header,
    Wanted { chunk, first, rows }: Wanted,
    row_bytes: usize,
) -> Result<Rows, String> {
    if header.bits != 1 || header.samples != 1 || header.is_tiled {
        return Err("its fax data are not one strip after the other of one bit a pixel".into());
    }
    let mut whole = vec![0; row_bytes * chunk_height(header, chunk)];
    decoder.read_chunk_bytes(chunk as u32, &mut whole).map_err(|error| error.to_string())?;
    let mut bytes = whole.split_off(first * row_bytes);
    bytes.truncate(rows * row_bytes);
    if header.colour == Colour::Inverted {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    Ok(Rows { bytes, row_bytes, is_missing: false })
}
