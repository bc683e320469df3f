//! Messages about data sets.

use dapple::data::Dataset;

/// Prints the warnings about a data set and the names of the pairs left out.
pub fn warn_of_skipped(dataset: &Dataset) {
    for warning in dataset.warnings() {
        eprintln!("warning: {warning}");
    }
    for error in dataset.skipped() {
        eprintln!("warning: {error}");
    }
    if !dataset.skipped().is_empty() {
        eprintln!("warning: {} bad pairs were left out", dataset.skipped().len());
    }
}
