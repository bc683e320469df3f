//! Undoing the differences between neighbours that were stored in place of values (TIFF 6.0, section 14, and Adobe's
//! Technical Note 3 for floating-point numbers).

/// Undoes the predictor of a row in place; the bytes of each value stay in the order of the file.
///
/// # Errors
/// For a predictor that is unknown or does not fit the values.
pub(super) fn undo(
    predictor: u16,
    row: &mut [u8],
    (bits, samples): (u32, usize),
    big_endian: bool,
) -> Result<(), String> {
    match (predictor, bits) {
        (1, _) => {}
        (2, 8) => {
            for i in samples..row.len() {
                row[i] = row[i].wrapping_add(row[i - samples]);
            }
        }
        (2, 16) => sum::<2>(row, samples, big_endian),
        (2, 32) => sum::<4>(row, samples, big_endian),
        (2, 64) => sum::<8>(row, samples, big_endian),
        (3, 16 | 32 | 64) => floating(row, bits as usize / 8, samples, big_endian),
        _ => return Err(format!("its predictor {predictor} is not read for values of {bits} bits")),
    }
    Ok(())
}

/// Adds up whole numbers of `N` bytes.
fn sum<const N: usize>(row: &mut [u8], samples: usize, big_endian: bool) {
    let number = |bytes: &[u8; N]| {
        let mut wide = [0; 8];
        if big_endian {
            wide[8 - N..].copy_from_slice(bytes);
            u64::from_be_bytes(wide)
        } else {
            wide[..N].copy_from_slice(bytes);
            u64::from_le_bytes(wide)
        }
    };
    let values = row.as_chunks_mut::<N>().0;
    for i in samples..values.len() {
        // Carries beyond the width are cut off below.
        let total = number(&values[i]).wrapping_add(number(&values[i - samples]));
        let wide = if big_endian { total.to_be_bytes() } else { total.to_le_bytes() };
        values[i].copy_from_slice(if big_endian { &wide[8 - N..] } else { &wide[..N] });
    }
}

/// Bytes of equal weight lie together, the most significant first, as differences.
fn floating(row: &mut [u8], bytes: usize, samples: usize, big_endian: bool) {
    for i in samples..row.len() {
        row[i] = row[i].wrapping_add(row[i - samples]);
    }
    let count = row.len() / bytes;
    let stored = row.to_vec();
    for (i, value) in row.chunks_exact_mut(bytes).enumerate() {
        for (place, byte) in value.iter_mut().enumerate() {
            let weight = if big_endian { place } else { bytes - 1 - place };
            *byte = stored[weight * count + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::undo;

    #[test]
    fn differences_are_added_up() {
        let mut row = [10_u8, 20, 1, 255, 0, 2];
        undo(2, &mut row, (8, 2), false).expect("a known predictor");
        assert_eq!(row, [10, 20, 11, 19, 11, 21]);
        // 255 and 1 carry, in both orders of bytes.
        let mut row = [0xff_u8, 0x00, 0x01, 0x00];
        undo(2, &mut row, (16, 1), false).expect("a known predictor");
        assert_eq!(row, [0xff, 0x00, 0x00, 0x01]);
        let mut row = [0x00_u8, 0xff, 0x00, 0x01];
        undo(2, &mut row, (16, 1), true).expect("a known predictor");
        assert_eq!(row, [0x00, 0xff, 0x01, 0x00]);
        assert!(undo(2, &mut row, (12, 1), true).is_err());
    }

    #[test]
    fn bytes_of_floating_point_numbers_are_put_together() {
        let values = [1.5_f32, -2.25, 100.0];
        for big_endian in [false, true] {
            let planes: Vec<u8> = (0..4).flat_map(|weight| values.map(|v| v.to_be_bytes()[weight])).collect();
            let mut row = vec![planes[0]];
            row.extend(planes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])));
            undo(3, &mut row, (32, 1), big_endian).expect("a known predictor");
            let bytes = |v: &f32| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
            assert_eq!(row, values.iter().flat_map(bytes).collect::<Vec<u8>>());
        }
    }
}
