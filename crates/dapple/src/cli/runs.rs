//! `dapple runs`: the runs below a folder, and the differences between two.

use std::cmp::Ordering;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use dapple::metrics::{Bootstrap, ScoreDifference, compare_scores};
use dapple::run::listing::{ListedRun, runs_below};
use dapple::run::page::{Difference, RunData, differences};
use dapple::run::{duration, note_on};
use dapple_base::clock::utc;
use serde::Serialize;

use super::common::json::print_json;
use super::common::scores::print_differences;
use super::failure::Failure;

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
    /// Show the differences between two runs: settings, scores, commands
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

pub fn run(arguments: &Runs) -> Result<(), Failure> {
    if let Some(RunsCommand::Diff(diff)) = &arguments.command {
        return compare(diff);
    }
    if !arguments.dir.is_dir() {
        return Err(Failure::input(format!("{}: there is no such folder", arguments.dir.display())));
    }
    let mut rows = runs_below(&arguments.dir);
    rows.sort_by(|a, b| order(arguments.sort, a, b).then_with(|| a.run.cmp(&b.run)));
    if arguments.json {
        print_json(&rows)?;
    } else if rows.is_empty() {
        say!("no runs in {}", arguments.dir.display());
    } else {
        print(&rows);
    }
    Ok(())
}

fn order(order: Order, a: &ListedRun, b: &ListedRun) -> Ordering {
    // Runs without the value come last.
    let highest = |value: fn(&ListedRun) -> Option<f64>| {
        let key = |row: &ListedRun| value(row).unwrap_or(f64::NEG_INFINITY);
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

fn print(rows: &[ListedRun]) {
    let width = |name: &str, text: fn(&ListedRun) -> &str| {
        rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0).max(name.len())
    };
    let (run, network, data) =
        (width("run", |row| &row.run), width("network", |row| &row.network), width("data", |row| &row.data));
    let score = |score: Option<f64>| score.map_or("-".into(), |score| format!("{score:.4}"));
    say!(
        "{:run$}  {:network$}  {:data$}  {:11}  {:>6}  {:>6}  {:>6}  {:>6}  {:9}  {:>12}  started (UTC)",
        "run",
        "network",
        "data",
        "state",
        "epochs",
        "mIoU",
        "B.mIoU",
        "fg IoU",
        "weights",
        "time"
    );
    for row in rows {
        say!(
            "{:run$}  {:network$}  {:data$}  {:11}  {:>6}  {:>6}  {:>6}  {:>6}  {:9}  {:>12}  {}",
            row.run,
            row.network,
            row.data,
            row.state,
            row.epochs,
            score(row.miou),
            score(row.boundary_miou),
            score(row.foreground_iou),
            row.weights.map_or("", note_on).trim(),
            duration(row.seconds),
            row.started.map(utc).unwrap_or_default()
        );
    }
}

/// The differences between two runs.
#[derive(Serialize)]
struct Comparison {
    settings: Vec<Difference>,
    /// The command lines of the runs.
    commands: [Vec<String>; 2],
    /// Scores with paired intervals; empty if the images or classes differ.
    scores: Vec<ScoreDifference>,
    /// The reason for their absence.
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
        return print_json(&comparison);
    }
    print_comparison(&comparison, images);
    Ok(())
}

fn print_comparison(comparison: &Comparison, images: usize) {
    let name = |key: &String| key.chars().count();
    let width = comparison.settings.iter().map(|difference| name(&difference.key)).max().unwrap_or(0);
    match comparison.settings.is_empty() {
        true => say!("all settings are the same"),
        false => say!("settings, first and second"),
    }
    for Difference { key, first, second } in &comparison.settings {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        say!("  {key:width$}  {}  |  {}", value(first), value(second));
    }
    if comparison.commands.iter().any(|command| !command.is_empty()) {
        say!("\ncommands");
        for command in &comparison.commands {
            say!("  {}", if command.is_empty() { "-".into() } else { command.join(" ") });
        }
    }
    say!();
    match &comparison.not_compared {
        Some(why) => say!("scores cannot be compared image by image: {why}"),
        None => print_differences(&comparison.scores, images),
    }
}
