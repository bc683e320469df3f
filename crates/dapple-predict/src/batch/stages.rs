//! The stages of a batch, each on threads of its own: decoding, networks, encoding.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use super::shared::{Done, Job, Shared, Task, lock};
use super::writing::{begin_outputs, commit, same_file};
use dapple_base::{Size, write_atomic};
use dapple_data::colour_profile;

use crate::error::PredictError;
use crate::geo::GeoReference;
use crate::output::{self, ImageInfo, OutputFile, rgb_profile};
use crate::row::ImageRow;
use crate::source::{Opened, PhotoRows, open};
use crate::tiles::TileGrid;

/// Opens and prepares images until none is left.
pub(super) fn decode<'a>(shared: &Shared<'a>, ready: &SyncSender<Job<'a>>) {
    while !shared.is_over() {
        let Some((index, input)) = shared.take_next() else { return };
        match job(shared, index) {
            Ok(Some(job)) => {
                // The networks' thread is gone only if it panicked, which ends the program.
                if ready.send(job).is_err() {
                    return;
                }
            }
            Ok(None) => shared.kept(input),
            Err(error) => shared.failed(input, error),
        }
    }
}

/// Opens an image; `None` where its results exist.
fn job<'a>(shared: &Shared<'a>, index: usize) -> Result<Option<Job<'a>>, PredictError> {
    let (input, batch, predictor) = (&shared.inputs[index], shared.batch, shared.predictor);
    if shared.doubles[index] {
        let problem =
            "another image of this batch has the same name; predict them into different folders with --out";
        return Err(PredictError::bad_file(&input.path, problem));
    }
    let names = &predictor.classes().names;
    let on_ground = GeoReference::of_file(&input.path).is_some();
    let parts = batch.kinds.iter().flat_map(|kind| kind.files(names, &batch.output));
    let parts = parts.map(|part| if on_ground { part.on_ground() } else { part });
    let files: Vec<(OutputFile, PathBuf)> =
        parts.map(|part| (part.clone(), input.output(&batch.out, &part.suffix))).collect();
    if files.iter().any(|(_, path)| same_file(path, &input.path)) {
        let problem = "its mask would overwrite it; give another folder with --out";
        return Err(PredictError::bad_file(&input.path, problem));
    }
    if !batch.force && files.iter().all(|(_, path)| path.is_file()) {
        return Ok(None);
    }
    let (opened, geo) = open(&input.path, predictor)?;
    let (width, height) = match &opened {
        Opened::Whole(photo) => (photo.raster.width, photo.raster.height),
        Opened::Rows(rows) => (rows.width(), rows.height()),
    };
    let name = input.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let icc = match &opened {
        Opened::Whole(photo) => rgb_profile(photo.icc.as_deref()),
        Opened::Rows(_) => rgb_profile(colour_profile(&input.path)?.as_deref()),
    };
    let scene = geo.as_ref().and_then(|_| predictor.scene_tiles(width, height));
    if let Some(grid) = scene {
        shared.scene(input, Size { height, width }, grid);
    }
    let tiles = match scene {
        Some(grid) => Some(grid),
        None => predictor.tiles(width, height)?,
    };
    let task = Task { input, info: ImageInfo { width, height, name, geo, icc }, files };
    Ok(Some(match (tiles, opened) {
        (Some(tiles), opened) => Job::Tiles(task, opened, tiles),
        (None, Opened::Whole(photo)) => {
            let prepared = predictor.prepare(&photo.raster)?;
            Job::Whole(task, photo, prepared)
        }
        (None, Opened::Rows(_)) => {
            let problem =
                format!("{width} x {height} pixels exceed the memory limit; cut the image with --tile");
            return Err(PredictError::bad_file(&input.path, problem));
        }
    }))
}

/// Runs the networks on prepared images. When the batch is over, the images that wait are left.
pub(super) fn run_networks<'a>(
    shared: &Shared<'a>,
    jobs: &Receiver<Job<'a>>,
    predicted: &SyncSender<Done<'a>>,
) {
    while let Ok(job) = jobs.recv() {
        if shared.is_over() {
            continue;
        }
        let begin = Instant::now();
        match job {
            Job::Whole(task, photo, prepared) => {
                let result = shared.predictor.run(prepared);
                shared.add_network_time(begin.elapsed());
                match result {
                    // The encoders are gone only if they panicked, which ends the program.
                    Ok(prediction) => {
                        if predicted.send(Done(task, photo, prediction)).is_err() {
                            return;
                        }
                    }
                    Err(error) => shared.failed(task.input, error),
                }
            }
            // Rows are written as they come: the whole would not fit into memory.
            Job::Tiles(task, opened, tiles) => {
                let result = predict_tiles(shared, &task, opened, tiles);
                shared.add_network_time(begin.elapsed());
                shared.finished(task.input, result);
            }
        }
    }
}

fn predict_tiles(
    shared: &Shared<'_>,
    task: &Task<'_>,
    opened: Opened,
    tiles: TileGrid,
) -> Result<(), PredictError> {
    let (mut outputs, targets) = begin_outputs(shared, task)?;
    let wants = output::wants_of(&outputs);
    let mut each = |row: &ImageRow<'_>| outputs.iter_mut().try_for_each(|output| output.row(row));
    let predictor = shared.predictor;
    match opened {
        Opened::Rows(mut rows) => {
            predictor.predict_tiles(rows.as_mut(), tiles, wants, shared.stop, &mut each)?
        }
        Opened::Whole(photo) => {
            let rows = &mut PhotoRows::new(&photo);
            predictor.predict_tiles(rows, tiles, wants, shared.stop, &mut each)?;
        }
    }
    outputs.into_iter().try_for_each(output::Output::finish)?;
    commit(targets)?;
    place(task)
}

/// Writes a world file beside each picture of a georeferenced image, for PNG has no tags that place it.
fn place(task: &Task<'_>) -> Result<(), PredictError> {
    let Some(geo) = &task.info.geo else { return Ok(()) };
    let is_png = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "png");
    for path in task.files.iter().map(|(_, path)| path).filter(is_png) {
        write_atomic(path.with_extension("pgw"), geo.world_file().as_bytes())?;
    }
    Ok(())
}

/// Makes and writes the outputs of predicted images until the networks have ended.
pub(super) fn encode<'a>(shared: &Shared<'a>, done: &Mutex<Receiver<Done<'a>>>) {
    loop {
        // The lock is held while waiting and released with the image.
        let next = lock(done).recv();
        let Ok(Done(task, photo, prediction)) = next else { return };
        let result = begin_outputs(shared, &task).and_then(|(outputs, targets)| {
            output::write_all(&photo, &prediction, outputs)?;
            commit(targets)?;
            place(&task)
        });
        shared.finished(task.input, result);
    }
}
