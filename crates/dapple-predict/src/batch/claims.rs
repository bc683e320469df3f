//! The names of results: who writes which, and which files they must not replace.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::settings::BatchSettings;
use crate::error::PredictError;
use crate::geo::GeoReference;
use crate::inputs::Input;
use crate::output::OutputFile;

/// The longest file name that common file systems take, in bytes.
const NAME_BYTES: usize = 255;

/// The files of all inputs of a batch.
pub(super) struct Claims {
    parts: Vec<OutputFile>,
    /// The first input of each result, where several would write it, by its name without regard to case: some file systems
    /// know no difference.
    shared: HashMap<String, usize>,
    /// Files that no result may replace, as the system calls them.
    protected: HashSet<PathBuf>,
}

impl Claims {
    pub fn new(parts: Vec<OutputFile>, inputs: &[Input], batch: &BatchSettings) -> Self {
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut shared = HashMap::new();
        for (index, input) in inputs.iter().enumerate() {
            for part in parts_of(&parts, input) {
                let key = key(&input.output(&batch.out, &part.suffix));
                let owner = *first.entry(key.clone()).or_insert(index);
                if owner != index {
                    shared.insert(key, owner);
                }
            }
        }
        let paths = inputs.iter().map(|input| &input.path).chain(&batch.protected);
        let protected = paths.filter_map(|path| fs::canonicalize(path).ok()).collect();
        Self { parts, shared, protected }
    }

    /// The results of an input with their paths, each of which nobody else writes and that replaces no input.
    pub fn files(
        &self,
        index: usize,
        inputs: &[Input],
        out: &Path,
    ) -> Result<Vec<(OutputFile, PathBuf)>, PredictError> {
        let input = &inputs[index];
        let refuse = |problem: String| Err(PredictError::bad_file(&input.path, problem));
        let mut files = Vec::with_capacity(self.parts.len());
        for part in parts_of(&self.parts, input) {
            let path = input.output(out, &part.suffix);
            let shown = path.display();
            // A suffix alone, such as `.png`, would be a name without extension.
            let wanted = extension(Path::new(&format!("_{}", part.suffix)));
            if input.result.is_some() && extension(&path) != wanted {
                return refuse(format!(
                    "its result is a {wanted} file, and --out names {shown}; give such a name, or a folder"
                ));
            }
            if let Some(&owner) = self.shared.get(&key(&path)).filter(|&&owner| owner != index) {
                let other = inputs[owner].path.display();
                return refuse(format!(
                    "its result {shown} is that of {other} too, which has the same name but for the extension or the \
                     folder; predict them into different folders with --out"
                ));
            }
            self.check(input, &path)?;
            files.push((part, path));
        }
        Ok(files)
    }

    /// Refuses a name of a result that cannot be written, or that another file has which must stay.
    pub fn check(&self, input: &Input, result: &Path) -> Result<(), PredictError> {
        let refuse = |problem: String| Err(PredictError::bad_file(&input.path, problem));
        let shown = result.display();
        if self.is_protected(result) {
            return refuse(format!(
                "its result {shown} would replace an image of this batch or a model; give another folder with --out"
            ));
        }
        let length = result.file_name().unwrap_or_default().len();
        if length > NAME_BYTES {
            return refuse(format!(
                "the name of its result would have {length} bytes, more than the {NAME_BYTES} that file systems take; \
                 rename the image"
            ));
        }
        if result.is_dir() {
            return refuse(format!(
                "{shown}, the name of its result, is a folder; give another folder with --out"
            ));
        }
        Ok(())
    }

    /// Whether a path leads to a file that no result may replace.
    pub fn is_protected(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|path| self.protected.contains(&path))
    }
}

/// The outputs of an input: those of a GeoTIFF are on the ground.
fn parts_of(parts: &[OutputFile], input: &Input) -> Vec<OutputFile> {
    let on_ground = GeoReference::is_in_tags_of(&input.path);
    parts.iter().cloned().map(|part| if on_ground { part.on_ground() } else { part }).collect()
}

/// The extension in lower case, one for each format.
fn extension(path: &Path) -> String {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if extension == "tiff" { "tif".to_owned() } else { extension }
}

fn key(path: &Path) -> String {
    // Of names that are not UTF-8 some look alike here; they are refused rather than overwritten.
    path.to_string_lossy().to_lowercase()
}
