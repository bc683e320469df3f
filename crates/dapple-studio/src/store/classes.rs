//! Changes of the list of classes.

use std::collections::BTreeSet;

use dapple_data::Classes;
use serde::Deserialize;

use super::mask::UNLABELLED;
use crate::error::{Result, StudioError};

/// The most characters of a name.
const LONGEST: usize = 100;

/// A class of the new list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassEdit {
    /// Its present number; none for a new class.
    #[serde(default)]
    pub id: Option<u8>,
    /// Its present name, by which a list of classes that were changed meanwhile is noticed; none leaves that unchecked.
    #[serde(default)]
    pub was: Option<String>,
    /// Its name.
    pub name: String,
    /// Its colour, as `#rrggbb`.
    pub color: String,
    /// The present number of the class of the list that its pixels join; the entry itself vanishes.
    #[serde(default)]
    pub merge_into: Option<u8>,
}

/// New classes, and the new label for each label in the masks.
#[derive(Clone, Debug)]
pub(super) struct Relabelling {
    pub classes: Classes,
    pub labels: [u8; 256],
}

impl Relabelling {
    /// Checks a new list against the present names.
    ///
    /// # Errors
    /// [`StudioError::Refused`] names the entry; [`StudioError::Taken`] for a list that was made of other classes.
    pub fn of(edits: &[ClassEdit], names: &[String]) -> Result<Self> {
        let present = names.len();
        let mut classes = Classes { names: Vec::new(), colours: Vec::new() };
        let mut labels: [u8; 256] = std::array::from_fn(|label| label as u8);
        let (mut seen, mut stays) = (BTreeSet::new(), BTreeSet::new());
        for edit in edits {
            let name = edit.name.trim();
            if let Some(id) = edit.id {
                let Some(name) = names.get(usize::from(id)) else {
                    return Err(StudioError::Unknown(format!("there is no class {id}")));
                };
                if let Some(was) = edit.was.as_ref().filter(|was| *was != name) {
                    return Err(StudioError::Taken(format!(
                        "the class {id} is `{name}` by now, not `{was}`: the classes were changed elsewhere; look at them, and \
                         repeat the change"
                    )));
                }
                if !seen.insert(id) {
                    return Err(StudioError::refused(format!("the class {id} is in the list twice")));
                }
            }
            if edit.merge_into.is_some() {
                if edit.id.is_none() {
                    return Err(StudioError::refused(format!("`{name}` is new; there is nothing to merge")));
                }
                continue;
            }
            if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
                return Err(StudioError::refused(format!(
                    "a class needs a name of 1 to {LONGEST} characters"
                )));
            }
            if classes.names.iter().any(|other| other == name) {
                return Err(StudioError::refused(format!(
                    "two classes are called `{name}`; rename one, or merge them"
                )));
            }
            let label = classes.len();
            if label >= usize::from(UNLABELLED) {
                return Err(StudioError::refused("a mask holds at most 255 classes"));
            }
            if let Some(id) = edit.id {
                labels[usize::from(id)] = label as u8;
                stays.insert(id);
            }
            classes.names.push(name.to_owned());
            classes.colours.push(colour(&edit.color)?);
        }
        if let Some(missing) = (0..present).find(|id| !seen.contains(&(*id as u8))) {
            return Err(StudioError::refused(format!(
                "the class {missing} is missing in the list; a class goes by being merged into another one"
            )));
        }
        if classes.len() < 2 {
            return Err(StudioError::refused("at least two classes have to stay"));
        }
        for edit in edits {
            let (Some(id), Some(target)) = (edit.id, edit.merge_into) else { continue };
            if !stays.contains(&target) {
                return Err(StudioError::refused(format!(
                    "`{}` is merged into the class {target}, which does not stay",
                    edit.name.trim()
                )));
            }
            labels[usize::from(id)] = labels[usize::from(target)];
        }
        Ok(Self { classes, labels })
    }

    /// Whether masks hold other labels afterwards.
    pub fn changes_masks(&self, present: usize) -> bool {
        (0..present).any(|label| usize::from(self.labels[label]) != label)
    }
}

/// `#rrggbb`.
fn colour(text: &str) -> Result<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let wrong = || StudioError::refused(format!("`{text}` is not a colour; give it as #rrggbb"));
    let [_, red, green, blue] = number.ok_or_else(wrong)?.to_be_bytes();
    Ok([red, green, blue])
}

/// A colour as `#rrggbb`.
pub fn colour_text([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|id| format!("class {id}")).collect()
    }

    fn edit(id: Option<u8>, name: &str, merge_into: Option<u8>) -> ClassEdit {
        ClassEdit { id, was: None, name: name.into(), color: "#0180ff".into(), merge_into }
    }

    #[test]
    fn classes_are_added_moved_and_merged() {
        let edits = [
            edit(Some(2), "sky", None),
            edit(Some(0), "ground", None),
            edit(Some(1), "soil", Some(0)),
            edit(None, "tree", None),
        ];
        let new = Relabelling::of(&edits, &names(3)).expect("a list");
        assert_eq!(new.classes.names, ["sky", "ground", "tree"]);
        assert_eq!(new.classes.colours[0], [1, 128, 255]);
        assert_eq!((new.labels[0], new.labels[1], new.labels[2], new.labels[255]), (1, 1, 0, 255));
        assert!(new.changes_masks(3));
        let same = [edit(Some(0), "a", None), edit(Some(1), "b", None)];
        let same = Relabelling::of(&same, &names(2)).expect("a list");
        assert!(!same.changes_masks(2));
    }

    #[test]
    fn lists_that_would_lose_pixels_are_refused() {
        let [a, b] = [edit(Some(0), "a", None), edit(Some(1), "b", None)];
        for edits in [
            vec![a.clone()],
            vec![a.clone(), a.clone(), b.clone()],
            vec![a.clone(), edit(Some(1), "b", Some(0))],
            vec![a.clone(), edit(Some(1), "a", None)],
            vec![a.clone(), b.clone(), edit(Some(2), "c", None)],
            vec![a.clone(), b.clone(), edit(None, "c", Some(0))],
            vec![a.clone(), edit(Some(1), " ", None)],
            vec![a, ClassEdit { color: "red".into(), ..b }],
        ] {
            assert!(Relabelling::of(&edits, &names(2)).is_err(), "{edits:?}");
        }
    }

    #[test]
    fn lists_of_other_classes_than_the_present_ones_are_refused() {
        let known = |id, was: &str| ClassEdit { was: Some(was.into()), ..edit(Some(id), was, None) };
        assert!(Relabelling::of(&[known(0, "class 0"), known(1, "class 1")], &names(2)).is_ok());
        // Turned round by another tab since.
        let error = Relabelling::of(&[known(0, "class 1"), known(1, "class 0")], &names(2));
        assert!(matches!(error, Err(StudioError::Taken(_))));
    }
}
