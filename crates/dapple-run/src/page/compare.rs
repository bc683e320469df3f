//! The report of several runs side by side.

use dapple_metrics::{Bootstrap, compare_scores};
use dapple_report::document::{Block, Cell, Document, Mark, Section, Table};

use super::data::RunData;
use super::differences::settings;
use super::parts::{score_name, section, shown};
use super::{curves, measured, sections};
use crate::text::duration;

/// The report of several runs.
pub(super) fn several(runs: &[RunData]) -> Document {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut sections = vec![overview(runs)];
    sections.extend(scores(runs));
    sections.extend(paired(runs));
    let charts = curves::of_runs(runs);
    if !charts.is_empty() {
        sections.push(section("curves", "Curves on the validation set", vec![Block::Charts(charts)]));
    }
    sections.extend(classes(runs));
    sections.push(configurations(runs));
    for (number, run) in (1..).zip(runs) {
        let own = [
            measured::confusion(run),
            measured::calibration(run),
            measured::precision_recall(run),
            measured::images(run),
            sections::effort(run),
            sections::repeat(run),
        ];
        let mut blocks = vec![Block::Text(sections::lead(run))];
        blocks.extend(run.not_examined.as_ref().map(|why| Block::Notice(why.clone())));
        for part in own.into_iter().flatten() {
            blocks.push(Block::Folded(part.title, part.blocks));
        }
        sections.push(section(&format!("run-{number}"), &run.name, blocks));
    }
    Document {
        title: format!("{} runs", runs.len()),
        lead: format!(
            "{}. Scores are those of each run's best model on its validation set.",
            names.join(", ")
        ),
        sections,
    }
}

fn overview(runs: &[RunData]) -> Section {
    let row = |run: &RunData| {
        let (name, score) = run.selection_score();
        vec![
            Cell::from(run.name.clone()),
            run.network().into(),
            run.data().into(),
            format!("{}{} ({name})", shown(score), run.note()).into(),
            run.history.rows().len().to_string().into(),
            duration(run.history.sum("seconds")).into(),
        ]
    };
    let columns = ["Run", "Network", "Data", "Score", "Epochs", "Time"];
    let table = Table {
        caption: "The runs".into(),
        columns: columns.map(String::from).to_vec(),
        rows: runs.iter().map(row).collect(),
    };
    section("runs", "Runs", vec![Block::Table(table)])
}

/// Values in columns by run, the largest of each row in bold.
fn side_by_side(caption: &str, runs: &[&RunData], rows: Vec<(String, Vec<Option<f64>>)>) -> Table {
    let row = |(name, values): (String, Vec<Option<f64>>)| {
        let highest = values.iter().flatten().copied().reduce(f64::max);
        let cell = |value: Option<f64>| match value {
            Some(_) if value == highest => Cell::marked(shown(value), Mark::Strong),
            _ => shown(value).into(),
        };
        [Cell::from(name)].into_iter().chain(values.into_iter().map(cell)).collect()
    };
    Table {
        caption: caption.into(),
        columns: [String::new()].into_iter().chain(runs.iter().map(|run| run.name.clone())).collect(),
        rows: rows.into_iter().map(row).collect(),
    }
}

fn scores(runs: &[RunData]) -> Option<Section> {
    let scored: Vec<&RunData> = runs.iter().filter(|run| run.scores.is_some()).collect();
    let all: Vec<_> = scored.iter().map(|run| run.intervals()).collect();
    let longest = all.iter().max_by_key(|intervals| intervals.len())?;
    let value = |intervals: &[dapple_metrics::ScoreInterval], score: &str| {
        intervals.iter().find(|entry| entry.score == score)?.interval.map(|interval| interval.value)
    };
    let rows = longest.iter().map(|entry| {
        (score_name(&entry.score), all.iter().map(|intervals| value(intervals, &entry.score)).collect())
    });
    let table = side_by_side("Scores side by side, the highest in bold", &scored, rows.collect());
    Some(section("scores", "Scores", vec![Block::Table(table)]))
}

/// Each further run against the first, on the same images.
fn paired(runs: &[RunData]) -> Option<Section> {
    let (first, others) = runs.split_first()?;
    let bootstrap = Bootstrap::default();
    let mut blocks = vec![Block::Text(format!(
        "Difference of each score from that of {}, with its {} % interval from {} resamples of the same images for both \
         (paired bootstrap). Bold where the interval excludes 0.",
        first.name,
        bootstrap.confidence * 100.0,
        bootstrap.resamples
    ))];
    for run in others {
        let (Some(a), Some(b)) = (&first.scores, &run.scores) else {
            blocks.push(Block::Notice(format!("{} or {} has no scores.", first.name, run.name)));
            continue;
        };
        match compare_scores(a, b, &bootstrap) {
            Err(error) => blocks.push(Block::Notice(format!(
                "{} cannot be compared image by image with {}: {error}",
                run.name, first.name
            ))),
            Ok(differences) => blocks.push(Block::Table(Table {
                caption: format!("{} minus {}", run.name, first.name),
                columns: ["Score", &first.name, &run.name, "Difference", "95 % interval"]
                    .map(String::from)
                    .to_vec(),
                rows: differences.iter().map(difference_row).collect(),
            })),
        }
    }
    Some(section("differences", "Paired differences", blocks))
}

fn difference_row(entry: &dapple_metrics::ScoreDifference) -> Vec<Cell> {
    let (difference, range) = match entry.difference {
        None => (Cell::from("–"), Cell::from("–")),
        Some(interval) => {
            let clear = interval.low > 0.0 || interval.high < 0.0;
            let text = format!("{:+.4}", interval.value);
            let mark = if clear { Mark::Strong } else { Mark::Plain };
            (Cell::marked(text, mark), format!("{:+.4} to {:+.4}", interval.low, interval.high).into())
        }
    };
    vec![
        score_name(&entry.score).into(),
        shown(entry.first).into(),
        shown(entry.second).into(),
        difference,
        range,
    ]
}

fn classes(runs: &[RunData]) -> Option<Section> {
    let scored: Vec<&RunData> = runs.iter().filter(|run| run.scores.is_some()).collect();
    let names: Vec<Vec<&str>> = scored
        .iter()
        .filter_map(|run| run.scores.as_ref())
        .map(|scores| scores.classes.iter().map(|class| class.name.as_str()).collect())
        .collect();
    let first = names.first()?;
    if names.iter().any(|other| other != first) {
        let text = "The runs have different classes, which cannot be compared.";
        return Some(section("classes", "Classes", vec![Block::Notice(text.into())]));
    }
    let table = |caption: &str, score: fn(&dapple_metrics::ClassScores) -> Option<f64>| {
        let values = |label: usize| {
            let value = |run: &&RunData| score(&run.scores.as_ref()?.classes[label]);
            scored.iter().map(value).collect()
        };
        let rows = first.iter().enumerate().map(|(label, name)| ((*name).to_owned(), values(label)));
        Block::Table(side_by_side(caption, &scored, rows.collect()))
    };
    let blocks = vec![
        table("IoU of the classes", |class| class.iou),
        table("Boundary IoU of the classes", |class| class.boundary_iou),
    ];
    Some(section("classes", "Classes", blocks))
}

fn configurations(runs: &[RunData]) -> Section {
    let all: Vec<Vec<(String, String)>> = runs.iter().map(|run| settings(&run.config)).collect();
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in all.iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let values = |key: &String| -> Vec<Option<&String>> {
        let of = |all: &Vec<(String, String)>| all.iter().position(|(name, _)| name == key);
        all.iter().map(|all| of(all).map(|at| &all[at].1)).collect()
    };
    let rows: Vec<Vec<Cell>> = keys
        .into_iter()
        .map(|key| (key, values(key)))
        .filter(|(_, values)| values.iter().any(|value| *value != values[0]))
        .map(|(key, values)| {
            let cell = |value: Option<&String>| Cell::from(value.map_or("–", String::as_str));
            [Cell::from(key.clone())].into_iter().chain(values.into_iter().map(cell)).collect()
        })
        .collect();
    let block = if rows.is_empty() {
        Block::Text("All settings are the same.".into())
    } else {
        let columns = ["Setting".to_owned()].into_iter().chain(runs.iter().map(|run| run.name.clone()));
        Block::Table(Table { caption: "Settings that differ".into(), columns: columns.collect(), rows })
    };
    section("settings", "Settings", vec![block])
}
