//! What all formats are made from: the labelled photographs, and which of the classes is the background.

use dapple_data::Classes;

use crate::error::{Result, StudioError};
use crate::store::{ImageInfo, LabelStore, Mask, UNLABELLED};

/// The names by which the background is known.
const BACKGROUND: [&str; 2] = ["background", "_background_"];

/// The labelled photographs of a folder.
pub(super) struct Material<'a> {
    store: &'a LabelStore,
    numbering: u64,
    pub classes: Classes,
    pub images: Vec<ImageInfo>,
    /// The names of photographs with masks that are not exported, and why.
    pub left: Vec<(String, String)>,
    /// Whether a pixel without a label must not be met.
    complete: bool,
}

impl<'a> Material<'a> {
    /// # Errors
    /// [`StudioError::Refused`] without a labelled photograph.
    pub fn of(store: &'a LabelStore) -> Result<Self> {
        let (classes, numbering) = (store.classes(), store.numbering());
        let (mut images, mut left) = (Vec::new(), Vec::new());
        for image in store.images() {
            if let Some(problem) = image.problem {
                // What has no mask is not labelled yet, and nothing is left out.
                if store.places().mask(&image.id).is_file() {
                    left.push((image.id, problem));
                }
            } else if image.labelled > 0.0 {
                images.push(image);
            }
        }
        if images.is_empty() {
            return Err(StudioError::refused(match left.first() {
                Some((_, problem)) => format!("no mask can be read; the first of {}: {problem}", left.len()),
                None => "there is no labelled photograph yet".to_owned(),
            }));
        }
        Ok(Self { store, numbering, classes, images, left, complete: false })
    }

    /// The mask of a photograph.
    ///
    /// # Errors
    /// Those of reading it; [`StudioError::Refused`] where masks were changed since the export began.
    pub fn mask(&self, image: &ImageInfo) -> Result<Mask> {
        let (mask, _) = self.store.mask(&image.id)?;
        if self.store.numbering() != self.numbering || (self.complete && mask.labels.contains(&UNLABELLED)) {
            return Err(StudioError::refused("the labels were changed during the export; begin it again"));
        }
        Ok(mask)
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

    /// Keeps the photographs all of whose pixels have a label, for formats that cannot say that some have none.
    ///
    /// # Errors
    /// [`StudioError::Refused`] where none is left.
    pub fn keep_complete(&mut self, format: &str) -> Result<&Self> {
        let (complete, partly): (Vec<ImageInfo>, Vec<ImageInfo>) =
            std::mem::take(&mut self.images).into_iter().partition(|image| image.labelled >= 1.0);
        if complete.is_empty() {
            return Err(StudioError::refused(format!(
                "no photograph is labelled as a whole, and {format} has no way to say that pixels have no label: give the rest a \
                 class, or export palette masks, Labelme or CVAT"
            )));
        }
        let why =
            |image: ImageInfo| (image.id, format!("not labelled as a whole, which {format} cannot say"));
        self.left.extend(partly.into_iter().map(why));
        (self.images, self.complete) = (complete, true);
        Ok(self)
    }
}

/// The note on photographs that were left out.
pub(super) fn left_out(left: &[(String, String)]) -> String {
    let lines: Vec<String> = left.iter().map(|(name, why)| format!("{name}: {why}\n")).collect();
    format!("These photographs were left out:\n{}", lines.concat())
}

/// The name of a photograph without its extension.
pub(super) fn stem(id: &str) -> &str {
    match id.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.contains('/') => stem,
        _ => id,
    }
}
