//! `dapple eval`: scores of a model on a part of a data set.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use dapple::Flip;
use dapple::data::{
    CacheSettings, DataError, Dataset, Format, MaskOrientation, OpenOptions, Part, Raster, Split,
    SplitIndices, TrainingImages, ValueRange,
};
use dapple::graph::{Loss, LossKind, Tensor};
use dapple::metrics::{Bootstrap, Scores};
use dapple::model::{
    Evaluation, EvaluationSet, Model, Provenance, evaluate, evaluate_inputs, evaluate_labels, input_of,
    model_path,
};
use dapple::nets::Activation;
use dapple::predict::{PredictError, PredictSettings, Predictor};

use super::common::data::warn_of_skipped;
use super::common::device::Device;
use super::common::json::write_json;
use super::common::models::load;
use super::common::scores::{Report, print_classes, shown};
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple eval --model runs/horses --data horses
  dapple eval --model horse --data horses --part all --json scores.json
  dapple eval --model runs/horses --data horses --original-size
  dapple eval --model horse --data weizmann_horse_db --flip horizontal

Scores are those of the network's output at its own size, as in published recipes. With --original-size, the output is first \
resized to each image, and the scores are those of `dapple predict` followed by `dapple score`.")]
pub struct Eval {
    /// A run's folder, a model file, or the name of a model (see `dapple weights list`)
    #[arg(long, value_name = "RUN|FILE|NAME")]
    pub model: PathBuf,
    /// Folder of images and masks
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Format of the data: folders, lists, voc, coco … [default: that of the run's own data, or detected]
    #[arg(long, value_name = "NAME")]
    pub format: Option<Format>,
    /// Part of the data; those of a run, or of a model that names its validation images, are divided as in training
    /// [default: val, or all without a division]
    #[arg(long)]
    pub part: Option<PartName>,
    /// Write the scores as JSON; - writes them to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Write a CSV table with a row for each image
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Also predict flipped images, and average
    #[arg(long, value_name = "HOW")]
    pub flip: Option<Flip>,
    /// Score at the size of each image instead of the network's
    #[arg(long)]
    pub original_size: bool,
    /// Add the scores of each image to the JSON
    #[arg(long, requires = "json")]
    pub per_image: bool,
    /// Values of the images that become black and white: type (each file by its type), LOW..HIGH, or LOW..HIGH for each
    /// channel [default: those of the model's training]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub value_range: Option<ValueRange>,
    /// Leave bad pairs out with a warning instead of stopping
    #[arg(long)]
    pub skip_bad: bool,
    /// How masks lie on images that EXIF data turn: as-image (as stored) or upright [default: found from sizes and borders]
    #[arg(long, value_name = "HOW")]
    pub mask_orientation: Option<MaskOrientation>,
    #[command(flatten)]
    pub device: Device,
}

impl Eval {
    /// The evaluation of a model on data, everything else left at its default.
    pub fn of(model: &Path, data: &Path, device: &Device) -> Self {
        Self {
            model: model.to_owned(),
            data: data.to_owned(),
            format: None,
            part: None,
            json: None,
            csv: None,
            flip: None,
            original_size: false,
            per_image: false,
            value_range: None,
            skip_bad: false,
            mask_orientation: None,
            device: device.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PartName {
    /// Images for training
    Train,
    /// Images for validation
    Val,
    /// Images for tests
    Test,
    /// All images
    All,
}

impl PartName {
    /// The part; `None` for all.
    fn part(self) -> Option<Part> {
        match self {
            Self::Train => Some(Part::Train),
            Self::Val => Some(Part::Val),
            Self::Test => Some(Part::Test),
            Self::All => None,
        }
    }
}

pub fn run(arguments: &Eval) -> Result<(), Failure> {
    let (scores, loss) = score(arguments)?;
    let mut report = Report::new(scores, &Bootstrap::default())?;
    if let Some(path) = &arguments.csv {
        report.write_csv(path, &[])?;
    }
    if !arguments.per_image {
        report.scores.images_detail = None;
    }
    if write_json(&report, arguments.json.as_deref())? {
        print_table(&report.scores, loss, arguments.original_size);
    }
    Ok(())
}

/// The scores, with those of each image, and the loss, which only a single model at the network's size has.
fn score(arguments: &Eval) -> Result<(Scores, Option<f64>), Failure> {
    let engine = arguments.device.engine(false)?;
    let mut models = load(&arguments.model, false)?;
    // Loading a file without a model is an error.
    let (model, others) = (models.swap_remove(0), models);
    let provenance = Provenance::of(&model.card);
    // The run's own masks are coded as in training; those of other data may be coded otherwise.
    let own = division(&arguments.model).and(provenance.as_ref());
    let dataset = Arc::new(Dataset::open(
        &arguments.data,
        &OpenOptions {
            classes: Some(model.card.network.classes),
            ignore: model.card.ignore,
            coding: own.and_then(|provenance| provenance.coding),
            mask_orientation: arguments.mask_orientation,
            format: arguments.format.or(own.and_then(|provenance| provenance.format)),
            skip_bad: arguments.skip_bad,
            value_range: arguments.value_range.clone(),
            training: Some(model.card.images.clone().unwrap_or_else(TrainingImages::unknown)),
        },
    )?);
    warn_of_skipped(&dataset);
    let validation = provenance.as_ref().map_or(&[][..], |provenance| &provenance.validation);
    let samples = samples(arguments, &dataset, validation)?;
    let mut go_on = |_| ControlFlow::Continue(());
    let input = input_of(&model.card)?;
    if arguments.original_size || arguments.flip.is_some() || !others.is_empty() {
        let alike = others.iter().all(|other| input_of(&other.card).is_ok_and(|other| other == input));
        let members = std::iter::once(model).chain(others);
        let members =
            members.map(|model| Model::new(model, engine.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let settings = PredictSettings {
            flip_horizontal: arguments.flip.is_some_and(Flip::is_horizontal),
            flip_vertical: arguments.flip.is_some_and(Flip::is_vertical),
            ..PredictSettings::default()
        };
        let predictor = Predictor::new(members, settings)?;
        let scores = if arguments.original_size {
            let predict = |image: &Raster| Ok::<_, PredictError>(predictor.predict(image)?.labels());
            evaluate_labels(&predict, &dataset, &samples, predictor.channels().into(), &mut go_on)?
        } else if alike {
            let set = EvaluationSet::new(&dataset, &samples, input, 1, CacheSettings::None)?;
            let predict =
                |input: &Tensor, _: &[u8]| Ok::<_, PredictError>(predictor.predict_input(input)?.labels());
            evaluate_inputs(predict, &set, &mut go_on)?
        } else {
            return Err(Failure::input(
                "the models have inputs of different sizes; score them at the size of each image with --original-size",
            ));
        };
        return Ok((scores.expect("nothing ends the evaluation early"), None));
    }

    // A model that dapple did not train names no loss; the usual one for its activation is reported.
    let usual = match model.card.network.activation {
        Activation::Softmax => LossKind::CrossEntropy,
        Activation::Sigmoid => LossKind::BinaryCrossEntropy,
    };
    let loss = provenance.map_or_else(|| Loss::single(usual), |provenance| provenance.loss);
    let set = EvaluationSet::new(&dataset, &samples, input, 1, CacheSettings::None)?;
    let mut executor = engine.load(Arc::new(model.card.network.clone()), &model.state)?;
    let scored = evaluate(executor.as_mut(), &set, &loss, &mut go_on)?;
    let Evaluation { loss, scores } = scored.expect("nothing ends the evaluation early");
    Ok((scores, Some(loss)))
}

/// The samples of the wanted part, or of the default one. `validation` are the names of the model's validation images.
fn samples(arguments: &Eval, dataset: &Dataset, validation: &[String]) -> Result<Vec<usize>, Failure> {
    let all = || (0..dataset.len()).collect();
    if arguments.part == Some(PartName::All) {
        return Ok(all());
    }
    let (parts, source) = match (division(&arguments.model), named(dataset, validation)) {
        (Some(path), _) => match Split::load(&path)?.indices(dataset) {
            Ok(parts) => (parts, format!("{}", path.display())),
            Err(error @ DataError::UnknownName { .. }) => {
                return Err(Failure::input(format!(
                    "{}: {error}; or, for other data than the run's, give --part all",
                    path.display()
                )));
            }
            Err(error) => return Err(error.into()),
        },
        (None, Some(parts)) => (parts, "the model".to_owned()),
        (None, None) => {
            if !validation.is_empty() {
                eprintln!("note: these are other data than the model was validated with");
            }
            (official(dataset), "the data set".to_owned())
        }
    };
    let part = match arguments.part.map(PartName::part) {
        Some(Some(part)) => part,
        _ if parts.val.is_empty() => return Ok(all()),
        _ => Part::Val,
    };
    let samples = match part {
        Part::Train => parts.train,
        Part::Val => parts.val,
        Part::Test => parts.test,
    };
    if samples.is_empty() {
        return Err(Failure::input(format!("{source} has no {} part; give --part all", part.name())));
    }
    Ok(samples)
}

/// The division by the names of the validation images, if the data have all of them; all others may have been trained on.
fn named(dataset: &Dataset, validation: &[String]) -> Option<SplitIndices> {
    let wanted: HashSet<&str> = validation.iter().map(String::as_str).collect();
    let (val, train): (Vec<usize>, Vec<usize>) =
        (0..dataset.len()).partition(|&sample| wanted.contains(dataset.name(sample)));
    (!val.is_empty() && val.len() == wanted.len()).then_some(SplitIndices { train, val, test: Vec::new() })
}

/// The division file of the model's run.
fn division(model: &Path) -> Option<PathBuf> {
    let split = model_path(model).with_file_name("split.json");
    split.exists().then_some(split)
}

/// The division by folders.
fn official(dataset: &Dataset) -> SplitIndices {
    let of = |part| (0..dataset.len()).filter(|&i| dataset.part(i) == Some(part)).collect();
    SplitIndices { train: of(Part::Train), val: of(Part::Val), test: of(Part::Test) }
}

/// Prints the scores of the classes, of the data set and per image.
fn print_table(scores: &Scores, loss: Option<f64>, original_size: bool) {
    print_classes(scores);
    let (images, accuracy) = (scores.images, shown(scores.dataset.pixel_accuracy));
    print!("\nover the data set ({images} images): pixel accuracy {accuracy}");
    match loss {
        Some(loss) => println!(", loss {loss:.6}"),
        None if original_size => println!(", at the size of each image"),
        None => println!(),
    }
    let image = &scores.per_image;
    print!("mean over the images: mIoU {}, Boundary mIoU {}", shown(image.miou), shown(image.boundary_miou));
    if let (Some(iou), Some(boundary)) = (image.foreground_iou, image.foreground_boundary_iou) {
        print!(", foreground IoU {}, foreground Boundary IoU {}", shown(iou), shown(boundary));
    }
    println!();
}
