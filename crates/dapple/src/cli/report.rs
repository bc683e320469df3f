//! `dapple report`: a page about one run, or several side by side.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::graph::Engine;
use dapple::model::load_model;
use dapple::run::page::{RunData, report};
use dapple::run::{Examination, RunFolder};

use super::common::device::Device;
use super::common::written::{Own, check_written};
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple report runs/horses
  dapple report runs/unet runs/u2net --out comparison.html

The page is one file that works offline and can be printed; the same report is written as Markdown, with its pictures in a \
folder. The confusion matrix, calibration and the images with their errors come from evaluation.json, which a training writes \
at its end. If it is missing, the best model is run on the validation images, which needs the data.")]
pub struct Report {
    /// Folders of runs; the others are compared with the first
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// File for the page [default: report.html in the run's folder; in this folder for several runs]
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub device: Device,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

pub fn run(arguments: &Report) -> Result<(), Failure> {
    let out = match (&arguments.out, &arguments.runs[..]) {
        (Some(out), _) => out.clone(),
        (None, [run]) => RunFolder::open(run)?.report(),
        (None, _) => PathBuf::from("report.html"),
    };
    if !out.extension().is_some_and(|ending| ending == "html" || ending == "htm") {
        return Err(Failure::input(format!("{}: give a name that ends in .html", out.display())));
    }
    if let Some(out) = &arguments.out {
        check_written(out, Own::Html, &[], None)?;
        // The Markdown beside an earlier page is of that page.
        let markdown = out.with_extension("md");
        if !out.exists() && markdown.exists() {
            check_written(&markdown, Own::Never, &[], None)?;
        }
    }
    let engine = arguments.device.engine(arguments.quiet)?;
    let runs = arguments
        .runs
        .iter()
        .map(|path| read(path, engine.as_ref(), arguments.quiet))
        .collect::<Result<Vec<_>, _>>()?;
    report(&runs).save(&out)?;
    if !arguments.quiet {
        say!("written to {} and {}", out.display(), out.with_extension("md").display());
    }
    Ok(())
}

/// Reads a run; if the examination of its best model is missing or older, makes it.
fn read(path: &Path, engine: &dyn Engine, quiet: bool) -> Result<RunData, Failure> {
    let mut run = RunData::read(path)?;
    let folder = RunFolder::open(path)?;
    // Without the model, the examination cannot be outdated.
    let best = load_model(path).ok();
    let epoch = best.as_ref().map(|model| model.card.epoch);
    let quantization = best.and_then(|model| model.card.network.quantization);
    run.int8_convolutions = quantization.map_or(0, |quantization| quantization.inputs.len());
    let known = run.examination.as_ref().map(|examination| examination.epoch);
    if known.is_some() && (epoch.is_none() || epoch == known) {
        return Ok(run);
    }
    if epoch.is_none() {
        run.not_examined =
            Some("There is no best model yet, so that confusion, calibration and images are missing.".into());
        return Ok(run);
    }
    if !quiet {
        say!("{}: running the best model on the validation images", path.display());
    }
    match Examination::make(&folder, engine) {
        Ok(examination) => run.examination = Some(examination),
        Err(error) => {
            run.examination = None;
            let why = format!(
                "Confusion, calibration and images are missing, as the best model could not be run: {error}"
            );
            note!("warning: {}: {error}", path.display());
            run.not_examined = Some(why);
        }
    }
    Ok(run)
}
