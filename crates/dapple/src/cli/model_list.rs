//! The list of networks: which ones, in which order, and as text that fits a terminal of 80 columns.

use clap::ValueEnum;
use dapple::graph::{Network, Shape, summary};
use dapple::nets::NetConfig;
use dapple::nets::registry::NetworkEntry;
use serde::Serialize;

use super::failure::Failure;

/// Columns of the text.
const WIDTH: usize = 80;

/// Columns of a number.
const NUMBER: usize = 8;

/// A network with its size and cost.
#[derive(Serialize)]
pub struct Row {
    name: &'static str,
    title: &'static str,
    /// The name without the encoder's.
    family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoder: Option<&'static str>,
    parameters: usize,
    multiply_adds: u64,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoder_source: Option<&'static str>,
}

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Order {
    /// The name
    Name,
    /// The number of parameters
    Size,
    /// The number of multiply-adds
    Macs,
}

impl Row {
    /// The row of a network in a configuration, for an image of this height and width.
    pub fn new(
        entry: &'static NetworkEntry,
        config: &NetConfig,
        [height, width]: [usize; 2],
    ) -> Result<Self, Failure> {
        config.check()?;
        let graph = config.build(Shape::new(1, height, width, config.in_channels))?;
        Ok(Self {
            name: &entry.name,
            title: &entry.title,
            family: entry.family,
            encoder: entry.encoder.map(|encoder| encoder.name),
            parameters: summary::parameters(&graph),
            multiply_adds: summary::multiply_adds(&graph),
            source: entry.source,
            encoder_source: entry.encoder.map(|encoder| encoder.source),
        })
    }

    /// Rows with the same key stand below one heading: those of a decoder, and those of a paper.
    fn key(&self) -> (bool, &'static str) {
        match self.encoder {
            Some(_) => (true, self.family),
            None => (false, self.source),
        }
    }

    /// The titles of decoder and encoder; the former is empty for networks that are built as a whole.
    fn titles(&self) -> (&'static str, &'static str) {
        let whole = ("", self.title);
        self.encoder.map_or(whole, |_| self.title.split_once(" on ").unwrap_or(whole))
    }

    fn line(&self, column: usize, title: &str) -> String {
        let (parameters, work) = (short(self.parameters as u64), short(self.multiply_adds));
        let line = format!("  {:column$} {parameters:>NUMBER$} {work:>NUMBER$}  {title}", self.name);
        fitted(&line)
    }
}

/// Sorts rows, the smallest first.
pub fn sort(rows: &mut [Row], order: Order) {
    match order {
        Order::Name => rows.sort_by_key(|row| row.name),
        Order::Size => rows.sort_by_key(|row| (row.parameters, row.name)),
        Order::Macs => rows.sort_by_key(|row| (row.multiply_adds, row.name)),
    }
}

/// Whether every word of a text occurs in the name, the titles or the papers of a network, in any case.
pub fn has_words(entry: &NetworkEntry, text: &str) -> bool {
    let encoder = entry.encoder.map_or("", |encoder| encoder.source);
    let all = format!("{} {} {} {encoder}", entry.name, entry.title, entry.source).to_lowercase();
    text.to_lowercase().split_whitespace().all(|word| all.contains(word))
}

/// Prints rows below the headings of their decoders and papers.
pub fn print_groups(rows: &[Row]) {
    let column = header(rows);
    for group in rows.chunk_by(|a, b| a.key() == b.key()) {
        let first = &group[0];
        say!();
        if first.encoder.is_some() {
            say!("{} on an encoder: {}-ENCODER", first.titles().0, first.family);
        }
        say!("{}", fitted(first.source));
        for row in group {
            say!("{}", row.line(column, row.titles().1));
        }
    }
}

/// Prints rows in their order.
pub fn print_rows(rows: &[Row]) {
    let column = header(rows);
    for row in rows {
        say!("{}", row.line(column, row.title));
    }
}

/// Prints the names of the columns, and gives the first one's width.
fn header(rows: &[Row]) -> usize {
    let column = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    say!("  {:column$} {:>NUMBER$} {:>NUMBER$}", "name", "params", "MACs");
    column
}

/// A number with three digits and a unit: `36.9 M`.
fn short(number: u64) -> String {
    const UNITS: [&str; 5] = ["", " k", " M", " G", " T"];
    let (mut value, mut unit) = (number as f64, 0);
    // From here on it would be rounded to 1000.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if unit == 0 || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{}", UNITS[unit])
}

/// A line, cut where it is too long.
fn fitted(line: &str) -> String {
    let line = line.trim_end();
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let beginning: String = line.chars().take(WIDTH - 1).collect();
    format!("{}…", beginning.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_131_181, "1.13 M"),
            (9_995_000, "10.0 M"),
            (36_949_554, "36.9 M"),
            (99_949_000_000, "99.9 G"),
            (99_951_000_000, "100 G"),
            (999_499_999, "999 M"),
            (999_500_000, "1.00 G"),
            (u64::MAX, "18446744 T"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(fitted("short  "), "short");
        let (cut, whole) = (fitted(&"é".repeat(81)), "é".repeat(80));
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (WIDTH, true));
        assert_eq!(fitted(&whole), whole);
    }
}
