//! Names and colours of the classes, and painting a label map with them.

use dapple_data::Classes;
use image::{GrayImage, Rgb, RgbImage};

use crate::{Colour, ReportError};

/// The classes of a data set and the label that counts nowhere: how its label maps are painted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    classes: Classes,
    ignore_index: Option<u8>,
}

impl Palette {
    /// Classes 0, 1, 2, … with a name and a colour each; `ignore_index` is the label of pixels that do not count.
    ///
    /// The ignore index may be one of the classes, which is then painted as ignored (the published CamVid protocol
    /// ignores class 11), or any other label, usually 255.
    ///
    /// # Errors
    /// [`ReportError::ClassCount`] unless there are 1 to 256 names and as many colours.
    pub fn new(classes: Classes, ignore_index: Option<u8>) -> Result<Self, ReportError> {
        let (names, colours) = (classes.names.len(), classes.colours.len());
        if names != colours || !(1..=256).contains(&names) {
            return Err(ReportError::ClassCount { names, colours });
        }
        Ok(Self { classes, ignore_index })
    }

    /// How many classes there are, at least one.
    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// The names, in the order of the labels.
    pub fn names(&self) -> &[String] {
        &self.classes.names
    }

    /// The colours, in the order of the labels.
    pub fn colours(&self) -> &[Colour] {
        &self.classes.colours
    }

    /// The label of pixels that do not count.
    pub fn ignore_index(&self) -> Option<u8> {
        self.ignore_index
    }

    /// The classes that count, all but an ignored one.
    pub(crate) fn counted(&self) -> Vec<usize> {
        let ignored = self.ignore_index.map(usize::from);
        (0..self.count()).filter(|&class| Some(class) != ignored).collect()
    }

    pub(crate) fn ignores(&self, label: u8) -> bool {
        self.ignore_index == Some(label)
    }

    /// The colour of a label at a pixel; `None` for a label that is neither a class nor ignored.
    pub(crate) fn colour_at(&self, label: u8, x: u32, y: u32) -> Option<Colour> {
        if self.ignores(label) {
            Some(hatch(HATCH, x, y))
        } else {
            self.classes.colours.get(usize::from(label)).copied()
        }
    }

    /// Finds the first label that is neither a class nor the ignore index.
    pub(crate) fn check(&self, labels: &GrayImage) -> Result<(), ReportError> {
        let unknown = |label: u8| usize::from(label) >= self.count() && !self.ignores(label);
        match labels.enumerate_pixels().find(|(_, _, pixel)| unknown(pixel.0[0])) {
            None => Ok(()),
            Some((x, y, pixel)) => {
                Err(ReportError::UnknownLabel { label: pixel.0[0], x, y, classes: self.count() })
            }
        }
    }
}

/// The ground and the lines of the hatching that marks ignored pixels among colours.
pub(crate) const HATCH: [Colour; 2] = [[214; 3], [158; 3]];

/// The same for black and white masks: dark enough not to be taken for the mask.
pub(crate) const MASK_HATCH: [Colour; 2] = [[60; 3], [104; 3]];

/// The colour of an ignored pixel: diagonal lines on a neutral ground.
pub(crate) fn hatch([ground, line]: [Colour; 2], x: u32, y: u32) -> Colour {
    if (u64::from(x) + u64::from(y)) % 8 < 2 { line } else { ground }
}

/// Paints every pixel of a label map in the colour of its class, ignored pixels hatched grey.
///
/// # Errors
/// [`ReportError::UnknownLabel`] for a label that is neither a class nor the ignore index.
pub fn colour_map(labels: &GrayImage, palette: &Palette) -> Result<RgbImage, ReportError> {
    palette.check(labels)?;
    Ok(RgbImage::from_fn(labels.width(), labels.height(), |x, y| {
        let colour = palette.colour_at(labels.get_pixel(x, y).0[0], x, y);
        Rgb(colour.expect("the check above found every label known"))
    }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use image::Luma;

    pub fn named(names: &[&str], colours: &[Colour]) -> Classes {
        Classes { names: names.iter().map(|&name| name.into()).collect(), colours: colours.to_vec() }
    }

    fn palette(names: Vec<String>, colours: Vec<Colour>, ignore: Option<u8>) -> Result<Palette, ReportError> {
        Palette::new(Classes { names, colours }, ignore)
    }

    fn two() -> Palette {
        palette(vec!["ground".into(), "horse".into()], vec![[0, 0, 0], [230, 159, 0]], Some(255))
            .expect("two names, two colours")
    }

    #[test]
    fn labels_take_their_colours_and_ignored_pixels_are_grey() {
        let labels = GrayImage::from_raw(3, 1, vec![0, 1, 255]).expect("three labels");
        let painted = colour_map(&labels, &two()).expect("known labels");
        assert_eq!(painted.get_pixel(0, 0).0, [0, 0, 0]);
        assert_eq!(painted.get_pixel(1, 0).0, [230, 159, 0]);
        assert!(HATCH.contains(&painted.get_pixel(2, 0).0));
    }

    #[test]
    fn an_ignored_class_is_hatched_too() {
        let painted_as = palette(vec!["a".into(), "unlabelled".into()], vec![[9; 3], [0; 3]], Some(1))
            .expect("two names, two colours");
        let painted = colour_map(&GrayImage::from_pixel(9, 9, Luma([1])), &painted_as).expect("known labels");
        assert!(painted.pixels().all(|pixel| HATCH.contains(&pixel.0)));
    }

    #[test]
    fn an_unknown_label_is_named_with_its_place() {
        let labels = GrayImage::from_raw(2, 2, vec![0, 1, 1, 7]).expect("four labels");
        let message = colour_map(&labels, &two()).expect_err("label 7 is unknown").to_string();
        assert!(message.contains("label 7 at column 1, row 1"), "{message}");
    }

    #[test]
    fn names_and_colours_must_match() {
        assert!(palette(vec!["a".into()], vec![], None).is_err());
        assert!(palette(vec![], vec![], None).is_err());
        assert!(palette(vec![String::new(); 257], vec![[0; 3]; 257], None).is_err());
        assert!(palette(vec![String::new(); 256], vec![[0; 3]; 256], None).is_ok());
    }
}
