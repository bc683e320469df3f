//! `dapple predict`: masks, overlays, cut-outs and outlines for images of any size.

mod arguments;
mod named;
mod result_file;
mod scene;
mod setup;
#[cfg(feature = "cloud")]
mod staged;
mod video;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dapple::data::{FILE_LIMIT_BYTES, decode_photo_bytes, is_manifest};
use dapple::model::model_path;
use dapple::models::{Origin, origin};
use dapple::nets::checkpoint::weights_file;
use dapple::predict::batch::{self, BatchEvent, BatchSettings, BatchSummary};
use dapple::predict::inputs::{FoundInputs, find, passed_over_text, read_list};
use dapple::predict::manifest::read_manifest;
use dapple::predict::output::{self, ImageInfo, Target, output_palette};
use dapple::predict::results::Results;
use dapple::predict::source::PhotoRows;
use dapple::predict::{GeoReference, ImageRow, PredictError, Predictor, is_scene};
use dapple::weights::HubName;
use dapple_base::{InputFault, Shard, Size, StopFlag, read_limited, remove_leftovers};
use indicatif::ProgressBar;

pub use arguments::{KindChoice, Predict};

use super::common::device::Device;
use super::common::remote::refuse_address;
#[cfg(not(feature = "cloud"))]
use super::common::remote::refuse_without_feature;
use super::common::signal::stop_on_signal;
use super::console::{Purpose, begin, write_raw};
use super::failure::Failure;
use named::Named;
use result_file::{is_file_name, take_file};
use setup::{load, output_settings};
#[cfg(feature = "cloud")]
use staged::Stage;

/// The name of standard input and output.
const STANDARD: &str = "-";
/// The folder for results without `--out`.
const OUT: &str = "predictions";

pub fn run(arguments: &Predict) -> Result<(), Failure> {
    let (models, mut named) = models_and_images(arguments)?;
    let mut listed = FoundInputs::default();
    if let Some(list) = &arguments.list {
        refuse_address(list, "--list")?;
    }
    match &arguments.list {
        Some(list) if is_manifest(list) => listed = read_manifest(list)?,
        Some(list) => named.extend(read_list(list)?),
        None => {}
    }
    if named.iter().any(|path| path == Path::new(STANDARD)) {
        if named.len() > 1
            || !listed.inputs.is_empty()
            || !listed.videos.is_empty()
            || arguments.sharding.shard.is_some()
            || arguments.out.as_ref().is_some_and(|out| out != Path::new(STANDARD))
        {
            return Err(Failure::input(
                "an image from standard input must be the only input, without --out and --shard",
            ));
        }
        let predictor =
            load(&models, &arguments.foreign, &arguments.prediction, &arguments.device, arguments.quiet)?;
        return standard(&predictor, arguments);
    }
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(OUT));
    let shard = arguments.sharding.resolve(arguments.quiet)?;
    let named = Named { models, images: named, listed, out };
    predict(arguments, named, shard)
}

/// Predicts images of this machine, and refuses addresses.
#[cfg(not(feature = "cloud"))]
fn predict(arguments: &Predict, named: Named, shard: Option<Shard>) -> Result<(), Failure> {
    let listed = named.listed.inputs.iter().map(|input| &input.path).chain(&named.listed.videos);
    refuse_without_feature(named.images.iter().chain(listed).chain([&named.out]))?;
    predict_files(arguments, named, shard)
}

/// Predicts images of this machine, and those of addresses by way of a temporary folder.
#[cfg(feature = "cloud")]
fn predict(arguments: &Predict, mut named: Named, shard: Option<Shard>) -> Result<(), Failure> {
    if !Stage::is_needed(&named) {
        return predict_files(arguments, named, shard);
    }
    let out = named.out.clone();
    let stage = Stage::open(&mut named, shard, arguments.quiet)?;
    let predicted = predict_files(arguments, named, shard);
    // What was made is taken back also where some images are bad, or the work was stopped.
    stage.deliver(&out, arguments.quiet).and(predicted)
}

fn predict_files(arguments: &Predict, named: Named, shard: Option<Shard>) -> Result<(), Failure> {
    let Named { models, images: named, mut listed, mut out } = named;
    let FoundInputs { mut inputs, mut videos, passed_over, unreadable } = find(&named, Some(&out))?;
    inputs.append(&mut listed.inputs);
    videos.append(&mut listed.videos);
    if !passed_over.is_empty() {
        note!("note: {}", passed_over_text(&passed_over));
    }
    unreadable.iter().for_each(|error| note!("error: {error}"));
    let predictor =
        load(&models, &arguments.foreign, &arguments.prediction, &arguments.device, arguments.quiet)?;
    let kinds = KindChoice::all(&arguments.kind);
    let output = output_settings(&arguments.outputs, &predictor, arguments.prediction.memory)?;
    if is_file_name(&out) {
        if shard.is_some() {
            let out = out.display();
            return Err(Failure::input(format!(
                "--out {out} names a file, but shards need a folder; give one"
            )));
        }
        let files = kinds.iter().flat_map(|kind| kind.files(&predictor.classes().names, &output));
        let suffixes: Vec<String> = files.map(|file| file.suffix).collect();
        take_file(&mut out, &mut inputs, &videos, &suffixes)?;
    }
    // Only of a folder of results: other programs' files lie elsewhere.
    if Results::are_in(&out) {
        remove_leftovers(&out);
    }
    let batch = BatchSettings {
        kinds,
        output,
        out,
        force: arguments.force,
        protected: protected(&models, arguments),
        engine: engine(&arguments.device),
        workers: arguments.outputs.workers.unwrap_or_else(workers),
        shard,
    };
    let stop = StopFlag::new();
    stop_on_signal(
        stop.clone(),
        "stopping after the image that the network is working on; once more to stop at once",
    )?;
    let made = video::run_all(&predictor, &videos, &batch, arguments, &stop);
    let goes_on = match &made {
        // One bad video does not prevent the images.
        Err(failure) => failure.is_input_fault() && !stop.is_raised(),
        Ok(()) => true,
    };
    if inputs.is_empty() || !goes_on {
        return made;
    }
    let images = inputs.iter().filter(|input| shard.is_none_or(|shard| shard.holds(&input.key()))).count();
    let bar = progress(images, arguments.quiet);
    // Of the images of a batch, one stands for all.
    let told = AtomicBool::new(false);
    let on_event = |event: BatchEvent<'_>| {
        match event {
            BatchEvent::Bad(input, error) => {
                let (text, path) = (error.to_string(), input.path.display().to_string());
                let named = if text.contains(&path) { text } else { format!("{path}: {text}") };
                bar.suspend(|| note!("error: {named}"));
            }
            BatchEvent::Scene(input, size, grid) => {
                if !arguments.quiet {
                    bar.suspend(|| note!("note: {}", scene::in_tiles(&predictor, &input.path, size, grid)));
                }
                return;
            }
            BatchEvent::SeenWhole(input, size) => {
                if !arguments.quiet && !told.swap(true, Ordering::Relaxed) {
                    bar.suspend(|| note!("note: {}", scene::whole(&predictor, &input.path, size)));
                }
                return;
            }
            BatchEvent::Predicted(_) | BatchEvent::Kept(_) => {}
        }
        bar.inc(1);
    };
    let summary = batch::run(&predictor, &inputs, &batch, &stop, &on_event);
    bar.finish_and_clear();
    let written = inputs.first().and_then(|input| input.result.as_ref()).unwrap_or(&batch.out);
    conclude(&summary?, images, written, arguments.quiet)?;
    match unreadable.len() {
        0 => made,
        1 => Err(Failure::input("a folder could not be read, see above")),
        folders => Err(Failure::input(format!("{folders} folders could not be read, see above"))),
    }
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
        let file = path
            .extension()
            .is_some_and(|e| ["safetensors", "onnx", "pth", "pt", "ckpt"].iter().any(|own| e == *own));
        // What is wrong with it is said when it is loaded.
        let is_saved = || path.join("config.json").is_file() && weights_file(path).is_ok();
        let is_of_hub = path.to_str().is_some_and(|text| HubName::parse(text).is_some());
        file || is_of_hub
            || is_saved()
            || model_path(path).file_name() != path.file_name() && model_path(path).is_file()
            || origin(path).is_ok_and(named)
    };
    match inputs.split_first() {
        Some((first, rest)) if is_model(first) && (!rest.is_empty() || arguments.list.is_some()) => {
            Ok((vec![first.clone()], rest.to_vec()))
        }
        Some((first, [])) if is_model(first) => {
            Err(Failure::input("give images to predict after the model: IMAGE|DIR…"))
        }
        Some((first, [_, ..])) if is_name(first) => match origin(first) {
            // It says which name may be meant.
            Err(error) => Err(error.into()),
            Ok(_) => Err(Failure::input(MODEL)),
        },
        _ => Err(Failure::input(MODEL)),
    }
}

/// Whether a path that leads nowhere looks like the name of a model.
fn is_name(path: &Path) -> bool {
    let text = path.to_string_lossy();
    !path.exists() && path.extension().is_none() && !text.contains(['*', '?', '[', '/', '\\'])
}

/// The message for images without a model.
const MODEL: &str = "give a model: --model RUN|FILE|NAME, or a run's folder, a model file (.safetensors, .onnx, or .pth with \
                     --network), a folder of transformers or smp, hf://OWNER/NAME or a name (horse, road, …) before the images";

/// The files besides the images that no result may replace.
fn protected(models: &[PathBuf], arguments: &Predict) -> Vec<PathBuf> {
    let background = PathBuf::from(&arguments.outputs.background);
    let files = models.iter().map(|model| model_path(model));
    files.chain(arguments.list.clone()).chain(std::iter::once(background)).collect()
}

/// The engine in words. Devices agree within rounding, precisions do not.
fn engine(device: &Device) -> String {
    device.precision.unwrap_or_default().to_string()
}

fn conclude(summary: &BatchSummary, images: usize, out: &Path, quiet: bool) -> Result<(), Failure> {
    let BatchSummary { predicted, kept, bad, crashed, left, .. } = *summary;
    if !quiet {
        let seconds = summary.elapsed.as_secs_f64();
        say_text!("{predicted} of {images} images predicted, written to {}", out.display());
        if kept > 0 {
            say_text!("; {kept} existed, made the same way, and are kept (--force makes them anew)");
        }
        say!();
        if predicted > 0 {
            let busy = 100.0 * summary.network.as_secs_f64() / seconds;
            say!(
                "{seconds:.1} s, {:.1} images/s, the network busy {busy:.0} % of the time",
                predicted as f64 / seconds
            );
        }
    }
    if bad > 0 {
        let text = format!("{bad} of {images} images could not be predicted, see above");
        return Err(if crashed > 0 { Failure::other(text) } else { Failure::input(text) });
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
    read_limited(io::stdin(), FILE_LIMIT_BYTES, &mut bytes)
        .map_err(|e| Failure::input(format!("standard input: {e}")))?;
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
    let (place, name) = (GeoReference::of_bytes(&bytes), Path::new("standard input"));
    let size = Size { height: image.raster.height, width: image.raster.width };
    let named = |error: PredictError| match error.is_input_fault() {
        true => Failure::input(format!("standard input: {error}")),
        false => error.into(),
    };
    let is_scene = is_scene(place.is_some(), &bytes);
    let tiles = predictor.tiles(size, is_scene).map_err(named)?;
    if !arguments.quiet {
        if place.is_some() {
            note!(
                "note: the result has no place on the ground; give the file by its name for a mask that has"
            );
        }
        if let Some(grid) = tiles.filter(|grid| grid.as_trained) {
            note!("note: {}", scene::in_tiles(predictor, name, size, grid));
        } else if tiles.is_none() && predictor.is_far_larger(size, is_scene) {
            note!("note: {}", scene::whole(predictor, name, size));
        }
    }
    let predicted = (|| match tiles {
        None => output::write_all(&image, &predictor.predict(&image.raster)?, vec![output]),
        Some(tiles) => {
            let (wants, rows) = (output.wants(), &mut PhotoRows::new(&image));
            let each = &mut |row: &ImageRow<'_>| output.row(row);
            predictor.predict_tiles(rows, tiles, wants, &StopFlag::new(), each)?;
            output.finish()
        }
    })();
    predicted.map_err(named)?;
    begin(Purpose::Result);
    write_raw(&target.commit()?);
    Ok(())
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
