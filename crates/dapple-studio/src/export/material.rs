//! What all formats are made from: the labelled photographs, and which of the classes is the background.

use dapple_data::Classes;

use crate::error::{Result, StudioError};
use crate::store::{ImageInfo, LabelStore, Mask};

/// The names by which the background is known.
const BACKGROUND: [&str; 2] = ["background", "_background_"];

/// The labelled photographs of a folder.
pub(super) struct Material<'a> {
    store: &'a LabelStore,
    pub classes: Classes,
    pub images: Vec<ImageInfo>,
}

impl<'a> Material<'a> {
    /// # Errors
    /// [`StudioError::Refused`] without a labelled photograph.
    pub fn of(store: &'a LabelStore) -> Result<Self> {
        let usable = |image: &ImageInfo| image.labelled > 0.0 && image.problem.is_none();
        let images: Vec<ImageInfo> = store.images().into_iter().filter(usable).collect();
        if images.is_empty() {
            return Err(StudioError::refused("there is no labelled photograph yet"));
        }
        Ok(Self { store, classes: store.classes(), images })
    }

    pub fn mask(&self, image: &ImageInfo) -> Result<Mask> {
        Ok(self.store.mask(&image.id)?.0)
    }

    /// The label of the background, if a class is called so.
    pub fn background(&self) -> Option<u8> {
        let is_background = |name: &String| BACKGROUND.iter().any(|known| name.eq_ignore_ascii_case(known));
        self.classes.names.iter().position(is_background).map(|label| label as u8)
    }

    /// The label and the name of each class but the background.
    pub fn objects(&self) -> Vec<(u8, &str)> {
        let background = self.background();
        let labelled = (0..=u8::MAX).zip(self.classes.names.iter().map(String::as_str));
        labelled.filter(|(label, _)| Some(*label) != background).collect()
    }

    /// Keeps the photographs all of whose pixels have a label, for formats that cannot say that some have none; gives the names of
    /// the others.
    ///
    /// # Errors
    /// [`StudioError::Refused`] where none is left.
    pub fn keep_complete(&mut self, format: &str) -> Result<Vec<String>> {
        let (complete, partly): (Vec<ImageInfo>, Vec<ImageInfo>) =
            std::mem::take(&mut self.images).into_iter().partition(|image| image.labelled >= 1.0);
        if complete.is_empty() {
            return Err(StudioError::refused(format!(
                "no photograph is labelled as a whole, and {format} has no way to say that pixels have no label: give the rest a \
                 class, or export palette masks, Labelme or CVAT"
            )));
        }
        self.images = complete;
        Ok(partly.into_iter().map(|image| image.id).collect())
    }
}

/// The note on photographs that were left out.
pub(super) fn left_out(names: &[String]) -> String {
    format!("These photographs are not labelled as a whole, and were left out:\n{}\n", names.join("\n"))
}

/// The name of a photograph without its extension.
pub(super) fn stem(id: &str) -> &str {
    match id.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.contains('/') => stem,
        _ => id,
    }
}
