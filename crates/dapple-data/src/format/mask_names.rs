//! What the names of mask files add to those of their images.

/// Suffixes that the stem of a mask may add to its image's.
pub(super) const MASK_STEM_SUFFIXES: [&str; 8] =
    ["_mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt", "-mask"];

/// CamVid's suffix, in a folder of masks only: beside images, `eye_L` and `eye_R` are left and right.
pub(super) const CAMVID_SUFFIX: &str = "_L";

/// Endings of the image's stem that its mask replaces by one of the above: `1_sat.jpg` and `1_mask.png`.
const IMAGE_STEM_SUFFIXES: [&str; 4] = ["_image", "_img", "_sat", "_rgb"];

/// Words that say that a file is a mask and name no class.
const WORDS: [&str; 7] = ["mask", "masks", "label", "labels", "seg", "segmentation", "gt"];

/// Characters between a name and what is added to it; a folder adds too.
const SEPARATORS: [char; 5] = ['_', '-', '.', ' ', '/'];

/// Whether a stem ends as those of masks do.
pub(super) fn is_mask_stem(stem: &str) -> bool {
    base_of_mask(stem).is_some()
}

/// A stem without the suffix of masks that it ends in.
pub(super) fn base_of_mask(stem: &str) -> Option<&str> {
    MASK_STEM_SUFFIXES.iter().find_map(|suffix| stem.strip_suffix(suffix))
}

/// An image's stem without what says that it is the image.
pub(super) fn bare(stem: &str) -> &str {
    IMAGE_STEM_SUFFIXES.iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem)
}

/// The image's stem that a stem with a suffix of masks and a number gives: `a` of `a_mask_1`.
pub(super) fn numbered_base(stem: &str) -> Option<&str> {
    let unnumbered = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    if unnumbered.len() == stem.len() {
        return None;
    }
    base_of_mask(unnumbered.trim_end_matches(['_', '-']))
}

/// The beginnings of a stem that end at a separator, the longest first, each with the rest.
pub(super) fn beginnings(stem: &str) -> impl Iterator<Item = (&str, &str)> {
    stem.rmatch_indices(SEPARATORS)
        .map(move |(at, _)| stem.split_at(at))
        .filter(|(first, _)| !first.is_empty())
}

/// The addition to an image's name that makes it the name of a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// All of it, but for the separator.
    pub text: String,
    /// The class; empty where it says no more than that it is a mask.
    pub class: String,
    /// The number that tells several of one class apart.
    pub number: Option<String>,
}

impl Tag {
    /// Of what follows the image's name: `_road_2`, `_mask1`, `/3`.
    pub fn of(tail: &str) -> Self {
        let text = tail.trim_start_matches(SEPARATORS);
        let unnumbered = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let name = unnumbered.trim_end_matches(SEPARATORS);
        let is_word = |name: &str| WORDS.contains(&name.to_lowercase().as_str());
        // `class1` is a name, `class_1` may be the first of several.
        let has_number = unnumbered.len() < text.len()
            && (name.len() < unnumbered.len() || name.is_empty() || is_word(name));
        let (name, number) =
            if has_number { (name, Some(text[unnumbered.len()..].to_owned())) } else { (text, None) };
        let class = if is_word(name) {
            ""
        } else {
            let ending = base_of_mask(name);
            ending
                .or_else(|| name.split_once('_').filter(|(word, _)| is_word(word)).map(|(_, rest)| rest))
                .unwrap_or(name)
        };
        Self { text: text.to_owned(), class: class.to_owned(), number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_numbers_in_names_of_masks() {
        for (tail, class, number) in [
            ("_mask", "", None),
            ("_mask_1", "", Some("1")),
            ("_mask1", "", Some("1")),
            ("_01", "", Some("01")),
            ("/3", "", Some("3")),
            ("_road", "road", None),
            ("_road_2", "road", Some("2")),
            ("_road_mask", "road", None),
            ("_mask_road", "road", None),
            ("-class1", "class1", None),
        ] {
            let tag = Tag::of(tail);
            assert_eq!((&*tag.class, tag.number.as_deref()), (class, number), "{tail}");
        }
        assert_eq!(numbered_base("benign (1)_mask_12"), Some("benign (1)"));
        assert_eq!(numbered_base("a_mask"), None);
        assert_eq!(numbered_base("frame_12"), None);
        let all: Vec<_> = beginnings("a_b-c").collect();
        assert_eq!(all, [("a_b", "-c"), ("a", "_b-c")]);
    }
}
