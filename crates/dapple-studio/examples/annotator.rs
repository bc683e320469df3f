//! A simulated annotator: it labels photographs whose masks are known, with strokes where the proposal is most wrong.
//!
//!     cargo run --release -p dapple-studio --example annotator -- DATA [--images 10] [--strokes 40] [--target 0.9]
//!         [--by learner|painting|COMMAND] [--encoder NAME --weights FILE] [--threads N]
//!
//! A stroke is a straight line of a round brush within the largest class that is wrong, from the deepest point of the error
//! outwards. The annotator leaves a photograph when its IoU has reached the target or its strokes are spent. `painting` proposes
//! nothing: what is not painted is class 0. A COMMAND is asked line by line, `FOLDER<tab>PHOTOGRAPH<tab>PNG`, to read the labels
//! in FOLDER (`images/`, `masks/` with 255 for no label), to write its labels of the photograph as a grey PNG, and to answer with
//! a line. Written are rows of CSV: photograph, its strokes, all strokes, seconds of computing, IoU.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use dapple_base::{DistanceTransform, Size};
use dapple_cpu::CpuEngine;
use dapple_data::{Dataset, OpenOptions, decode_values};
use dapple_graph::Engine;
use dapple_studio::learn::{
    EncoderMaps, EncoderWeights, FAST_STEPS, Gallery, Pool, fit, pixels_of_image, propose,
};
use dapple_studio::store::{ClassEdit, LabelStore, Patch, UNLABELLED, colour_text};

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Arguments {
    data: PathBuf,
    images: usize,
    strokes: usize,
    target: f64,
    by: String,
    encoder: Option<EncoderWeights>,
    threads: usize,
}

fn arguments() -> Outcome<Arguments> {
    let mut words = std::env::args().skip(1);
    let mut found = Arguments {
        data: words.next().ok_or("give the folder of images and masks")?.into(),
        images: 10,
        strokes: 40,
        target: 0.9,
        by: "learner".into(),
        encoder: None,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (mut encoder, mut weights) = (None, None);
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--images" => found.images = value.parse()?,
            "--strokes" => found.strokes = value.parse()?,
            "--target" => found.target = value.parse()?,
            "--by" => found.by = value,
            "--encoder" => encoder = Some(value),
            "--weights" => weights = Some(PathBuf::from(value)),
            "--threads" => found.threads = value.parse()?,
            _ => return Err(format!("there is no flag {flag}").into()),
        }
    }
    found.encoder = match (encoder, weights) {
        (Some(encoder), Some(file)) => Some(EncoderWeights { encoder, file }),
        (None, None) => None,
        _ => return Err("--encoder and --weights go together".into()),
    };
    Ok(found)
}

/// Who proposes.
enum Helper {
    Learner { gallery: Box<Gallery>, engine: Arc<dyn Engine>, threads: usize },
    Painting,
    External { child: Child, answers: BufReader<std::process::ChildStdout> },
}

impl Helper {
    fn new(arguments: &Arguments, store: &Arc<LabelStore>) -> Outcome<Self> {
        match arguments.by.as_str() {
            "painting" => Ok(Self::Painting),
            "learner" => {
                let engine: Arc<dyn Engine> = Arc::new(CpuEngine::new(Some(arguments.threads))?);
                let encoder = arguments.encoder.as_ref();
                let encoder =
                    encoder.map(|weights| EncoderMaps::load(engine.as_ref(), weights)).transpose()?;
                let gallery = Box::new(Gallery::new(Arc::clone(store), encoder));
                Ok(Self::Learner { gallery, engine, threads: arguments.threads })
            }
            command => {
                let mut child = Command::new("sh")
                    .args(["-c", command])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let answers = BufReader::new(child.stdout.take().ok_or("no output of the command")?);
                Ok(Self::External { child, answers })
            }
        }
    }

    /// Labels of a photograph; `None` where two classes are not painted yet.
    fn propose(
        &mut self,
        store: &LabelStore,
        id: &str,
        size: Size,
        classes: usize,
    ) -> Outcome<Option<Vec<u8>>> {
        match self {
            Self::Painting => Ok(Some(vec![0; size.height * size.width])),
            Self::Learner { gallery, engine, threads } => {
                let images = store.images();
                let labelled: Vec<&str> = images
                    .iter()
                    .filter(|image| image.labelled > 0.0)
                    .map(|image| image.id.as_str())
                    .collect();
                let most = pixels_of_image(labelled.len());
                let pixels =
                    labelled.iter().map(|id| gallery.pixels(id, most)).collect::<Result<Vec<_>, _>>()?;
                let pool = Pool::of(pixels.iter().map(|pixels| &**pixels), classes);
                if pool.present() < 2 {
                    return Ok(None);
                }
                let told = &mut |_: usize, _: f64| ControlFlow::Continue(());
                let head = fit(engine.as_ref(), &pool, FAST_STEPS, told)?.ok_or("the training was ended")?;
                let maps = gallery.maps(id)?;
                Ok(Some(propose(&maps, &head, *threads)?.labels_at(size)))
            }
            Self::External { child, answers } => {
                if painted_classes(store)?.iter().filter(|painted| **painted).count() < 2 {
                    return Ok(None);
                }
                let out = store.places().root.join("proposal.png");
                let input = child.stdin.as_mut().ok_or("no input of the command")?;
                writeln!(input, "{}\t{id}\t{}", store.places().root.display(), out.display())?;
                input.flush()?;
                let mut answer = String::new();
                if answers.read_line(&mut answer)? == 0 {
                    return Err("the command has ended".into());
                }
                let values = decode_values(&out)?;
                fs::remove_file(&out)?;
                Ok(Some(values.values.into_iter().map(|value| value as u8).collect()))
            }
        }
    }
}

/// The classes that have been painted anywhere.
fn painted_classes(store: &LabelStore) -> Outcome<[bool; 256]> {
    let mut seen = [false; 256];
    for image in store.images().iter().filter(|image| image.labelled > 0.0) {
        store.mask(&image.id)?.0.labels.iter().for_each(|&label| seen[usize::from(label)] = true);
    }
    seen[usize::from(UNLABELLED)] = false;
    Ok(seen)
}

/// A stroke: its upper left corner and its pixels.
struct Stroke {
    at: (usize, usize),
    patch: Patch,
}

/// A stroke where the most pixels of one class are wrong; `None` where nothing is. Classes that are `known` come after the others.
fn stroke(truth: &[u8], found: &[u8], size: Size, known: &[bool; 256]) -> Option<Stroke> {
    let Size { height, width } = size;
    let is_wrong = |place: usize| truth[place] != UNLABELLED && truth[place] != found[place];
    let mut counts = [0_usize; 256];
    (0..truth.len())
        .filter(|place| is_wrong(*place))
        .for_each(|place| counts[usize::from(truth[place])] += 1);
    let rank = |&(class, count): &(usize, &usize)| (*count > 0 && !known[class], *count);
    let (label, count) = counts.iter().enumerate().rev().max_by_key(rank)?;
    if *count == 0 {
        return None;
    }
    let label = label as u8;
    let right: Vec<bool> =
        (0..truth.len()).map(|place| !(is_wrong(place) && truth[place] == label)).collect();
    let depths = DistanceTransform::new(&right, height, width);
    let depth = |place: usize| depths.as_ref().map_or(height.min(width) as f64 / 2.0, |d| d.distance(place));
    let start = match &depths {
        Some(_) => (0..truth.len()).max_by(|a, b| depth(*a).total_cmp(&depth(*b)))?,
        None => height / 2 * width + width / 2,
    };
    let brush = (height.min(width) as f64 / 40.0).max(1.0);
    let radius = (0.6 * depth(start)).clamp(1.0, brush);
    let longest = (8.0 * brush) as isize;
    let (x0, y0) = ((start % width) as isize, (start / width) as isize);
    let reach = |dx: isize, dy: isize| {
        let inside = |step: &isize| {
            let (x, y) = (x0 + dx * step, y0 + dy * step);
            (0..width as isize).contains(&x)
                && (0..height as isize).contains(&y)
                && !right[y as usize * width + x as usize]
        };
        (0..longest).take_while(inside).count() as isize
    };
    let directions = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)];
    let (dx, dy) = directions.into_iter().max_by_key(|&(dx, dy)| reach(dx, dy))?;
    let spread = radius as isize;
    let mut painted = vec![false; truth.len()];
    for step in 0..reach(dx, dy).max(1) {
        let (cx, cy) = (x0 + dx * step, y0 + dy * step);
        for y in (cy - spread).max(0)..=(cy + spread).min(height as isize - 1) {
            for x in (cx - spread).max(0)..=(cx + spread).min(width as isize - 1) {
                let near = ((x - cx).pow(2) + (y - cy).pow(2)) as f64 <= radius * radius;
                let place = y as usize * width + x as usize;
                painted[place] |= near && truth[place] == label;
            }
        }
    }
    let columns = |place: &usize| place % width;
    let places: Vec<usize> = (0..painted.len()).filter(|place| painted[*place]).collect();
    let (left, right) = (places.iter().map(columns).min()?, places.iter().map(columns).max()?);
    let (top, bottom) = (places.first()? / width, places.last()? / width);
    let (w, h) = (right - left + 1, bottom - top + 1);
    let labels =
        (0..w * h).map(|cell| painted[(top + cell / w) * width + left + cell % w].then_some(label)).collect();
    Some(Stroke { at: (left, top), patch: Patch { width: w, height: h, labels } })
}

/// IoU of class 1 for two classes; otherwise the mean over the classes that the photograph has.
fn score(truth: &[u8], found: &[u8], classes: usize) -> f64 {
    let mut counts = vec![[0_u64; 2]; 256];
    for (&truth, &found) in truth.iter().zip(found).filter(|(truth, _)| **truth != UNLABELLED) {
        counts[usize::from(truth)][1] += 1;
        if truth == found {
            counts[usize::from(truth)][0] += 1;
        } else {
            counts[usize::from(found)][1] += 1;
        }
    }
    let first = usize::from(classes == 2);
    let has = |class: &usize| truth.contains(&(*class as u8));
    let scores: Vec<f64> = (first..classes)
        .filter(has)
        .map(|class| counts[class][0] as f64 / counts[class][1].max(1) as f64)
        .collect();
    if scores.is_empty() { 1.0 } else { scores.iter().sum::<f64>() / scores.len() as f64 }
}

/// The labels as they would be saved: those painted, and those proposed elsewhere.
fn together(painted: &[u8], proposed: Option<&[u8]>) -> Vec<u8> {
    match proposed {
        None => painted.to_vec(),
        Some(proposed) => painted
            .iter()
            .zip(proposed)
            .map(|(&painted, &proposed)| if painted == UNLABELLED { proposed } else { painted })
            .collect(),
    }
}

/// Copies the photographs into a folder of their own, which the studio can open.
fn copied(dataset: &Dataset, count: usize, folder: &Path) -> Outcome<Vec<String>> {
    fs::create_dir_all(folder.join("images"))?;
    let mut names = Vec::new();
    for index in 0..dataset.len().min(count) {
        let path = dataset.image_path(index).ok_or("a photograph without a file")?;
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("png");
        let name = format!("{index:05}.{extension}");
        fs::copy(path, folder.join("images").join(&name))?;
        names.push(name);
    }
    Ok(names)
}

fn main() -> Outcome<()> {
    let arguments = arguments()?;
    let dataset = Dataset::open(&arguments.data, &OpenOptions::default())?;
    let folder = tempfile::tempdir()?;
    let names = copied(&dataset, arguments.images, folder.path())?;
    let store = Arc::new(LabelStore::open(folder.path())?);
    let known = dataset.classes();
    let edits: Vec<ClassEdit> = known
        .names
        .iter()
        .zip(&known.colours)
        .enumerate()
        .map(|(id, (name, colour))| ClassEdit {
            // A new folder has two classes.
            id: (id < 2).then_some(id as u8),
            was: None,
            name: name.clone(),
            color: colour_text(*colour),
            merge_into: None,
        })
        .collect();
    store.change_classes(&edits)?;
    let mut helper = Helper::new(&arguments, &store)?;
    let (mut total, mut seconds) = (0, 0.0);
    println!("photograph,strokes,all_strokes,seconds,iou");
    for (index, name) in names.iter().enumerate() {
        let truth = dataset.labels(index)?.labels;
        let mut strokes = 0;
        loop {
            let image = store.image(name)?;
            let begun = Instant::now();
            let proposed = helper.propose(&store, name, image.size, known.len())?;
            seconds += begun.elapsed().as_secs_f64();
            let found = together(&store.mask(name)?.0.labels, proposed.as_deref());
            let iou = score(&truth, &found, known.len());
            println!("{index},{strokes},{total},{seconds:.3},{iou:.4}");
            if iou >= arguments.target || strokes >= arguments.strokes {
                break;
            }
            // Without a proposal, a class that has not been painted is what is missing.
            let painted = if proposed.is_none() { painted_classes(&store)? } else { [true; 256] };
            let Some(Stroke { at, patch }) = stroke(&truth, &found, image.size, &painted) else { break };
            store.draw(name, image.revision, at, &patch)?;
            (strokes, total) = (strokes + 1, total + 1);
        }
    }
    Ok(())
}
