//! The stages of a batch, each on threads of its own: decoding, networks, encoding.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use dapple_base::{Size, check_regular, contain};
use dapple_data::{DataError, colour_profile};

use super::shared::{Done, Job, Shared, Task, lock};
use super::writing::{begin_outputs, commit, places};
use crate::error::PredictError;
use crate::geo::GeoReference;
use crate::inputs::Input;
use crate::output::{self, ImageInfo, rgb_profile};
use crate::results::{Standing, foreign};
use crate::row::ImageRow;
use crate::scene::is_scene;
use crate::source::{Opened, PhotoRows, first_bytes, open};
use crate::tiles::TileGrid;

/// Opens and prepares images until none is left.
pub(super) fn decode<'a>(shared: &Shared<'a>, ready: &SyncSender<Job<'a>>) {
    while !shared.is_over() {
        let Some((index, input)) = shared.take_next() else { return };
        match contained(input, || job(shared, index)) {
            Ok(Some(job)) => {
                // The networks' stage ends after this one.
                if ready.send(job).is_err() {
                    return;
                }
            }
            Ok(None) => shared.kept(index),
            Err(error) => shared.failed(index, error),
        }
    }
}

/// Work on one image, whose panic is an error of that image.
fn contained<T>(input: &Input, work: impl FnOnce() -> Result<T, PredictError>) -> Result<T, PredictError> {
    contain(work).unwrap_or_else(|source| Err(PredictError::Crashed { path: input.path.clone(), source }))
}

/// Opens an image; `None` where its results exist.
fn job<'a>(shared: &Shared<'a>, index: usize) -> Result<Option<Job<'a>>, PredictError> {
    let (input, batch, predictor) = (&shared.inputs[index], shared.batch, shared.predictor);
    let files = shared.claims.files(index, shared.inputs, &batch.out)?;
    check_regular(&input.path).map_err(|source| DataError::Read { path: input.path.clone(), source })?;
    let geo = GeoReference::of_file(&input.path)?;
    let origin = shared.origin(input, geo.as_ref())?;
    let places = places(&files, geo.as_ref());
    places.iter().try_for_each(|(path, _)| shared.claims.check(input, path))?;
    if !batch.force {
        let (mut all_current, mut changed_place) = (true, None);
        let results = files.iter().map(|(_, path)| (path, false));
        for (path, is_place) in results.chain(places.iter().map(|(path, _)| (path, true))) {
            match shared.results.standing(path, &origin)? {
                // GIS programs write statistics into the files that place a picture.
                Standing::Foreign if is_place => changed_place = Some(path),
                Standing::Foreign => return Err(foreign(path)),
                Standing::Current => {}
                Standing::Absent | Standing::Outdated => all_current = false,
            }
        }
        match changed_place {
            _ if all_current => return Ok(None),
            Some(path) => return Err(foreign(path)),
            None => {}
        }
    }
    let opened = open(&input.path, predictor)?;
    let (size, has_gaps) = (opened.size(), opened.may_have_gaps());
    let Size { width, height } = size;
    let name = input.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let icc = match &opened {
        Opened::Whole(photo) => rgb_profile(photo.icc.as_deref()),
        Opened::Rows(_) => rgb_profile(colour_profile(&input.path)?.as_deref()),
    };
    let is_scene = is_scene(geo.is_some(), &first_bytes(&input.path)?);
    let tiles = predictor.tiles(size, is_scene)?;
    shared.tell_scale(input, (size, is_scene), tiles);
    let info = ImageInfo { width, height, name, geo, has_gaps, icc };
    let task = Task { index, input, origin, info, files, places };
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
                let result = contained(task.input, || shared.predictor.run(prepared));
                shared.add_network_time(begin.elapsed());
                match result {
                    // The encoders end after this stage.
                    Ok(prediction) => {
                        if predicted.send(Done(task, photo, prediction)).is_err() {
                            return;
                        }
                    }
                    Err(error) => shared.failed(task.index, error),
                }
            }
            // Rows are written as they come: the whole would not fit into memory.
            Job::Tiles(task, opened, tiles) => {
                let result = contained(task.input, || predict_tiles(shared, &task, opened, tiles));
                shared.add_network_time(begin.elapsed());
                shared.finished(task.index, result);
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
    commit(shared, task, targets)
}

/// Makes and writes the outputs of predicted images until the networks have ended.
pub(super) fn encode<'a>(shared: &Shared<'a>, done: &Mutex<Receiver<Done<'a>>>) {
    loop {
        // The lock is held while waiting and released with the image.
        let next = lock(done).recv();
        let Ok(Done(task, photo, prediction)) = next else { return };
        let result = contained(task.input, || {
            let (outputs, targets) = begin_outputs(shared, &task)?;
            output::write_all(&photo, &prediction, outputs)?;
            commit(shared, &task, targets)
        });
        shared.finished(task.index, result);
    }
}
