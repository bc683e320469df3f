//! From the bytes of a chunk's rows to numbers.

use super::header::{Colour, Header, Numbers};
use crate::image::stored::Samples;

/// Appends the numbers of a row of `count` values.
pub(super) fn append(header: &Header, row: &[u8], count: usize, to: &mut Samples) {
    match to {
        Samples::U8(to) => match header.bits {
            8 => to.extend_from_slice(&row[..count]),
            bits => to.extend((0..count).map(|i| bit_field(row, i, bits) as u8)),
        },
        Samples::U16(to) => match header.bits {
            16 => to.extend(row.as_chunks().0[..count].iter().map(|b| u16_of(*b, header.big_endian))),
            bits => to.extend((0..count).map(|i| bit_field(row, i, bits))),
        },
        Samples::F32(to) => match (header.numbers, header.bits) {
            (Numbers::Signed, 8) => to.extend(row[..count].iter().map(|&b| f32::from(b as i8))),
            (Numbers::Signed, _) => {
                let values = row.as_chunks().0[..count].iter();
                to.extend(values.map(|b| f32::from(u16_of(*b, header.big_endian) as i16)));
            }
            (_, 16) => {
                let values = row.as_chunks().0[..count].iter();
                to.extend(values.map(|b| half::f16::from_bits(u16_of(*b, header.big_endian)).to_f32()));
            }
            _ => {
                let values = row.as_chunks().0[..count].iter();
                to.extend(values.map(|b| f32::from_bits(u32_of(*b, header.big_endian))));
            }
        },
        Samples::F64(to) => {
            let wide =
                |b: &[u8; 8]| if header.big_endian { u64::from_be_bytes(*b) } else { u64::from_le_bytes(*b) };
            match (header.numbers, header.bits) {
                (numbers, 32) => {
                    let values = row.as_chunks().0[..count].iter().map(|b| u32_of(*b, header.big_endian));
                    let signed = numbers == Numbers::Signed;
                    to.extend(values.map(|v| if signed { f64::from(v as i32) } else { f64::from(v) }));
                }
                (numbers, _) => {
                    let values = row.as_chunks().0[..count].iter().map(wide);
                    to.extend(values.map(|v| match numbers {
                        Numbers::Floating => f64::from_bits(v),
                        Numbers::Signed => v as i64 as f64,
                        Numbers::Unsigned => v as f64,
                    }));
                }
            }
        }
    }
}

/// An empty list of the type that holds the file's numbers, with room for `count`.
pub(super) fn list(header: &Header, count: usize) -> Samples {
    match (header.numbers, header.bits) {
        (Numbers::Unsigned, 1..=8) => Samples::U8(Vec::with_capacity(count)),
        (Numbers::Unsigned, 9..=16) => Samples::U16(Vec::with_capacity(count)),
        (Numbers::Signed, 8 | 16) | (Numbers::Floating, 16 | 32) => Samples::F32(Vec::with_capacity(count)),
        _ => Samples::F64(Vec::with_capacity(count)),
    }
}

/// Bytes that a pixel takes in memory: those of the type that holds its numbers, which for many types are more than in the
/// file, and of indices those of their colours.
pub(super) fn pixel_bytes(header: &Header) -> usize {
    let bytes = match list(header, 0) {
        Samples::U8(_) => 1,
        Samples::U16(_) => 2,
        Samples::F32(_) => 4,
        Samples::F64(_) => 8,
    };
    match header.colour {
        Colour::Palette(_) => bytes.max(3 + usize::from(header.nodata.is_some())),
        _ => bytes * header.samples,
    }
}

/// Value `index` of a row of values of `bits` bits, 1 to 16, the most significant bit first.
fn bit_field(row: &[u8], index: usize, bits: u32) -> u16 {
    let first = index * bits as usize;
    let byte = |i: usize| u32::from(row.get(i).copied().unwrap_or(0));
    let start = first / 8;
    let window = byte(start) << 16 | byte(start + 1) << 8 | byte(start + 2);
    (window >> (24 - bits - (first % 8) as u32) & ((1 << bits) - 1)) as u16
}

fn u16_of(bytes: [u8; 2], big_endian: bool) -> u16 {
    if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
}

fn u32_of(bytes: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

#[cfg(test)]
mod tests {
    use super::bit_field;

    #[test]
    fn values_of_any_number_of_bits() {
        // 0xabc and 0x123 in twelve bits each.
        let row = [0xab, 0xc1, 0x23];
        assert_eq!([bit_field(&row, 0, 12), bit_field(&row, 1, 12)], [0xabc, 0x123]);
        let row = [0b1001_0110];
        assert_eq!((0..8).map(|i| bit_field(&row, i, 1)).collect::<Vec<_>>(), [1, 0, 0, 1, 0, 1, 1, 0]);
        assert_eq!((0..4).map(|i| bit_field(&row, i, 2)).collect::<Vec<_>>(), [2, 1, 1, 2]);
        assert_eq!([bit_field(&row, 0, 4), bit_field(&row, 1, 4)], [9, 6]);
    }
}
