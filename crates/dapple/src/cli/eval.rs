//! `dapple eval`: scores of a model on a part of a data set.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use dapple::Flip;
use dapple::data::{
    CacheSettings, Classes, DataError, Dataset, Format, MaskOrientation, OpenOptions, Part, Raster, Split,
    SplitIndices, TrainingImages, ValueRange,
};
use dapple::graph::{Loss, LossKind, Tensor};
use dapple::metrics::{Bootstrap, Scores};
use dapple::model::{
    Evaluation, EvaluationSet, Model, Provenance, classes_of, evaluate, evaluate_inputs, evaluate_labels,
    input_of, model_path,
};
use dapple::nets::Activation;
use dapple::nets::checkpoint::ModelCard;
use dapple::predict::{PredictError, PredictSettings, Predictor};

use super::common::data::warn_of_skipped;
use super::common::device::Device;
use super::common::json::{check_json, write_json};
use super::common::models::{Foreign, load, note_quantized};
use super::common::scores::{Report, print_classes, shown};
use super::common::written::{IMAGE_SCORES, SCORES, check_apart, check_written};
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple eval runs/horses horses
  dapple eval horse horses --part all --json scores.json
  dapple eval --model runs/horses --data horses --original-size
  dapple eval horse weizmann_horse_db --flip horizontal

The model comes before the data; --model and --data name them in any order.

Scores are those of the network's output at its own size, as in published recipes. With --original-size, the output is first \
resized to each image, and the scores are those of `dapple predict` followed by `dapple score`.")]
pub struct Eval {
    /// The model and the data, where --model and --data do not name them
    #[arg(value_name = "MODEL DATA", num_args = 0..=2)]
    pub named: Vec<PathBuf>,
    /// A run's folder, a model file, or the name of a model (see `dapple weights list`)
    #[arg(long, value_name = "RUN|FILE|NAME")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    /// Folder of images and masks
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
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
    /// Ending of the masks' names before the extension, which they add to those of their images, as _manual1 [default: found from
    /// the names]
    #[arg(long, value_name = "ENDING", allow_hyphen_values = true)]
    pub mask_suffix: Option<String>,
    #[command(flatten)]
    pub device: Device,
}

impl Eval {
    /// The evaluation of a model on data, everything else left at its default.
    pub fn of(model: &Path, data: &Path, device: &Device) -> Self {
        Self {
            named: Vec::new(),
            model: Some(model.to_owned()),
            data: Some(data.to_owned()),
            foreign: Foreign::default(),
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
            mask_suffix: None,
            device: device.clone(),
        }
    }

    /// The model and the data, by flags or by their places.
    fn model_and_data(&self) -> Result<(&Path, &Path), Failure> {
        match (self.model.as_deref(), self.data.as_deref(), &self.named[..]) {
            (Some(model), Some(data), []) => Ok((model, data)),
            (Some(model), None, [data]) => Ok((model, data)),
            (None, Some(data), [model]) => Ok((model, data)),
            (None, None, [model, data]) => Ok((model, data)),
            (Some(_), _, [_, ..]) | (_, Some(_), [_, ..]) => {
                Err(Failure::input("too many models or data sets: give each once, dapple eval MODEL DATA"))
            }
            _ => Err(Failure::input(
                "give a model and the data: dapple eval MODEL DATA, or --model and --data",
            )),
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
    let (named_model, data) = arguments.model_and_data()?;
    let model = model_path(named_model);
    check_apart(&[arguments.json.as_deref(), arguments.csv.as_deref()])?;
    check_json(arguments.json.as_deref(), SCORES, &[&model])?;
    if let Some(path) = &arguments.csv {
        check_written(path, IMAGE_SCORES, &[&model], None)?;
    }
    let (scores, loss) = score(arguments, named_model, data)?;
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
fn score(arguments: &Eval, model_name: &Path, data: &Path) -> Result<(Scores, Option<f64>), Failure> {
    let engine = arguments.device.engine(false)?;
    let mut models = load(model_name, &arguments.foreign, false)?;
    note_quantized(&models, engine.as_ref());
    // Loading a file without a model is an error.
    let (model, others) = (models.swap_remove(0), models);
    let provenance = Provenance::of(&model.card);
    let dataset = Arc::new(open(arguments, model_name, &model.card, data)?);
    let names = class_names(&dataset, &classes_of(&model.card), data)?;
    let named = |mut scores: Scores| {
        scores.classes.iter_mut().zip(&names).for_each(|(class, name)| class.name.clone_from(name));
        scores
    };
    let validation = provenance.as_ref().map_or(&[][..], |provenance| &provenance.validation);
    let samples = samples(arguments, model_name, &dataset, validation)?;
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
        return Ok((named(scores.expect("nothing ends the evaluation early")), None));
    }

    // A model that dapple did not train names no loss; the usual one for its activation is reported.
    let usual = match model.card.network.activation {
        Activation::Softmax => LossKind::CrossEntropy,
        Activation::Sigmoid => LossKind::BinaryCrossEntropy,
    };
    let loss = match provenance {
        Some(provenance) => provenance.loss,
        // An imported network has one output that is read, with the labels as its truth.
        None if model.card.network.imported.is_some() => Loss::single(usual),
        None => model.card.network.check()?.with_targets(Loss::single(usual)),
    };
    let set = EvaluationSet::new(&dataset, &samples, input, 1, CacheSettings::None)?;
    let mut executor = engine.load(Arc::new(model.card.network.clone()), &model.state)?;
    let scored = evaluate(executor.as_mut(), &set, &loss, &mut go_on)?;
    let Evaluation { loss, scores } = scored.expect("nothing ends the evaluation early");
    Ok((named(scores), Some(loss)))
}

/// The data that a model is scored on.
pub(super) fn open(
    arguments: &Eval,
    model_name: &Path,
    card: &ModelCard,
    data: &Path,
) -> Result<Dataset, Failure> {
    let provenance = Provenance::of(card);
    // The run's own masks are coded as in training; those of other data may be coded otherwise.
    let own = division(model_name).and(provenance.as_ref());
    let options = OpenOptions {
        classes: Some(card.network.classes),
        ignore: card.ignore,
        coding: own.and_then(|provenance| provenance.coding),
        mask_orientation: arguments.mask_orientation,
        mask_suffix: arguments.mask_suffix.clone(),
        format: arguments.format.or(own.and_then(|provenance| provenance.format)),
        skip_bad: arguments.skip_bad,
        value_range: arguments.value_range.clone(),
        training: Some(card.images.clone().unwrap_or_else(TrainingImages::unknown)),
    };
    let dataset = Dataset::open(data, &options)?;
    warn_of_skipped(&dataset);
    Ok(dataset)
}

/// The names of the classes: the data's, or the model's where the data have none.
pub(super) fn class_names(dataset: &Dataset, model: &Classes, data: &Path) -> Result<Vec<String>, Failure> {
    let own = dataset.classes();
    let unnamed = match &own.names[..] {
        // Without a table, the foreground is named after its folder at most.
        [_, foreground] => *own == Classes::binary(foreground),
        names => *own == Classes::numbered(names.len()),
    };
    if own.names == model.names {
        return Ok(model.names.clone());
    }
    if unnamed {
        let (of_data, of_model) = (own.names.join(", "), model.names.join(", "));
        note!(
            "note: the classes are called as the model calls them, {of_model}, where the data have {of_data}"
        );
        return Ok(model.names.clone());
    }
    let sorted = |names: &[String]| {
        let mut names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        names.sort();
        names
    };
    let (of_data, of_model) = (own.names.join(", "), model.names.join(", "));
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    if lower(&own.names) != lower(&model.names) && sorted(&own.names) == sorted(&model.names) {
        return Err(Failure::input(format!(
            "{}: its classes are in the order {of_data}, those of the model in the order {of_model}; put the table of the \
             data into the model's order, and the labels with it",
            data.display()
        )));
    }
    note!("note: the data name the classes {of_data}, the model {of_model}; they are compared in this order");
    Ok(own.names.clone())
}

/// The samples of the wanted part, or of the default one. `validation` are the names of the model's validation images.
pub(super) fn samples(
    arguments: &Eval,
    model: &Path,
    dataset: &Dataset,
    validation: &[String],
) -> Result<Vec<usize>, Failure> {
    let all = || (0..dataset.len()).collect();
    if arguments.part == Some(PartName::All) {
        return Ok(all());
    }
    let (parts, source) = match (division(model), named(dataset, validation)) {
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
                note!("note: these are other data than the model was validated with");
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
pub(super) fn division(model: &Path) -> Option<PathBuf> {
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
    say_text!("\nover the data set ({images} images): pixel accuracy {accuracy}");
    match loss {
        Some(loss) => say!(", loss {loss:.6}"),
        None if original_size => say!(", at the size of each image"),
        None => say!(),
    }
    let image = &scores.per_image;
    say_text!(
        "mean over the images: mIoU {}, Boundary mIoU {}",
        shown(image.miou),
        shown(image.boundary_miou)
    );
    if let (Some(iou), Some(boundary)) = (image.foreground_iou, image.foreground_boundary_iou) {
        say_text!(", foreground IoU {}, foreground Boundary IoU {}", shown(iou), shown(boundary));
    }
    say!();
}
