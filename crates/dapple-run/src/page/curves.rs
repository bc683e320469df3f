//! Charts over the epochs: one per quantity, with a line for each of its columns.

use dapple_report::{Best, Chart, Series};

use super::data::RunData;

/// A quantity of the tables: the suffix of its columns, its title, whether it is a share, which value is best.
struct Quantity {
    ending: &'static str,
    title: &'static str,
    share: bool,
    best: Option<Best>,
}

const fn score(ending: &'static str, title: &'static str) -> Quantity {
    Quantity { ending, title, share: true, best: Some(Best::Highest) }
}

/// The quantities drawn, in this order.
const DRAWN: [Quantity; 8] = [
    Quantity { ending: "loss", title: "Loss", share: false, best: Some(Best::Lowest) },
    score("miou", "Mean IoU"),
    score("boundary_miou", "Mean Boundary IoU"),
    score("foreground_iou", "Foreground IoU"),
    score("foreground_boundary_iou", "Foreground Boundary IoU"),
    score("pixel_accuracy", "Pixel accuracy"),
    Quantity { ending: "learning_rate", title: "Learning rate", share: false, best: None },
    Quantity { ending: "gradient_norm", title: "Gradient norm", share: false, best: None },
];

/// Further endings, so that `image_miou` is not taken for a kind of `miou`.
const OTHERS: [&str; 7] = [
    "image_miou",
    "image_boundary_miou",
    "image_foreground_iou",
    "image_foreground_boundary_iou",
    "mean_accuracy",
    "wait_seconds",
    "seconds",
];

/// The charts of one run.
pub(super) fn of_run(run: &RunData) -> Vec<Chart> {
    let chart = |quantity: &Quantity| {
        let mut columns: Vec<&String> =
            run.history.columns().iter().filter(|column| run.history.has(column)).collect();
        // The same part has the same look in all charts.
        columns.sort_by_key(|column| !column.starts_with("train"));
        let series: Vec<Series> = columns
            .into_iter()
            .filter_map(|column| {
                let series = Series::new(name_of(column, quantity.ending)?, run.history.column(column));
                // Training curves have no best epoch.
                let marked = quantity.best.filter(|_| !column.starts_with("train"));
                Some(match marked {
                    Some(best) => series.marking(best),
                    None => series,
                })
            })
            .collect();
        (!series.is_empty()).then(|| draw(quantity, series))
    };
    DRAWN.iter().filter_map(chart).collect()
}

/// Charts with one line per run: the validation columns, or the only ones.
pub(super) fn of_runs(runs: &[RunData]) -> Vec<Chart> {
    let chart = |quantity: &Quantity| {
        let column = format!("val_{}", quantity.ending);
        let column =
            if runs.iter().any(|run| run.history.has(&column)) { column } else { quantity.ending.into() };
        let with = runs.iter().filter(|run| run.history.has(&column));
        let series: Vec<Series> = with
            .map(|run| {
                let series = Series::new(run.name.clone(), run.history.column(&column));
                match quantity.best {
                    Some(best) => series.marking(best),
                    None => series,
                }
            })
            .collect();
        (!series.is_empty()).then(|| draw(quantity, series))
    };
    DRAWN.iter().filter_map(chart).collect()
}

fn draw(quantity: &Quantity, series: Vec<Series>) -> Chart {
    match quantity.share {
        true => Chart::share_over_epochs(quantity.title, series),
        false => Chart::over_epochs(quantity.title, series),
    }
}

/// The name of a column's line in the chart of `ending`; `None` if it belongs to another chart.
fn name_of(column: &str, ending: &str) -> Option<String> {
    let known = DRAWN.iter().map(|quantity| quantity.ending).chain(OTHERS);
    let fits = |ending: &&str| column == *ending || column.ends_with(&format!("_{ending}"));
    if known.filter(fits).max_by_key(|ending| ending.len()) != Some(ending) {
        return None;
    }
    let words: Vec<&str> = column
        .strip_suffix(ending)?
        .split('_')
        .filter(|word| !word.is_empty())
        .map(|word| match word {
            "train" => "training",
            "val" => "validation",
            "average" | "ema" => "averaged weights",
            other => other,
        })
        .collect();
    Some(if words.is_empty() { ending.replace('_', " ") } else { words.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_find_their_chart() {
        let name = |column, ending| name_of(column, ending);
        assert_eq!(name("train_loss", "loss").as_deref(), Some("training"));
        assert_eq!(name("val_ema_miou", "miou").as_deref(), Some("validation, averaged weights"));
        assert_eq!(name("val_boundary_miou", "miou"), None);
        assert_eq!(name("val_boundary_miou", "boundary_miou").as_deref(), Some("validation"));
        assert_eq!(name("val_image_miou", "miou"), None);
        assert_eq!(
            name("val_foreground_boundary_iou", "foreground_boundary_iou").as_deref(),
            Some("validation")
        );
        assert_eq!(name("learning_rate", "learning_rate").as_deref(), Some("learning rate"));
        assert_eq!(name("seconds", "loss"), None);
    }
}
