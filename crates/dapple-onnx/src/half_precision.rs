//! Weights in half precision.

use half::f16;

/// The values in half precision, little-endian. None where that would change one by more than 2^-11 of the largest, the
/// relative error of rounding: values beyond 65504, or so small as a whole that half precision has too few digits for them.
pub(crate) fn halves(values: &[f32]) -> Option<Vec<u8>> {
    let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let limit = largest / 2048.0;
    let mut bytes = Vec::with_capacity(2 * values.len());
    for &value in values {
        let half = f16::from_f32(value);
        // A difference that is infinite or not a number is too large as well.
        let holds = (half.to_f32() - value).abs() <= limit;
        if !holds {
            return None;
        }
        bytes.extend(half.to_le_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_the_range_of_half_precision_are_not_halved() {
        assert!(halves(&[65504.0, -1.0, 0.0]).is_some());
        assert!(halves(&[65520.0, 1.0]).is_none());
        assert!(halves(&[f32::NAN]).is_none());
        // All of them have three binary digits or fewer.
        assert!(halves(&[3.3e-7, -1.1e-7]).is_none());
        // Beside a usual one they are as good as zero.
        assert_eq!(halves(&[0.5, 1e-9]), Some(vec![0x00, 0x38, 0, 0]));
    }
}
