//! The pictures of a run: curves, panels and mask strips.

use std::path::Path;

use dapple_data::{Dataset, InputSettings, Loader, LoaderSettings, Normalization};
use dapple_graph::{Executor, Inference, Shape, Tensor};
use dapple_metrics::{ImageScores, Scores};
use dapple_report::{
    Best, Curves, GrayImage, Palette, Panel, PanelStyle, RgbImage, Sample, Series, StripSample, StripStyle,
    contact_sheet, panels, save_png, strips,
};
use std::sync::Arc;

use crate::error::RunError;
use crate::folder::RunFolder;
use dapple_model::decide;
use dapple_train::EpochRecord;

/// Draws `curves.svg` and `curves.png`: loss, pixel accuracy, mean IoU and mean Boundary IoU.
pub(crate) fn draw_curves(run: &RunFolder, title: &str, records: &[EpochRecord]) -> Result<(), RunError> {
    // Epochs without evaluation do not interrupt a line.
    let line = |name: &str, value: fn(&EpochRecord) -> Option<f64>| {
        let points = records.iter().map(|record| (record, value(record)));
        let points = points.filter(|(record, value)| value.is_some() || record.val_loss.is_some());
        Series::new(name, points.map(|(record, value)| (record.epoch as f64, value)))
    };
    type Value = fn(&EpochRecord) -> Option<f64>;
    let lines = |train: Value, val: Value, average: Value, best: Best| {
        let mut lines = vec![line("training", train), line("validation", val).marking(best)];
        if records.iter().any(|record| average(record).is_some()) {
            lines.push(line("validation, average", average).marking(best));
        }
        lines
    };
    let loss = lines(|r| Some(r.train_loss), |r| r.val_loss, |r| r.average_val_loss, Best::Lowest);
    let score = |train: Value, val: Value, average: Value| lines(train, val, average, Best::Highest);
    let panels = vec![
        Panel::new("Loss", loss),
        Panel::share("Pixel accuracy", score(|r| r.train_pixel_accuracy, |r| r.val_pixel_accuracy, |_| None)),
        Panel::share("Mean IoU", score(|r| r.train_miou, |r| r.val_miou, |r| r.average_val_miou)),
        Panel::share(
            "Mean Boundary IoU",
            score(|r| r.train_boundary_miou, |r| r.val_boundary_miou, |r| r.average_val_boundary_miou),
        ),
    ];
    Ok(Curves::new(title, panels)?.save(run.path())?)
}

/// Draws panels and strips of validation images.
pub(crate) struct Painter {
    dataset: Arc<Dataset>,
    input: InputSettings,
    pub classes: Palette,
}

/// One image at the network's input size.
pub(crate) struct Shown {
    pub name: String,
    pub image: RgbImage,
    pub truth: GrayImage,
    pub prediction: GrayImage,
    scores: Vec<(&'static str, f64)>,
}

impl Shown {
    fn sample(&self) -> Sample<'_> {
        Sample {
            name: &self.name,
            image: &self.image,
            truth: Some(&self.truth),
            prediction: &self.prediction,
            scores: &self.scores,
        }
    }
}

impl Painter {
    pub fn new(dataset: &Arc<Dataset>, input: InputSettings) -> Result<Self, RunError> {
        let classes = Palette::new(dataset.classes().clone(), dataset.ignore())?;
        Ok(Self { dataset: Arc::clone(dataset), input, classes })
    }

    /// Draws each sample into `samples/` and `strips/`, numbered, over what was drawn there before.
    pub fn draw_samples(
        &self,
        run: &RunFolder,
        executor: &mut dyn Executor,
        samples: &[usize],
        scores: &Scores,
    ) -> Result<(), RunError> {
        if samples.is_empty() {
            return Ok(());
        }
        let (panel_folder, strip_folder) = (run.samples()?, run.strips()?);
        for (i, shown) in self.show(executor, samples, scores)?.iter().enumerate() {
            let file = format!("{:02}-{}.png", i + 1, shown.name.replace('/', "-"));
            let picture = panels(&shown.sample(), &self.classes, PanelStyle::default())?;
            save_png(&picture, &panel_folder.join(&file))?;
            let strip = StripSample { sample: shown.sample(), probabilities: None };
            save_png(&strips(&[strip], &self.classes, StripStyle::default())?, &strip_folder.join(&file))?;
        }
        Ok(())
    }

    /// Draws each sample into `current/` as the network sees it now, and gives the pictures with their names.
    pub fn draw_current(
        &self,
        run: &RunFolder,
        executor: &mut dyn Executor,
        samples: &[usize],
        scores: &Scores,
    ) -> Result<Vec<(String, RgbImage)>, RunError> {
        let mut drawn = Vec::with_capacity(samples.len());
        if samples.is_empty() {
            return Ok(drawn);
        }
        let folder = run.current()?;
        for (i, shown) in self.show(executor, samples, scores)?.iter().enumerate() {
            let name = format!("{:02}-{}", i + 1, shown.name.replace('/', "-"));
            let picture =
                panels(&shown.sample(), &self.classes, PanelStyle { side: 240, ..PanelStyle::default() })?;
            save_png(&picture, &folder.join(format!("{name}.png")))?;
            drawn.push((name, picture));
        }
        Ok(drawn)
    }

    /// Draws the best, the median and the worst image, by `scores`, on one sheet.
    pub fn draw_extremes(
        &self,
        path: &Path,
        executor: &mut dyn Executor,
        samples: &[usize],
        scores: &Scores,
    ) -> Result<(), RunError> {
        let ranked = ranked(&self.dataset, samples, scores);
        let Some(last) = ranked.len().checked_sub(1) else { return Ok(()) };
        let mut places = vec![("best", 0), ("median", last / 2), ("worst", last)];
        places.dedup_by_key(|(_, place)| *place);
        let chosen: Vec<usize> = places.iter().map(|&(_, place)| ranked[place].1).collect();
        let mut shown = self.show(executor, &chosen, scores)?;
        for (shown, (title, _)) in shown.iter_mut().zip(&places) {
            shown.name = format!("{title}: {}", shown.name);
        }
        let sheet: Vec<Sample<'_>> = shown.iter().map(Shown::sample).collect();
        Ok(save_png(&contact_sheet(&sheet, &self.classes, PanelStyle::default())?, path)?)
    }

    /// Predicts the samples, of which there may be none, and gathers the parts of their pictures.
    pub fn show(
        &self,
        executor: &mut dyn Executor,
        samples: &[usize],
        scores: &Scores,
    ) -> Result<Vec<Shown>, RunError> {
        if samples.is_empty() {
            // Where no image has a score, none is the best or the worst.
            return Ok(Vec::new());
        }
        // Values of 0 to 1 times 255 are the resized image's bytes again.
        let visible = InputSettings { channels: 3, normalization: Normalization::Unit, ..self.input };
        let loader =
            |input| Loader::new(Arc::clone(&self.dataset), samples.to_vec(), LoaderSettings::new(input, 1));
        let mut shown = Vec::with_capacity(samples.len());
        for (seen, visible) in loader(self.input)?.epoch(0).zip(loader(visible)?.epoch(0)) {
            let (seen, visible) = (seen?, visible?);
            let input = Tensor::new(Shape::new(1, seen.h, seen.w, seen.c), seen.images);
            let logits = executor.infer(&input, Inference::Eval)?;
            let size = (seen.w as u32, seen.h as u32);
            let name = self.dataset.name(seen.indices[0]);
            let pixels = visible.images.iter().map(|v| (v * 255.0).round() as u8).collect();
            shown.push(Shown {
                name: name.to_owned(),
                image: RgbImage::from_raw(size.0, size.1, pixels).expect("three values a pixel"),
                truth: GrayImage::from_raw(size.0, size.1, seen.labels).expect("one label a pixel"),
                prediction: GrayImage::from_raw(size.0, size.1, decide::labels(&logits[0]))
                    .expect("one label a pixel"),
                scores: shown_scores(name, scores),
            });
        }
        Ok(shown)
    }
}

/// The samples from the highest to the lowest score, with it.
pub(crate) fn ranked(dataset: &Dataset, samples: &[usize], scores: &Scores) -> Vec<(f64, usize)> {
    let images = scores.images_detail.iter().flatten();
    let mut ranked: Vec<(f64, usize)> = images
        .filter_map(|image| {
            let sample = samples.iter().find(|&&sample| dataset.name(sample) == image.name)?;
            Some((rank(image, scores.classes.len())?, *sample))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ranked
}

/// The scores written over an image's panels.
fn shown_scores(name: &str, scores: &Scores) -> Vec<(&'static str, f64)> {
    let Some(image) = scores.images_detail.iter().flatten().find(|image| image.name == name) else {
        return Vec::new();
    };
    let undefined = |score: Option<f64>| score.unwrap_or(f64::NAN);
    if scores.classes.len() == 2 {
        vec![("IoU", undefined(image.iou(1))), ("Boundary IoU", undefined(image.boundary_iou(1)))]
    } else {
        vec![("mIoU", undefined(image.miou)), ("Boundary mIoU", undefined(image.boundary_miou))]
    }
}

/// The score that orders images: the foreground's IoU with two classes, else the mean IoU.
fn rank(image: &ImageScores, classes: usize) -> Option<f64> {
    if classes == 2 { image.iou(1) } else { image.miou }
}
