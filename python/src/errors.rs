//! Errors as Python exceptions, with the messages of the program.

use dapple::program::Failure;
use dapple_base::{Panicked, contain};
use pyo3::prelude::*;

mod classes {
    pyo3::import_exception!(dapple._errors, Error);
    pyo3::import_exception!(dapple._errors, InputError);
    pyo3::import_exception!(dapple._errors, InternalError);
}

/// Work that other Python threads may run beside, with its errors and panics as exceptions.
///
/// # Errors
/// `dapple.InputError` for wrong input, `dapple.InternalError` for a panic, `dapple.Error` for anything else.
pub fn compute<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    match py.detach(|| contain(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) => Err(raised(&failure)),
        Err(panicked) => Err(bug(&panicked)),
    }
}

/// The exception of a failure.
fn raised(failure: &Failure) -> PyErr {
    let text = failure.to_string();
    match failure.is_input_fault() {
        true => classes::InputError::new_err(text),
        false => classes::Error::new_err(text),
    }
}

/// The exception of wrong input.
pub fn refused(text: impl Into<String>) -> PyErr {
    classes::InputError::new_err(text.into())
}

fn bug(panicked: &Panicked) -> PyErr {
    classes::InternalError::new_err(format!(
        "{panicked}; this is a bug in dapple, not in your input: please report it with these words"
    ))
}
