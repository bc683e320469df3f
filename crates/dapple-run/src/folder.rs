//! The folder of a run: what is where, making it, and not overwriting another.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dapple_base::{WriteError, read_regular};

use crate::error::RunError;
use dapple_train::TrainingFiles;

/// The folder that a run is written to.
///
/// | file | content |
/// |---|---|
/// | `config.toml` | the settings, see [`TrainConfig`](dapple_train::TrainConfig) |
/// | `split.json` | the names of the samples for training, validation and test |
/// | `data.json` | checksums of the data, see [`Fingerprint`](dapple_data::Fingerprint) |
/// | `metrics.csv`, `metrics.jsonl` | one row per epoch, see [`EpochRecord`](dapple_train::EpochRecord) |
/// | `curves.svg`, `curves.png` | the rows as curves |
/// | `best.safetensors` | the model of the best epoch, usable by itself |
/// | `best.json` | its validation scores, with those of each image |
/// | `last.safetensors` | the state that `--resume` continues from, with the moving average of the weights |
/// | `sweep.json`, `members.csv`, `ensemble.safetensors` | of several trainings, see [`Sweep`](crate::sweep::Sweep) |
/// | `run.lock` | locked by the process that writes the run, and naming it |
/// | `samples/` | image, truth, prediction and overlay of some validation images |
/// | `strips/` | their masks, one panel per class |
/// | `current/` | the same images with the predictions of the latest epochs |
/// | `classes.jsonl` | the classes' scores, one line per epoch |
/// | `tensorboard/` | event files for TensorBoard |
/// | `run.json`, `progress.json`, `log.txt` | origin and command, progress, log |
/// | `evaluation.json`, `extremes/` | the examination of the best model on the validation set, for reports |
/// | `report.html`, `report.md`, `report-pictures/` | the report |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

/// The file that the writer of a run locks.
pub(crate) const LOCK: &str = "run.lock";

const FILES: [&str; 20] = [
    "config.toml",
    "split.json",
    "data.json",
    "metrics.csv",
    "metrics.jsonl",
    "curves.svg",
    "curves.png",
    "best.safetensors",
    "best.json",
    "last.safetensors",
    "classes.jsonl",
    "run.json",
    "progress.json",
    "log.txt",
    "evaluation.json",
    "report.html",
    "report.md",
    "sweep.json",
    "members.csv",
    "ensemble.safetensors",
];
const FOLDERS: [&str; 6] = ["samples", "strips", "current", "tensorboard", "extremes", "report-pictures"];

impl RunFolder {
    /// Checks that a new run may begin in the folder; nothing is written or removed until [`RunFolder::prepare`]. An
    /// existing run is an error unless `force` allows replacing it.
    ///
    /// # Errors
    /// [`RunError::RunExists`], [`RunError::NotARun`] for a folder with other things in it, [`RunError::Write`].
    pub fn claim(path: &Path, force: bool) -> Result<Self, RunError> {
        let run = Self(path.to_owned());
        let failed = |source| RunError::from(WriteError::new(path.to_owned(), source));
        let holds_run = FILES.iter().any(|file| path.join(file).exists());
        if holds_run && !force {
            return Err(RunError::RunExists(run.0));
        }
        if !holds_run && path.exists() {
            let mut entries = fs::read_dir(path).map_err(failed)?.flatten();
            // A run that was killed before it had written anything leaves its lock, and perhaps half a file.
            let own = |name: &OsStr| name == LOCK || is_leftover(name);
            if entries.any(|entry| !own(&entry.file_name())) {
                return Err(RunError::NotARun(run.0));
            }
        }
        Ok(run)
    }

    /// Creates the folder, and removes the files of an earlier run; other files are kept.
    ///
    /// # Errors
    /// [`RunError::Write`].
    pub fn prepare(&self) -> Result<(), RunError> {
        self.remove_leftovers();
        let path = &self.0;
        let failed = |source| RunError::from(WriteError::new(path.clone(), source));
        fs::create_dir_all(path).map_err(failed)?;
        for file in FILES {
            absent_is_fine(fs::remove_file(path.join(file))).map_err(failed)?;
        }
        for folder in FOLDERS {
            absent_is_fine(fs::remove_dir_all(path.join(folder))).map_err(failed)?;
        }
        Ok(())
    }

    /// The folder of an existing run.
    ///
    /// # Errors
    /// [`RunError::Read`] if it holds no `config.toml`.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let run = Self(path.to_owned());
        match fs::metadata(run.config()) {
            Ok(_) => Ok(run),
            Err(source) => Err(RunError::Read { path: run.config(), source }),
        }
    }

    /// Whether a path is that of a run's own file, in the folder of that run.
    pub fn holds(file: &Path) -> bool {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let has = |name: &str| folder.join(name).is_file();
        let is_run = has("config.toml") && has("split.json") || has("sweep.json");
        is_run && FILES.iter().any(|own| file.file_name() == Some(OsStr::new(own)))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The files that the training itself writes.
    pub fn files(&self) -> TrainingFiles {
        TrainingFiles::new(&self.0)
    }

    /// `config.toml`
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// `split.json`
    pub fn split(&self) -> PathBuf {
        self.0.join("split.json")
    }

    /// `data.json`
    pub fn fingerprint(&self) -> PathBuf {
        self.0.join("data.json")
    }

    /// `metrics.jsonl`
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// `best.safetensors`
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// `best.json`
    pub fn best_scores(&self) -> PathBuf {
        self.0.join("best.json")
    }

    /// `last.safetensors`
    pub fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    /// `classes.jsonl`
    pub fn classes(&self) -> PathBuf {
        self.0.join("classes.jsonl")
    }

    /// `evaluation.json`
    pub fn examination(&self) -> PathBuf {
        self.0.join("evaluation.json")
    }

    /// `report.html`
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// `tensorboard/`
    pub fn tensorboard(&self) -> PathBuf {
        self.0.join("tensorboard")
    }

    /// `current/`, created if it is missing.
    ///
    /// # Errors
    /// [`RunError::Write`].
    pub fn current(&self) -> Result<PathBuf, RunError> {
        self.folder("current")
    }

    /// `extremes/`, created if it is missing.
    ///
    /// # Errors
    /// [`RunError::Write`].
    pub fn extremes(&self) -> Result<PathBuf, RunError> {
        self.folder("extremes")
    }

    /// `samples/`, created if it is missing.
    ///
    /// # Errors
    /// [`RunError::Write`].
    pub fn samples(&self) -> Result<PathBuf, RunError> {
        self.folder("samples")
    }

    /// `strips/`, created if it is missing.
    ///
    /// # Errors
    /// [`RunError::Write`].
    pub fn strips(&self) -> Result<PathBuf, RunError> {
        self.folder("strips")
    }

    fn folder(&self, name: &str) -> Result<PathBuf, RunError> {
        let path = self.0.join(name);
        fs::create_dir_all(&path).map_err(|source| RunError::from(WriteError::new(path.clone(), source)))?;
        Ok(path)
    }

    /// Removes unfinished files that a crash has left behind.
    pub(crate) fn remove_leftovers(&self) {
        // A file that cannot be removed does no harm.
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if is_leftover(&entry.file_name()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The largest JSON file of a run, in bytes: scores of a hundred thousand images.
const LARGEST_JSON: u64 = 256 << 20;

/// Reads a JSON file of a run; `None` if it is missing or cannot be parsed.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_regular(path, LARGEST_JSON).ok()?).ok()
}

/// Whether a name is that of an unfinished file: a hidden one with this ending.
fn is_leftover(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') && name.ends_with(".tmp")
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_not_overwritten_unless_forced_and_strangers_are_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/run");
        let run = RunFolder::claim(&path, false).expect("a new folder");
        assert!(!path.exists(), "claiming writes nothing");
        run.prepare().expect("the folder can be made");
        fs::write(run.config(), "").expect("the folder is writable");
        fs::write(path.join("notes.txt"), "mine").expect("the folder is writable");
        assert!(!RunFolder::holds(&run.last()), "anything may be called so");
        fs::write(run.split(), "{}").expect("the folder is writable");
        assert!(RunFolder::holds(&run.last()) && !RunFolder::holds(&path.join("notes.txt")));
        let message = RunFolder::claim(&path, false).expect_err("a run stands there").to_string();
        assert!(message.contains("--resume") && message.contains("--force"), "{message}");

        let forced = RunFolder::claim(&path, true).expect("forced");
        assert!(run.config().exists(), "claiming removes nothing");
        forced.prepare().expect("the folder is writable");
        assert!(!run.config().exists() && path.join("notes.txt").exists());
        assert!(matches!(RunFolder::claim(&path, false), Err(RunError::NotARun(_))));
        assert!(matches!(RunFolder::open(&path), Err(RunError::Read { .. })));
    }

    #[test]
    fn a_run_killed_at_its_very_beginning_can_begin_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in [LOCK, ".split.json.17.0.tmp"] {
            fs::write(folder.path().join(name), "half").expect("the folder is writable");
        }
        let run = RunFolder::claim(folder.path(), false).expect("nothing of worth stands there");
        run.prepare().expect("the folder is writable");
        assert!(!folder.path().join(".split.json.17.0.tmp").exists());
    }

    #[test]
    fn leftovers_of_a_crash_are_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::claim(folder.path(), false).expect("an empty folder");
        let leftover = folder.path().join(".last.safetensors.17.0.tmp");
        fs::write(&leftover, "half").expect("the folder is writable");
        run.remove_leftovers();
        assert!(!leftover.exists());
    }
}
