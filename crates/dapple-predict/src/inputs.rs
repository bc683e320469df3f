//! The images to predict: files, folders, patterns and lists.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dapple_base::read_regular;
use dapple_data::{DataError, FoundImages, find_images};

use crate::error::PredictError;
use crate::video::is_video;

/// The largest list that is read, in bytes.
const LIST_LIMIT: u64 = 256 << 20;

/// An image to predict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its file.
    pub path: PathBuf,
    /// The name of its results: the path below the folder it was found in, without the extension.
    pub name: PathBuf,
    /// The file of its only result, in place of a name in the folder of results.
    pub result: Option<PathBuf>,
}

impl Input {
    /// A file named by itself.
    pub fn file(path: &Path) -> Self {
        let name = path.file_stem().unwrap_or(path.as_os_str());
        Self { path: path.to_owned(), name: name.into(), result: None }
    }

    fn below(path: PathBuf, folder: &Path) -> Self {
        match path.strip_prefix(folder) {
            Ok(relative) if relative.components().all(|c| matches!(c, std::path::Component::Normal(_))) => {
                Self { name: relative.with_extension(""), path, result: None }
            }
            _ => Self::file(&path),
        }
    }

    /// A file of results in a folder: this image's name followed by `suffix`, unless its only result has a name of its own.
    pub fn output(&self, folder: &Path, suffix: &str) -> PathBuf {
        if let Some(result) = &self.result {
            return result.clone();
        }
        let mut name = OsString::from(folder.join(&self.name));
        name.push(suffix);
        name.into()
    }
}

/// The inputs that paths stand for.
#[derive(Debug, Default)]
pub struct FoundInputs {
    /// The images, in order.
    pub inputs: Vec<Input>,
    /// Photographs and videos in the folders that are not read.
    pub passed_over: Vec<PathBuf>,
    /// Folders in the folders that could not be read.
    pub unreadable: Vec<DataError>,
}

/// The images of files, folders with all their subfolders, and patterns (`*`, `?`, `[a-z]`, and `**` for any
/// folders). A file is accepted even if it does not exist: its prediction reports that. `out`, the folder of results, is
/// excluded from folders.
///
/// # Errors
/// [`PredictError::BadFile`] for a folder without images, a pattern that nothing matches or that is invalid;
/// [`PredictError::Model`] for a folder that cannot be read.
pub fn find(inputs: &[PathBuf], out: Option<&Path>) -> Result<FoundInputs, PredictError> {
    let out = out.and_then(|out| out.canonicalize().ok());
    let is_result = |path: &Path| {
        let inside = |out: &PathBuf| path.canonicalize().is_ok_and(|path| path.starts_with(out));
        out.as_ref().is_some_and(inside)
    };
    let mut found = FoundInputs::default();
    for input in inputs {
        if input.is_dir() {
            // Results inside the folder of the photographs are not inputs; if both are the same folder, all images are.
            let apart =
                !out.as_ref().is_some_and(|out| input.canonicalize().is_ok_and(|i| i.starts_with(out)));
            let FoundImages { mut images, mut passed_over, unreadable } = find_images(input)?;
            images.retain(|image| !(apart && is_result(image)));
            passed_over.retain(|file| !(apart && is_result(file)));
            if images.is_empty() {
                return Err(PredictError::bad_file(input, empty(&passed_over, &unreadable)));
            }
            found.inputs.extend(images.into_iter().map(|path| Input::below(path, input)));
            found.passed_over.extend(passed_over);
            found.unreadable.extend(unreadable);
        } else if let (false, Some(pattern)) = (input.exists(), as_pattern(input)) {
            let bad =
                |e: glob::PatternError| PredictError::bad_file(input, format!("not a valid pattern: {e}"));
            let mut images = Vec::new();
            for matched in glob::glob(pattern).map_err(bad)? {
                match matched {
                    Ok(path) if !path.is_dir() && !is_result(&path) => images.push(path),
                    Ok(_) => {}
                    Err(error) => {
                        let path = error.path().to_owned();
                        found.unreadable.push(DataError::Read { path, source: error.into() });
                    }
                }
            }
            if images.is_empty() {
                return Err(PredictError::bad_file(input, "no file matches this pattern"));
            }
            images.sort();
            let folder = before_pattern(input);
            found.inputs.extend(images.into_iter().map(|path| Input::below(path, &folder)));
        } else {
            found.inputs.push(Input::file(input));
        }
    }
    Ok(found)
}

/// The problem of a folder without images.
fn empty(passed_over: &[PathBuf], unreadable: &[DataError]) -> String {
    let mut text = "no images in this folder".to_owned();
    if !passed_over.is_empty() {
        text += &format!("; {}", passed_over_text(passed_over));
    }
    unreadable.iter().for_each(|error| text += &format!("; {error}"));
    text
}

/// Files of formats that are not read, counted and named, with the way out.
pub fn passed_over_text(files: &[PathBuf]) -> String {
    const NAMED: usize = 5;
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let some = |files: &[&PathBuf]| {
        let mut names: Vec<String> = files.iter().take(NAMED).map(|path| name(path)).collect();
        names.extend((files.len() > NAMED).then(|| "…".to_owned()));
        names.join(", ")
    };
    let (videos, others): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|path| is_video(path));
    let mut parts = Vec::new();
    if !others.is_empty() {
        parts.push(format!(
            "{} of a format that is not read ({}): save them as PNG or JPEG",
            counted(others.len(), "file"),
            some(&others)
        ));
    }
    if !videos.is_empty() {
        parts.push(format!(
            "{} ({}): name them themselves, with --kind overlay or cutout",
            counted(videos.len(), "video"),
            some(&videos)
        ));
    }
    format!("passed over {}", parts.join("; "))
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The paths of a list, one per line; empty lines and those that begin with `#` are skipped.
///
/// # Errors
/// [`PredictError::Model`] if the file cannot be read, or is not text.
pub fn read_list(path: &Path) -> Result<Vec<PathBuf>, PredictError> {
    let text =
        read_regular(path, LIST_LIMIT).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8(text)
        .map_err(|_| PredictError::bad_file(path, "the list is not UTF-8 text; save it as UTF-8"))?;
    Ok(list(&text))
}

/// The paths in the text of a list.
pub fn list(text: &str) -> Vec<PathBuf> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(PathBuf::from).collect()
}

fn as_pattern(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains(['*', '?', '[']))
}

/// The folders before the first one with a wildcard.
fn before_pattern(path: &Path) -> PathBuf {
    path.components().take_while(|part| as_pattern(Path::new(part)).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(found: &FoundInputs) -> Vec<String> {
        found.inputs.iter().map(|input| input.name.to_string_lossy().replace('\\', "/")).collect()
    }

    #[test]
    fn folders_are_searched_and_keep_their_structure() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/deep")).expect("a folder");
        fs::create_dir_all(at("out")).expect("a folder");
        for name in ["one.jpg", "a/two.v1.PNG", "a/deep/three.tif", "a/notes.txt", "out/one.png"] {
            fs::write(at(name), "").expect("a file");
        }
        let found = find(&[folder.path().to_owned()], Some(&at("out"))).expect("images");
        let mut all = names(&found);
        all.sort();
        assert_eq!(all, ["a/deep/three", "a/two.v1", "one"]);
        assert_eq!(
            found.inputs[0].output(Path::new("x"), "-overlay.png").parent(),
            Some(Path::new("x").join(&found.inputs[0].name).parent().expect("a parent"))
        );

        let found = find(&[at("a/**/*.[tP][iN]*")], None).expect("images");
        assert_eq!(names(&found), ["deep/three", "two.v1"]);
        for nothing in ["*.jp2", "out/deeper/*"] {
            assert!(find(&[at(nothing)], None).is_err());
        }
        assert!(find(&[at("[")], None).is_err());
        assert_eq!(names(&find(&[at("absent.png")], None).expect("a file")), ["absent"]);
    }

    #[test]
    fn files_that_are_not_read_are_counted_and_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a")).expect("a folder");
        for name in ["one.heic", "a/two.JP2", "a/clip.mp4", "notes.txt"] {
            fs::write(at(name), "").expect("a file");
        }
        let error = find(&[folder.path().to_owned()], None).expect_err("no images").to_string();
        for word in ["2 files", "one.heic, two.JP2", "1 video (clip.mp4)"] {
            assert!(error.contains(word), "no `{word}` in {error}");
        }
        fs::write(at("three.png"), "").expect("a file");
        let found = find(&[folder.path().to_owned()], None).expect("an image");
        assert_eq!((found.inputs.len(), found.passed_over.len()), (1, 3));
    }

    #[test]
    fn lists_have_comments() {
        assert_eq!(list("\u{feff}a.png\n\n# no\r\n b c.jpg \n"), [Path::new("a.png"), Path::new("b c.jpg")]);
    }
}
