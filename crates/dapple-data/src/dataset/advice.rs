//! Advice on masks whose values or colours tell no classes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::dataset::survey::COLOUR_LIMIT;
use crate::error::{DataError, Result};
use crate::mask::classes::Classes;
use crate::mask::colour::{pack, unpack};

/// A line for `classes.toml` that makes a class of each value.
pub(super) fn from_table(values: impl IntoIterator<Item = u16>) -> String {
    let class = |(i, value): (usize, u16)| {
        let name = if i == 0 { "background".to_owned() } else { format!("class {i}") };
        format!("{{ name = \"{name}\", from = [{value}] }}")
    };
    let classes: Vec<String> = values.into_iter().enumerate().map(class).collect();
    format!("class = [{}]", classes.join(", "))
}

/// Says why `values` are not taken for classes without a further word, and each way in which they can be meant.
pub(super) fn problem(values: &BTreeSet<u16>) -> String {
    let shown: Vec<_> = values.iter().take(12).map(u16::to_string).collect();
    let more =
        if values.len() > shown.len() { format!(", … ({} in all)", values.len()) } else { String::new() };
    let list = shown.join(", ") + &more;
    if values.len() < 2 {
        return format!(
            "all masks have the one value {list}, so that there is nothing to learn; check the masks, \
             or give the number of classes if the others are only missing here"
        );
    }
    let below_255 = values.iter().copied().filter(|&value| value != 255);
    let indices = values.contains(&255) && below_255.clone().zip(0..).all(|(value, index)| value == index);
    let soft = values.len() > 32;
    let advice = if soft && (values.contains(&255) || values.contains(&65535)) {
        "they look like soft masks: give a threshold (128, say), or save them as PNG without smoothing"
            .to_owned()
    } else if indices {
        format!(
            "if 255 marks pixels without a label, make it the ignore label (255); if it is a class, write classes.toml \
             into the folder: {}",
            from_table(values.iter().copied())
        )
    } else {
        let table = from_table(values.iter().copied().take(12));
        let uncertain = match values.iter().copied().collect::<Vec<_>>()[..] {
            [0, middle, white @ (255 | 65535)] => format!(
                "; if {middle} marks uncertain pixels between the background (0) and the foreground ({white}), make \
                 {middle} the ignore label"
            ),
            _ => String::new(),
        };
        format!(
            "give the number of classes if they are class indices; if each value is a class, write classes.toml into the \
             folder, where `from` lists the values of a class: {table}{uncertain}"
        )
    };
    format!(
        "the masks have the values {list}, neither two values nor 0, 1, 2, … without large gaps; {advice}"
    )
}

/// A class for every colour, black first, the others in the order of their red, green and blue: the same colours give
/// the same labels, whatever their number of pixels. `lossy` is a mask of a lossy format, if there is one.
///
/// # Errors
/// [`DataError::MaskValues`] if there are too few or too many, or if they are not exact.
pub(crate) fn propose_classes(
    root: &Path,
    colours: &BTreeMap<u32, u64>,
    lossy: Option<&Path>,
) -> Result<Classes> {
    let found = if colours.len() >= COLOUR_LIMIT { "thousands of".into() } else { colours.len().to_string() };
    let refused = |problem: String| Err(DataError::MaskValues { path: root.to_owned(), problem });
    if let Some(path) = lossy {
        return refused(format!(
            "masks are JPEG or lossy WebP pictures, such as {}, which change colours: the {found} colours found are no \
             classes; save the masks as PNG, or list the true colours in classes.txt (name red green blue): every pixel \
             then takes the class of the nearest colour",
            path.display()
        ));
    }
    if !(2..=255).contains(&colours.len()) {
        return refused(format!(
            "the masks have {found} colours, which cannot be classes; masks that were smoothed or resized \
             have such colours: save them as PNG, or list the true colours in classes.txt (name red green blue)"
        ));
    }
    let colours: Vec<[u8; 3]> = colours.keys().map(|&colour| unpack(colour)).collect();
    let name = |[r, g, b]: &[u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
    Ok(Classes { names: colours.iter().map(name).collect(), colours })
}

/// Says what colours there are and how to make classes of them. `reason` is why colours count, if it is not plain.
pub(crate) fn colours_without_table(
    root: &Path,
    colours: &BTreeMap<u32, u64>,
    lossy: Option<&Path>,
    reason: Option<&str>,
) -> DataError {
    let classes = match propose_classes(root, colours, lossy) {
        Ok(classes) => classes,
        Err(error) => return error,
    };
    let pixels: u64 = colours.values().sum();
    let line = |(name, colour): (&String, &[u8; 3])| {
        let [r, g, b] = colour;
        let share = 100.0 * colours[&pack(*colour)] as f64 / pixels as f64;
        format!("  class-{} {r} {g} {b}    ({share:.2} % of the pixels)", &name[1..])
    };
    let list: Vec<String> = classes.names.iter().zip(&classes.colours).take(64).map(line).collect();
    let problem = format!(
        "{}, and no file says what the colours mean; they have {} colours:\n{}\n\
         write them with their true names into classes.txt in this folder (a class a line: name red green blue), \
         or accept them as classes with the format `colours`",
        reason.unwrap_or("the masks are colour-coded"),
        colours.len(),
        list.join("\n")
    );
    DataError::MaskValues { path: root.to_owned(), problem }
}
