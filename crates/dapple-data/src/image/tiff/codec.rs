//! Compressions of strips and tiles. None gives more bytes than it is asked for.

use std::io::Read;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::image::raster::DECODE_LIMIT_BYTES;

/// A chunk of this compression is left to the crate `tiff`.
pub(super) const FAX_4: u16 = 4;
pub(super) const NONE: u16 = 1;
pub(super) const JPEG: u16 = 7;

/// Whether a compression is read; otherwise its name.
///
/// # Errors
/// The reason, as a sentence that goes on after the file's name.
pub(super) fn check(compression: u16) -> Result<(), String> {
    let name = match compression {
        NONE | FAX_4 | JPEG | 5 | 8 | 32773 | 32946 | 50000 => return Ok(()),
        2 | 3 => "CCITT fax group 3",
        6 => "old-style JPEG",
        34887 => "LERC",
        34712 | 33003..=33005 => "JPEG 2000",
        34925 => "LZMA",
        50001 => "WebP",
        50002 | 52546 => "JPEG XL",
        _ => "",
    };
    let name = if name.is_empty() { format!("number {compression}") } else { name.to_owned() };
    Err(format!(
        "its compression, {name}, is not read; rewrite it, for instance with gdal_translate -co COMPRESS=DEFLATE"
    ))
}

/// Whether values may be stored as differences before they are compressed so (TIFF 6.0, section 14, and libtiff for zstd). Other
/// data have no predictor, whatever a tag says, which some programs write for them too.
pub(super) fn has_predictor(compression: u16) -> bool {
    matches!(compression, 5 | 8 | 32946 | 50000)
}

/// At most `most` bytes of a chunk.
///
/// # Errors
/// The reason.
pub(super) fn expand(compression: u16, data: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match compression {
        NONE => bytes.extend_from_slice(&data[..data.len().min(most)]),
        5 => lzw(data, most, &mut bytes)?,
        32773 => pack_bits(data, most, &mut bytes),
        8 | 32946 => {
            let read = flate2::read::ZlibDecoder::new(data).take(most as u64).read_to_end(&mut bytes);
            read.map_err(|error| format!("its deflated data are damaged ({error})"))?;
        }
        50000 => {
            let damaged = |error: String| format!("its zstd data are damaged ({error})");
            let decoder =
                ruzstd::decoding::StreamingDecoder::new(data).map_err(|error| damaged(error.to_string()))?;
            let read = decoder.take(most as u64).read_to_end(&mut bytes);
            read.map_err(|error| damaged(error.to_string()))?;
        }
        _ => return Err("its compression is not read".into()),
    }
    Ok(bytes)
}

fn lzw(data: &[u8], most: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
    const STEP: usize = 1 << 16;
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let mut rest = data;
    while bytes.len() < most {
        let start = bytes.len();
        bytes.resize((start + STEP).min(most), 0);
        let result = decoder.decode_bytes(rest, &mut bytes[start..]);
        rest = &rest[result.consumed_in..];
        bytes.truncate(start + result.consumed_out);
        match result.status {
            Ok(weezl::LzwStatus::Ok) if result.consumed_in + result.consumed_out > 0 => {}
            Ok(_) => break,
            Err(error) => return Err(format!("its LZW data are damaged ({error})")),
        }
    }
    Ok(())
}

/// TIFF 6.0, section 9.
fn pack_bits(data: &[u8], most: usize, bytes: &mut Vec<u8>) {
    let mut rest = data;
    while let (Some((&head, tail)), true) = (rest.split_first(), bytes.len() < most) {
        let head = head as i8;
        let used = match head {
            0.. => {
                let count = (head as usize + 1).min(tail.len());
                bytes.extend_from_slice(&tail[..count]);
                count
            }
            i8::MIN => 0,
            _ => match tail.first() {
                Some(&value) => {
                    bytes.resize(bytes.len() + 1 + usize::from(head.unsigned_abs()), value);
                    1
                }
                None => 0,
            },
        };
        rest = &tail[used..];
    }
    bytes.truncate(most);
}

/// A chunk that is a JPEG, with the tables that all of them share; `rgb` asks for a conversion from luma and chroma.
///
/// # Errors
/// The reason; also for a picture of another size or another number of samples.
pub(super) fn jpeg(
    data: &[u8],
    tables: Option<&[u8]>,
    (width, height, samples): (usize, usize, usize),
    rgb: bool,
) -> Result<Vec<u8>, String> {
    let damaged = |error: zune_jpeg::errors::DecodeErrors| format!("its JPEG data are damaged ({error})");
    if !data.windows(2).any(|pair| pair == [0xff, 0xd9]) {
        // The decoder would fill the missing part with grey.
        return Err("its JPEG data are truncated (no end-of-image marker)".into());
    }
    // Tables end with a marker of their own, and the picture begins with one: both would be one too many.
    let whole = match tables {
        Some(tables) if tables.len() > 4 && data.len() > 2 => {
            [&tables[..tables.len() - 2], &data[2..]].concat()
        }
        _ => data.to_vec(),
    };
    let limits = DecoderOptions::default().set_max_width(1 << 16).set_max_height(1 << 16);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(whole), limits);
    decoder.decode_headers().map_err(damaged)?;
    let found = decoder.info().ok_or("its JPEG data have no header")?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::YCbCr);
    // Strips may be padded below to whole blocks.
    let fits = usize::from(found.width) == width && usize::from(found.height) >= height;
    if !fits || stored.num_components() != samples {
        return Err(format!(
            "a chunk is a JPEG of {} x {} pixels with {} channels where {width} x {height} with {samples} are needed",
            found.width,
            found.height,
            stored.num_components(),
        ));
    }
    let bytes = usize::from(found.width) * usize::from(found.height) * samples;
    if bytes as u64 > DECODE_LIMIT_BYTES {
        return Err(format!(
            "a chunk is a JPEG of {} x {} pixels, which is too large",
            found.width, found.height
        ));
    }
    let wanted = if rgb { ColorSpace::RGB } else { stored };
    decoder.set_options(limits.jpeg_set_out_colorspace(wanted));
    let mut pixels = decoder.decode().map_err(damaged)?;
    pixels.truncate(width * height * samples);
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_give_what_was_compressed_and_no_more_than_asked_for() {
        // More than a step of the decoder of LZW.
        let data: Vec<u8> = (0..200_000_usize).map(|i| (i * i / 7 % 251) as u8).collect();
        let lzw = weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(&data);
        let mut deflated = Vec::new();
        let mut encoder = flate2::read::ZlibEncoder::new(&data[..], flate2::Compression::fast());
        encoder.read_to_end(&mut deflated).expect("memory");
        for (compression, packed) in [(5, lzw.expect("memory")), (8, deflated), (NONE, data.clone())] {
            assert!(expand(compression, &packed, data.len()).expect("it is whole") == data, "{compression}");
            assert_eq!(expand(compression, &packed, 100).expect("it is whole"), data[..100]);
        }
    }

    #[test]
    fn pack_bits_of_the_specification() {
        // Apple's Technical Note 1023.
        let packed =
            [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa];
        let wanted = [0xaa_u8, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22];
        assert_eq!(expand(32773, &packed, 14).expect("it is whole"), wanted);
        assert_eq!(expand(32773, &packed, 24).expect("it is whole"), [&wanted[..], &[0xaa; 10]].concat());
    }
}
