//! The command line.

mod arguments;
mod bench;
mod compare;
mod data;
mod demo;
mod devices;
mod eval;
#[cfg(all(feature = "torch", unix))]
mod exact;
mod export;
mod failure;
mod models;
mod output;
mod predict;
mod progress;
mod report;
mod runs;
mod score;
mod serve;
mod settings;
mod train;
mod train_many;
mod watch;
mod weights;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Cli, Command};

/// Runs the command that the arguments name; the exit code is 0, 2 for wrong input, 1 for anything else.
pub fn main() -> ExitCode {
    failure::explain_panics();
    #[cfg(all(feature = "torch", unix))]
    exact::restart_without_tf32();
    // Clap itself ends the program with code 2 for arguments it cannot take, with 0 for help.
    let result = match Cli::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Weights(arguments) => weights::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Runs(arguments) => runs::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Data(arguments) => data::run(&arguments),
        Command::Models(arguments) => models::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
