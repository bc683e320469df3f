//! Messages about data sets.

use dapple::data::{Dataset, Split};

use crate::cli::failure::Failure;

/// The warnings about a data set and the names of the pairs left out.
pub fn warnings_of(dataset: &Dataset) -> Vec<String> {
    let skipped = dataset.skipped();
    let mut warnings = dataset.warnings().to_vec();
    warnings.extend(skipped.iter().map(ToString::to_string));
    if !skipped.is_empty() {
        warnings.push(format!("{} bad pairs were left out", skipped.len()));
    }
    warnings
}

/// Prints these warnings.
pub fn warn_of_skipped(dataset: &Dataset) {
    warnings_of(dataset).iter().for_each(|warning| note!("warning: {warning}"));
}

/// Prints a warning of classes that no validation image has.
pub fn warn_of_validation(dataset: &Dataset, split: &Split) -> Result<(), Failure> {
    if let Some(warning) = validation_warning(dataset, split)? {
        note!("warning: {warning}");
    }
    Ok(())
}

/// A warning of the classes that no validation image has, whose scores say nothing.
pub fn validation_warning(dataset: &Dataset, split: &Split) -> Result<Option<String>, Failure> {
    let val = split.indices(dataset)?.val;
    let missing = dataset.missing_classes(&val);
    if val.is_empty() || missing.is_empty() {
        return Ok(None);
    }
    let names = if missing.len() > 8 { [&missing[..8], &["…"]].concat() } else { missing };
    Ok(Some(format!(
        "none of the {} validation masks has the class {}, which is not scored; divide otherwise with --split \
         stratified, --train-fraction or --folds",
        val.len(),
        names.join(", ")
    )))
}
