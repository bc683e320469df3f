//! NumPy arrays as images: read as files of the same values are.

use std::path::Path;

use dapple::data::{MAX_CHANNELS, Photo, Reading, SampleKind, Samples, Stored, ValueRange};
use dapple::program::Failure;
use numpy::{Element, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::errors::refused;

/// The name of an array in messages.
pub const ARRAY: &str = "the image";

/// Values in `[0, 1]`, as floating-point images have them in NumPy's world.
const UNIT: [f64; 2] = [0.0, 1.0];

/// The values of a contiguous array `[height, width, channels]` of `uint8`, `uint16` or `float32`; with `alpha`, its last
/// channel is one.
///
/// # Errors
/// `dapple.InputError` for an array of another kind, or with numbers that are not finite.
pub fn stored(array: &Bound<'_, PyAny>, alpha: bool) -> PyResult<Stored> {
    let ([height, width, channels], samples, kind) = if let Ok(array) =
        array.extract::<PyReadonlyArray3<'_, u8>>()
    {
        (shape(&array), Samples::U8(array.as_slice()?.to_vec()), SampleKind::BYTE)
    } else if let Ok(array) = array.extract::<PyReadonlyArray3<'_, u16>>() {
        (shape(&array), Samples::U16(array.as_slice()?.to_vec()), SampleKind::Uint(16))
    } else if let Ok(array) = array.extract::<PyReadonlyArray3<'_, f32>>() {
        let values = array.as_slice()?.to_vec();
        let [_, width, channels] = shape(&array);
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (value, pixel) = (values[at], at / channels.max(1));
            let (row, column) = (pixel / width, pixel % width);
            return Err(refused(format!(
                "{ARRAY} is {value} at row {row}, column {column}; replace what is not a number, for instance with \
                     numpy.nan_to_num"
            )));
        }
        (shape(&array), Samples::F32(values), SampleKind::Float(32))
    } else {
        return Err(refused(format!(
            "{ARRAY} is no array of height x width x channels of uint8, uint16 or float32"
        )));
    };
    if height == 0 || width == 0 || !(1..=MAX_CHANNELS).contains(&channels) || (alpha && channels == 1) {
        return Err(refused(format!(
            "{ARRAY} has {height} x {width} pixels of {channels} channels; give at least one pixel and 1 to {MAX_CHANNELS} \
             channels"
        )));
    }
    let alpha = alpha.then(|| channels - 1);
    Ok(Stored { width, height, channels, alpha, samples, kind, nodata: None, mask: None, icc: None })
}

fn shape<T: Element>(array: &PyReadonlyArray3<'_, T>) -> [usize; 3] {
    let shape = array.shape();
    [shape[0], shape[1], shape[2]]
}

/// An array in a reading. Floating-point values from 0 to 1 are black to white; where nothing says how others are meant, the
/// reading refuses them.
///
/// # Errors
/// Those of [`Reading::settle`], and too few channels.
pub fn photo(stored: Stored, reading: &Reading) -> Result<Photo, Failure> {
    let bands = stored.channels - usize::from(stored.alpha.is_some());
    let seen = reading.channels.count();
    // A model of unknown images may have been trained on any number.
    let known = reading.images.map(|images| images.bands).filter(|&bands| bands < usize::MAX);
    if bands > known.unwrap_or(seen).max(3) {
        return Err(Failure::input(format!(
            "{ARRAY} has {bands} channels, but the model sees {seen}; give those that are meant, for instance \
             image[:, :, :{seen}]"
        )));
    }
    let is_unit = matches!(stored.kind, SampleKind::Float(_))
        && reading.range == ValueRange::Type
        && stored.extent().is_some_and(|[low, high]| low >= UNIT[0] && high <= UNIT[1]);
    let range = match is_unit {
        true => ValueRange::Span(vec![UNIT]),
        false => reading.settle(Path::new(ARRAY), (stored.kind, bands), || Ok(stored.extent()))?,
    };
    stored.photo(&range, reading.channels).map_err(|reason| Failure::input(format!("{ARRAY}: {reason}")))
}
