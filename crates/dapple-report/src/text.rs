//! Setting text in the embedded typeface: widths, shortening, and outlines.

use std::borrow::Cow;
use std::sync::OnceLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// The two weights of Noto Sans that pictures use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// One character placed on the line.
pub(crate) struct PlacedGlyph {
    pub glyph: GlyphId,
    /// Where it starts, in font units from the start of the line.
    pub x: u32,
}

fn face(weight: Weight) -> &'static Face<'static> {
    static REGULAR: OnceLock<Face<'static>> = OnceLock::new();
    static BOLD: OnceLock<Face<'static>> = OnceLock::new();
    let parse = |bytes| Face::parse(bytes, 0).expect("the embedded font is well formed, tests read it");
    match weight {
        Weight::Regular => REGULAR.get_or_init(|| parse(notosans::REGULAR_TTF)),
        Weight::Bold => BOLD.get_or_init(|| parse(notosans::BOLD_TTF)),
    }
}

/// Pixels per font unit when text is set at `size` pixels per em.
pub(crate) fn scale(size: f32, weight: Weight) -> f32 {
    size / f32::from(face(weight).units_per_em())
}

/// Places the characters of `text` one after the other; returns them and the line's width, both in font units.
///
/// Control characters, line breaks among them, count as spaces; characters the typeface lacks become its empty box.
pub(crate) fn place(text: &str, weight: Weight) -> (Vec<PlacedGlyph>, u32) {
    let face = face(weight);
    let mut x = 0;
    let mut line = Vec::with_capacity(text.len());
    for character in text.chars() {
        let character = if character.is_control() { ' ' } else { character };
        let glyph = face.glyph_index(character).unwrap_or_default();
        line.push(PlacedGlyph { glyph, x });
        x += u32::from(face.glyph_hor_advance(glyph).unwrap_or(0));
    }
    (line, x)
}

/// Draws a glyph's outline into `pen`, in font units with y upwards; a blank draws nothing.
pub(crate) fn outline(glyph: GlyphId, weight: Weight, pen: &mut dyn OutlineBuilder) {
    // `None` means that the glyph has no outline, as a space has none.
    let _ = face(weight).outline_glyph(glyph, pen);
}

/// The width of `text` in pixels at `size` pixels per em.
pub(crate) fn width(text: &str, size: f32, weight: Weight) -> f32 {
    place(text, weight).1 as f32 * scale(size, weight)
}

/// Shortens `text` with an ellipsis until it is at most `limit` pixels wide; empty if not even that fits.
pub(crate) fn fit(text: &str, size: f32, weight: Weight, limit: f32) -> Cow<'_, str> {
    if width(text, size, weight) <= limit {
        return Cow::Borrowed(text);
    }
    let ellipsis = width("…", size, weight);
    let mut room = limit - ellipsis;
    if room < 0.0 {
        return Cow::Borrowed("");
    }
    let mut kept = String::new();
    for character in text.chars() {
        room -= width(character.encode_utf8(&mut [0; 4]), size, weight);
        if room < 0.0 {
            break;
        }
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_weights_parse_and_bold_is_wider() {
        assert!(width("pixel accuracy", 14.0, Weight::Bold) > width("pixel accuracy", 14.0, Weight::Regular));
    }

    #[test]
    fn digits_share_one_width() {
        // Tick labels line up only if they do.
        let one = width("1", 12.0, Weight::Regular);
        assert!("0123456789".chars().all(|digit| width(&digit.to_string(), 12.0, Weight::Regular) == one));
    }

    proptest! {
        #[test]
        fn fitted_text_fits(text in "\\PC{0,60}", limit in 0.0f32..300.0) {
            let fitted = fit(&text, 13.0, Weight::Regular, limit);
            // The sum over single characters and the sum in font units may round apart.
            prop_assert!(width(&fitted, 13.0, Weight::Regular) <= limit + 0.01);
        }
    }
}
