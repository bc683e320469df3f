//! `dapple eval`: scores of a model on a part of a data set.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dapple::data::{CacheSettings, DataError, Dataset, OpenOptions, Part, Raster, Split, SplitIndices};
use dapple::graph::{Loss, LossKind};
use dapple::metrics::{Bootstrap, Scores};
use dapple::nets::Activation;
use dapple::predict::{PredictError, Predictor, Settings};
use dapple::train::{
    Evaluation, EvaluationSet, Provenance, Segmenter, evaluate, evaluate_labels, input_of, load_models,
    model_path,
};

use super::arguments::{Eval, PartName};
use super::failure::Failure;
use super::output::{Report, print_classes, shown};
use super::train::warn_of_skipped;

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
        print_table(&report.scores, loss);
    }
    Ok(())
}

/// The scores with those of each image, and the loss, which is known at the network's size only.
fn score(arguments: &Eval) -> Result<(Scores, Option<f64>), Failure> {
    let engine = arguments.device.engine(false)?;
    let mut models = load_models(&arguments.model)?;
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
    let samples = samples(arguments, &dataset)?;
    let mut go_on = |_| ControlFlow::Continue(());
    if arguments.original_size || !others.is_empty() {
        let members = std::iter::once(model).chain(others);
        let members =
            members.map(|model| Segmenter::new(model, engine.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let predictor = Predictor::new(members, Settings::default())?;
        let predict = |image: &Raster| Ok::<_, PredictError>(predictor.predict(image)?.labels());
        let scores = evaluate_labels(&predict, &dataset, &samples, &mut go_on)?;
        return Ok((scores.expect("nothing ends the evaluation early"), None));
    }

    // A model of another program's making has no loss with it; the one that goes with its logits is then reported.
    let usual = match model.card.network.activation {
        Activation::Softmax => LossKind::CrossEntropy,
        Activation::Sigmoid => LossKind::BinaryCrossEntropy,
    };
    let loss = provenance.map_or_else(|| Loss::single(usual), |provenance| provenance.loss);
    let set = EvaluationSet::new(&dataset, &samples, input_of(&model.card)?, 1, CacheSettings::None)?;
    let mut executor = engine.load(Arc::new(model.card.network.clone()), &model.state, None)?;
    let scored = evaluate(executor.as_mut(), &set, &loss, &mut go_on)?;
    let Evaluation { loss, scores } = scored.expect("nothing ends the evaluation early");
    Ok((scores, Some(loss)))
}

/// The samples of the part that was asked for, or that stands to reason.
fn samples(arguments: &Eval, dataset: &Dataset) -> Result<Vec<usize>, Failure> {
    let all = || (0..dataset.len()).collect();
    if arguments.part == Some(PartName::All) {
        return Ok(all());
    }
    let (parts, source) = match division(&arguments.model) {
        Some(path) => match Split::load(&path)?.indices(dataset) {
            Ok(parts) => (parts, format!("{}", path.display())),
            Err(error @ DataError::UnknownName { .. }) => {
                return Err(Failure::input(format!(
                    "{}: {error}; or, for other data than the run's, give --part all",
                    path.display()
                )));
            }
            Err(error) => return Err(error.into()),
        },
        None => (official(dataset), "the data set".to_owned()),
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
fn print_table(scores: &Scores, loss: Option<f64>) {
    print_classes(scores);
    let (images, accuracy) = (scores.images, shown(scores.dataset.pixel_accuracy));
    print!("\nover the data set ({images} images): pixel accuracy {accuracy}");
    match loss {
        Some(loss) => println!(", loss {loss:.6}"),
        None => println!(", at the size of each image"),
    }
    let image = &scores.per_image;
    print!("mean over the images: mIoU {}, Boundary mIoU {}", shown(image.miou), shown(image.boundary_miou));
    if let (Some(iou), Some(boundary)) = (image.foreground_iou, image.foreground_boundary_iou) {
        print!(", foreground IoU {}, foreground Boundary IoU {}", shown(iou), shown(boundary));
    }
    println!();
}
