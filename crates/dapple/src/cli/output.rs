//! How scores are shown and written: by `eval` and by `score`.

use std::path::Path;

use dapple::metrics::{Bootstrap, MetricsError, Policy, ScoreInterval, Scores, score_intervals};
use dapple_base::write_atomic;
use serde::Serialize;

use super::failure::Failure;
use super::score::extras::{ForegroundScores, Surface, SurfaceScores};

/// All that is known of some predictions. Its JSON is that of [`Scores`] with more keys.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Scores of label maps.
    #[serde(flatten)]
    pub scores: Scores,
    /// Confidence intervals of the means.
    pub intervals: Vec<ScoreInterval>,
    /// Scores of probability maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreground: Option<ForegroundScores>,
    /// Distances between contours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surface: Option<Vec<SurfaceScores>>,
}

impl Report {
    /// Of scores with those of each image, from which intervals are made.
    pub fn new(mut scores: Scores, bootstrap: &Bootstrap) -> Result<Self, MetricsError> {
        let intervals = score_intervals(&scores, bootstrap)?;
        scores.policies.push(Policy { name: "intervals".to_owned(), text: interval_policy(bootstrap) });
        Ok(Self { scores, intervals, foreground: None, surface: None })
    }

    /// Writes the JSON, if asked for. Says whether standard output is free for other things.
    pub fn write_json(&self, path: Option<&Path>) -> Result<bool, Failure> {
        write_json(self, path)
    }

    /// Writes a row for each image.
    pub fn write_csv(&self, path: &Path, surfaces: &[Vec<Surface>]) -> Result<(), Failure> {
        let csv = self.scores.images_csv().expect("reports are made of scores with their images");
        let mut out = String::with_capacity(csv.len());
        // A name with a line break is one record: its fields are quoted.
        for (number, record) in records(&csv).enumerate() {
            out += record;
            match number.checked_sub(1) {
                None => self.more_columns(&mut out, !surfaces.is_empty()),
                Some(image) => self.more_fields(&mut out, image, surfaces.get(image)),
            }
            out.push('\n');
        }
        Ok(write_atomic(path, out.as_bytes())?)
    }

    fn more_columns(&self, out: &mut String, with_surfaces: bool) {
        if self.foreground.is_some() {
            *out += ",mae,max_f,adaptive_f,s_measure,max_e,adaptive_e,weighted_f,relaxed_boundary_f";
        }
        for class in self.scores.classes.iter().filter(|_| with_surfaces) {
            for kind in ["hausdorff", "hausdorff_95", "average_surface_distance"] {
                let column = format!("{kind} {}", class.name);
                *out += &if column.contains([',', '"', '\n', '\r']) {
                    format!(",\"{}\"", column.replace('"', "\"\""))
                } else {
                    format!(",{column}")
                };
            }
        }
    }

    fn more_fields(&self, out: &mut String, image: usize, surfaces: Option<&Vec<Surface>>) {
        let mut field = |value: Option<f64>| {
            out.push(',');
            out.extend(value.map(|value| value.to_string()));
        };
        if let Some(image) = self.foreground.as_ref().and_then(|foreground| foreground.images.get(image)) {
            let scores = [
                image.mae,
                image.max_f,
                image.adaptive_f,
                image.s_measure,
                image.max_e,
                image.adaptive_e,
                image.weighted_f,
            ];
            scores.into_iter().map(Some).chain([image.relaxed_boundary_f]).for_each(&mut field);
        }
        for class in surfaces.into_iter().flatten() {
            (0..3).for_each(|which| field(class.map(|distances| distances[which])));
        }
    }
}

/// Writes JSON to a file or, for `-`, to standard output. Says whether standard output is free for other things.
pub fn write_json(value: &impl Serialize, path: Option<&Path>) -> Result<bool, Failure> {
    let Some(path) = path else { return Ok(true) };
    let json = serde_json::to_string_pretty(value).expect("scores are numbers and names") + "\n";
    if path == Path::new("-") {
        print!("{json}");
        return Ok(false);
    }
    write_atomic(path, json.as_bytes())?;
    Ok(true)
}

/// The intervals' own policy.
pub fn interval_policy(Bootstrap { resamples, confidence, seed }: &Bootstrap) -> String {
    format!(
        "{} % of {resamples} means over images drawn with replacement (percentile bootstrap, seed {seed})",
        confidence * 100.0
    )
}

/// The records of comma-separated values without their line breaks.
fn records(csv: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    csv.split_terminator(move |c| {
        quoted ^= c == '"';
        c == '\n' && !quoted
    })
}

/// Prints the scores of each class, and their means over the classes.
pub fn print_classes(scores: &Scores) {
    let width = scores.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(14);
    let row = |name: &str, columns: [Option<f64>; 4]| {
        let columns: String = columns.map(|score| format!(" {:>13}", shown(score))).concat();
        println!("{name:width$}{columns}");
    };
    println!("{:width$} {:>13} {:>13} {:>13} {:>13}", "class", "IoU", "Boundary IoU", "accuracy", "Dice");
    for class in &scores.classes {
        row(&class.name, [class.iou, class.boundary_iou, class.accuracy, class.dice]);
    }
    let all = &scores.dataset;
    row("mean", [all.miou, all.boundary_miou, all.mean_accuracy, all.dice]);
}

/// Prints everything but the policies.
pub fn print_report(report: &Report) {
    print_classes(&report.scores);
    println!("\n{:34} {:>9}   95 % interval, over {} images", "mean", "score", report.scores.images);
    for ScoreInterval { score, interval } in &report.intervals {
        match interval {
            Some(interval) => {
                println!("{score:34} {:>9.6}   {:.6} to {:.6}", interval.value, interval.low, interval.high);
            }
            None => println!("{score:34} {:>9}", "-"),
        }
    }
    if let Some(foreground) = &report.foreground {
        println!("\nprobability of the foreground");
        let salient = &foreground.salient;
        for (name, score) in [
            ("MAE", salient.mae),
            ("max F of mean precision and recall", salient.max_f_of_mean_precision_recall),
            ("max of mean F", salient.max_f_of_mean_f),
            ("mean F", salient.mean_f),
            ("adaptive F", salient.adaptive_f),
            ("S-measure", salient.s_measure),
            ("max E", salient.max_e),
            ("mean E", salient.mean_e),
            ("adaptive E", salient.adaptive_e),
            ("weighted F", salient.weighted_f),
            ("relaxed boundary F", salient.relaxed_boundary_f),
            ("average precision", foreground.average_precision),
            ("expected calibration error", foreground.expected_calibration_error),
            ("maximum calibration error", foreground.maximum_calibration_error),
        ] {
            println!("{name:34} {:>9}", shown(score));
        }
    }
    for (number, class) in report.surface.iter().flatten().enumerate() {
        if number == 0 {
            println!(
                "\n{:34} {:>9} {:>12} {:>9}   images",
                "contours, pixels", "Hausdorff", "95 %", "average"
            );
        }
        let [hausdorff, hausdorff_95, average] = [class.hausdorff, class.hausdorff_95, class.average]
            .map(|score| score.map_or("-".into(), |d| format!("{d:.3}")));
        println!("{:34} {hausdorff:>9} {hausdorff_95:>12} {average:>9}   {}", class.name, class.images);
    }
}

/// Prints what was done with absent classes, empty masks and so on.
pub fn print_policies(report: &Report) {
    println!("\npolicies");
    let salient = report.foreground.iter().flat_map(|foreground| &foreground.salient.policies);
    for Policy { name, text } in report.scores.policies.iter().chain(salient) {
        println!("  {name}: {text}");
    }
}

/// A score with six decimals, or `-` if it is undefined.
pub fn shown(score: Option<f64>) -> String {
    score.map_or("-".into(), |score| format!("{score:.6}"))
}
