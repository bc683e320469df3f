//! The live page of a run that is being trained.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use dapple_base::read_regular;
use dapple_report::document::{Block, Cell, Document, Mark, Picture, Section, Source, Table};
use dapple_report::{Chart, Series};

use super::curves;
use super::data::RunData;
use super::parts::{section, shown};
use crate::epochs::{ClassRow, ClassValues};
use crate::log::{Activity, RunProgress};
use crate::text::{duration, note_on};

/// The largest log and the largest picture that are read, in bytes.
const LARGEST: u64 = 64 << 20;
/// Lines of the log that are shown, the latest.
const LINES: usize = 60;
/// Pictures that are shown.
const PICTURES: usize = 6;
/// The largest number of classes with a line each; more lines could not be distinguished.
const CLASS_LINES: usize = 8;

/// The folders of a run whose pictures a page may show.
pub fn picture_folders() -> [&'static str; 2] {
    ["current", "samples"]
}

/// The page of a run from its present files. `address` makes the URL of a picture from folder, file and a number that
/// changes with the file.
pub fn live(run: &RunData, address: &dyn Fn(&str, &str, u64) -> String) -> Document {
    let mut sections = vec![now(run)];
    let charts = curves::of_run(run);
    if !charts.is_empty() {
        sections.push(section("curves", "Curves", vec![Block::Charts(charts)]));
    }
    sections.extend(classes(run));
    sections.extend(panels(run, address));
    sections.extend(log(&run.path));
    Document { title: format!("{} on {}", run.network(), run.data()), lead: status(run), sections }
}

/// The progress in one line.
fn status(run: &RunData) -> String {
    let Some(progress) = &run.progress else {
        return format!("{} epochs done.", run.history.rows().len());
    };
    let RunProgress { epoch, epochs, done, of, .. } = *progress;
    match progress.state {
        Activity::Starting => "Starting.".into(),
        Activity::Learning => format!("Epoch {epoch} of {epochs}, batch {done} of {of}."),
        Activity::Scoring => format!("Epoch {epoch} of {epochs}, scoring image {done} of {of}."),
        Activity::Finished => format!("Finished after {} epochs.", run.history.rows().len()),
        Activity::Interrupted => "Interrupted; resume it with dapple train --resume.".into(),
        Activity::Failed => {
            format!("Failed: {}", progress.failure.as_deref().unwrap_or("for an unknown reason"))
        }
    }
}

fn now(run: &RunData) -> Section {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut fact =
        |name: &str, value: Option<String>| facts.extend(value.map(|value| (name.to_owned(), value)));
    let progress = run.progress.clone().unwrap_or_default();
    let running = matches!(progress.state, Activity::Learning | Activity::Scoring);
    let last = run.history.rows().last();
    let of_last = |column: &str| last.and_then(|row| row.get(column).copied());
    fact(
        "Epochs done",
        Some(format!("{} of {}", run.history.rows().len(), progress.epochs.max(run.history.rows().len()))),
    );
    fact("Loss of this epoch", progress.loss.filter(|_| running).map(|loss| format!("{loss:.4}")));
    fact("Loss of the last epoch", of_last("train_loss").map(|loss| format!("{loss:.4}")));
    let note = run.history.latest_standing().map_or("", |standing| note_on(standing.weights));
    fact("Validation mean IoU", run.history.latest("val_miou").map(|score| shown(Some(score)) + note));
    let (name, best) = run.selection_score();
    fact(&format!("Best {name}"), best.map(|score| shown(Some(score)) + run.note()));
    fact(
        "Images per second",
        progress.images_per_second.filter(|_| running).map(|rate| format!("{rate:.1}")),
    );
    fact("Time left", progress.seconds_left.filter(|_| running).map(duration));
    fact("Time so far", Some(duration(run.history.sum("seconds"))));
    section("now", "Now", vec![Block::Facts(facts)])
}

fn classes(run: &RunData) -> Option<Section> {
    let last = run.class_rows.last()?;
    let bar = |score: Option<f64>| match score {
        Some(value) => Cell::marked(shown(score), Mark::Bar(value)),
        None => shown(None).into(),
    };
    let rows = last
        .classes
        .iter()
        .map(|class| vec![class.name.clone().into(), bar(class.iou), bar(class.boundary_iou)]);
    let mut blocks = vec![Block::Table(Table {
        caption: format!("Validation scores of the classes in epoch {}", last.epoch),
        columns: ["Class", "IoU", "Boundary IoU"].map(String::from).to_vec(),
        rows: rows.collect(),
    })];
    if last.classes.len() <= CLASS_LINES {
        let line = |(label, class): (usize, &ClassValues)| {
            let value = |row: &ClassRow| row.classes.get(label).and_then(|class| class.iou);
            let points = run.class_rows.iter().map(|row| (row.epoch as f64, value(row)));
            Series::new(class.name.clone(), points)
        };
        let series = last.classes.iter().enumerate().map(line).collect();
        blocks.push(Block::Charts(vec![Chart::share_over_epochs("IoU of the classes", series)]));
    }
    Some(section("classes", "Classes", blocks))
}

/// The latest panels: those of the current epochs, or those of the best where there are none yet.
fn panels(run: &RunData, address: &dyn Fn(&str, &str, u64) -> String) -> Option<Section> {
    picture_folders().into_iter().find_map(|folder| {
        let mut files: Vec<(String, u64)> = fs::read_dir(run.path.join(folder))
            .ok()?
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let shown =
                    name.ends_with(".png") && !name.starts_with('.') && name != "best-median-worst.png";
                let time = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
                shown.then_some((name, time.as_millis() as u64))
            })
            .collect();
        files.sort();
        let picture = |(name, version): &(String, u64)| {
            let bytes = read_regular(&run.path.join(folder).join(name), LARGEST).ok()?;
            let title = name.trim_end_matches(".png").to_owned();
            let picture = Picture {
                source: Source::Link(address(folder, name, *version)),
                size: dapple_data::image_size_bytes(&bytes, name).ok()?,
                alt: format!("Image, truth, prediction and overlay of {title}"),
                caption: String::new(),
            };
            Some(Block::Pictures(title, vec![picture]))
        };
        let blocks: Vec<Block> = files.iter().take(PICTURES).filter_map(picture).collect();
        (!blocks.is_empty()).then(|| section("panels", "Validation images", blocks))
    })
}

fn log(path: &Path) -> Option<Section> {
    let text = read_regular(&path.join("log.txt"), LARGEST).ok()?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let latest = lines[lines.len().saturating_sub(LINES)..].join("\n");
    Some(section("log", "Log", vec![Block::Code("The latest lines of the log".into(), latest)]))
}
