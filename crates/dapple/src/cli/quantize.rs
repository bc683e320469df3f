//! `dapple quantize`: a model that computes in integers of eight bits, made of a trained one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use dapple::data::{CacheSettings, Format, Split};
use dapple::device::{self, EngineOptions};
use dapple::metrics::{ClassScores, Scores};
use dapple::model::{
    EvaluationSet, Provenance, QuantizationReport, Quantized, classes_of, input_of, model_path, quantize,
    spread,
};
use dapple::run::grouped;
use dapple_base::write_atomic;
use serde::Serialize;

use super::common::device::{Device, MACHINE};
use super::common::json::{check_json, write_json};
use super::common::models::{Foreign, load};
use super::common::scores::shown;
use super::common::values::{at_least_one, threads};
use super::common::written::{Own, check_apart, check_written};
use super::eval::{self, Eval};
use super::failure::Failure;
use crate::environment;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple quantize --model runs/horses --data horses \\
      --out horses-int8.safetensors
  dapple quantize --model horse --data horses --out horse-int8.safetensors \\
      --images 200 --loss-budget 0.002
  dapple export horses-int8.safetensors --onnx horses-int8.onnx --int8

The ranges of the feature maps are measured on images that `dapple eval` does not score, where there are any; the loss is that \
on the images that it scores. Every command takes the model that is written. Only the CPU computes in integers: other devices \
run the same weights in floating point.")]
pub struct Quantize {
    /// A run's folder, a model file, or the name of a model (see `dapple weights list`)
    #[arg(long, value_name = "RUN|FILE|NAME")]
    pub model: PathBuf,
    #[command(flatten)]
    pub foreign: Foreign,
    /// Folder of images and masks
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The model file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Format of the data: folders, lists, voc, coco … [default: that of the run's own data, or detected]
    #[arg(long, value_name = "NAME")]
    pub format: Option<Format>,
    /// Images to measure the ranges of the feature maps on, spread evenly over those there are
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub images: usize,
    /// Largest loss of mean IoU and of mean Boundary IoU, 0 to 1; layers that lose more stay in fp32
    #[arg(long, value_name = "X", default_value_t = 0.005, value_parser = budget)]
    pub loss_budget: f64,
    /// Write the report as JSON; - writes it to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Leave bad pairs out with a warning instead of stopping
    #[arg(long)]
    pub skip_bad: bool,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
    /// Threads of the engine; they do not affect the results [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = MACHINE)]
    pub threads: Option<usize>,
}

/// A share of a score.
fn budget(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
    value.ok_or_else(|| "give a number from 0 to 1".into())
}

/// The report as it is written.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a QuantizationReport,
    /// The images that the ranges were measured on.
    calibration: Vec<&'a Path>,
}

/// The keys of an earlier report.
const REPORT: Own = Own::Json(&["method", "loss_budget", "int8"]);

pub fn run(arguments: &Quantize) -> Result<(), Failure> {
    let source = model_path(&arguments.model);
    check_apart(&[Some(arguments.out.as_path()), arguments.json.as_deref()])?;
    check_written(&arguments.out, Own::Never, &[&source], Some(arguments.force))?;
    check_json(arguments.json.as_deref(), REPORT, &[&source])?;
    let options = EngineOptions { threads: arguments.threads, ..environment::engine_options()? };
    let engine = device::cpu_engine(&options)?;
    let mut models = load(&arguments.model, &arguments.foreign, arguments.quiet)?;
    if models.len() > 1 {
        return Err(Failure::input(
            "an ensemble cannot be quantized; quantize one of its members, for instance best.safetensors in its folder",
        ));
    }
    let mut model = models.swap_remove(0);
    if model.card.network.imported.is_some() {
        return Err(Failure::input(format!(
            "{}: a network of an ONNX file is not quantized here; quantize it with the program that wrote it",
            arguments.model.display()
        )));
    }

    let as_eval = as_eval(arguments);
    let dataset = Arc::new(eval::open(&as_eval, &arguments.model, &model.card, &arguments.data)?);
    let names = eval::class_names(&dataset, &classes_of(&model.card), &arguments.data)?;
    let validation = Provenance::of(&model.card).map_or_else(Vec::new, |provenance| provenance.validation);
    let scored = eval::samples(&as_eval, &arguments.model, &dataset, &validation)?;
    // Apart from its run, the model still knows which images it was not trained on.
    if let Some(split) = eval::division(&arguments.model) {
        Provenance::note_validation(&mut model.card, &Split::load(&split)?.val);
    }
    let known: HashSet<usize> = scored.iter().copied().collect();
    let others: Vec<usize> = (0..dataset.len()).filter(|sample| !known.contains(sample)).collect();
    let measured_on = spread(if others.is_empty() { &scored } else { &others }, arguments.images);
    let input = input_of(&model.card)?;
    let set = |samples: &[usize]| EvaluationSet::new(&dataset, samples, input, 1, CacheSettings::None);
    let (calibration, scored) = (set(&measured_on)?, set(&scored)?);

    let mut on_step = |step: &str| {
        if !arguments.quiet {
            note!("{step} …");
        }
    };
    let quantized = quantize(&model, &engine, &calibration, &scored, arguments.loss_budget, &mut on_step)?;
    let Quantized { model, mut report } = quantized;
    for scores in [&mut report.fp32, &mut report.int8] {
        scores.classes.iter_mut().zip(&names).for_each(|(class, name)| class.name.clone_from(name));
    }
    let bytes = model.to_bytes().map_err(Failure::other)?;
    write_atomic(&arguments.out, &bytes)?;
    let calibration = measured_on.iter().filter_map(|&sample| dataset.image_path(sample)).collect();
    let written = Written { report: &report, calibration };
    if write_json(&written, arguments.json.as_deref())? && !arguments.quiet {
        print_report(&report);
        say!("{}: {} bytes", arguments.out.display(), grouped(bytes.len() as u64));
    }
    Ok(())
}

/// The evaluation whose images the loss is measured on.
fn as_eval(arguments: &Quantize) -> Eval {
    let Quantize { model, data, format, skip_bad, .. } = arguments;
    let device = Device { device: Some("cpu".to_owned()), precision: None, threads: arguments.threads };
    Eval { format: *format, skip_bad: *skip_bad, ..Eval::of(Path::new(model), Path::new(data), &device) }
}

/// Prints how the model was quantized, and the loss of each class.
fn print_report(report: &QuantizationReport) {
    let QuantizationReport { method, calibration_images, quantized, kept, fp32, int8, .. } = report;
    say!("ranges: {}, over {calibration_images} images", method.name());
    say!("convolutions in int8: {quantized} of {}", quantized + kept.len());
    if !kept.is_empty() {
        say!("in fp32, the most sensitive first: {}", kept.join(", "));
    }
    say!();
    let width = fp32.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(14);
    say!("{:width$} {:>9} {:>9} {:>10} {:>17}", "class", "fp32 IoU", "int8 IoU", "loss", "Boundary IoU loss");
    let row = |name: &str, [iou, boundary]: [[Option<f64>; 2]; 2]| {
        let [before, after] = iou.map(shown);
        say!("{name:width$} {before:>9} {after:>9} {:>10} {:>17}", lost(iou), lost(boundary));
    };
    for (before, after) in fp32.classes.iter().zip(&int8.classes) {
        row(&before.name, of_class(before, after));
    }
    let means = |scores: &Scores| (scores.dataset.miou, scores.dataset.boundary_miou);
    let ((iou, boundary), (iou_after, boundary_after)) = (means(fp32), means(int8));
    row("mean", [[iou, iou_after], [boundary, boundary_after]]);
    say!();
}

fn of_class(before: &ClassScores, after: &ClassScores) -> [[Option<f64>; 2]; 2] {
    [[before.iou, after.iou], [before.boundary_iou, after.boundary_iou]]
}

/// The loss of a score.
fn lost([before, after]: [Option<f64>; 2]) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("{:+.6}", before - after),
        _ => "-".to_owned(),
    }
}
