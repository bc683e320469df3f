//! `--out` with the name of a file: one result of one image.

use std::path::{Path, PathBuf};

use dapple::predict::inputs::Input;

use crate::cli::failure::Failure;

/// Extensions of results, in lower case: a name that ends in one of them is meant as a file.
const FILES: [&str; 12] =
    ["png", "jpg", "jpeg", "tif", "tiff", "webp", "bmp", "csv", "json", "geojson", "npy", "mp4"];

/// Whether `--out` names a file rather than a folder.
pub fn is_file_name(out: &Path) -> bool {
    !out.is_dir() && extension(out).is_some_and(|extension| FILES.contains(&extension.as_str()))
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase())
}

/// Gives the only result its name; its folder becomes that of the results. `suffixes` are the ends of an image's results.
pub fn take_file(
    out: &mut PathBuf,
    inputs: &mut [Input],
    videos: &[PathBuf],
    suffixes: &[String],
) -> Result<(), Failure> {
    let refuse = |why: String| Err(Failure::input(format!("--out {}{why}", out.display())));
    match (inputs, videos, suffixes) {
        ([input], [], [_]) => {
            input.result = Some(out.clone());
            *out = out.parent().unwrap_or(Path::new("")).to_owned();
            Ok(())
        }
        (_, [_, ..], _) => refuse(" names a file, but results of videos need a folder; give one".into()),
        (images, [], suffixes) => refuse(format!(
            " names one file, but there would be {}; give a folder",
            images.len() * suffixes.len()
        )),
    }
}
