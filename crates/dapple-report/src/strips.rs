//! Mask strips: for each image one panel a class, as SegNet's demonstration shows its predictions.
//!
//! The upper row is the truth, the lower one the prediction. Both begin with a picture of the whole: the photograph and
//! the label map in colours.

use image::{GrayImage, RgbImage};

use crate::overlay::probability_map;
use crate::panels::check;
use crate::scene::Anchor;
use crate::sheet::{FAINT_INK, INK, MARGIN, SWATCH_SPACE, Sheet, Type};
use crate::text::{self, Weight};
use crate::view::View;
use crate::{Colour, OverlayStyle, Palette, ReportError, Sample};

const GAP: u32 = 8;
const NAME: Type = Type { size: 16.0, weight: Weight::Bold, colour: INK };
const CAPTION: Type = Type { size: 13.0, weight: Weight::Regular, colour: INK };
const ROW_LABEL: Type = Type { size: 13.0, weight: Weight::Regular, colour: FAINT_INK };
const NAME_HEIGHT: u32 = 28;
const CAPTION_HEIGHT: u32 = 22;
/// The column on the left that says which row is which.
const LABEL_WIDTH: u32 = 76;
/// The photograph and the label map.
const WHOLE_COLUMNS: usize = 2;
const BAND_GAP: u32 = 14;

/// One image for [`strips`].
#[derive(Clone, Copy, Debug)]
pub struct StripSample<'a> {
    /// The image, its labels and its name; the scores are not shown.
    pub sample: Sample<'a>,
    /// Predicted probabilities, `[height, width, class]`, to be shown in grey instead of the prediction's masks.
    pub probabilities: Option<&'a [f32]>,
}

/// How [`strips`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripStyle {
    /// The longest side of each picture in pixels; at least 16.
    pub side: u32,
    /// How many classes stand side by side before the next band begins; at least one.
    pub classes_per_band: usize,
}

impl Default for StripStyle {
    /// Pictures of 150 pixels, twelve classes in a band.
    fn default() -> Self {
        Self { side: 150, classes_per_band: 12 }
    }
}

/// For each sample the truth's masks, one a class, above those of the prediction.
///
/// A class beyond the band's last stands in a further band below; an ignored class has no panel.
/// Without a truth, there is only the prediction's row.
///
/// # Errors
/// [`ReportError::NothingToDraw`] without a sample, [`ReportError::Empty`] and [`ReportError::SizeMismatch`] for
/// images that do not fit each other, [`ReportError::ProbabilityCount`] for probabilities that do not fit the image and
/// the classes, [`ReportError::UnknownLabel`] for a label that is neither a class nor the ignore index,
/// [`ReportError::TooLarge`] for too many samples.
pub fn strips(
    samples: &[StripSample<'_>],
    classes: &Palette,
    style: StripStyle,
) -> Result<RgbImage, ReportError> {
    if samples.is_empty() {
        return Err(ReportError::NothingToDraw { what: "the mask strips", needed: "sample" });
    }
    let side = style.side.max(16);
    let counted = classes.counted();
    let bands = bands(&counted, style.classes_per_band);
    let widest_band = bands.iter().map(|band| band.len()).max().unwrap_or(0);
    let mut blocks = Vec::with_capacity(samples.len());
    for StripSample { sample, probabilities } in samples {
        check(sample)?;
        let view = View::within(side, sample.image.dimensions());
        let rows = rows(sample, *probabilities, classes)?;
        blocks.push((sample.name, sample.image, view, rows));
    }
    let columns = (WHOLE_COLUMNS + widest_band) as u64;
    let width = u64::from(LABEL_WIDTH + 2 * MARGIN - GAP) + columns * u64::from(side + GAP);
    let block_height = |view: &View, rows: usize| {
        let band = u64::from(CAPTION_HEIGHT + BAND_GAP) + rows as u64 * u64::from(view.height + GAP);
        u64::from(NAME_HEIGHT) + bands.len() as u64 * band
    };
    let height = blocks.iter().map(|(_, _, view, rows)| block_height(view, rows.len())).sum::<u64>();
    let mut sheet = Sheet::new(width, height + u64::from(2 * MARGIN - BAND_GAP - GAP))?;

    let mut top = MARGIN;
    for (name, photo, view, rows) in &blocks {
        let room = (width - u64::from(2 * MARGIN)) as f32;
        let name = text::fit(name, NAME.size, NAME.weight, room);
        sheet.write(&name, (MARGIN as f32, (top + 18) as f32), Anchor::Start, NAME);
        let grid = Grid { side, view: *view, classes };
        let block_top = top + NAME_HEIGHT;
        top += block_height(view, rows.len()) as u32;
        grid.draw(&mut sheet, photo, rows, &bands, block_top)?;
    }
    Ok(sheet.finish())
}

/// The classes of each band; there is at least one band, for the pictures of the whole.
fn bands(classes: &[usize], per_band: usize) -> Vec<&[usize]> {
    if classes.is_empty() { vec![classes] } else { classes.chunks(per_band.max(1)).collect() }
}

/// A row of the strip: labels, and the grey values of the classes where there are probabilities.
struct Row<'a> {
    label: &'static str,
    labels: &'a GrayImage,
    probabilities: Option<Vec<GrayImage>>,
}

fn rows<'a>(
    sample: &Sample<'a>,
    probabilities: Option<&[f32]>,
    classes: &Palette,
) -> Result<Vec<Row<'a>>, ReportError> {
    let (width, height) = sample.image.dimensions();
    let count = classes.count();
    let wanted = width as usize * height as usize * count;
    let grey = match probabilities {
        None => None,
        Some(values) if values.len() != wanted => {
            let shape = format!("height {height} x width {width} x {count} classes");
            return Err(ReportError::ProbabilityCount { found: values.len(), wanted, shape });
        }
        Some(values) => {
            let of_class = |class| values.iter().skip(class).step_by(count).copied().collect::<Vec<_>>();
            let map = |class| probability_map(width, height, &of_class(class));
            Some((0..count).map(map).collect::<Result<_, _>>()?)
        }
    };
    let truth = sample.truth.map(|labels| Row { label: "truth", labels, probabilities: None });
    let prediction = Row { label: "prediction", labels: sample.prediction, probabilities: grey };
    Ok(truth.into_iter().chain([prediction]).collect())
}

/// The cells of one sample.
struct Grid<'a> {
    side: u32,
    view: View,
    classes: &'a Palette,
}

impl Grid<'_> {
    fn draw(
        &self,
        sheet: &mut Sheet,
        photo: &RgbImage,
        rows: &[Row<'_>],
        bands: &[&[usize]],
        mut top: u32,
    ) -> Result<(), ReportError> {
        for (band, members) in bands.iter().enumerate() {
            if band == 0 {
                self.caption(sheet, 0, top, None, "image");
                self.caption(sheet, 1, top, None, "all classes");
            }
            for (place, &class) in members.iter().enumerate() {
                let colour = self.classes.colours()[class];
                self.caption(sheet, WHOLE_COLUMNS + place, top, Some(colour), &self.classes.names()[class]);
            }
            top += CAPTION_HEIGHT;
            for (line, row) in rows.iter().enumerate() {
                let middle = top as f32 + self.view.height as f32 / 2.0 + ROW_LABEL.size * 0.36;
                sheet.write(row.label, (MARGIN as f32, middle), Anchor::Start, ROW_LABEL);
                if band == 0 {
                    let colours = self.view.colours(row.labels, self.classes)?;
                    self.paste(sheet, 1, top, &colours);
                    // The photograph stands once; below it, what was predicted lies over it.
                    let whole = if line == 0 {
                        self.view.photograph(photo)
                    } else {
                        self.overlay(photo, row.labels)?
                    };
                    self.paste(sheet, 0, top, &whole);
                }
                for (place, &class) in members.iter().enumerate() {
                    let picture = match &row.probabilities {
                        Some(grey) => self.view.grey(&grey[class]),
                        None => self.view.mask(row.labels, self.classes, class as u8),
                    };
                    self.paste(sheet, WHOLE_COLUMNS + place, top, &picture);
                }
                top += self.view.height + GAP;
            }
            top += BAND_GAP;
        }
        Ok(())
    }

    fn overlay(&self, photo: &RgbImage, labels: &GrayImage) -> Result<RgbImage, ReportError> {
        let unpainted = (self.classes.count() == 2).then_some(0);
        self.view.overlay(photo, labels, self.classes, OverlayStyle { unpainted, ..OverlayStyle::default() })
    }

    fn left(&self, column: usize) -> u32 {
        MARGIN + LABEL_WIDTH + column as u32 * (self.side + GAP)
    }

    fn paste(&self, sheet: &mut Sheet, column: usize, top: u32, picture: &RgbImage) {
        sheet.paste(picture, self.left(column) + (self.side - self.view.width) / 2, top);
    }

    /// Writes what a column shows above it, behind the colour of the class if it shows one.
    fn caption(&self, sheet: &mut Sheet, column: usize, top: u32, colour: Option<Colour>, name: &str) {
        let mut left = self.left(column);
        let mut room = self.side as f32;
        if colour.is_some() {
            sheet.swatch(colour, left, top);
            left += SWATCH_SPACE;
            room -= SWATCH_SPACE as f32;
        }
        let name = text::fit(name, CAPTION.size, CAPTION.weight, room);
        sheet.write(&name, (left as f32, (top + 12) as f32), Anchor::Start, CAPTION);
    }
}
