//! `dapple score`: scores of masks predicted by any program.

mod in_order;
mod masks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueEnum};
use dapple::data::{Classes, MaskReader, MaskValues, mask_files};
use dapple::metrics::{BOUNDARY_RATIO, Bootstrap, Evaluator, Policy, Protocol};

use super::common::json::{check_json, write_json};
use super::common::scores::measures::{ForegroundEvaluator, Surface, mean_surfaces, surfaces};
use super::common::scores::{Report, print_policies, print_report};
use super::common::values;
use super::common::written::{IMAGE_SCORES, SCORES, check_apart, check_written};
use super::failure::Failure;
use in_order::in_order;
use masks::{Foreground, Labels, Meaning, ProbabilityMap, resize_nearest};

/// Images that a thread takes at a time.
const BLOCK: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple score --pred masks --truth horses/mask
  dapple score --pred out --truth gt --classes classes.txt --ignore 255
  dapple score --pred out --truth gt --json scores.json --csv images.csv
  dapple score --pred maps --truth gt --probability

Masks are images whose values are labels: grey values, or palette indices if all palettes agree. Colours need --classes FILE \
with the colour of each class. With two classes, white also means foreground. Files of both folders are matched by their names \
without the extension.")]
pub struct Score {
    /// Folder of predicted masks
    #[arg(long, value_name = "DIR")]
    pub pred: PathBuf,
    /// Folder of true masks
    #[arg(long, value_name = "DIR")]
    pub truth: PathBuf,
    /// Number of classes, background included, or a file that names them [default: counted in the true masks]
    #[arg(long, value_name = "FILE|K")]
    pub classes: Option<String>,
    /// Label of pixels to ignore, such as 255 [default: none]
    #[arg(long, value_name = "LABEL")]
    pub ignore: Option<u8>,
    /// Width of boundary regions as a fraction of the image diagonal
    #[arg(long, value_name = "X", default_value_t = BOUNDARY_RATIO)]
    pub boundary_ratio: f64,
    /// Predictions are probabilities of the foreground: grey images of 8 or 16 bits, white being 1
    #[arg(long, conflicts_with = "ignore")]
    pub probability: bool,
    /// Also measure distances between contours (Hausdorff, its 95th percentile, average)
    #[arg(long)]
    pub surface: bool,
    /// Resize predictions to the size of the true masks; otherwise sizes must agree
    #[arg(long, value_name = "HOW")]
    pub resize: Option<Resize>,
    /// Take only predictions whose names end in this; names are matched without it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub pred_suffix: String,
    /// Take only true masks whose names end in this; names are matched without it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub truth_suffix: String,
    /// Score the names in both folders and print how many are left out
    #[arg(long)]
    pub allow_missing: bool,
    /// Write the scores as JSON; - writes them to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Write a CSV table with a row for each image
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Seed of the confidence intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Threads; they do not affect the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Resize {
    /// The value of the nearest pixel
    Nearest,
}

pub fn run(arguments: &Score) -> Result<(), Failure> {
    check_apart(&[arguments.json.as_deref(), arguments.csv.as_deref()])?;
    check_json(arguments.json.as_deref(), SCORES, &[])?;
    if let Some(path) = &arguments.csv {
        check_written(path, IMAGE_SCORES, &[], None)?;
    }
    let pairs = pairs(arguments)?;
    let threads = arguments.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, |n| n.get()));
    let readers = Readers::new(arguments, &pairs)?;
    let names = class_names(arguments, &pairs, &readers, threads)?;
    let scoring = Scoring {
        arguments,
        readers,
        meaning: Meaning { classes: names.len(), ignore: arguments.ignore },
        protocol: Protocol {
            boundary_ratio: arguments.boundary_ratio,
            ..Protocol::new(names.clone(), arguments.ignore)
        },
    };

    let mut all = scoring.block(&[])?;
    let blocks: Vec<&[Pair]> = pairs.chunks(BLOCK).collect();
    in_order(blocks.len(), threads, |number| scoring.block(blocks[number]), |block| all.merge(block))?;
    all.predicted_foreground.check()?;
    all.true_foreground.check()?;

    let mut scores = all.evaluator.finish_with_images();
    scores.policies.extend(scoring.policies());
    let bootstrap = Bootstrap { seed: arguments.seed, ..Bootstrap::default() };
    let mut report = Report::new(scores, &bootstrap)?;
    report.foreground = all.foreground.map(|foreground| foreground.finish());
    report.surface = arguments.surface.then(|| mean_surfaces(&names, &all.surfaces));
    if let Some(path) = &arguments.csv {
        report.write_csv(path, &all.surfaces)?;
    }
    if write_json(&report, arguments.json.as_deref())? {
        print_report(&report);
        print_policies(&report);
    }
    Ok(())
}

/// A prediction and its truth.
struct Pair {
    name: String,
    prediction: PathBuf,
    truth: PathBuf,
}

/// The readers of both folders.
struct Readers {
    predictions: MaskReader,
    truths: MaskReader,
}

impl Readers {
    fn new(arguments: &Score, pairs: &[Pair]) -> Result<Self, Failure> {
        let of =
            |path: fn(&Pair) -> &PathBuf| pairs.iter().map(|pair| path(pair).clone()).collect::<Vec<_>>();
        let (predictions, truths) = (of(|pair| &pair.prediction), of(|pair| &pair.truth));
        let table = arguments.classes.as_ref().filter(|text| text.parse::<usize>().is_err()).map(Path::new);
        let (predictions, truths) =
            MaskReader::for_comparison(&predictions, &truths, table, arguments.ignore)?;
        Ok(Self { predictions, truths })
    }
}

/// Matches the files of both folders by their names.
fn pairs(arguments: &Score) -> Result<Vec<Pair>, Failure> {
    let mut predictions = mask_files(&arguments.pred, &arguments.pred_suffix)?;
    let truths = mask_files(&arguments.truth, &arguments.truth_suffix)?;
    let mut pairs = Vec::new();
    let mut without_prediction = BTreeMap::new();
    for (name, truth) in truths {
        match predictions.remove(&name) {
            Some(prediction) => pairs.push(Pair { name, prediction, truth }),
            None => {
                without_prediction.insert(name, truth);
            }
        }
    }
    let (pred, truth) = (arguments.pred.display(), arguments.truth.display());
    let (untrue, unpredicted) = (predictions, without_prediction);
    let missing = untrue
        .iter()
        .map(|(name, path)| format!("{}: no true mask named `{name}` in {truth}", path.display()))
        .chain(
            unpredicted
                .iter()
                .map(|(name, path)| format!("{}: no prediction named `{name}` in {pred}", path.display())),
        )
        .next();
    match missing {
        Some(first) if pairs.is_empty() => Err(Failure::input(format!(
            "{first}, and so with all others; names must be equal but for the extension, see --pred-suffix and \
             --truth-suffix"
        ))),
        Some(first) if !arguments.allow_missing => Err(Failure::input(format!(
            "{first} ({} predictions without truth, {} true masks without prediction); add what is missing, or score \
             the {} names that both have with --allow-missing",
            untrue.len(),
            unpredicted.len(),
            pairs.len()
        ))),
        Some(_) => {
            note!(
                "note: left out {} predictions without truth and {} true masks without prediction",
                untrue.len(),
                unpredicted.len()
            );
            Ok(pairs)
        }
        None => Ok(pairs),
    }
}

/// The names of the classes: from the file, by their number, or by the values of the true masks.
fn class_names(
    arguments: &Score,
    pairs: &[Pair],
    readers: &Readers,
    threads: usize,
) -> Result<Vec<String>, Failure> {
    let numbered = |count| match count {
        2 => Classes::binary("foreground").names,
        _ => Classes::numbered(count).names,
    };
    let names = match &arguments.classes {
        Some(text) => match text.parse() {
            Ok(count @ 2..=256) => numbered(count),
            Ok(count) => {
                return Err(Failure::input(format!("--classes {count}: give 2 to 256, background included")));
            }
            Err(_) => Classes::read(text)?.names,
        },
        None if arguments.probability => numbered(2),
        None => numbered(count_classes(arguments, pairs, readers, threads)?),
    };
    if arguments.probability && names.len() != 2 {
        return Err(Failure::input(format!(
            "--probability is for two classes, background and foreground, but there are {}",
            names.len()
        )));
    }
    Ok(names)
}

/// Reads the true masks to find how many classes their values make.
fn count_classes(
    arguments: &Score,
    pairs: &[Pair],
    readers: &Readers,
    threads: usize,
) -> Result<usize, Failure> {
    let ignored = |value: &u16| arguments.ignore.is_some_and(|label| u16::from(label) == *value);
    let values = |number: usize| -> Result<(BTreeSet<u16>, u16, Option<usize>), Failure> {
        let mask = readers.truths.read(&pairs[number].truth)?;
        let values = mask.values.chunk_by(|a, b| a == b).map(|run| run[0]).filter(|value| !ignored(value));
        Ok((values.collect(), mask.white, mask.lossy.then_some(number)))
    };
    let (mut all, mut white, mut lossy) = (BTreeSet::new(), 0, None);
    in_order(pairs.len(), threads, values, |(values, of_file, lossy_file)| {
        all.extend(values);
        white = of_file;
        lossy = lossy.or(lossy_file);
        Ok(())
    })?;
    let binary = all.iter().all(|&value| value <= 1) || all.iter().all(|&value| value == 0 || value == white);
    match (all.last(), lossy) {
        _ if binary => Ok(2),
        (_, Some(number)) => Err(Failure::input(format!(
            "{}: a JPEG or lossy WebP picture, which changes values, so that these tell no classes; save the masks as PNG",
            pairs[number].truth.display()
        ))),
        (Some(&largest @ 0..255), None) => Ok(usize::from(largest) + 1),
        _ => {
            let shown: Vec<String> = all.iter().take(12).map(u16::to_string).collect();
            let more = if all.len() > shown.len() { ", …" } else { "" };
            Err(Failure::input(format!(
                "{}: the true masks have the values {}{more}, which do not tell the number of classes; give it with \
                 --classes, and --ignore 255 if 255 marks pixels without a label",
                arguments.truth.display(),
                shown.join(", ")
            )))
        }
    }
}

/// How images are scored.
struct Scoring<'a> {
    arguments: &'a Score,
    readers: Readers,
    meaning: Meaning,
    protocol: Protocol,
}

/// The scores of some images.
struct Block {
    evaluator: Evaluator,
    foreground: Option<ForegroundEvaluator>,
    surfaces: Vec<Vec<Surface>>,
    predicted_foreground: Foreground,
    true_foreground: Foreground,
}

impl Block {
    fn merge(&mut self, later: Block) -> Result<(), Failure> {
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
    fn block(&self, pairs: &[Pair]) -> Result<Block, Failure> {
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
    fn policies(&self) -> Vec<Policy> {
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
