//! Messages about data sets.

use dapple::data::{Dataset, Split};

use crate::cli::failure::Failure;

/// Prints the warnings about a data set and the names of the pairs left out.
pub fn warn_of_skipped(dataset: &Dataset) {
    for warning in dataset.warnings() {
        note!("warning: {warning}");
    }
    for error in dataset.skipped() {
        note!("warning: {error}");
    }
    if !dataset.skipped().is_empty() {
        note!("warning: {} bad pairs were left out", dataset.skipped().len());
    }
}

/// Prints the classes that no validation image has, whose scores say nothing.
pub fn warn_of_validation(dataset: &Dataset, split: &Split) -> Result<(), Failure> {
    let val = split.indices(dataset)?.val;
    let missing = dataset.missing_classes(&val);
    if val.is_empty() || missing.is_empty() {
        return Ok(());
    }
    let names = if missing.len() > 8 { [&missing[..8], &["…"]].concat() } else { missing };
    note!(
        "warning: none of the {} validation masks has the class {}, which is not scored; divide otherwise with --split \
         stratified, --train-fraction or --folds",
        val.len(),
        names.join(", ")
    );
    Ok(())
}
