//! Scores as text.

use dapple::metrics::{Policy, ScoreDifference, ScoreInterval, Scores};

use super::report::Report;

/// Prints the scores of each class, and their means over the classes.
pub fn print_classes(scores: &Scores) {
    let width = scores.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(14);
    let row = |name: &str, columns: [Option<f64>; 4]| {
        let columns: String = columns.map(|score| format!(" {:>13}", shown(score))).concat();
        say!("{name:width$}{columns}");
    };
    say!("{:width$} {:>13} {:>13} {:>13} {:>13}", "class", "IoU", "Boundary IoU", "accuracy", "Dice");
    for class in &scores.classes {
        row(&class.name, [class.iou, class.boundary_iou, class.accuracy, class.dice]);
    }
    let all = &scores.dataset;
    row("mean", [all.miou, all.boundary_miou, all.mean_accuracy, all.dice]);
}

/// Prints everything but the policies.
pub fn print_report(report: &Report) {
    print_classes(&report.scores);
    say!("\n{:34} {:>9}   95 % interval, over {} images", "mean", "score", report.scores.images);
    for ScoreInterval { score, interval } in &report.intervals {
        match interval {
            Some(interval) => {
                say!("{score:34} {:>9.6}   {:.6} to {:.6}", interval.value, interval.low, interval.high);
            }
            None => say!("{score:34} {:>9}", "-"),
        }
    }
    if let Some(foreground) = &report.foreground {
        say!("\nprobability of the foreground");
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
            say!("{name:34} {:>9}", shown(score));
        }
    }
    for (number, class) in report.surface.iter().flatten().enumerate() {
        if number == 0 {
            say!("\n{:34} {:>9} {:>12} {:>9}   images", "contours, pixels", "Hausdorff", "95 %", "average");
        }
        let [hausdorff, hausdorff_95, average] = [class.hausdorff, class.hausdorff_95, class.average]
            .map(|score| score.map_or("-".into(), |d| format!("{d:.3}")));
        say!("{:34} {hausdorff:>9} {hausdorff_95:>12} {average:>9}   {}", class.name, class.images);
    }
}

/// Prints the policies for absent classes, empty masks and so on.
pub fn print_policies(report: &Report) {
    say!("\npolicies");
    let salient = report.foreground.iter().flat_map(|foreground| &foreground.salient.policies);
    for Policy { name, text } in report.scores.policies.iter().chain(salient) {
        say!("  {name}: {text}");
    }
}

/// A score with six decimals, or `-` if it is undefined.
pub fn shown(score: Option<f64>) -> String {
    score.map_or("-".into(), |score| format!("{score:.6}"))
}

/// Prints scores side by side with their differences; a star marks those whose interval excludes 0.
pub fn print_differences(differences: &[ScoreDifference], images: usize) {
    say!(
        "{:34} {:>9} {:>9} {:>10}   95 % interval, over {images} images",
        "mean",
        "first",
        "second",
        "difference"
    );
    for ScoreDifference { score, first, second, difference } in differences {
        say_text!("{score:34} {:>9} {:>9}", shown(*first), shown(*second));
        match difference {
            Some(interval) => {
                let clear = if interval.low > 0.0 || interval.high < 0.0 { "  *" } else { "" };
                say!(" {:>+10.6}   {:+.6} to {:+.6}{clear}", interval.value, interval.low, interval.high);
            }
            None => say!(" {:>10}", "-"),
        }
    }
}
