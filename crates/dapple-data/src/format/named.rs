//! Annotations whose shapes carry the names of their classes: the names become labels.
//!
//! Label 0 is the background; the others follow `labels.txt` where there is one, else the order that the format gives, else
//! the alphabet. `__ignore__` is ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::format::found::{Found, IGNORED, Notes, Record, Target};
use crate::format::walk::{bad_file, read_text, shown};
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::mask::regions::{Regions, Shape};
use crate::part::Part;

/// An image with its shapes.
#[derive(Debug)]
pub(super) struct Annotated {
    /// The annotation file, for messages.
    pub path: PathBuf,
    pub image: PathBuf,
    /// The name of the sample without the part.
    pub name: String,
    pub part: Option<Part>,
    pub width: usize,
    pub height: usize,
    /// Name and pixels in the order of drawing.
    pub shapes: Vec<(String, Shape)>,
}

const BACKGROUND: [&str; 2] = ["_background_", "background"];
const IGNORE: &str = "__ignore__";

/// The samples of annotated images; `order` are the names of the classes where the format lists them.
///
/// # Errors
/// [`DataError::BadFile`](crate::DataError::BadFile) for no class or more than there are labels, and for a name that is not in
/// the list.
pub(super) fn found(
    root: &Path,
    annotated: Vec<Annotated>,
    order: Option<Vec<String>>,
    notes: &mut Notes,
) -> Result<Found> {
    let names = class_names(root, &annotated, order)?;
    let without = annotated.iter().filter(|image| image.shapes.is_empty()).count();
    if without > 0 {
        notes.warn(format!("{without} annotated images have no shape; they hold background only"));
    }
    let mut records = Vec::new();
    for Annotated { path, image, name, part, width, height, shapes } in annotated {
        let label = |name: &str| match name {
            IGNORE => Some(IGNORED),
            name => names.iter().position(|known| known == normal(name)).map(|label| label as u8),
        };
        if let Some((unknown, _)) = shapes.iter().find(|(name, _)| label(name).is_none()) {
            let unknown = shown(unknown);
            let problem = format!("a shape is `{unknown}`, which the list of classes lacks; add it there");
            notes.bad(bad_file(&path, problem))?;
            continue;
        }
        let regions = shapes.into_iter().filter_map(|(name, shape)| Some((label(&name)?, shape))).collect();
        let regions = Regions { width, height, background: 0, regions };
        if let Some(problem) = regions.problem() {
            notes.bad(bad_file(&path, format!("`{}`: {problem}", shown(&name))))?;
            continue;
        }
        let target = Target::Regions { path, regions: Arc::new(regions) };
        records.push(Record { name: Part::prefixed(part, &name), part, image, target });
    }
    records.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    let decoder = MaskDecoder::indices();
    Ok(Found::fixed(records, Classes::named(names), decoder))
}

/// The background by one name, however it is spelt.
fn normal(name: &str) -> &str {
    if BACKGROUND.iter().any(|known| name.eq_ignore_ascii_case(known)) { "background" } else { name }
}

/// The classes: background first.
fn class_names(root: &Path, annotated: &[Annotated], order: Option<Vec<String>>) -> Result<Vec<String>> {
    let list = root.join("labels.txt");
    let labels = if list.is_file() {
        read_text(&list)?.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    } else if let Some(order) = order {
        order
    } else {
        let all = annotated.iter().flat_map(|file| file.shapes.iter().map(|(name, _)| name.clone()));
        all.collect::<BTreeSet<String>>().into_iter().collect()
    };
    let mut names = vec!["background".to_owned()];
    for label in labels {
        if label != IGNORE && !names.iter().any(|name| name == normal(&label)) {
            names.push(label);
        }
    }
    if names.len() < 2 || names.len() > 255 {
        let problem = format!("the shapes have {} labels; 1 to 254 can be learned", names.len() - 1);
        return Err(bad_file(root, problem));
    }
    Ok(names)
}
