//! Listing folders without following links in circles, and paths that other files name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use dapple_base::read_regular;
use unicode_normalization::UnicodeNormalization;

use crate::error::{DataError, Result};
use crate::format::unread_kinds::kind_of;

/// The extensions by which image files are told from other files, in lower case. The content decides the format.
pub(crate) const EXTENSIONS: [&str; 15] = [
    "png", "jpg", "jpeg", "jfif", "jpe", "bmp", "tif", "tiff", "webp", "pnm", "pbm", "pgm", "ppm", "pam",
    "gif",
];

/// The most files that are looked at below one folder: more than any published data set has, and little enough that a
/// folder which is not a data set ends with an error instead of an exhausted memory.
pub(crate) const FILE_LIMIT: usize = 4_000_000;

/// How deep folders may lie in each other.
const DEPTH_LIMIT: usize = 16;

/// The largest text file (list, class table, JSON) that is read, in bytes. The annotations of COCO have 470 MB.
pub(crate) const TEXT_LIMIT: u64 = 2 << 30;

/// The folders directly in `root` by their names in lower case; hidden ones and ones that cannot be entered are left out.
pub(crate) fn subfolders(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut folders = BTreeMap::new();
    for path in entries(root)? {
        // `is_dir` follows links, and is false for a link that leads nowhere or in a circle.
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && path.is_dir()
        {
            folders.insert(name.to_lowercase(), path);
        }
    }
    Ok(folders)
}

/// All entries of a folder that are not hidden, sorted.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| DataError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
        if paths.len() > FILE_LIMIT {
            return Err(too_many(folder));
        }
    }
    paths.sort();
    Ok(paths)
}

/// All files below a folder for which `wanted` holds, sorted within each folder, those of a folder before those of the
/// folders in it. `folder` itself may be a link; links to folders below it are not followed, so that none can lead in a
/// circle.
pub(crate) fn files_below(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let mut inner = Vec::new();
        for path in entries(&folder)? {
            if path.is_dir() {
                if !path.is_symlink() {
                    inner.push((path, depth + 1));
                }
            } else if wanted(&path) {
                files.push(path);
            }
        }
        if files.len() > FILE_LIMIT {
            return Err(too_many(&folder));
        }
        if depth == DEPTH_LIMIT && !inner.is_empty() {
            return Err(too_deep(folder));
        }
        folders.extend(inner.into_iter().rev());
    }
    Ok(files)
}

fn too_deep(folder: PathBuf) -> DataError {
    let problem = format!("folders lie more than {DEPTH_LIMIT} deep; give the folder of the data set itself");
    DataError::BadFile { path: folder, problem }
}

fn too_many(folder: &Path) -> DataError {
    let problem = format!("more than {FILE_LIMIT} files; give the folder of one data set, or divide it");
    DataError::BadFile { path: folder.to_owned(), problem }
}

/// The content of a folder and the folders in it.
#[derive(Debug, Default)]
pub struct FoundImages {
    /// Image files by their extensions, in order.
    pub images: Vec<PathBuf>,
    /// Photographs, drawings and videos in formats that are not read, which people expect to be.
    pub passed_over: Vec<PathBuf>,
    /// Folders that could not be read, or lie too deep.
    pub unreadable: Vec<DataError>,
}

/// Finds the image files of a folder and the folders in it. Linked folders are not followed; a folder in the folder that cannot
/// be read does not hide the others.
///
/// # Errors
/// [`DataError::Read`] for the folder itself; [`DataError::BadFile`] for more files than any collection has.
pub fn find_images(folder: &Path) -> Result<FoundImages> {
    let mut found = FoundImages::default();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((inner, depth)) = folders.pop() {
        let paths = match entries(&inner) {
            Ok(paths) => paths,
            Err(error) if depth > 0 => {
                found.unreadable.push(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut deeper = Vec::new();
        for path in paths {
            if path.is_dir() {
                if !path.is_symlink() {
                    deeper.push((path, depth + 1));
                }
            } else if has_image_extension(&path) {
                found.images.push(path);
            } else if kind_of(&path).is_some() {
                found.passed_over.push(path);
            }
        }
        if found.images.len() + found.passed_over.len() > FILE_LIMIT {
            return Err(too_many(&inner));
        }
        if depth == DEPTH_LIMIT && !deeper.is_empty() {
            found.unreadable.push(too_deep(inner));
            continue;
        }
        folders.extend(deeper.into_iter().rev());
    }
    Ok(found)
}

/// A name as systems and people compare names: composed Unicode characters, small letters.
pub(crate) fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

/// Whether a file is an image by its extension.
pub fn has_image_extension(path: &Path) -> bool {
    has_extension(path, &EXTENSIONS)
}

/// Whether a file may be a mask: an image or an array of NumPy.
pub(crate) fn has_mask_extension(path: &Path) -> bool {
    has_image_extension(path) || has_extension(path, &["npy"])
}

/// Whether the extension, in lower case, is one of `extensions`.
pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| extensions.contains(&e.as_str()))
}

/// Whether there is an image directly in a folder.
pub(crate) fn holds_images(folder: &Path) -> bool {
    entries(folder).is_ok_and(|paths| paths.iter().any(|path| has_image_extension(path) && !path.is_dir()))
}

/// The path of a file below `folder` without its extension, with `/` between folders: what pairs and names files.
/// `None` where it is not UTF-8.
pub(crate) fn relative_stem(folder: &Path, file: &Path) -> Option<String> {
    let relative = file.strip_prefix(folder).ok()?.with_extension("");
    let words: Option<Vec<&str>> = relative.iter().map(|word| word.to_str()).collect();
    Some(words?.join("/"))
}

/// The name of a sample after the file that an annotation names: without the extension and without what leads elsewhere.
pub(crate) fn name_of_file(named: &str) -> String {
    let named = named.replace('\\', "/");
    let words: Vec<&str> = named.split('/').filter(|word| !matches!(*word, "" | "." | "..")).collect();
    let name = words.join("/");
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.contains('/') => stem.to_owned(),
        _ => name,
    }
}

/// The path that a list or an annotation file means by `named`, relative to `base`: `None` where it would leave `root`.
///
/// Both `/` and `\` separate folders, because lists are written on every system. `..` may be used inside `root`. An
/// absolute path is never followed.
pub(crate) fn inside(root: &Path, base: &Path, named: &str) -> Option<PathBuf> {
    let named = named.replace('\\', "/");
    if named.starts_with('/') || named.contains('\0') {
        return None;
    }
    let mut path = base.to_owned();
    for component in Path::new(&named).components() {
        match component {
            Component::Normal(word) => path.push(word),
            Component::CurDir => {}
            Component::ParentDir => {
                if path == root || !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    path.starts_with(root).then_some(path)
}

/// The existing file that `named` means: inside `root` relative to one of `bases`; or, where it is a path of another
/// machine or has folders that are not here, by its longest ending that exists below `root`.
pub(crate) fn find_named(root: &Path, bases: &[PathBuf], named: &str) -> Option<PathBuf> {
    let found = |path: &PathBuf| path.is_file();
    if let Some(path) = bases.iter().filter_map(|base| inside(root, base, named)).find(found) {
        return Some(path);
    }
    endings(named).iter().find_map(|ending| inside(root, root, ending).filter(found))
}

/// What a path of another machine may be here: its endings, the longest first; none of one that leads upwards.
pub(crate) fn endings(named: &str) -> Vec<String> {
    let named = named.replace('\\', "/");
    let words: Vec<&str> = named.split('/').filter(|word| !word.is_empty() && *word != ".").collect();
    if words.contains(&"..") {
        return Vec::new();
    }
    // Few folders lie above a data set; a path of thousands of words is not one.
    let first = words.len().saturating_sub(DEPTH_LIMIT);
    (first..words.len()).map(|start| words[start..].join("/")).collect()
}

/// Reads a text file of at most [`TEXT_LIMIT`] bytes; a byte-order mark is left out.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let text = String::from_utf8(read_bytes(path)?).map_err(|_| DataError::BadFile {
        path: path.to_owned(),
        problem: "it is not UTF-8 text; save it as UTF-8".into(),
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Reads the bytes of a file of at most [`TEXT_LIMIT`].
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    read_regular(path, TEXT_LIMIT).map_err(|source| DataError::Read { path: path.to_owned(), source })
}

/// An error about the content of a text file.
pub(crate) fn bad_file(path: &Path, problem: impl Into<String>) -> DataError {
    DataError::BadFile { path: path.to_owned(), problem: problem.into() }
}

/// The error of a file named in `path` that does not exist.
pub(crate) fn missing(path: &Path, file_name: &str) -> DataError {
    bad_file(
        path,
        format!("the image `{}` is nowhere in the folder; add it or take it out", shown(file_name)),
    )
}

/// The beginning of a text, for messages.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
