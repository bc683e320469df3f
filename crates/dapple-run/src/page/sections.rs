//! The sections of a run's report that its settings, tables and scores fill.

use dapple_base::clock::utc;
use dapple_metrics::Bootstrap;
use dapple_report::document::{Block, Cell, Mark, Section, Table};

use super::curves as charts;
use super::data::RunData;
use super::parts::{fact, score_name, section, shown};
use crate::examine::ClassSummary;
use crate::log::SessionInfo;
use crate::text::{duration, grouped};

/// The sentence below the title.
pub(super) fn lead(run: &RunData) -> String {
    let (name, score) = run.selection_score();
    let mut text = match (score, run.history.best().and_then(|row| row.get("epoch"))) {
        (Some(score), Some(epoch)) => {
            format!("Validation {name} {score:.4}{}, best in epoch {epoch}.", run.note())
        }
        _ => "There are no scores.".to_owned(),
    };
    if let Some(start) = run.info.as_ref().and_then(|info| info.sessions.first()) {
        text += &format!(" Trained on {} UTC.", utc(start.started));
    }
    text + &format!(" Folder {}.", run.path.display())
}

pub(super) fn summary(run: &RunData) -> Option<Section> {
    let (name, _) = run.selection_score();
    let path = if name == "foreground IoU" { "per_image.foreground_iou" } else { "dataset.miou" };
    let mut facts = Vec::new();
    if let Some(interval) = run.intervals().into_iter().find(|i| i.score == path).and_then(|i| i.interval) {
        let text = format!("{:.4} ({:.4} to {:.4})", interval.value, interval.low, interval.high);
        facts.push(fact(&score_name(path), text));
    }
    if let Some(scores) = &run.scores {
        facts.push(fact("Mean Boundary IoU", shown(scores.dataset.boundary_miou)));
        facts.push(fact("Pixel accuracy", shown(scores.dataset.pixel_accuracy)));
        facts.push(fact("Validation images", scores.images.to_string()));
    }
    if let Some(info) = &run.info {
        facts.push(fact("Training images", info.train_images.to_string()));
        facts.push(fact("Parameters", grouped(info.parameters as u64)));
        facts.push(fact("Input", format!("{} × {}", info.size.0, info.size.1)));
    }
    if run.int8_convolutions > 0 {
        let text = format!(
            "quantized since, {} convolutions in int8; the scores are those of the training",
            run.int8_convolutions
        );
        facts.push(fact("Best model", text));
    }
    facts.push(fact("Epochs", run.history.rows().len().to_string()));
    facts.push(fact("Time", duration(run.history.sum("seconds"))));
    let mut blocks = vec![Block::Facts(facts)];
    blocks.extend(run.not_examined.as_ref().map(|why| Block::Notice(why.clone())));
    Some(section("summary", "Summary", blocks))
}

pub(super) fn scores(run: &RunData) -> Option<Section> {
    let scores = run.scores.as_ref()?;
    let bootstrap = Bootstrap::default();
    let rows = run.intervals().into_iter().map(|entry| {
        let range = entry.interval.map_or_else(|| "–".into(), |i| format!("{:.4} to {:.4}", i.low, i.high));
        let value = shown(entry.interval.map(|interval| interval.value));
        vec![score_name(&entry.score).into(), Cell::marked(value, Mark::Strong), range.into()]
    });
    let percent = bootstrap.confidence * 100.0;
    let table = Table {
        caption: format!(
            "Scores of the best model{} on {} validation images, at the network's input size",
            run.note(),
            scores.images
        ),
        columns: vec!["Score".into(), "Value".into(), format!("{percent} % interval")],
        rows: rows.collect(),
    };
    let mut policies: Vec<(String, String)> =
        scores.policies.iter().map(|policy| (policy.name.clone(), policy.text.clone())).collect();
    policies.push((
        "intervals".into(),
        format!(
            "{percent} % percentile bootstrap from {} resamples of the images (seed {})",
            bootstrap.resamples, bootstrap.seed
        ),
    ));
    let mut blocks = vec![Block::Table(table)];
    blocks.push(Block::Heading("Treatment of special cases".into()));
    blocks.push(Block::Terms(policies));
    Some(section("scores", "Scores", blocks))
}

pub(super) fn curves(run: &RunData) -> Option<Section> {
    let charts = charts::of_run(run);
    if charts.is_empty() {
        return None;
    }
    let columns: Vec<&String> =
        run.history.columns().iter().filter(|column| run.history.has(column)).collect();
    let cell = |value: Option<&f64>| match value {
        None => Cell::from("–"),
        Some(value) if value.fract() == 0.0 => Cell::from(value.to_string()),
        Some(value) => Cell::from(format!("{value:.4}")),
    };
    let table = Table {
        caption: "Every epoch".into(),
        columns: columns.iter().map(|column| column.replace('_', " ")).collect(),
        rows: run
            .history
            .rows()
            .iter()
            .map(|row| columns.iter().map(|column| cell(row.get(*column))).collect())
            .collect(),
    };
    let blocks = vec![Block::Charts(charts), Block::Folded("Table".into(), vec![Block::Table(table)])];
    Some(section("curves", "Curves", blocks))
}

pub(super) fn classes(run: &RunData) -> Option<Section> {
    let scores = run.scores.as_ref()?;
    let labelled: u64 = scores.classes.iter().map(|class| class.labelled_pixels).sum();
    let colours = run.examination.as_ref().map(|examination| &examination.data.classes);
    let bar = |score: Option<f64>| match score {
        Some(value) => Cell::marked(shown(score), Mark::Bar(value)),
        None => shown(None).into(),
    };
    let row = |(label, class): (usize, &dapple_metrics::ClassScores)| {
        let colour = colours.and_then(|classes| classes.get(label)).map(|class| class.colour);
        let share = 100.0 * class.labelled_pixels as f64 / labelled.max(1) as f64;
        vec![
            Cell::marked(class.name.clone(), colour.map_or(Mark::Plain, Mark::Swatch)),
            bar(class.iou),
            bar(class.boundary_iou),
            shown(class.accuracy).into(),
            shown(class.precision).into(),
            shown(class.dice).into(),
            format!("{share:.2} %").into(),
        ]
    };
    let columns =
        ["Class", "IoU", "Boundary IoU", "Accuracy (recall)", "Precision", "Dice", "Share of pixels"];
    let table = Table {
        caption: "The classes, from pixel counts summed over the validation images".into(),
        columns: columns.map(String::from).to_vec(),
        rows: scores.classes.iter().enumerate().map(row).collect(),
    };
    Some(section("classes", "Classes", vec![Block::Table(table)]))
}

pub(super) fn data(run: &RunData) -> Option<Section> {
    let data = &run.examination.as_ref()?.data;
    let mut facts = vec![fact("Folder", data.folder.clone())];
    facts.extend(data.format.as_ref().map(|format| fact("Format", format.clone())));
    let used = || data.images.iter().filter(|(_, images)| *images > 0);
    facts.extend(used().map(|(part, images)| fact(&format!("Images: {}", part.name()), images.to_string())));
    let [(w, h), (width, height)] = data.sizes;
    let sizes = if (w, h) == (width, height) {
        format!("{w} × {h}")
    } else {
        format!("{w} × {h} to {width} × {height}")
    };
    facts.push(fact("Sizes", sizes));
    facts.push(fact("Ignored label", data.ignore.map_or("none".into(), |label| label.to_string())));
    let total = |part: usize| data.classes.iter().map(|class| class.pixels[part]).sum::<u64>().max(1) as f64;
    let parts: Vec<usize> = (0..data.images.len()).filter(|&part| data.images[part].1 > 0).collect();
    let row = |class: &ClassSummary| {
        let share = |&part: &usize| {
            let share = class.pixels[part] as f64 / total(part);
            Cell::marked(format!("{:.2} %", 100.0 * share), Mark::Bar(share))
        };
        let name = Cell::marked(class.name.clone(), Mark::Swatch(class.colour));
        [name].into_iter().chain(parts.iter().map(share)).collect()
    };
    let columns = parts.iter().map(|&part| format!("Share of pixels: {}", data.images[part].0.name()));
    let table = Table {
        caption: "Class frequencies, without ignored pixels".into(),
        columns: ["Class".to_owned()].into_iter().chain(columns).collect(),
        rows: data.classes.iter().map(row).collect(),
    };
    Some(section("data", "Data", vec![Block::Facts(facts), Block::Table(table)]))
}

pub(super) fn effort(run: &RunData) -> Option<Section> {
    let (seconds, epochs) = (run.history.sum("seconds"), run.history.rows().len());
    let mut facts = vec![fact("Time in epochs", duration(seconds))];
    if epochs > 0 {
        facts.push(fact("Per epoch", format!("{:.1} s", seconds / epochs as f64)));
    }
    if run.history.has("wait_seconds") && seconds > 0.0 {
        let share = 100.0 * run.history.sum("wait_seconds") / seconds;
        facts.push(fact("Waiting for images", format!("{share:.1} %")));
    }
    let mut blocks = Vec::new();
    if let Some(info) = &run.info {
        facts.push(fact("Engine", info.device.clone()));
        facts.push(fact("Program", info.program.clone()));
        let peak = info.sessions.iter().filter_map(|session| session.peak_memory).max();
        facts.extend(peak.map(|bytes| fact("Peak memory", format!("{:.0} MiB", bytes as f64 / 1048576.0))));
        let row = |session: &SessionInfo| {
            let ended = session.ended.map_or_else(|| "–".into(), utc);
            vec![utc(session.started).into(), ended.into(), session.epochs_done.to_string().into()]
        };
        if info.sessions.len() > 1 {
            blocks.push(Block::Table(Table {
                caption: "Sessions: interrupted and resumed; times in UTC".into(),
                columns: ["Started", "Ended", "Epochs done before"].map(String::from).to_vec(),
                rows: info.sessions.iter().map(row).collect(),
            }));
        }
    }
    blocks.insert(0, Block::Facts(facts));
    Some(section("effort", "Time and memory", blocks))
}

pub(super) fn configuration(run: &RunData) -> Option<Section> {
    let code = Block::Code("config.toml".into(), run.config.clone());
    let blocks = vec![
        Block::Text("All settings with explanations: the run's config.toml.".into()),
        Block::Folded("config.toml".into(), vec![code]),
    ];
    Some(section("configuration", "Configuration", blocks))
}

pub(super) fn repeat(run: &RunData) -> Option<Section> {
    let mut blocks = Vec::new();
    let sessions = run.info.iter().flat_map(|info| &info.sessions);
    let lines: Vec<String> = sessions.map(|session| shell(&session.command)).collect();
    if !lines.is_empty() {
        blocks.push(Block::Text("The run was started by".into()));
        blocks.push(Block::Code("The command that started the run".into(), lines.join("\n")));
    }
    blocks.push(Block::Text(
        "The settings alone reproduce the run, with identical numbers on the same data with the CPU engine:"
            .into(),
    ));
    let config = run.path.join("config.toml").display().to_string();
    let words = ["dapple", "train", "--config", &config, "--out", "NEW_FOLDER"].map(String::from);
    blocks.push(Block::Code("The command to reproduce it".into(), shell(&words)));
    Some(section("repeat", "Reproduction", blocks))
}

/// A command as a shell takes it.
pub(super) fn shell(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./=:,+@%".contains(c))
    };
    let quote = |word: &String| match plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}
