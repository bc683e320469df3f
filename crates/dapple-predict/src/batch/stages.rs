//! The stages of a batch, each on threads of its own: decoding, networks, encoding.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use super::shared::{Done, Job, Shared, Task, lock};
use super::writing::{begin_outputs, commit, same_file};
use crate::error::PredictError;
use crate::output::{self, ImageInfo, OutputFile};
use crate::row::ImageRow;
use crate::source::{Opened, RasterRows, open};

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
    let parts = batch.kinds.iter().flat_map(|kind| kind.files(names, &batch.output));
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
        Opened::Whole(raster) => (raster.width, raster.height),
        Opened::Rows(rows) => (rows.width(), rows.height()),
    };
    let name = input.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let task = Task { input, info: ImageInfo { width, height, name, geo }, files };
    Ok(Some(match (predictor.tiles(width, height)?, opened) {
        (Some(tiles), opened) => Job::Tiles(task, opened, tiles),
        (None, Opened::Whole(raster)) => {
            let prepared = predictor.prepare(&raster)?;
            Job::Whole(task, raster, prepared)
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
            Job::Whole(task, raster, prepared) => {
                let result = shared.predictor.run(prepared);
                shared.add_network_time(begin.elapsed());
                match result {
                    // The encoders are gone only if they panicked, which ends the program.
                    Ok(prediction) => {
                        if predicted.send(Done(task, raster, prediction)).is_err() {
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
    tiles: (usize, usize),
) -> Result<(), PredictError> {
    let (mut outputs, targets) = begin_outputs(shared, task)?;
    let wants = output::wants_of(&outputs);
    let mut each = |row: &ImageRow<'_>| outputs.iter_mut().try_for_each(|output| output.row(row));
    let predictor = shared.predictor;
    match opened {
        Opened::Rows(mut rows) => {
            predictor.predict_tiles(rows.as_mut(), tiles, wants, shared.stop, &mut each)?
        }
        Opened::Whole(raster) => {
            let rows = &mut RasterRows::new(&raster);
            predictor.predict_tiles(rows, tiles, wants, shared.stop, &mut each)?;
        }
    }
    outputs.into_iter().try_for_each(output::Output::finish)?;
    commit(targets)
}

/// Makes and writes the outputs of predicted images until the networks have ended.
pub(super) fn encode<'a>(shared: &Shared<'a>, done: &Mutex<Receiver<Done<'a>>>) {
    loop {
        // The lock is held while waiting and released with the image.
        let next = lock(done).recv();
        let Ok(Done(task, raster, prediction)) = next else { return };
        let result = begin_outputs(shared, &task).and_then(|(outputs, targets)| {
            output::write_all(&raster, &prediction, outputs)?;
            commit(targets)
        });
        shared.finished(task.input, result);
    }
}
