//! The standing of an epoch among others: by the score of its better weights, and by their loss among equals.

use dapple_model::Weights;

/// The scores by which the best epoch is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// IoU on the validation part, higher is better: the foreground's for two classes, else the mean over the classes.
    pub score: f64,
    /// Mean loss on the validation part, which decides among equal scores; of networks that predict no foreground yet, for
    /// example.
    pub loss: Option<f64>,
    /// The weights that stand so: as they are, or their average.
    pub weights: Weights,
}

impl Standing {
    /// The standing from the columns of a row, by their names in `metrics.csv`: that of the weights as they are or of
    /// their average, whichever is better. `None` without a score.
    pub fn of(column: &dyn Fn(&str) -> Option<f64>) -> Option<Self> {
        let of = |prefix: &str, weights| {
            let named = |name: &str| column(&format!("{prefix}{name}"));
            let score = named("val_foreground_iou").or_else(|| named("val_miou"))?;
            Some(Self { score, loss: named("val_loss"), weights })
        };
        match [of("", Weights::Raw), of("average_", Weights::Average)] {
            [Some(raw), Some(average)] if average.beats(&raw) => Some(average),
            [raw, average] => raw.or(average),
        }
    }

    /// The row that stands best, the earliest of equals, with its standing; `None` if none has one.
    pub fn best_of<T>(
        rows: impl IntoIterator<Item = T>,
        of: impl Fn(&T) -> Option<Self>,
    ) -> Option<(T, Self)> {
        let standings = rows.into_iter().filter_map(|row| of(&row).map(|standing| (row, standing)));
        standings.reduce(|best, row| if row.1.beats(&best.1) { row } else { best })
    }

    /// Whether this one is better: a higher score, or the same with a lower loss.
    pub fn beats(&self, other: &Self) -> bool {
        let has_lower_loss = self.loss.zip(other.loss).is_some_and(|(here, there)| here < there);
        self.score > other.score || (self.score == other.score && has_lower_loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(columns: &[(&str, f64)]) -> Option<Standing> {
        Standing::of(&|name| columns.iter().find(|(column, _)| *column == name).map(|(_, value)| *value))
    }

    #[test]
    fn ties_of_score_are_broken_by_loss() {
        let row = |score, loss| Standing { score, loss, weights: Weights::Raw };
        assert!(row(0.5, Some(0.9)).beats(&row(0.4, Some(0.1))));
        assert!(row(0.5, Some(0.1)).beats(&row(0.5, Some(0.2))));
        assert!(
            !row(0.5, Some(0.2)).beats(&row(0.5, Some(0.2))) && !row(0.5, None).beats(&row(0.5, Some(0.2)))
        );
        let tied =
            [("val_miou", 0.5), ("val_loss", 0.9), ("average_val_miou", 0.5), ("average_val_loss", 0.8)];
        assert_eq!(standing(&tied).map(|standing| standing.weights), Some(Weights::Average));
    }

    #[test]
    fn the_better_weights_stand_for_their_epoch() {
        let raw = [("val_miou", 0.9), ("val_foreground_iou", 0.5), ("average_val_foreground_iou", 0.4)];
        let found = standing(&raw).expect("it is scored");
        assert_eq!((found.score, found.weights, found.loss), (0.5, Weights::Raw, None));
        let average = [("average_val_miou", 0.4)];
        assert_eq!(standing(&average).map(|standing| standing.weights), Some(Weights::Average));
        assert_eq!(standing(&[("val_loss", 0.1)]), None);
    }
}
