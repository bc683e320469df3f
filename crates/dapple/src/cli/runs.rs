//! `dapple runs`: the runs below a folder, and what differs between two.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use dapple::metrics::{Bootstrap, ScoreDifference, compare_scores};
use dapple::run::page::{Difference, RunData, differences};
use dapple::run::{Activity, duration};
use dapple_base::clock::{now, utc};
use serde::Serialize;

use super::compare::print as print_scores;
use super::failure::Failure;
use super::output::write_json;

/// Folders are searched to this depth.
const DEPTH: usize = 6;

/// A run that says it is running but has written nothing for so many seconds is silent: killed, or very slow.
const SILENT: u64 = 600;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  dapple runs
  dapple runs experiments --sort iou
  dapple runs diff runs/unet runs/u2net")]
pub struct Runs {
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// Folder to search for runs
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Order: the newest, or the best score, first
    #[arg(long, value_name = "KEY", value_enum, default_value_t = Order::Date)]
    pub sort: Order,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Show what differs between two runs: settings, scores, commands
    Diff(Diff),
}

#[derive(Debug, Args)]
pub struct Diff {
    /// Folder of the first run
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// Folder of the second run
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Order {
    /// Newest first
    Date,
    /// By name
    Name,
    /// Highest mean IoU first
    Miou,
    /// Highest foreground IoU first; runs without one by their mean IoU
    Iou,
    /// Highest mean Boundary IoU first
    BoundaryMiou,
    /// Lowest validation loss first
    Loss,
    /// Shortest training first
    Time,
}

/// A run in the list.
#[derive(Serialize)]
struct Row {
    run: String,
    network: String,
    data: String,
    state: &'static str,
    epochs: usize,
    best_epoch: Option<f64>,
    miou: Option<f64>,
    boundary_miou: Option<f64>,
    foreground_iou: Option<f64>,
    val_loss: Option<f64>,
    seconds: f64,
    /// Seconds since 1970.
    started: Option<u64>,
}

pub fn run(arguments: &Runs) -> Result<(), Failure> {
    if let Some(RunsCommand::Diff(diff)) = &arguments.command {
        return compare(diff);
    }
    if !arguments.dir.is_dir() {
        return Err(Failure::input(format!("{}: there is no such folder", arguments.dir.display())));
    }
    let mut folders = Vec::new();
    find(&arguments.dir, DEPTH, &mut folders);
    // A folder that went away meanwhile is not listed.
    let mut rows: Vec<Row> =
        folders.iter().filter_map(|folder| RunData::read(folder).ok()).map(row).collect();
    rows.sort_by(|a, b| order(arguments.sort, a, b).then_with(|| a.run.cmp(&b.run)));
    if arguments.json {
        write_json(&rows, Some(Path::new("-")))?;
    } else if rows.is_empty() {
        println!("no runs in {}", arguments.dir.display());
    } else {
        print(&rows);
    }
    Ok(())
}

/// Collects the folders that hold a run; below one, none is looked for.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if folder.join("config.toml").is_file() && folder.join("split.json").is_file() {
        found.push(folder.to_owned());
        return;
    }
    // Folders that may not be read hold no runs of ours.
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut below: Vec<PathBuf> = entries
        .flatten()
        // Links are not followed, so that there are no circles.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .collect();
    below.sort();
    if depth > 0 {
        below.iter().for_each(|folder| find(folder, depth - 1, found));
    }
}

fn row(run: RunData) -> Row {
    let best = |column: &str| run.history.best().and_then(|row| row.get(column).copied());
    let loss = run.history.rows().iter().filter_map(|row| row.get("val_loss").copied()).reduce(f64::min);
    let modified = || fs::metadata(run.path.join("split.json")).ok()?.modified().ok();
    let since =
        |time: std::time::SystemTime| Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs());
    let started = run.info.as_ref().and_then(|info| info.sessions.first()).map(|session| session.started);
    let silent = run.progress.as_ref().is_some_and(|progress| progress.updated + SILENT < now());
    let path = run.path.strip_prefix(".").unwrap_or(&run.path);
    Row {
        run: if path.as_os_str().is_empty() { ".".into() } else { path.display().to_string() },
        network: run.setting("network.name").unwrap_or_default(),
        data: run.data(),
        state: match run.progress.as_ref().map(|progress| progress.state) {
            None => "",
            Some(Activity::Finished) => "finished",
            Some(Activity::Interrupted) => "interrupted",
            Some(Activity::Failed) => "failed",
            Some(_) if silent => "silent",
            Some(Activity::Starting | Activity::Learning | Activity::Scoring) => "running",
        },
        epochs: run.history.rows().len(),
        best_epoch: best("epoch"),
        miou: best("val_miou"),
        boundary_miou: best("val_boundary_miou"),
        foreground_iou: best("val_foreground_iou"),
        val_loss: loss,
        seconds: run.history.sum("seconds"),
        started: started.or_else(|| modified().and_then(since)),
    }
}

fn order(order: Order, a: &Row, b: &Row) -> Ordering {
    // Runs without the value come last.
    let highest = |value: fn(&Row) -> Option<f64>| {
        let key = |row: &Row| value(row).unwrap_or(f64::NEG_INFINITY);
        key(b).total_cmp(&key(a))
    };
    match order {
        Order::Date => b.started.cmp(&a.started),
        Order::Name => Ordering::Equal,
        Order::Miou => highest(|row| row.miou),
        Order::Iou => highest(|row| row.foreground_iou.or(row.miou)),
        Order::BoundaryMiou => highest(|row| row.boundary_miou),
        Order::Loss => highest(|row| row.val_loss.map(|loss| -loss)),
        Order::Time => a.seconds.total_cmp(&b.seconds),
    }
}

fn print(rows: &[Row]) {
    let width = |name: &str, text: fn(&Row) -> &str| {
        rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0).max(name.len())
    };
    let (run, network, data) =
        (width("run", |row| &row.run), width("network", |row| &row.network), width("data", |row| &row.data));
    let score = |score: Option<f64>| score.map_or("-".into(), |score| format!("{score:.4}"));
    println!(
        "{:run$}  {:network$}  {:data$}  {:11}  {:>6}  {:>6}  {:>6}  {:>6}  {:>12}  started (UTC)",
        "run", "network", "data", "state", "epochs", "mIoU", "B.mIoU", "fg IoU", "time"
    );
    for row in rows {
        println!(
            "{:run$}  {:network$}  {:data$}  {:11}  {:>6}  {:>6}  {:>6}  {:>6}  {:>12}  {}",
            row.run,
            row.network,
            row.data,
            row.state,
            row.epochs,
            score(row.miou),
            score(row.boundary_miou),
            score(row.foreground_iou),
            duration(row.seconds),
            row.started.map(utc).unwrap_or_default()
        );
    }
}

/// What differs between two runs.
#[derive(Serialize)]
struct Comparison {
    settings: Vec<Difference>,
    /// The commands that made the runs.
    commands: [Vec<String>; 2],
    /// Scores with paired intervals; empty where the images or classes differ.
    scores: Vec<ScoreDifference>,
    /// Why there are none.
    not_compared: Option<String>,
}

fn compare(diff: &Diff) -> Result<(), Failure> {
    let (first, second) = (RunData::read(&diff.first)?, RunData::read(&diff.second)?);
    let scores = match (&first.scores, &second.scores) {
        (Some(a), Some(b)) => compare_scores(a, b, &Bootstrap::default()).map_err(|error| error.to_string()),
        _ => Err("one of them has no scores yet".into()),
    };
    let images = first.scores.as_ref().map_or(0, |scores| scores.images);
    let command = |run: &RunData| {
        let session = run.info.as_ref().and_then(|info| info.sessions.first());
        session.map(|session| session.command.clone()).unwrap_or_default()
    };
    let (scores, not_compared) = match scores {
        Ok(scores) => (scores, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let comparison = Comparison {
        settings: differences(&first.config, &second.config),
        commands: [command(&first), command(&second)],
        scores,
        not_compared,
    };
    if diff.json {
        write_json(&comparison, Some(Path::new("-")))?;
        return Ok(());
    }
    let name = |key: &String| key.chars().count();
    let width = comparison.settings.iter().map(|difference| name(&difference.key)).max().unwrap_or(0);
    match comparison.settings.is_empty() {
        true => println!("all settings are the same"),
        false => println!("settings, first and second"),
    }
    for Difference { key, first, second } in &comparison.settings {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        println!("  {key:width$}  {}  |  {}", value(first), value(second));
    }
    if comparison.commands.iter().any(|command| !command.is_empty()) {
        println!("\ncommands");
        for command in &comparison.commands {
            println!("  {}", if command.is_empty() { "-".into() } else { command.join(" ") });
        }
    }
    println!();
    match &comparison.not_compared {
        Some(why) => println!("scores cannot be compared image by image: {why}"),
        None => print_scores(&comparison.scores, images),
    }
    Ok(())
}
