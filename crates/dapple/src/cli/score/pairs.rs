//! The masks that are compared: files of two folders that are matched by their names, or the rows of a manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dapple::data::{ManifestColumn, manifest_rows, mask_files};

use super::arguments::Score;
use super::folders::Folders;
use crate::cli::common::remote::refuse_address;
use crate::cli::failure::Failure;

/// The columns of a manifest that are read.
const COLUMNS: [ManifestColumn; 3] = [
    ManifestColumn { names: &["prediction", "pred"], required: true },
    ManifestColumn { names: &["truth", "mask"], required: true },
    ManifestColumn { names: &["name", "image"], required: false },
];

/// A prediction and its truth.
pub struct Pair {
    pub name: String,
    pub prediction: PathBuf,
    pub truth: PathBuf,
}

/// The pairs of a manifest in the order of their names, which are those of the true masks where it has none.
fn listed(list: &Path) -> Result<Vec<Pair>, Failure> {
    refuse_address(list, "--list")?;
    let mut pairs: Vec<Pair> = Vec::new();
    for row in manifest_rows(list, &COLUMNS)? {
        let [Some(prediction), Some(truth), name] = <[Option<String>; 3]>::try_from(row).unwrap_or_default()
        else {
            continue;
        };
        let name =
            name.unwrap_or_else(|| Path::new(&truth).with_extension("").to_string_lossy().into_owned());
        let (prediction, truth) = (PathBuf::from(prediction), PathBuf::from(truth));
        refuse_address(&prediction, "prediction")?;
        refuse_address(&truth, "truth")?;
        pairs.push(Pair { name, prediction, truth });
    }
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    let same = pairs.windows(2).find(|two| two[0].name == two[1].name).map(|two| two[0].name.clone());
    match same {
        Some(name) => Err(Failure::input(format!(
            "{}: several rows of the name `{name}`; give each a name of its own in the column `name`",
            list.display()
        ))),
        None => Ok(pairs),
    }
}

/// Matches the files of both folders by their names.
pub fn pairs(arguments: &Score, folders: &Folders) -> Result<Vec<Pair>, Failure> {
    let (pred, truth) = match (&arguments.list, &folders.pred, &folders.truth) {
        (Some(list), ..) => return listed(list),
        (None, Some(pred), Some(truth)) => (pred, truth),
        (None, ..) => {
            return Err(Failure::input("give the folders of masks with --pred and --truth, or a --list"));
        }
    };
    let mut predictions = mask_files(pred, &arguments.pred_suffix)?;
    let truths = mask_files(truth, &arguments.truth_suffix)?;
    let mut pairs = Vec::new();
    let mut without_prediction = BTreeMap::new();
    for (name, truth) in truths {
        match predictions.remove(&name) {
            Some(prediction) => pairs.push(Pair { name, prediction, truth }),
            None => {
                without_prediction.insert(name, truth);
            }
        }
    }
    let (pred, truth) = (pred.display(), truth.display());
    let (untrue, unpredicted) = (predictions, without_prediction);
    let missing = untrue
        .iter()
        .map(|(name, path)| format!("{}: no true mask named `{name}` in {truth}", path.display()))
        .chain(
            unpredicted
                .iter()
                .map(|(name, path)| format!("{}: no prediction named `{name}` in {pred}", path.display())),
        )
        .next();
    match missing {
        Some(first) if pairs.is_empty() => Err(Failure::input(format!(
            "{first}, and so with all others; names must be equal but for the extension, see --pred-suffix and \
             --truth-suffix"
        ))),
        Some(first) if !arguments.allow_missing => Err(Failure::input(format!(
            "{first} ({} predictions without truth, {} true masks without prediction); add what is missing, or score \
             the {} names that both have with --allow-missing",
            untrue.len(),
            unpredicted.len(),
            pairs.len()
        ))),
        Some(_) => {
            note!(
                "note: left out {} predictions without truth and {} true masks without prediction",
                untrue.len(),
                unpredicted.len()
            );
            Ok(pairs)
        }
        None => Ok(pairs),
    }
}
