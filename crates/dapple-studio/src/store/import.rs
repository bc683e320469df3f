//! Taking labels of other forms over into a new folder.

use std::path::Path;

use dapple_base::write_atomic;
use dapple_data::{Classes, Dataset, OpenOptions, decode_values, find_images};

use super::mask::{UNLABELLED, grey_png};
use crate::error::{Result, StudioError};

/// Writes the photographs and labels of a data set, in any of the forms that `dapple train` reads, into a new folder that the studio
/// can open; `from` stays as it is. Gives notes on what was interpreted.
///
/// # Errors
/// Those of [`Dataset::open`] and [`Dataset::convert`]; [`StudioError::Refused`] for more than 255 classes.
pub fn import(from: &Path, to: &Path) -> Result<Vec<String>> {
    let dataset = Dataset::open(from, &OpenOptions::default())?;
    if dataset.classes().len() > usize::from(UNLABELLED) {
        return Err(StudioError::refused(format!(
            "{}: {} classes; the studio keeps 255 at most, as it needs one value for pixels without a label",
            from.display(),
            dataset.classes().len()
        )));
    }
    dataset.convert(to)?;
    if let Some(ignore) = dataset.ignore().filter(|&ignore| ignore != UNLABELLED) {
        for path in find_images(&to.join("masks"))?.images {
            let mask = decode_values(&path)?;
            let label = |&value: &u16| if value == u16::from(ignore) { UNLABELLED } else { value as u8 };
            let labels: Vec<u8> = mask.values.iter().map(label).collect();
            write_atomic(&path, &grey_png(mask.width, mask.height, &labels)?)?;
        }
    }
    let classes: &Classes = dataset.classes();
    write_atomic(to.join("classes.toml"), classes.to_toml_of_labels(UNLABELLED).as_bytes())?;
    Ok(dataset.warnings().to_vec())
}
