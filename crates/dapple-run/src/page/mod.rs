//! Pages about runs, from their folders alone: the report of one run or several, and the live page.
//!
//! Everything is read leniently: a run may be unfinished, of an older or a newer version, and a file may be missing.

mod compare;
mod curves;
mod data;
mod differences;
mod history;
mod live;
mod measured;
mod parts;
mod sections;

use dapple_report::document::{Document, Section};

pub use data::RunData;
pub use differences::{Difference, differences};
pub use history::History;
pub use live::{live, picture_folders};

/// The report of one run, or of several side by side.
pub fn report(runs: &[RunData]) -> Document {
    match runs {
        [run] => single(run),
        runs => compare::several(runs),
    }
}

fn single(run: &RunData) -> Document {
    let sections = [
        sections::summary(run),
        sections::scores(run),
        sections::curves(run),
        sections::classes(run),
        measured::confusion(run),
        measured::calibration(run),
        measured::precision_recall(run),
        measured::images(run),
        measured::strips(run),
        sections::data(run),
        sections::effort(run),
        sections::configuration(run),
        sections::repeat(run),
    ];
    let sections: Vec<Section> = sections.into_iter().flatten().collect();
    Document { title: format!("{} on {}", run.network(), run.data()), lead: sections::lead(run), sections }
}

#[cfg(test)]
mod tests;
