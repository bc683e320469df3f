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
