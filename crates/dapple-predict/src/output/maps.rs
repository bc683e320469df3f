//! Maps of values from 0 to 1, written row by row: probabilities and uncertainty, as grey values, arrays and colours.

use png::{BitDepth, ColorType};

use super::image_info::ImageInfo;
use super::npy::NpyRows;
use super::painted::Painted;
use super::png_rows::PngRows;
use super::settings::ProbabilityFormat;
use super::sink::Output;
use super::target::Target;
use crate::error::PredictError;
use crate::prediction::{RowValues, Wants};
use crate::row::ImageRow;

/// The values of a row that are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Values {
    /// The probabilities of one class, with the number of classes.
    Class(usize, usize),
    /// The probabilities of all classes, with their number.
    Classes(usize),
    /// The uncertainty.
    Uncertainty,
}

impl Values {
    fn wants(self) -> Wants {
        let uncertainty = self == Self::Uncertainty;
        Wants { probabilities: !uncertainty, uncertainty }
    }

    /// Values a pixel.
    fn depth(self) -> usize {
        if let Self::Classes(classes) = self { classes } else { 1 }
    }

    fn of(self, row: &RowValues) -> impl Iterator<Item = f32> {
        let (values, skip, step) = match self {
            Self::Class(class, classes) => (&row.probabilities, class, classes),
            Self::Classes(_) => (&row.probabilities, 0, 1),
            Self::Uncertainty => (&row.uncertainty, 0, 1),
        };
        values.iter().skip(skip).step_by(step).copied()
    }
}

/// The encoding of the values.
enum Form {
    Eight(PngRows),
    Sixteen(PngRows),
    Array(NpyRows),
}

/// A map of values: grey values of one, or an array of any number a pixel. Where the image has no data, pictures are
/// transparent and arrays hold not-a-number.
pub(super) struct Map {
    values: Values,
    form: Form,
    /// Whether pictures have alpha.
    has_alpha: bool,
    bytes: Vec<u8>,
}

impl Map {
    /// Pictures are of one value a pixel.
    pub fn new(
        image: &ImageInfo,
        values: Values,
        format: ProbabilityFormat,
        target: Target,
    ) -> Result<Self, PredictError> {
        let has_alpha = image.has_gaps;
        let color = if has_alpha { ColorType::GrayscaleAlpha } else { ColorType::Grayscale };
        let grey = |depth, target| PngRows::new(image, color, depth, None, target);
        let form = match format {
            ProbabilityFormat::Png8 => Form::Eight(grey(BitDepth::Eight, target)?),
            ProbabilityFormat::Png16 => Form::Sixteen(grey(BitDepth::Sixteen, target)?),
            ProbabilityFormat::Npy => Form::Array(NpyRows::new(image, values.depth(), target)?),
        };
        Ok(Self { values, form, has_alpha, bytes: Vec::new() })
    }
}

impl Output for Map {
    fn wants(&self) -> Wants {
        self.values.wants()
    }

    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        self.bytes.clear();
        let depth = self.values.depth();
        let is_empty = |index: usize| row.coverage.get(index / depth) == Some(&0);
        let values = self.values.of(row.values).enumerate();
        let values = values.map(|(index, value)| if is_empty(index) { f32::NAN } else { value });
        // Alpha says whether there is a value: one of a pixel that is there in part is as good as any other.
        let alpha = |value: f32| self.has_alpha.then_some(if value.is_nan() { 0 } else { u8::MAX });
        // The casts saturate, and take not-a-number to 0.
        match &mut self.form {
            Form::Eight(png) => {
                let pixel = |v: f32| std::iter::once((v * 255.0).round() as u8).chain(alpha(v));
                self.bytes.extend(values.flat_map(pixel));
                png.row(&self.bytes)
            }
            Form::Sixteen(png) => {
                let pixel = |v: f32| {
                    let alpha = alpha(v).map(|alpha| [alpha; 2]);
                    std::iter::once(((v * 65535.0).round() as u16).to_be_bytes()).chain(alpha).flatten()
                };
                self.bytes.extend(values.flat_map(pixel));
                png.row(&self.bytes)
            }
            Form::Array(npy) => {
                self.bytes.extend(values.flat_map(f32::to_le_bytes));
                npy.row(&self.bytes)
            }
        }
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        match self.form {
            Form::Eight(png) | Form::Sixteen(png) => png.finish(),
            Form::Array(npy) => npy.finish(),
        }
    }
}

/// Colours of uncertainties 0, ¼, ½, ¾ and 1: those of matplotlib's map "inferno" (van der Walt and Smith, 2015), whose
/// lightness grows evenly.
const HEAT: [[u8; 3]; 5] = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/// The uncertainty as colours over the image in grey. What is transparent in the image stays so.
pub(super) struct Heatmap {
    png: Painted,
    opacity: f32,
    painted: Vec<u8>,
}

impl Heatmap {
    pub fn new(image: &ImageInfo, opacity: f32, target: Target) -> Result<Self, PredictError> {
        let png = Painted::new(image, target)?;
        Ok(Self { png, opacity, painted: Vec::new() })
    }
}

impl Output for Heatmap {
    fn wants(&self) -> Wants {
        Values::Uncertainty.wants()
    }

    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        self.painted.clear();
        row.append_rgb(&mut self.painted);
        for (pixel, &value) in self.painted.as_chunks_mut::<3>().0.iter_mut().zip(&row.values.uncertainty) {
            let [r, g, b] = pixel.map(f32::from);
            // Luma as ITU-R BT.601 weighs the colours.
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            *pixel = heat(value).map(|c| (grey + (c - grey) * self.opacity).round() as u8);
        }
        self.png.row(&self.painted, row.coverage)
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        self.png.finish()
    }
}

/// The colour of an uncertainty, linear between those of [`HEAT`].
fn heat(value: f32) -> [f32; 3] {
    let at = value.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let below = (at as usize).min(HEAT.len() - 2);
    let mix = |c: usize| {
        let [low, high] = [HEAT[below], HEAT[below + 1]].map(|colour| f32::from(colour[c]));
        low + (high - low) * (at - below as f32)
    };
    [0, 1, 2].map(mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_runs_through_its_colours() {
        for (i, colour) in HEAT.iter().enumerate() {
            assert_eq!(heat(i as f32 / 4.0), colour.map(f32::from));
        }
        assert_eq!(heat(0.125), [43.5, 8.0, 57.0]);
        assert_eq!(heat(7.0), HEAT[4].map(f32::from));
    }
}
