//! Many images: decoding, networks and encoding side by side.
//!
//! Some threads decode images and make them ready, one runs the networks, some make outputs and write them; bounded
//! queues lie between, so that memory does not grow with the number of images. Files appear under their names when they
//! are complete, so that a batch that was cut off goes on where it stopped when it is started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dapple_base::StopFlag;
use dapple_base::{InputFault, WriteError, write_atomic};
use dapple_data::Raster;
use dapple_report::Palette;

use crate::inputs::{Input, doubles};
use crate::output::{self, ImageInfo, Kind, OutputSettings, Part, Target};
use crate::predictor::Prepared;
use crate::source::{Opened, RasterRows, open};
use crate::{PredictError, Prediction, Predictor, UNDECIDED};

/// What to make of each image, and where.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What to write.
    pub kinds: Vec<Kind>,
    /// How.
    pub output: OutputSettings,
    /// The folder that results go to; it is made.
    pub out: PathBuf,
    /// Make results anew that are there.
    pub force: bool,
    /// Threads that decode, and as many that encode.
    pub workers: usize,
}

/// What happened to one image.
#[derive(Debug)]
pub enum Event<'a> {
    /// Its results are written.
    Predicted(&'a Input),
    /// Its results were there and are kept.
    Kept(&'a Input),
    /// It could not be predicted.
    Bad(&'a Input, &'a PredictError),
}

/// How a batch went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Images whose results were written.
    pub predicted: usize,
    /// Images whose results were there.
    pub kept: usize,
    /// Images that could not be predicted.
    pub bad: usize,
    /// Images that were left when it was stopped.
    pub left: usize,
    /// From the first image's decoding to the last file.
    pub elapsed: Duration,
    /// How long networks ran.
    pub network: Duration,
}

/// An image on its way.
struct Task<'a> {
    input: &'a Input,
    info: ImageInfo,
    files: Vec<(Part, PathBuf)>,
}

/// An image that waits for the networks.
enum Job<'a> {
    Whole(Task<'a>, Raster, Prepared),
    Tiles(Task<'a>, Opened, (usize, usize)),
}

/// An image that the networks have done.
struct Done<'a>(Task<'a>, Raster, Prediction);

/// What the threads share.
struct Shared<'a> {
    predictor: &'a Predictor,
    batch: &'a Batch,
    classes: Arc<Palette>,
    inputs: &'a [Input],
    doubles: Vec<bool>,
    next: AtomicUsize,
    stop: &'a StopFlag,
    summary: Mutex<Summary>,
    /// The first error that is not about one image.
    fatal: Mutex<Option<PredictError>>,
    on_event: &'a (dyn Fn(Event<'_>) + Sync),
}

/// Predicts images and writes what is wanted of them. A bad image is told to `on_event` and the others go on; `stop` ends
/// the batch after the image that the networks see; one that is cut into tiles is given up.
///
/// # Errors
/// What is not about one image: the engine, a folder that cannot be written to.
pub fn run(
    predictor: &Predictor,
    inputs: &[Input],
    batch: &Batch,
    stop: &StopFlag,
    on_event: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Summary, PredictError> {
    let begin = Instant::now();
    let classes = Arc::new(classes_of(predictor)?);
    make_folder(&batch.out)?;
    let shared = Shared {
        predictor,
        batch,
        classes,
        inputs,
        doubles: doubles(inputs),
        next: AtomicUsize::new(0),
        stop,
        summary: Mutex::default(),
        fatal: Mutex::default(),
        on_event,
    };
    let workers = batch.workers.max(1);
    thread::scope(|scope| {
        let (ready, jobs) = sync_channel(workers);
        let (predicted, done) = sync_channel(workers);
        let done = Arc::new(Mutex::new(done));
        for _ in 0..workers {
            let (ready, shared) = (ready.clone(), &shared);
            scope.spawn(move || decode(shared, &ready));
            let done = Arc::clone(&done);
            scope.spawn(move || encode(shared, &done));
        }
        // The queues end when their last senders are gone.
        drop((ready, done));
        run_networks(&shared, &jobs, &predicted);
    });
    if let Some(error) = into_inner(shared.fatal) {
        return Err(error);
    }
    let mut summary = into_inner(shared.summary);
    summary.left = inputs.len() - summary.predicted - summary.kept - summary.bad;
    if summary.left == 0 {
        merge(inputs, batch)?;
    }
    summary.elapsed = begin.elapsed();
    Ok(summary)
}

/// The classes as outputs paint them: pixels may be undecided where more than two classes have a threshold.
///
/// # Errors
/// [`PredictError::Model`] for a model with more than 256 classes.
pub fn classes_of(predictor: &Predictor) -> Result<Palette, PredictError> {
    let classes = predictor.classes().clone();
    let undecided = classes.len() > 2 && predictor.settings().threshold.is_some();
    Ok(Palette::new(classes, undecided.then_some(UNDECIDED))?)
}

impl Shared<'_> {
    /// Counts an image that could not be predicted; anything that is not its own fault ends the batch.
    fn failed(&self, input: &Input, error: PredictError) {
        if matches!(error, PredictError::Stopped) {
            // It is one of those that are left.
        } else if error.is_input_fault() {
            (self.on_event)(Event::Bad(input, &error));
            lock(&self.summary).bad += 1;
        } else {
            lock(&self.fatal).get_or_insert(error);
        }
    }

    fn finished(&self, input: &Input, result: Result<(), PredictError>) {
        match result {
            Ok(()) => {
                (self.on_event)(Event::Predicted(input));
                lock(&self.summary).predicted += 1;
            }
            Err(error) => self.failed(input, error),
        }
    }

    fn is_over(&self) -> bool {
        self.stop.is_raised() || lock(&self.fatal).is_some()
    }
}

fn decode<'a>(shared: &Shared<'a>, ready: &SyncSender<Job<'a>>) {
    while !shared.is_over() {
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some(input) = shared.inputs.get(index) else { return };
        match job(shared, index) {
            Ok(Some(job)) => {
                // The networks' thread is gone only if it panicked, which ends the program.
                if ready.send(job).is_err() {
                    return;
                }
            }
            Ok(None) => {
                (shared.on_event)(Event::Kept(input));
                lock(&shared.summary).kept += 1;
            }
            Err(error) => shared.failed(input, error),
        }
    }
}

/// Opens an image; `None` where its results are there.
fn job<'a>(shared: &Shared<'a>, index: usize) -> Result<Option<Job<'a>>, PredictError> {
    let (input, batch, predictor) = (&shared.inputs[index], shared.batch, shared.predictor);
    if shared.doubles[index] {
        let problem =
            "an image of the same name was predicted before; give them different folders with --out";
        return Err(PredictError::bad_file(&input.path, problem));
    }
    let names = &predictor.classes().names;
    let parts = batch.kinds.iter().flat_map(|kind| kind.parts(names, &batch.output));
    let files: Vec<(Part, PathBuf)> =
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
                format!("{width} x {height} pixels do not fit into the memory allowed; cut it with --tile");
            return Err(PredictError::bad_file(&input.path, problem));
        }
    }))
}

/// Ends when all images are decoded, or the batch is over: images that wait are then left.
fn run_networks<'a>(shared: &Shared<'a>, jobs: &Receiver<Job<'a>>, predicted: &SyncSender<Done<'a>>) {
    while let Ok(job) = jobs.recv() {
        if shared.is_over() {
            continue;
        }
        let begin = Instant::now();
        match job {
            Job::Whole(task, raster, prepared) => {
                let result = shared.predictor.run(prepared);
                lock(&shared.summary).network += begin.elapsed();
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
            // Rows are written as they come: the whole would not fit anywhere.
            Job::Tiles(task, opened, tiles) => {
                let result = predict_tiles(shared, &task, opened, tiles);
                lock(&shared.summary).network += begin.elapsed();
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
    let mut each = |row: &crate::Row<'_>| outputs.iter_mut().try_for_each(|output| output.row(row));
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

fn encode<'a>(shared: &Shared<'a>, done: &Mutex<Receiver<Done<'a>>>) {
    loop {
        // The lock is held while waiting, and given on with the image.
        let next = lock(done).recv();
        let Ok(Done(task, raster, prediction)) = next else { return };
        let result = begin_outputs(shared, &task).and_then(|(outputs, targets)| {
            output::write_all(&raster, &prediction, outputs)?;
            commit(targets)
        });
        shared.finished(task.input, result);
    }
}

/// The outputs of an image, and the targets that they write to.
type Outputs = (Vec<Box<dyn output::Output>>, Vec<Target>);

fn begin_outputs(shared: &Shared<'_>, task: &Task<'_>) -> Result<Outputs, PredictError> {
    let (mut outputs, mut targets) = (Vec::new(), Vec::new());
    for (part, path) in &task.files {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let target = Target::file(path)?;
        let settings = &shared.batch.output;
        outputs.push(output::output(part, &task.info, &shared.classes, settings, target.clone())?);
        targets.push(target);
    }
    Ok((outputs, targets))
}

fn commit(targets: Vec<Target>) -> Result<(), PredictError> {
    targets.into_iter().try_for_each(|target| target.commit().map(drop))
}

/// Tables and annotations of all images of the batch in one file each.
fn merge(inputs: &[Input], batch: &Batch) -> Result<(), PredictError> {
    let texts = |suffix: &str| -> Vec<String> {
        inputs.iter().filter_map(|input| fs::read_to_string(input.output(&batch.out, suffix)).ok()).collect()
    };
    if batch.kinds.contains(&Kind::Areas) {
        let merged = output::merge_areas(texts("-areas.csv").iter().map(String::as_str));
        write_atomic(batch.out.join("areas.csv"), merged.as_bytes())?;
    }
    if batch.kinds.contains(&Kind::Coco) {
        let documents = texts("-coco.json");
        let merged = output::merge_coco(documents.iter().filter_map(|text| serde_json::from_str(text).ok()));
        write_atomic(batch.out.join("coco.json"), merged.to_string().as_bytes())?;
    }
    Ok(())
}

fn make_folder(folder: &Path) -> Result<(), PredictError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source).into())
}

/// Whether two paths lead to one file that exists.
fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// A panic of another thread leaves sums that are still right.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
