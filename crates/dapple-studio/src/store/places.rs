//! Where the photographs, the masks and the studio's own files of a folder lie.

use std::path::{Component, Path, PathBuf};

use dapple_data::{Format, find_images};

use crate::error::{Result, StudioError};

/// The studio's own files: hidden, so that nothing takes them for data.
const OWN: &str = ".dapple";

/// The places of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The folder itself.
    pub root: PathBuf,
    /// The folder of the photographs: `images/`, or the folder itself.
    pub photographs: PathBuf,
    /// `masks/`
    pub masks: PathBuf,
    /// `classes.toml`
    pub classes: PathBuf,
    /// The trainings: `runs/`
    pub runs: PathBuf,
    /// The lock and the journals: `.dapple/`
    pub own: PathBuf,
}

impl Places {
    /// Finds the photographs of a folder: those in `images/`, with the folders in it, or those directly in the folder. There may be
    /// none yet.
    ///
    /// # Errors
    /// [`StudioError::Refused`] for what is no folder, for one whose photographs lie deeper, and for one with labels in another form.
    pub fn find(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(StudioError::refused(format!("{}: give a folder of photographs", root.display())));
        }
        let root =
            root.canonicalize().map_err(|source| StudioError::Read { path: root.to_owned(), source })?;
        let images = root.join("images");
        let photographs = if images.is_dir() { images } else { root.clone() };
        let place = |name: &str| root.join(name);
        let places = Self {
            photographs,
            masks: place("masks"),
            classes: place("classes.toml"),
            runs: place("runs"),
            own: place(OWN),
            root,
        };
        // Where there are none at all, they are still to come.
        if places.list()?.0.is_empty() && !find_images(&places.photographs)?.images.is_empty() {
            return Err(StudioError::refused(format!(
                "{}: no photograph (PNG, JPEG, BMP, TIFF, WebP, PNM, GIF) directly in it or in {}; give the folder that holds them",
                places.root.display(),
                places.root.join("images").display()
            )));
        }
        places.refuse_foreign_labels()?;
        Ok(places)
    }

    /// The photographs, and notes on what is passed over.
    pub(crate) fn list(&self) -> Result<(Vec<PathBuf>, Vec<String>)> {
        let found = find_images(&self.photographs)?;
        let flat = self.photographs == self.root;
        let directly = |path: &PathBuf| !flat || path.parent() == Some(self.photographs.as_path());
        let (images, passed): (Vec<PathBuf>, Vec<PathBuf>) = (
            found.images.into_iter().filter(directly).collect(),
            found.passed_over.into_iter().filter(directly).collect(),
        );
        let mut notes = Vec::new();
        if images.is_empty() {
            notes.push(format!(
                "there is no photograph yet; drop some on the page, or put them into {}",
                self.photographs.display()
            ));
        }
        if let Some(first) = passed.first() {
            notes.push(format!(
                "{} files are of kinds that are not read, such as {}; convert them to JPEG or PNG",
                passed.len(),
                first.display()
            ));
        }
        notes.extend(found.unreadable.iter().map(ToString::to_string));
        Ok((images, notes))
    }

    /// Refuses a folder whose labels are in another form than the studio writes.
    fn refuse_foreign_labels(&self) -> Result<()> {
        if self.classes.is_file() || self.holds_masks() {
            // Whether these are of the form that the studio writes is seen when they are read.
            return Ok(());
        }
        let Ok(format) = Format::detect(&self.root) else { return Ok(()) };
        Err(StudioError::refused(format!(
            "{0}: it seems to hold labels already (format {format}), which the studio does not change. Take them over into a new \
             folder: dapple studio NEW --import {0}. If they are no labels, put the photographs into {1}",
            self.root.display(),
            self.root.join("images").display()
        )))
    }

    /// Whether there is anything in `masks/`.
    pub(crate) fn holds_masks(&self) -> bool {
        find_images(&self.masks).is_ok_and(|found| !found.images.is_empty())
    }

    /// The name of a photograph: its path in their folder, with `/` between folders; `None` where it is not UTF-8.
    pub(crate) fn id(&self, photograph: &Path) -> Option<String> {
        let relative = photograph.strip_prefix(&self.photographs).ok()?;
        let words: Option<Vec<&str>> = relative.iter().map(|word| word.to_str()).collect();
        Some(words?.join("/"))
    }

    /// The mask of a photograph by the photograph's name: the same path with the extension of PNG.
    pub(crate) fn mask(&self, id: &str) -> PathBuf {
        self.masks.join(Path::new(id).with_extension("png"))
    }
}

/// Whether a path stays below the folder that it is joined to.
pub(crate) fn stays_below(relative: &Path) -> bool {
    relative.components().next().is_some()
        && relative.components().all(|part| matches!(part, Component::Normal(_)))
}

/// The file behind a path, if it lies in the folder: a link may lead out of it.
pub(crate) fn inside(folder: &Path, relative: &str) -> Option<PathBuf> {
    if !stays_below(Path::new(relative)) || relative.contains(['\\', '\0']) {
        return None;
    }
    let (folder, path) = (folder.canonicalize().ok()?, folder.join(relative).canonicalize().ok()?);
    (path.starts_with(folder) && path.is_file()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_a_folder_is_reached() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("in");
        std::fs::create_dir_all(root.join("deep")).expect("the folder is writable");
        std::fs::write(root.join("deep/a.png"), "x").expect("the folder is writable");
        std::fs::write(folder.path().join("secret.png"), "x").expect("the folder is writable");
        assert!(inside(&root, "deep/a.png").is_some());
        let secret = folder.path().join("secret.png");
        for path in ["../secret.png", "deep/../../secret.png", "", ".", "deep", "a\0b", "deep\\a.png"] {
            assert_eq!(inside(&root, path), None, "{path}");
        }
        assert_eq!(inside(&root, &secret.display().to_string()), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, root.join("link.png")).expect("links can be made");
            assert_eq!(inside(&root, "link.png"), None);
        }
    }
}
