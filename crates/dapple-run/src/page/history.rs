//! The epochs of a run as columns of numbers, whatever columns there are.

use std::collections::BTreeMap;
use std::path::Path;

use dapple_model::Weights;
use dapple_train::Standing;

/// The rows of `metrics.jsonl`. Columns that this program does not know are kept, and lines that cannot be parsed (the
/// last one of a folder that is being copied, for instance) are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    columns: Vec<String>,
    rows: Vec<BTreeMap<String, f64>>,
}

impl History {
    /// Reads the file; a missing file has no rows.
    pub fn read(path: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut history = Self::default();
        for line in text.lines() {
            let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line) else { continue };
            for column in fields.keys() {
                if !history.columns.contains(column) {
                    history.columns.push(column.clone());
                }
            }
            let numbers = fields.into_iter().filter_map(|(column, value)| Some((column, value.as_f64()?)));
            history.rows.push(numbers.collect());
        }
        history
    }

    /// The names of the columns in the order of the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, values by column; undefined ones are absent.
    pub fn rows(&self) -> &[BTreeMap<String, f64>] {
        &self.rows
    }

    /// `(epoch, value)` of a column, without the epochs that were not measured.
    pub fn column<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (f64, Option<f64>)> + 'a {
        let epoch = |(place, row): (usize, &BTreeMap<String, f64>)| {
            row.get("epoch").copied().unwrap_or((place + 1) as f64)
        };
        let rows = self.rows.iter().enumerate();
        rows.filter(move |(_, row)| row.contains_key(name) || row.contains_key("val_loss"))
            .map(move |(place, row)| (epoch((place, row)), row.get(name).copied()))
    }

    /// Whether any row has a value in a column.
    pub fn has(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.contains_key(name))
    }

    /// The sum of a column.
    pub fn sum(&self, name: &str) -> f64 {
        self.rows.iter().filter_map(|row| row.get(name)).sum()
    }

    /// The row with the best standing, the earliest of equals.
    pub fn best(&self) -> Option<&BTreeMap<String, f64>> {
        Standing::best_of(&self.rows, |row| standing(row)).map(|(row, _)| row)
    }

    /// The standing of the best row: the score of the weights that were saved.
    pub fn best_standing(&self) -> Option<Standing> {
        self.best().and_then(standing)
    }

    /// A `val_` column of the best row, for the weights that were saved.
    pub fn saved(&self, column: &str) -> Option<f64> {
        of_better_weights(self.best()?, column)
    }

    /// The standing of the last row.
    pub fn latest_standing(&self) -> Option<Standing> {
        self.rows.last().and_then(standing)
    }

    /// A `val_` column of the last row, for the weights that scored better.
    pub fn latest(&self, column: &str) -> Option<f64> {
        of_better_weights(self.rows.last()?, column)
    }
}

fn standing(row: &BTreeMap<String, f64>) -> Option<Standing> {
    Standing::of(&|column| row.get(column).copied())
}

fn of_better_weights(row: &BTreeMap<String, f64>, column: &str) -> Option<f64> {
    match standing(row)?.weights {
        Weights::Raw => row.get(column).copied(),
        Weights::Average => row.get(&format!("average_{column}")).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_columns_are_kept_and_half_lines_passed_over() {
        let text = "{\"epoch\":1,\"val_miou\":0.5,\"val_ema_miou\":0.6}\n{\"epoch\":2,\"val_loss\":1,\"val_miou\":0.5,\"x\":null}\n{\"epoch\":3}\n{\"ep";
        let history = History::parse(text);
        assert_eq!(history.columns(), ["epoch", "val_miou", "val_ema_miou", "val_loss", "x"]);
        assert_eq!(history.column("val_ema_miou").collect::<Vec<_>>(), [(1.0, Some(0.6)), (2.0, None)]);
        assert_eq!(history.best().and_then(|row| row.get("epoch")), Some(&1.0));
        assert_eq!(history.saved("val_miou"), Some(0.5));
        let average = "{\"epoch\":1,\"val_miou\":0.5,\"average_val_miou\":0.6,\"weights\":\"average\"}";
        assert_eq!(History::parse(average).saved("val_miou"), Some(0.6), "the weights that were saved");
        assert!(!history.has("x") && History::read(Path::new("nowhere")).best().is_none());
    }
}
