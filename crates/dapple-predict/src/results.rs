//! The record of a folder of results: which files dapple made there, and of what.
//!
//! A result is kept only where model, settings and input are those it was made with, and a file that dapple did not make, or
//! that was changed since, is never taken for a result. The record is a file of lines, one a result, written before the
//! result gets its name: a program that is killed in between leaves a line too many, never a result without one.
//!
//! Shares of one collection may write into one folder at the same time, from several machines. Each adds to a record of its
//! own, since not all file systems that machines share can append to one file from several of them, and reads all.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use dapple_base::{Digest, Shard, WriteError, write_atomic};
use serde_json::{Value, json};

use crate::error::PredictError;
use crate::output::OutputSettings;
use crate::predictor::Predictor;

/// The name of the record in a folder of results; those of shares follow it with `-3-of-64`.
pub const RECORD: &str = ".dapple-results";

/// Lines from which on a record is shortened when most of them are outdated.
const MANY_LINES: usize = 4096;

/// The state of the file under the name of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Absent,
    /// The same result, made earlier.
    Current,
    /// A result that dapple made with another model, other settings or another input.
    Outdated,
    /// A file that dapple did not make, or that was changed since.
    Foreign,
}

/// Lines of one file that a shortened record keeps: programs may have been killed after several of them.
const KEPT: usize = 8;

/// One way in which a file was made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    /// The fingerprint of model, settings and input.
    origin: String,
    /// The fingerprint of the file.
    content: String,
}

/// The record of a folder. It may be shared between threads; processes that write into one folder add to one record.
#[derive(Debug)]
pub struct Results {
    folder: PathBuf,
    /// The record that notes go to.
    record: PathBuf,
    made: Mutex<HashMap<String, Vec<Made>>>,
}

impl Results {
    /// Reads the records of a folder; none if there are none. Notes are added to that of the share, if there is one.
    ///
    /// # Errors
    /// [`PredictError::File`] for a record that is there and cannot be read.
    pub fn open(folder: &Path, shard: Option<Shard>) -> Result<Self, PredictError> {
        let record = folder.join(format!("{RECORD}{}", shard.map(Shard::suffix).unwrap_or_default()));
        let text = read_record(&record)?;
        let mut made = HashMap::new();
        let lines = add_lines(&mut made, &text);
        let results = Self { folder: folder.to_owned(), record, made: Mutex::new(made) };
        let is_torn = !text.is_empty() && !text.ends_with('\n');
        if is_torn || lines >= MANY_LINES.max(4 * results.names()) {
            results.shorten()?;
        }
        for other in records(folder).into_iter().filter(|other| *other != results.record) {
            let text = read_record(&other)?;
            add_lines(&mut results.made.lock().unwrap_or_else(PoisonError::into_inner), &text);
        }
        Ok(results)
    }

    /// Whether a folder has a record, its own or that of a share: then its files of dapple's names are dapple's.
    pub fn are_in(folder: &Path) -> bool {
        !records(folder).is_empty()
    }

    /// The state of the file under the name of a result of this origin.
    ///
    /// # Errors
    /// [`PredictError::BadFile`] for a file that cannot be read.
    pub fn standing(&self, file: &Path, origin: &str) -> Result<Standing, PredictError> {
        let Ok(metadata) = fs::metadata(file) else {
            // A link that leads nowhere is a file of somebody else's too.
            return Ok(if file.is_symlink() { Standing::Foreign } else { Standing::Absent });
        };
        let known = {
            let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.get(&self.name(file)).cloned().unwrap_or_default()
        };
        if known.is_empty() || !metadata.is_file() {
            return Ok(Standing::Foreign);
        }
        let content = Digest::of_file(file)
            .map_err(|error| PredictError::bad_file(file, format!("cannot be read: {error}")))?;
        let same: Vec<&Made> = known.iter().filter(|made| made.content == content).collect();
        Ok(match same[..] {
            [] => Standing::Foreign,
            _ if same.iter().any(|made| made.origin == origin) => Standing::Current,
            _ => Standing::Outdated,
        })
    }

    /// Whether a file may be written: nothing there, or a result of dapple's.
    ///
    /// # Errors
    /// [`PredictError::BadFile`] for a file that dapple did not make.
    pub fn check(&self, file: &Path) -> Result<(), PredictError> {
        match self.standing(file, "")? {
            Standing::Foreign => Err(foreign(file)),
            _ => Ok(()),
        }
    }

    /// Makes sure that the folder has a record, which tells the next run that the unfinished files of a killed one are
    /// dapple's.
    ///
    /// # Errors
    /// [`PredictError::File`].
    pub fn begin(&self) -> Result<(), PredictError> {
        let opened = OpenOptions::new().create(true).append(true).open(&self.record);
        opened.map(drop).map_err(|source| WriteError::new(&self.record, source).into())
    }

    /// Notes files with their content's fingerprints, before they get their names.
    ///
    /// # Errors
    /// [`PredictError::File`].
    pub fn note<'a>(
        &self,
        origin: &str,
        files: impl IntoIterator<Item = (&'a Path, String)>,
    ) -> Result<(), PredictError> {
        let mut lines = String::new();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, content) in files {
            let name = self.name(file);
            let entry = Made { origin: origin.to_owned(), content };
            let entries = made.entry(name.clone()).or_default();
            if !entries.contains(&entry) {
                lines += &line(&name, &entry);
                entries.push(entry);
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let append = || {
            // Opened for each note: another process may have shortened the record.
            let mut file = OpenOptions::new().create(true).append(true).open(&self.record)?;
            file.write_all(lines.as_bytes())?;
            file.sync_data()
        };
        append().map_err(|source| WriteError::new(&self.record, source).into())
    }

    /// Removes a result of dapple's, which is about to be made anew; a file of another's stays.
    pub fn remove(&self, file: &Path) {
        if matches!(self.standing(file, ""), Ok(Standing::Outdated | Standing::Current)) {
            // One that cannot be removed is replaced later, or that fails with its reason.
            let _ = fs::remove_file(file);
        }
    }

    /// A file's name in the record: its path below the folder, with `/` between folders.
    fn name(&self, file: &Path) -> String {
        let relative = file.strip_prefix(&self.folder).unwrap_or(file);
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    }

    fn names(&self) -> usize {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Writes the record anew with the last lines of each file.
    fn shorten(&self) -> Result<(), PredictError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut names: Vec<_> = made.keys().cloned().collect();
        names.sort();
        for name in names {
            let entries = made.get_mut(&name).expect("one of the keys");
            entries.drain(..entries.len().saturating_sub(KEPT));
            entries.iter().for_each(|entry| text += &line(&name, entry));
        }
        Ok(write_atomic(&self.record, text.as_bytes())?)
    }
}

/// The records of a folder: its own, and those of shares.
fn records(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_record = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Those of shares: `-3-of-64`.
        let end = name
            .strip_prefix(RECORD)
            .map(|end| end.strip_prefix('-').unwrap_or(end).replacen("-of-", "/", 1));
        end.is_some_and(|end| end.is_empty() || end.parse::<Shard>().is_ok()) && path.is_file()
    };
    let mut records: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_record).collect();
    records.sort();
    records
}

fn read_record(path: &Path) -> Result<String, PredictError> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(WriteError::new(path, error).into()),
    }
}

/// Adds the lines of a record, later ones last, and gives their number.
fn add_lines(made: &mut HashMap<String, Vec<Made>>, text: &str) -> usize {
    let mut lines = 0;
    // A line that a killed program left unfinished is none.
    for (name, entry) in text.lines().filter_map(read_line) {
        lines += 1;
        let entries = made.entry(name).or_default();
        entries.retain(|old| *old != entry);
        entries.push(entry);
    }
    lines
}

/// The fingerprint of everything that results depend on but the input: the program's version, models, settings, and the
/// `engine` in words.
pub fn settings_fingerprint(predictor: &Predictor, output: &OutputSettings, engine: &str) -> Digest {
    let mut digest = Digest::new();
    digest.part(env!("CARGO_PKG_VERSION").as_bytes()).part(engine.as_bytes());
    for model in predictor.models() {
        digest.part(model.fingerprint().as_bytes());
    }
    digest.part(format!("{:?}", predictor.settings()).as_bytes());
    output.add_to(&mut digest);
    digest
}

/// The error of a file that stands in the way of a result.
pub(crate) fn foreign(file: &Path) -> PredictError {
    PredictError::bad_file(
        file,
        "exists, and dapple did not make it, or it was changed since; give another folder with --out, or replace it with \
         --force",
    )
}

fn line(name: &str, made: &Made) -> String {
    format!("{}\n", json!({ "file": name, "origin": made.origin, "content": made.content }))
}

fn read_line(line: &str) -> Option<(String, Made)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    Some((text("file")?, Made { origin: text("origin")?, content: text("content")? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_from_files_of_others() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.png");
        let standing = |origin: &str| {
            let results = Results::open(folder.path(), None).expect("a record");
            results.standing(&file, origin).expect("a file")
        };
        assert_eq!(standing("one"), Standing::Absent);
        fs::write(&file, "a mask").expect("a file");
        assert_eq!(standing("one"), Standing::Foreign);

        let results = Results::open(folder.path(), None).expect("a record");
        let content = Digest::of_file(&file).expect("a file");
        results.note("one", [(file.as_path(), content)]).expect("a line");
        assert_eq!((standing("one"), standing("two")), (Standing::Current, Standing::Outdated));
        results.check(&file).expect("its own");

        // Noted and then killed: the older file is still dapple's.
        results.note("two", [(file.as_path(), "another".to_owned())]).expect("a line");
        assert_eq!((standing("one"), standing("two")), (Standing::Current, Standing::Outdated));
        let record = folder.path().join(RECORD);
        let torn = format!("{}{{\"file\":\"b", fs::read_to_string(&record).expect("text"));
        fs::write(&record, torn).expect("a file");
        assert_eq!(standing("one"), Standing::Current);

        fs::write(&file, "touched up by hand").expect("a file");
        assert_eq!(standing("one"), Standing::Foreign);
        let message = results.check(&file).expect_err("not its own any more").to_string();
        assert!(message.contains("a.png") && message.contains("--force"), "{message}");
        results.remove(&file);
        assert!(file.is_file());
    }

    #[test]
    fn a_long_record_is_shortened() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let results = Results::open(folder.path(), None).expect("a record");
        let file = folder.path().join("a.png");
        for number in 0..MANY_LINES + 10 {
            let made = Made { origin: number.to_string(), content: number.to_string() };
            let path = folder.path().join(RECORD);
            let mut record = OpenOptions::new().create(true).append(true).open(path).expect("a file");
            record.write_all(line(&results.name(&file), &made).as_bytes()).expect("a line");
        }
        Results::open(folder.path(), None).expect("a record");
        let text = fs::read_to_string(folder.path().join(RECORD)).expect("text");
        assert_eq!(text.lines().count(), KEPT);
        assert!(text.contains(&(MANY_LINES + 9).to_string()));
    }

    #[test]
    fn shares_write_records_of_their_own_and_read_all() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.png");
        fs::write(&file, "a mask").expect("a file");
        assert!(!Results::are_in(folder.path()));
        let shard = |number| Shard::new(number, 2).ok();
        let content = Digest::of_file(&file).expect("a file");
        let first = Results::open(folder.path(), shard(1)).expect("a record");
        first.note("one", [(file.as_path(), content)]).expect("a line");
        assert!(Results::are_in(folder.path()) && folder.path().join(".dapple-results-1-of-2").is_file());
        for other in [None, shard(2)] {
            let results = Results::open(folder.path(), other).expect("records");
            assert_eq!(results.standing(&file, "one").expect("a file"), Standing::Current, "{other:?}");
        }
        fs::write(folder.path().join(".dapple-results-backup"), "no record").expect("a file");
        assert_eq!(records(folder.path()).len(), 1);
    }
}
