//! Scores as commands print and write them.

pub mod measures;
mod report;
mod tables;

pub use report::{Report, interval_policy};
pub use tables::{print_classes, print_differences, print_policies, print_report, shown};
