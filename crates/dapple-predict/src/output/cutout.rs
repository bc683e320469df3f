//! The foreground with soft edges: transparent around it, or on another background.
//!
//! Alpha is the probability of the classes that are kept, fitted to the photograph by a guided filter; the colours of soft
//! pixels are separated from the old background. Filters have a bounded reach, so that an image which does not fit into memory is
//! processed in strips that overlap by that reach, with the same result.

use png::ColorType;

use super::background::Background;
use super::image_info::ImageInfo;
use super::png_rows::PngRows;
use super::settings::{MEMORY_OF_OUTPUTS, OutputSettings, Refine};
use super::sink::Output;
use super::target::Target;
use crate::error::PredictError;
use crate::matte::{BYTES_OF_AN_UNKNOWN, Frame, Plane, closed_form, foreground, refine, unknown};
use crate::prediction::{Prediction, Wants};
use crate::row::ImageRow;

/// Half the side of the squares in which alpha is fitted, over the shorter side of the image.
const FIT_RADIUS: f32 = 1.0 / 64.0;

/// Alpha below and above which a pixel counts as background and foreground: the filters leave traces around 0 and 1.
const ENDS: [f32; 2] = [0.1, 0.9];

/// Bytes a pixel while a strip is composed: colours and alpha before and after, what lies behind, the result; and the
/// filters' planes where they are not of a reduced picture.
const BYTES: [u64; 2] = [32, 128];

/// Collects the image and alpha of a strip.
pub(super) struct Cutout {
    png: PngRows,
    frame: Frame,
    strips: Strips,
    settings: OutputSettings,
    classes: usize,
    /// Rows from `start` on.
    rgb: Vec<u8>,
    alpha: Vec<f32>,
    /// How much of each pixel is there; empty as long as all is.
    coverage: Vec<u8>,
    start: usize,
    written: usize,
}

/// The strips of an image: rows at a time, with a margin above and below. Both are multiples of the factor
/// by which the filters' picture is reduced.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Strips {
    rows: usize,
    margin: usize,
}

impl Strips {
    /// The fewest strips that keep within the memory.
    fn fitting(frame: Frame, settings: &OutputSettings) -> Result<Self, PredictError> {
        let Frame { width, height, factor } = frame;
        // A fit looks at means of means, then colours at means.
        let reach = (3 * frame.small_radius(FIT_RADIUS) + 3).max(settings.background.reach(frame));
        let margin = reach * factor;
        let bytes_of_a_row = BYTES[usize::from(factor == 1)] * width as u64;
        let most = (settings.memory_bytes / bytes_of_a_row) as usize;
        // Less would compute every row many times.
        let least = (margin / 2).next_multiple_of(factor);
        let whole = settings.refine == Refine::ClosedForm;
        if most >= height {
            Ok(Self { rows: height.next_multiple_of(factor), margin })
        } else if !whole && most >= least + 2 * margin {
            Ok(Self { rows: (most - 2 * margin) / factor * factor, margin })
        } else {
            let rows = if whole { height } else { height.min(least + 2 * margin) };
            let needed = bytes_of_a_row * rows as u64;
            Err(PredictError::Settings(format!(
                "a cut-out of {width} x {height} pixels needs {} MiB of memory; allow it with --memory {}, or write \
                 masks instead",
                needed.div_ceil(1 << 20),
                needed.div_ceil(MEMORY_OF_OUTPUTS << 20),
            )))
        }
    }
}

impl Cutout {
    pub fn new(
        image: &ImageInfo,
        classes: usize,
        settings: &OutputSettings,
        target: Target,
    ) -> Result<Self, PredictError> {
        let color = match settings.background {
            Background::Transparent => ColorType::Rgba,
            _ => ColorType::Rgb,
        };
        let frame = Frame::new(image.width, image.height);
        Ok(Self {
            strips: Strips::fitting(frame, settings)?,
            png: PngRows::of_image(image, color, target)?,
            frame,
            settings: settings.clone(),
            classes,
            rgb: Vec::new(),
            alpha: Vec::new(),
            coverage: Vec::new(),
            start: 0,
            written: 0,
        })
    }

    /// Writes rows up to `end` of the strip that is held.
    fn write(&mut self, end: usize) -> Result<(), PredictError> {
        let picture =
            compose(self.frame, self.start, &self.rgb, self.alpha.clone(), &self.coverage, &self.settings)?;
        let length = picture.len() / (self.alpha.len() / self.frame.width);
        let lines = picture.chunks_exact(length).skip(self.written - self.start);
        lines.take(end - self.written).try_for_each(|line| self.png.row(line))?;
        self.written = end;
        Ok(())
    }
}

impl Output for Cutout {
    fn wants(&self) -> Wants {
        Wants { probabilities: true, ..Wants::default() }
    }

    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        row.append_rgb(&mut self.rgb);
        if !row.coverage.is_empty() {
            self.coverage.resize(self.alpha.len(), u8::MAX);
            self.coverage.extend_from_slice(row.coverage);
        }
        self.settings.append_alpha(&row.values.probabilities, self.classes, &mut self.alpha);
        let Strips { rows, margin } = self.strips;
        if row.y + 1 == self.written + rows + margin {
            self.write(self.written + rows)?;
            let start = self.written.saturating_sub(margin);
            self.alpha.drain(..(start - self.start) * self.frame.width);
            self.rgb.drain(..(start - self.start) * self.frame.width * 3);
            let gone = ((start - self.start) * self.frame.width).min(self.coverage.len());
            self.coverage.drain(..gone);
            self.start = start;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), PredictError> {
        self.write(self.frame.height)?;
        self.png.finish()
    }
}

impl OutputSettings {
    /// The alpha of all pixels of a prediction, as the network gives it: the probability of the classes that are kept.
    pub(crate) fn alpha(&self, prediction: &Prediction) -> Vec<f32> {
        let mut alpha = Vec::with_capacity(prediction.width() * prediction.height());
        let mut rows = prediction.rows(Wants { probabilities: true, ..Wants::default() });
        for y in 0..prediction.height() {
            self.append_alpha(&rows.row(y).probabilities, prediction.classes(), &mut alpha);
        }
        alpha
    }

    fn append_alpha(&self, probabilities: &[f32], classes: usize, alpha: &mut Vec<f32>) {
        let kept = |class: usize| match &self.keep {
            None => class > 0,
            Some(keep) => keep.iter().any(|&k| usize::from(k) == class),
        };
        let kept: Vec<usize> = (0..classes).filter(|&class| kept(class)).collect();
        let pixels = probabilities.chunks_exact(classes);
        alpha.extend(pixels.map(|p| kept.iter().map(|&class| p[class]).sum::<f32>().min(1.0)));
    }
}

/// The cut-out of rows of an image from the `first` on, a multiple of the frame's factor: `[rows, width, 4]` with alpha on
/// nothing, `[rows, width, 3]` on any other background. `coverage` is that of the image, empty where all is there.
pub(crate) fn compose(
    frame: Frame,
    first: usize,
    rgb: &[u8],
    alpha: Vec<f32>,
    coverage: &[u8],
    settings: &OutputSettings,
) -> Result<Vec<u8>, PredictError> {
    let radius = frame.small_radius(FIT_RADIUS);
    let mut alpha = Plane::new(frame.width, alpha.len() / frame.width, alpha);
    match settings.refine {
        Refine::Off => {}
        Refine::Guided => alpha = refine(&alpha, rgb, radius, frame.factor),
        Refine::ClosedForm => {
            let unknown = unknown(&alpha, radius * frame.factor);
            check_band(&unknown, settings.memory_bytes)?;
            alpha = closed_form(&alpha, rgb, &unknown);
        }
    }
    let [low, high] = ENDS;
    alpha.data.iter_mut().for_each(|a| *a = ((*a - low) / (high - low)).clamp(0.0, 1.0));
    let colours = foreground(rgb, &alpha, radius, frame.factor);
    // Transparent pixels of the image stay transparent.
    alpha.data.iter_mut().zip(coverage).for_each(|(a, part)| *a *= f32::from(*part) / 255.0);

    let front = colours.as_chunks::<3>().0.iter().zip(&alpha.data);
    if settings.background == Background::Transparent {
        return Ok(front
            .flat_map(|(&[r, g, b], a)| {
                let a = (a * 255.0).round() as u8;
                // Invisible pixels compress best as black.
                if a == 0 { [0; 4] } else { [r, g, b, a] }
            })
            .collect());
    }
    let behind = settings.background.pixels(rgb, &alpha, first, frame);
    let mix =
        |front: u8, back: u8, a: f32| (f32::from(front) * a + f32::from(back) * (1.0 - a)).round() as u8;
    Ok(front
        .zip(behind.as_chunks::<3>().0)
        .flat_map(|((front, &a), back)| -> [u8; 3] { std::array::from_fn(|c| mix(front[c], back[c], a)) })
        .collect())
}

/// Refuses a band of unknown pixels that is too large to solve for.
fn check_band(unknown: &[bool], memory_bytes: u64) -> Result<(), PredictError> {
    let count = unknown.iter().filter(|&&unknown| unknown).count() as u64;
    let needed = count * BYTES_OF_AN_UNKNOWN;
    if needed <= memory_bytes {
        return Ok(());
    }
    Err(PredictError::Settings(format!(
        "closed-form matting of {count} doubtful pixels needs {} MiB of memory; allow it with --memory {}, or refine with \
         the guided filter",
        needed.div_ceil(1 << 20),
        needed.div_ceil(MEMORY_OF_OUTPUTS << 20),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_data::Raster;

    /// A disc of smooth edges in a picture of waves.
    fn scene(width: usize, height: usize) -> (Vec<u8>, Vec<f32>) {
        let wave = |i: usize, c: usize| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            (120.0 + 60.0 * (x * 0.05 + c as f32).sin() + 60.0 * (y * 0.03).cos()) as u8
        };
        let rgb = (0..width * height).flat_map(|i| [0, 1, 2].map(|c| wave(i, c))).collect();
        let alpha = |i: usize| {
            let (x, y) = ((i % width) as f32 - width as f32 / 2.0, (i / width) as f32 - height as f32 / 2.0);
            ((width as f32 * 0.4 - x.hypot(y)) / 20.0).clamp(0.0, 1.0)
        };
        (rgb, (0..width * height).map(alpha).collect())
    }

    /// As the output does it, with so much memory.
    fn written(size: (usize, usize), settings: &OutputSettings) -> Result<Vec<u8>, PredictError> {
        let (width, height) = size;
        let (rgb, alpha) = scene(width, height);
        let target = Target::memory();
        let image = ImageInfo { width, height, name: "scene".into(), ..ImageInfo::default() };
        let mut cutout = Box::new(Cutout::new(&image, 2, settings, target.clone())?);
        for (y, (pixels, alpha)) in rgb.chunks_exact(3 * width).zip(alpha.chunks_exact(width)).enumerate() {
            let probabilities = alpha.iter().flat_map(|a| [1.0 - a, *a]).collect();
            let values = crate::RowValues { probabilities, ..Default::default() };
            cutout.row(&ImageRow { y, pixels, channels: 3, coverage: &[], values: &values })?;
        }
        cutout.finish()?;
        let png = target.commit()?;
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small one")];
        reader.next_frame(&mut pixels).expect("a PNG");
        Ok(pixels)
    }

    #[test]
    fn strips_are_as_the_whole() {
        let picture = Raster::new(2, 2, 3, (0..12).map(|v| v * 20).collect());
        for background in [Background::Transparent, Background::Picture(picture), Background::Blur] {
            // Reduced by 2, and not at all.
            for (size, bytes) in [((1030, 1500), 32), ((130, 700), 128)] {
                let whole = OutputSettings { background: background.clone(), ..OutputSettings::default() };
                let memory_bytes = bytes * size.0 as u64 * size.1 as u64 * 2 / 5;
                let strips = OutputSettings { memory_bytes, ..whole.clone() };
                let frame = Frame::new(size.0, size.1);
                let cut = Strips::fitting(frame, &strips).expect("it fits");
                assert!(2 * cut.rows < size.1, "{cut:?}");
                let [a, b] = [&whole, &strips].map(|settings| written(size, settings).expect("it fits"));
                let far = a.iter().zip(&b).filter(|(a, b)| a.abs_diff(**b) > 1).count();
                assert!(a.len() == b.len() && far == 0, "{background:?} {size:?}: {far} values differ");
            }
        }
    }

    #[test]
    fn too_little_memory_is_said_with_what_is_enough() {
        let settings = OutputSettings { memory_bytes: 4 << 20, ..OutputSettings::default() };
        let frame = Frame::new(20_000, 20_000);
        let error = Strips::fitting(frame, &settings).expect_err("too little").to_string();
        let megabytes: u64 = error
            .split("--memory ")
            .nth(1)
            .and_then(|e| e.split(',').next())
            .expect("a number")
            .parse()
            .expect("a number");
        let enough =
            |megabytes: u64| OutputSettings { memory_bytes: megabytes * (4 << 20), ..settings.clone() };
        assert!(Strips::fitting(frame, &enough(megabytes)).is_ok(), "{error}");
        assert!(Strips::fitting(frame, &enough(megabytes - 1)).is_err(), "{error}");
        // Below what is allowed unless settings say otherwise.
        assert!(megabytes <= crate::DEFAULT_MEMORY_BYTES >> 20, "{error}");
    }
}
