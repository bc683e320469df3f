//! Vectors as NumPy arrays, which take their memory over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{Element, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// An array `[height, width]`.
pub fn plane<T: Element>(
    py: Python<'_>,
    values: Vec<T>,
    [height, width]: [usize; 2],
) -> PyResult<Bound<'_, PyArray2<T>>> {
    PyArray1::from_vec(py, values).reshape([height, width])
}

/// An array `[height, width, channels]`.
pub fn cube<T: Element>(
    py: Python<'_>,
    values: Vec<T>,
    [height, width, channels]: [usize; 3],
) -> PyResult<Bound<'_, PyArray3<T>>> {
    PyArray1::from_vec(py, values).reshape([height, width, channels])
}

/// Height and width of an array.
pub fn size<T: Element>(array: &PyReadonlyArray2<'_, T>) -> [usize; 2] {
    let shape = array.shape();
    [shape[0], shape[1]]
}

/// The value of a lock. A panic in another thread leaves it as it was: values are replaced or added to as a whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
