//! The images to predict: files, folders, patterns and lists.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

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
            Ok(relative) if relative.components().all(|c| matches!(c, Component::Normal(_))) => {
                Self { name: relative.with_extension(""), path, result: None }
            }
            _ => Self::file(&path),
        }
    }

    /// The name of its results with `/` between folders: what its share of a collection depends on.
    pub fn key(&self) -> String {
        let parts: Vec<_> = self.name.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
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
    /// The videos that were named, themselves or by a pattern.
    pub videos: Vec<PathBuf>,
    /// Photographs and videos in the folders that are not read.
    pub passed_over: Vec<PathBuf>,
    /// Folders in the folders that could not be read.
    pub unreadable: Vec<DataError>,
}

/// The images and videos of files, folders with all their subfolders, and patterns (`*`, `?`, `[a-z]`, and `**` for any
/// folders). A file is accepted even if it does not exist: its prediction reports that. `out`, the folder of results, is
/// excluded from folders.
///
/// # Errors
/// [`PredictError::BadFile`] for a folder without images, a pattern that nothing matches or that is invalid, and results
/// among the images; [`PredictError::Model`] for a folder that cannot be read.
pub fn find(inputs: &[PathBuf], out: Option<&Path>) -> Result<FoundInputs, PredictError> {
    let out = out.and_then(|out| out.canonicalize().ok());
    let is_result = |path: &Path| {
        let inside = |out: &PathBuf| path.canonicalize().is_ok_and(|path| path.starts_with(out));
        out.as_ref().is_some_and(inside)
    };
    let mut found = FoundInputs::default();
    for input in inputs {
        if input.is_dir() {
            refuse_results_among(input, input, out.as_deref())?;
            let apart = !is_result(input);
            let FoundImages { mut images, mut passed_over, unreadable } = find_images(input)?;
            images.retain(|image| !(apart && is_result(image)));
            passed_over.retain(|file| !(apart && is_result(file)));
            if images.is_empty() {
                return Err(PredictError::bad_file(input, empty(&passed_over, &unreadable)));
            }
            found.inputs.extend(images.into_iter().map(|path| Input::below(path, input)));
            found.passed_over.extend(passed_over);
            found.unreadable.extend(unreadable);
        } else if let (false, Some((folder, pattern))) = (input.exists(), as_pattern(input)) {
            if may_match_results(&pattern) {
                refuse_results_among(input, &folder, out.as_deref())?;
            }
            let apart = !is_result(if folder.as_os_str().is_empty() { Path::new(".") } else { &folder });
            let bad =
                |e: glob::PatternError| PredictError::bad_file(input, format!("not a valid pattern: {e}"));
            let mut images = Vec::new();
            let videos = found.videos.len();
            for matched in glob::glob(&pattern).map_err(bad)? {
                match matched {
                    Ok(path) if path.is_dir() || apart && is_result(&path) => {}
                    Ok(path) if is_video(&path) => found.videos.push(path),
                    Ok(path) => images.push(path),
                    Err(error) => {
                        let path = error.path().to_owned();
                        found.unreadable.push(DataError::Read { path, source: error.into() });
                    }
                }
            }
            if images.is_empty() && found.videos.len() == videos {
                return Err(PredictError::bad_file(input, "no file matches this pattern"));
            }
            images.sort();
            found.inputs.extend(images.into_iter().map(|path| Input::below(path, &folder)));
        } else if is_video(input) {
            found.videos.push(input.clone());
        } else {
            found.inputs.push(Input::file(input));
        }
    }
    Ok(found)
}

/// Refuses results in the folder of the images, which the next run would take for images. Results in a folder inside it are
/// not taken for images, nor are those in a folder around it.
fn refuse_results_among(input: &Path, folder: &Path, out: Option<&Path>) -> Result<(), PredictError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if out.is_some_and(|out| folder.canonicalize().is_ok_and(|folder| folder == out)) {
        let problem = "results would lie among the images, and be taken for images by the next run; give another folder \
                       with --out, which may be inside this one";
        return Err(PredictError::bad_file(input, problem));
    }
    Ok(())
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

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a pattern may match results that are images or videos, by their extensions.
fn may_match_results(pattern: &str) -> bool {
    let extension =
        Path::new(pattern).extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_none_or(|text| is_wild(&text) || ["png", "tif", "mp4", "mov"].contains(&text.as_str()))
}

/// The folders before the first part of a pattern that is one, and the pattern; `None` for a path without wildcards.
fn as_pattern(path: &Path) -> Option<(PathBuf, String)> {
    path.to_str().filter(|text| is_wild(text))?;
    let (mut folder, mut pattern) = (PathBuf::new(), PathBuf::new());
    let mut parts = path.components().peekable();
    // Folders may have brackets in their names: those that there are mean themselves.
    while let Some(part) = parts.next_if(|part| {
        let text = part.as_os_str().to_string_lossy();
        !is_wild(&text) || folder.join(part).is_dir()
    }) {
        folder.push(part);
        match part {
            Component::Normal(name) => pattern.push(glob::Pattern::escape(name.to_str()?)),
            other => pattern.push(other),
        }
    }
    pattern.extend(parts);
    Some((folder, pattern.to_str()?.to_owned()))
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
    fn results_among_the_images_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("photos/inner/masks")).expect("a folder");
        for name in ["photos/a.png", "photos/c.jpg", "photos/inner/b.png", "photos/inner/masks/b.png"] {
            fs::write(at(name), "").expect("a file");
        }
        let of = |input: &str, out: &str| {
            find(&[at(input)], Some(&at(out))).map(|found| names(&found)).map_err(|error| error.to_string())
        };
        for input in ["photos", "photos/*.png", "photos/**/*.png"] {
            let error = of(input, "photos").expect_err(input);
            assert!(error.contains(input) && error.contains("--out"), "{error}");
        }
        // In a folder inside that of the images, or around it.
        for input in ["photos/inner", "photos/inner/**/*.png"] {
            assert_eq!(of(input, "photos/inner/masks"), Ok(vec!["b".to_owned()]), "{input}");
        }
        assert_eq!(of("photos/inner/*.png", "photos"), Ok(vec!["b".to_owned()]));
        // No result is a JPEG.
        assert_eq!(of("photos/*.jpg", "photos"), Ok(vec!["c".to_owned()]));
        // An image by its name is no folder.
        assert_eq!(of("photos/a.png", "photos"), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn patterns_match_videos_and_folders_with_brackets_in_their_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("trip [2024]/clips.mp4")).expect("a folder");
        for name in ["trip [2024]/a.png", "trip [2024]/ride.mp4", "trip [2024]/clips.mp4/b.png"] {
            fs::write(at(name), "").expect("a file");
        }
        let found = find(&[at("trip [2024]/*")], None).expect("files");
        assert_eq!((names(&found), found.videos), (vec!["a".to_owned()], vec![at("trip [2024]/ride.mp4")]));
        let found = find(&[at("trip [[]2024]/*.mp4")], None).expect("a video");
        assert_eq!((found.inputs.len(), found.videos.len()), (0, 1));
        // A folder that is called as a video is.
        let found = find(&[at("trip [2024]/clips.mp4")], None).expect("an image");
        assert_eq!((names(&found), found.videos.len()), (vec!["b".to_owned()], 0));
        assert_eq!(find(&[at("absent.mp4")], None).expect("a name").videos, [at("absent.mp4")]);
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
