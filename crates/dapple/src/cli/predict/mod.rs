//! `dapple predict`: masks, overlays, cut-outs and outlines for images of any size.

mod arguments;
mod setup;
mod video;

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dapple::data::decode_photo_bytes;
use dapple::model::model_path;
use dapple::models::{Origin, origin};
use dapple::predict::batch::{self, BatchEvent, BatchSettings, BatchSummary};
use dapple::predict::inputs::{Input, find, read_list, unread};
use dapple::predict::output::{self, ImageInfo, Target, output_palette};
use dapple::predict::source::PhotoRows;
use dapple::predict::video::is_video;
use dapple::predict::{PredictError, Predictor, TileGrid};
use dapple_base::{Size, StopFlag, remove_leftovers};
use indicatif::ProgressBar;

pub use arguments::{KindChoice, Predict};

use super::common::signal::stop_on_signal;
use super::failure::Failure;
use setup::{load, output_settings};

/// The name of standard input and output.
const STANDARD: &str = "-";
/// The folder for results without `--out`.
const OUT: &str = "predictions";

pub fn run(arguments: &Predict) -> Result<(), Failure> {
    let (models, mut named) = models_and_images(arguments)?;
    if let Some(list) = &arguments.list {
        named.extend(read_list(list)?);
    }
    if named.iter().any(|path| path == Path::new(STANDARD)) {
        if named.len() > 1 || arguments.out.as_ref().is_some_and(|out| out != Path::new(STANDARD)) {
            return Err(Failure::input("an image from standard input must be the only input, without --out"));
        }
        let predictor = load(&models, &arguments.prediction, &arguments.device, arguments.quiet)?;
        return standard(&predictor, arguments);
    }
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(OUT));
    let (videos, named): (Vec<PathBuf>, Vec<PathBuf>) = named.into_iter().partition(|path| is_video(path));
    remove_leftovers(&out);
    let inputs = find(&named, Some(&out))?;
    for unread in unread(&named)? {
        eprintln!("warning: {unread}");
    }
    let predictor = load(&models, &arguments.prediction, &arguments.device, arguments.quiet)?;
    let batch = BatchSettings {
        kinds: KindChoice::all(&arguments.kind),
        output: output_settings(&arguments.outputs, &predictor, arguments.prediction.memory)?,
        out,
        force: arguments.force,
        workers: arguments.outputs.workers.unwrap_or_else(workers),
    };
    let stop = StopFlag::new();
    stop_on_signal(
        stop.clone(),
        "stopping after the image that the network is working on; once more to stop at once",
    )?;
    video::run_all(&predictor, &videos, &batch, arguments, &stop)?;
    if inputs.is_empty() {
        return Ok(());
    }
    let bar = progress(inputs.len(), arguments.quiet);
    let on_event = |event: BatchEvent<'_>| {
        match event {
            BatchEvent::Bad(_, error) => bar.suspend(|| eprintln!("error: {error}")),
            BatchEvent::Scene(input, size, grid) => {
                if !arguments.quiet {
                    bar.suspend(|| eprintln!("note: {}", scene(&predictor, input, size, grid)));
                }
                return;
            }
            BatchEvent::Predicted(_) | BatchEvent::Kept(_) => {}
        }
        bar.inc(1);
    };
    let summary = batch::run(&predictor, &inputs, &batch, &stop, &on_event);
    bar.finish_and_clear();
    conclude(&summary?, inputs.len(), &batch.out, arguments.quiet)
}

/// Tells how a scene is seen, and how to have it otherwise.
fn scene(predictor: &Predictor, input: &Input, size: Size, grid: TileGrid) -> String {
    let [height, width] = predictor.trained_size().unwrap_or([grid.side; 2]);
    format!(
        "{}: a scene of {} x {} pixels, and the model was trained on images of {width} x {height}: predicted in tiles of \
         {side} x {side} at the scale of the training (--tile off sees it whole, --tile N at its own size)",
        input.path.display(),
        size.width,
        size.height,
        side = grid.side,
    )
}

/// The models and the images: without `--model`, the first of the names is the model.
fn models_and_images(arguments: &Predict) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let (models, inputs) = (arguments.model.clone(), arguments.inputs.clone());
    if !models.is_empty() {
        return Ok((models, inputs));
    }
    // A folder of images may have a model's name, but without a model nothing could be done with it.
    let is_model = |path: &Path| {
        let named = |origin| !matches!(origin, Origin::File(_));
        let file = path.extension().is_some_and(|e| e == "safetensors");
        file || model_path(path).file_name() != path.file_name() && model_path(path).is_file()
            || origin(path).is_ok_and(named)
    };
    match inputs.split_first() {
        Some((first, rest)) if is_model(first) && (!rest.is_empty() || arguments.list.is_some()) => {
            Ok((vec![first.clone()], rest.to_vec()))
        }
        Some((first, [])) if is_model(first) => {
            Err(Failure::input("give images to predict after the model: IMAGE|DIR…"))
        }
        _ => Err(Failure::input(
            "give a model: --model RUN|FILE|NAME, or a run's folder, a .safetensors file or a name (horse, road, …) before \
             the images",
        )),
    }
}

fn conclude(summary: &BatchSummary, images: usize, out: &Path, quiet: bool) -> Result<(), Failure> {
    let BatchSummary { predicted, kept, bad, left, .. } = *summary;
    if !quiet {
        let seconds = summary.elapsed.as_secs_f64();
        print!("{predicted} of {images} images predicted, written to {}", out.display());
        if kept > 0 {
            print!("; {kept} existed and are kept (--force overwrites them)");
        }
        println!();
        if predicted > 0 {
            let busy = 100.0 * summary.network.as_secs_f64() / seconds;
            println!(
                "{seconds:.1} s, {:.1} images/s, the network busy {busy:.0} % of the time",
                predicted as f64 / seconds
            );
        }
    }
    if bad > 0 {
        return Err(Failure::input(format!("{bad} of {images} images could not be predicted, see above")));
    }
    if left > 0 {
        return Err(Failure::other(format!(
            "stopped with {left} images left; run the same command to resume"
        )));
    }
    Ok(())
}

/// An image from standard input, and one file to standard output.
fn standard(predictor: &Predictor, arguments: &Predict) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|e| Failure::input(format!("standard input: {e}")))?;
    let settings = output_settings(&arguments.outputs, predictor, arguments.prediction.memory)?;
    let names = &predictor.classes().names;
    let parts: Vec<_> =
        KindChoice::all(&arguments.kind).iter().flat_map(|kind| kind.files(names, &settings)).collect();
    let [part] = &parts[..] else {
        return Err(Failure::input(format!(
            "standard output takes one file, not {}; give one kind (probabilities of more than two classes with \
             --probability-format npy)",
            parts.len()
        )));
    };
    let image = decode_photo_bytes(&bytes, "standard input", &predictor.reading())?;
    let info = ImageInfo::of(&image, "standard input");
    let target = Target::memory();
    let classes = Arc::new(output_palette(predictor.classes(), predictor.settings().threshold)?);
    let mut output = output::output(part, &info, &classes, &settings, target.clone())?;
    match predictor.tiles(image.raster.width, image.raster.height)? {
        None => output::write_all(&image, &predictor.predict(&image.raster)?, vec![output])?,
        Some(tiles) => {
            let wants = output.wants();
            predictor
                .predict_tiles(&mut PhotoRows::new(&image), tiles, wants, &StopFlag::new(), &mut |row| {
                    output.row(row)
                })
                .and_then(|()| output.finish())?;
        }
    }
    let written = io::stdout().write_all(&target.commit()?).and_then(|()| io::stdout().flush());
    match written {
        // A reader that closed the pipe has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.map_err(|e| Failure::other(PredictError::Write { what: "standard output", source: e }))
        }
    }
}

fn workers() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).clamp(1, 4)
}

fn progress(images: usize, quiet: bool) -> ProgressBar {
    if quiet || images < 2 || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    ProgressBar::new(images as u64)
}
