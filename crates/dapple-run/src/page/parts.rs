//! Small parts of pages: sections, facts, scores and their names.

use dapple_report::document::{Block, Section};

/// A score with four decimals, or a dash if it is undefined.
pub(super) fn shown(score: Option<f64>) -> String {
    score.map_or_else(|| "–".into(), |score| format!("{score:.4}"))
}

/// A section.
pub(super) fn section(id: &str, title: &str, blocks: Vec<Block>) -> Section {
    Section { id: id.into(), title: title.into(), blocks }
}

/// The name of a score, by its path in the JSON of [`Scores`](dapple_metrics::Scores).
pub(super) fn score_name(path: &str) -> String {
    let (of, name) = path.split_once('.').unwrap_or(("", path));
    let name = match name {
        "miou" => "Mean IoU",
        "boundary_miou" => "Mean Boundary IoU",
        "pixel_accuracy" => "Pixel accuracy",
        "mean_accuracy" => "Mean class accuracy",
        "dice" => "Mean Dice",
        "precision" => "Mean precision",
        "min_iou_boundary_iou" => "Mean of the smaller of IoU and Boundary IoU",
        "frequency_weighted_iou" => "Frequency-weighted IoU",
        "kappa" => "Cohen's kappa",
        "bf" => "Boundary F1",
        "foreground_iou" => "Foreground IoU",
        "foreground_boundary_iou" => "Foreground Boundary IoU",
        other => other,
    };
    match of {
        "per_image" => format!("{name}, mean over the images"),
        _ => format!("{name}, over the data set"),
    }
}

/// A name with its value.
pub(super) fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.into(), value.into())
}
