//! `dapple eval`: scores of a model on a part of a data set.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dapple::data::{CacheSettings, DataError, Dataset, OpenOptions, Part, Raster, Split, SplitIndices};
use dapple::graph::{Loss, LossKind, Tensor};
use dapple::metrics::{Bootstrap, Scores};
use dapple::model::{
    Evaluation, EvaluationSet, Model, Provenance, evaluate, evaluate_inputs, evaluate_labels, input_of,
    model_path,
};
use dapple::nets::Activation;
use dapple::predict::{PredictError, Predictor, Settings};

use super::arguments::{Eval, FlipName, PartName};
use super::failure::Failure;
use super::output::{Report, print_classes, shown};
use super::train::warn_of_skipped;
use super::weights::models;

pub fn run(arguments: &Eval) -> Result<(), Failure> {
    let (scores, loss) = score(arguments)?;
    let mut report = Report::new(scores, &Bootstrap::default())?;
    if let Some(path) = &arguments.csv {
        report.write_csv(path, &[])?;
    }
    if !arguments.per_image {
        report.scores.images_detail = None;
    }
    if report.write_json(arguments.json.as_deref())? {
        print_table(&report.scores, loss, arguments.original_size);
    }
    Ok(())
}

/// The scores with those of each image, and the loss, which is known for a single model at the network's size only.
fn score(arguments: &Eval) -> Result<(Scores, Option<f64>), Failure> {
    let engine = arguments.device.engine(false)?;
    let mut models = models(&arguments.model, false)?;
    // A file without a model is an error of loading it.
    let (model, others) = (models.swap_remove(0), models);
    let provenance = Provenance::of(&model.card);
    // The run's own masks mean what they meant in training; those of other data may be written in another way.
    let own = division(&arguments.model).and(provenance.as_ref());
    let dataset = Arc::new(Dataset::open(
        &arguments.data,
        &OpenOptions {
            classes: Some(model.card.network.classes),
            ignore: model.card.ignore,
            coding: own.map(|provenance| provenance.coding),
            format: arguments.format.or(own.and_then(|provenance| provenance.format)),
            skip_bad: arguments.skip_bad,
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
        let settings = Settings {
            flip_horizontal: arguments.flip.is_some_and(FlipName::is_horizontal),
            flip_vertical: arguments.flip.is_some_and(FlipName::is_vertical),
            ..Settings::default()
        };
        let predictor = Predictor::new(members, settings)?;
        let scores = if arguments.original_size {
            let predict = |image: &Raster| Ok::<_, PredictError>(predictor.predict(image)?.labels());
            evaluate_labels(&predict, &dataset, &samples, &mut go_on)?
        } else if alike {
            let set = EvaluationSet::new(&dataset, &samples, input, 1, CacheSettings::None)?;
            let predict =
                |input: &Tensor, _: &[u8]| Ok::<_, PredictError>(predictor.predict_input(input)?.labels());
            evaluate_inputs(predict, &set, &mut go_on)?
        } else {
            return Err(Failure::input(
                "the models see images at different sizes; score them at that of each image: --original-size",
            ));
        };
        return Ok((scores.expect("nothing ends the evaluation early"), None));
    }

    // A model of another program's making has no loss with it; the one that goes with its logits is then reported.
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

/// The samples of the part that was asked for, or that stands to reason; `validation` are the names that the model says it
/// was validated with.
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
                eprintln!("note: these are other data than those that the model was validated with");
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

/// The division that the names of the validation images make, where the data have them all; the others may have been
/// learned from.
fn named(dataset: &Dataset, validation: &[String]) -> Option<SplitIndices> {
    let wanted: HashSet<&str> = validation.iter().map(String::as_str).collect();
    let (val, train): (Vec<usize>, Vec<usize>) =
        (0..dataset.len()).partition(|&sample| wanted.contains(dataset.name(sample)));
    (!val.is_empty() && val.len() == wanted.len()).then_some(SplitIndices { train, val, test: Vec::new() })
}

/// The division of the run that the model is of.
fn division(model: &Path) -> Option<PathBuf> {
    let split = model_path(model).with_file_name("split.json");
    split.exists().then_some(split)
}

/// The division that the folders make.
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
