//! Scoring pairs of masks, in blocks that are joined in order.

use std::path::{Path, PathBuf};

use dapple::data::{MaskReader, MaskValues};
use dapple::metrics::{Bootstrap, Evaluator, Policy, Protocol};

use super::arguments::{Resize, Score};
use super::masks::{Foreground, Labels, Meaning, ProbabilityMap, resize_nearest};
use super::pairs::Pair;
use crate::cli::common::json::write_json;
use crate::cli::common::scores::measures::{ForegroundEvaluator, Surface, mean_surfaces, surfaces};
use crate::cli::common::scores::{Report, print_policies, print_report};
use crate::cli::failure::Failure;

/// The readers of both folders.
pub struct Readers {
    pub predictions: MaskReader,
    pub truths: MaskReader,
}

impl Readers {
    pub fn new(arguments: &Score, pairs: &[Pair]) -> Result<Self, Failure> {
        let of =
            |path: fn(&Pair) -> &PathBuf| pairs.iter().map(|pair| path(pair).clone()).collect::<Vec<_>>();
        let (predictions, truths) = (of(|pair| &pair.prediction), of(|pair| &pair.truth));
        let table = arguments.classes.as_ref().filter(|text| text.parse::<usize>().is_err()).map(Path::new);
        let (predictions, truths) =
            MaskReader::for_comparison(&predictions, &truths, table, arguments.ignore)?;
        Ok(Self { predictions, truths })
    }
}

/// How images are scored.
pub struct Scoring<'a> {
    pub arguments: &'a Score,
    pub readers: Readers,
    pub meaning: Meaning,
    pub protocol: Protocol,
}

/// The scores of some images.
pub struct Block {
    pub evaluator: Evaluator,
    pub foreground: Option<ForegroundEvaluator>,
    pub surfaces: Vec<Vec<Surface>>,
    pub predicted_foreground: Foreground,
    pub true_foreground: Foreground,
}

impl Block {
    pub fn merge(&mut self, later: Block) -> Result<(), Failure> {
        self.evaluator.merge(later.evaluator)?;
        if let (Some(foreground), Some(later)) = (&mut self.foreground, later.foreground) {
            foreground.merge(later)?;
        }
        self.surfaces.extend(later.surfaces);
        self.predicted_foreground.merge(later.predicted_foreground);
        self.true_foreground.merge(later.true_foreground);
        Ok(())
    }
}

impl Scoring<'_> {
    pub fn block(&self, pairs: &[&Pair]) -> Result<Block, Failure> {
        let mut block = Block {
            evaluator: Evaluator::new(self.protocol.clone())?,
            foreground: self.arguments.probability.then(ForegroundEvaluator::new).transpose()?,
            surfaces: Vec::new(),
            predicted_foreground: Foreground::default(),
            true_foreground: Foreground::default(),
        };
        for pair in pairs {
            self.add(&mut block, pair)?;
        }
        Ok(block)
    }

    fn add(&self, block: &mut Block, pair: &Pair) -> Result<(), Failure> {
        let truth = self.readers.truths.read(&pair.truth)?;
        let prediction = self.readers.predictions.read(&pair.prediction)?;
        let prediction = self.at_size_of(prediction, &truth, pair)?;
        let (truth, true_foreground) = self.meaning.labels(&truth, &pair.truth)?;
        let Labels { height, width, labels: truth } = truth;
        block.true_foreground.merge(true_foreground);
        let predicted = match &mut block.foreground {
            Some(foreground) => {
                let map = ProbabilityMap::new(prediction, &pair.prediction)?;
                let probabilities = map.values();
                foreground.add(&pair.name, probabilities, &truth, height, width)?;
                (0..truth.len()).map(|pixel| u8::from(probabilities.value(pixel) > 0.5)).collect()
            }
            None => {
                let (labels, predicted_foreground) = self.meaning.labels(&prediction, &pair.prediction)?;
                block.predicted_foreground.merge(predicted_foreground);
                labels.labels
            }
        };
        block.evaluator.add(&pair.name, &predicted, &truth, height, width)?;
        if self.arguments.surface {
            let Meaning { classes, ignore } = self.meaning;
            block.surfaces.push(surfaces(&predicted, &truth, (height, width), classes, ignore)?);
        }
        Ok(())
    }

    /// The prediction at the size of the truth, resized if that was asked for.
    fn at_size_of(
        &self,
        prediction: MaskValues,
        truth: &MaskValues,
        pair: &Pair,
    ) -> Result<MaskValues, Failure> {
        if (prediction.height, prediction.width) == (truth.height, truth.width) {
            return Ok(prediction);
        }
        match self.arguments.resize {
            Some(Resize::Nearest) => Ok(resize_nearest(&prediction, truth.height, truth.width)),
            None => Err(Failure::input(format!(
                "{} is {} x {} but {} is {} x {}; predict at the size of the truth, or resize predictions to it with \
                 --resize nearest",
                pair.prediction.display(),
                prediction.width,
                prediction.height,
                pair.truth.display(),
                truth.width,
                truth.height
            ))),
        }
    }

    /// Further policies that affect the scores.
    pub fn policies(&self) -> Vec<Policy> {
        let two = self.meaning.classes == 2 && self.meaning.ignore != Some(255);
        let all = [
            (two, "values", "0 is the background; 1 or white (255 of 8 bits, 65535 of 16) is the foreground"),
            (
                self.arguments.probability,
                "probability",
                "grey / white; the foreground is predicted above 1/2",
            ),
            (
                self.arguments.resize.is_some(),
                "resize",
                "predictions of another size take the value of the nearest pixel at the size of the truth",
            ),
            (
                self.arguments.surface,
                "surface",
                "distances in pixels between contours; images that lack a class in one of the masks are skipped",
            ),
        ];
        all.iter()
            .filter(|(holds, ..)| *holds)
            .map(|(_, name, text)| Policy { name: (*name).to_owned(), text: (*text).to_owned() })
            .collect()
    }
}

/// Prints and writes the scores of all images. `policies` are those beside the protocol's; without `surface`, distances are
/// not among the scores.
pub fn conclude(
    all: Block,
    policies: Vec<Policy>,
    (seed, surface): (u64, bool),
    json: Option<&Path>,
    csv: Option<&Path>,
) -> Result<(), Failure> {
    all.predicted_foreground.check()?;
    all.true_foreground.check()?;
    let names = all.evaluator.protocol().class_names.clone();
    let mut scores = all.evaluator.finish_with_images();
    scores.policies.extend(policies);
    let bootstrap = Bootstrap { seed, ..Bootstrap::default() };
    let mut report = Report::new(scores, &bootstrap)?;
    report.foreground = all.foreground.map(|foreground| foreground.finish());
    report.surface = surface.then(|| mean_surfaces(&names, &all.surfaces));
    if let Some(path) = csv {
        report.write_csv(path, &all.surfaces)?;
    }
    if write_json(&report, json)? {
        print_report(&report);
        print_policies(&report);
    }
    Ok(())
}
