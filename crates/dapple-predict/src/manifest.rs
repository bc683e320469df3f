//! Manifests of images to predict: a row an image, with the name of its results where that is not the file's.

use std::path::{Component, Path, PathBuf};

use dapple_data::{ManifestColumn, manifest_rows};

use crate::error::PredictError;
use crate::inputs::{FoundInputs, Input};
use crate::video::is_video;

/// The columns that are read.
const COLUMNS: [ManifestColumn; 2] = [
    ManifestColumn { names: &["image", "path", "file", "file_name", "filename"], required: true },
    ManifestColumn { names: &["name"], required: false },
];

/// The images and videos of a manifest in the order of its rows. The column `image` has the path, `name` that of the results
/// below their folder, without suffix and extension.
///
/// # Errors
/// [`PredictError::Model`] for a manifest that cannot be read, [`PredictError::BadFile`] for a name that leads out of the folder
/// of results.
pub fn read_manifest(path: &Path) -> Result<FoundInputs, PredictError> {
    let mut found = FoundInputs::default();
    for row in manifest_rows(path, &COLUMNS)? {
        let [Some(image), name] = <[Option<String>; 2]>::try_from(row).unwrap_or_default() else { continue };
        let image = PathBuf::from(image);
        match name {
            None if is_video(&image) => found.videos.push(image),
            None => found.inputs.push(Input::file(&image)),
            Some(name) => {
                let inside = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
                if !inside || name.ends_with('/') {
                    let problem = format!(
                        "`{name}` is no name for results; give one below their folder, such as day1/photo"
                    );
                    return Err(PredictError::bad_file(path, problem));
                }
                found.inputs.push(Input { path: image, name: name.into(), result: None });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn rows_name_images_and_their_results() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("images.csv");
        fs::write(&path, "image,name\na/x.png,a/x\nb/x.png,b/x.v1\nc.jpg,\nd.mp4,\n").expect("a file");
        let found = read_manifest(&path).expect("rows");
        let keys: Vec<String> = found.inputs.iter().map(Input::key).collect();
        assert_eq!(
            (keys, found.videos),
            (vec!["a/x".into(), "b/x.v1".into(), "c".into()], vec!["d.mp4".into()])
        );
        assert_eq!(found.inputs[1].output(Path::new("out"), ".png"), Path::new("out/b/x.v1.png"));
        for wrong in ["../x", "/x", "a/../../x", "a/"] {
            fs::write(&path, format!("image,name\na.png,{wrong}\n")).expect("a file");
            assert!(read_manifest(&path).is_err(), "{wrong}");
        }
    }
}
