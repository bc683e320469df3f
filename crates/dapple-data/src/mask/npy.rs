//! Label maps in NumPy's files of one array (`.npy`, format versions 1 to 3).

use std::path::Path;

use crate::error::{DataError, Result};
use crate::image::raster::{DECODE_LIMIT_BYTES, too_large};

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array of two dimensions.
pub(super) struct Array {
    pub width: usize,
    pub height: usize,
    pub values: Vec<u16>,
    /// The largest value of the type, 1 of truth values.
    pub white: u16,
}

/// Reads an array of rows and columns, whole numbers from 0 to 65535 of whatever type; `None` for other files.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<Option<Array>> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
    let wrong = |reason: String| DataError::Decode { path: path.to_owned(), reason };
    let (header, data) = split(rest).ok_or_else(|| wrong("the header of the array is damaged".into()))?;
    let value = |key: &str| {
        let (_, after) = header.split_once(key)?;
        Some(after.trim_start_matches(['\'', '"', ':', ' ']))
    };
    let kind = value("descr").and_then(|text| text.split(['\'', '"']).next());
    let kind = kind.ok_or_else(|| wrong("the array names no type".into()))?;
    let by_columns = value("fortran_order").is_some_and(|text| text.starts_with("True"));
    let shape =
        value("shape").and_then(|text| text.trim_start_matches('(').split(')').next()).unwrap_or_default();
    let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
    let sides = sides.map(|side| side.parse().ok()).collect::<Option<Vec<usize>>>().unwrap_or_default();
    // One channel, first or last, is none.
    let (height, width) = match sides[..] {
        [height, width] | [height, width, 1] | [1, height, width] => (height, width),
        _ => {
            let reason = format!(
                "an array of the shape ({shape}), where a label map has rows and columns; of one channel for each class, save \
                 the index of the largest (argmax)"
            );
            return Err(wrong(reason));
        }
    };
    let size = kind.get(2..).and_then(|size| size.parse::<usize>().ok()).unwrap_or(0);
    let code = kind.chars().nth(1).unwrap_or(' ');
    if !matches!((code, size), ('b', 1) | ('u' | 'i', 1 | 2 | 4 | 8) | ('f', 4 | 8)) {
        return Err(wrong(format!(
            "an array of the type `{kind}`; save label maps as whole numbers (uint8)"
        )));
    }
    let count = height.checked_mul(width).filter(|&count| (count as u64) < DECODE_LIMIT_BYTES / 2);
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let count = count.ok_or_else(|| too_large(path, (side(width), side(height))))?;
    if count == 0 {
        return Err(wrong("an array without values".into()));
    }
    if data.len() != count.saturating_mul(size) {
        return Err(wrong(format!(
            "the array has {} bytes where {height} x {width} values of {size} have {}",
            data.len(),
            count * size
        )));
    }
    let big_endian = kind.starts_with('>');
    let mut values = Vec::with_capacity(count);
    for at in 0..count {
        let from = if by_columns { at % width * height + at / width } else { at };
        let stored = &data[from * size..][..size];
        let mut word = [0_u8; 8];
        for (i, &byte) in stored.iter().enumerate() {
            word[if big_endian { size - 1 - i } else { i }] = byte;
        }
        let bits = u64::from_le_bytes(word);
        let number = match (code, size) {
            ('f', 4) => f64::from(f32::from_bits(bits as u32)),
            ('f', _) => f64::from_bits(bits),
            // The sign of shorter numbers is moved to the front and back.
            ('i', _) => ((bits << (64 - 8 * size)) as i64 >> (64 - 8 * size)) as f64,
            _ => bits as f64,
        };
        if number.fract() != 0.0 || !(0.0..=65535.0).contains(&number) {
            return Err(wrong(format!(
                "a mask with the value {number}; save label maps as whole numbers from 0 (uint8)"
            )));
        }
        values.push(number as u16);
    }
    let white = match (code, size) {
        ('b', _) => 1,
        (_, 1) => 255,
        _ => u16::MAX,
    };
    Ok(Some(Array { width, height, values, white }))
}

/// The header's text and the data after it.
fn split(rest: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = match rest {
        [1, _, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return None,
    };
    let (header, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, data))
}
