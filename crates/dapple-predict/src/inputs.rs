//! The images to predict: files, folders, patterns and lists.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dapple_data::{DataError, Unread, images_below};

use crate::error::PredictError;

/// An image to predict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its file.
    pub path: PathBuf,
    /// The name of its results: the path below the folder it was found in, without the extension.
    pub name: PathBuf,
}

impl Input {
    /// A file named by itself.
    pub fn file(path: &Path) -> Self {
        let name = path.file_stem().unwrap_or(path.as_os_str());
        Self { path: path.to_owned(), name: name.into() }
    }

    fn below(path: PathBuf, folder: &Path) -> Self {
        match path.strip_prefix(folder) {
            Ok(relative) if relative.components().all(|c| matches!(c, std::path::Component::Normal(_))) => {
                Self { name: relative.with_extension(""), path }
            }
            _ => Self::file(&path),
        }
    }

    /// A file of results in a folder: this image's name followed by `suffix`.
    pub fn output(&self, folder: &Path, suffix: &str) -> PathBuf {
        let mut name = OsString::from(folder.join(&self.name));
        name.push(suffix);
        name.into()
    }
}

/// The images of files, folders with all their subfolders, and patterns (`*`, `?`, `[a-z]`, and `**` for any
/// folders). A file is accepted even if it does not exist: its prediction reports that. `out`, the folder of results, is
/// excluded from folders.
///
/// # Errors
/// [`PredictError::BadFile`] for a folder without images, a pattern that nothing matches or that is invalid.
pub fn find(inputs: &[PathBuf], out: Option<&Path>) -> Result<Vec<Input>, PredictError> {
    let out = out.and_then(|out| out.canonicalize().ok());
    let is_result = |path: &Path| {
        let inside = |out: &PathBuf| path.canonicalize().is_ok_and(|path| path.starts_with(out));
        out.as_ref().is_some_and(inside)
    };
    let mut found = Vec::new();
    for input in inputs {
        if input.is_dir() {
            // Results inside the folder of the photographs are not inputs; if both are the same folder, all images are.
            let apart =
                !out.as_ref().is_some_and(|out| input.canonicalize().is_ok_and(|i| i.starts_with(out)));
            let mut images = images_below(input)?;
            images.retain(|image| !(apart && is_result(image)));
            if images.is_empty() {
                let unread = Unread::below(input)?;
                let problem = match unread.is_empty() {
                    true => "no images in this folder".to_owned(),
                    false => format!("no image in this folder that can be read; {unread}"),
                };
                return Err(PredictError::bad_file(input, problem));
            }
            found.extend(images.into_iter().map(|path| Input::below(path, input)));
        } else if let (false, Some(pattern)) = (input.exists(), as_pattern(input)) {
            let bad =
                |e: glob::PatternError| PredictError::bad_file(input, format!("not a valid pattern: {e}"));
            let mut images: Vec<PathBuf> = glob::glob(pattern)
                .map_err(bad)?
                .filter_map(Result::ok)
                .filter(|path| path.is_file() && !is_result(path))
                .collect();
            if images.is_empty() {
                return Err(PredictError::bad_file(input, "no file matches this pattern"));
            }
            images.sort();
            let folder = before_pattern(input);
            found.extend(images.into_iter().map(|path| Input::below(path, &folder)));
        } else {
            found.push(Input::file(input));
        }
    }
    Ok(found)
}

/// The files in the folders among the inputs that are pictures or videos of kinds that are not read, by folder.
///
/// # Errors
/// [`PredictError::Model`] for a folder that cannot be read.
pub fn unread(inputs: &[PathBuf]) -> Result<Vec<Unread>, PredictError> {
    let folders = inputs.iter().filter(|input| input.is_dir());
    let unread = folders.map(|folder| Unread::below(folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(unread.into_iter().filter(|unread| !unread.is_empty()).collect())
}

/// The paths of a list, one per line; empty lines and those that begin with `#` are skipped.
///
/// # Errors
/// [`PredictError::Model`] if the file cannot be read, or is not text.
pub fn read_list(path: &Path) -> Result<Vec<PathBuf>, PredictError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
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

/// Marks the inputs whose results would have the name of an earlier input's.
pub(crate) fn doubles(inputs: &[Input]) -> Vec<bool> {
    let mut names = HashSet::new();
    inputs.iter().map(|input| !names.insert(&input.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(found: &[Input]) -> Vec<String> {
        found.iter().map(|input| input.name.to_string_lossy().replace('\\', "/")).collect()
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
            found[0].output(Path::new("x"), "-overlay.png").parent(),
            Some(Path::new("x").join(&found[0].name).parent().expect("a parent"))
        );

        let found = find(&[at("a/**/*.[tP][iN]*")], None).expect("images");
        assert_eq!(names(&found), ["deep/three", "two.v1"]);
        for nothing in ["*.gif", "out/deeper/*"] {
            assert!(find(&[at(nothing)], None).is_err());
        }
        assert!(find(&[at("[")], None).is_err());
        assert_eq!(names(&find(&[at("absent.png")], None).expect("a file")), ["absent"]);
    }

    #[test]
    fn lists_have_comments() {
        assert_eq!(list("\u{feff}a.png\n\n# no\r\n b c.jpg \n"), [Path::new("a.png"), Path::new("b c.jpg")]);
    }
}
