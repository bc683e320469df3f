//! The command line: a command a file, each with its arguments and its work.

mod arguments;
mod bench;
mod command;
mod common;
mod compare;
mod completions;
mod data;
mod demo;
mod devices;
mod eval;
#[cfg(all(feature = "torch", unix))]
mod exact;
mod export;
mod failure;
mod man;
mod models;
mod predict;
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

use clap::{CommandFactory, Parser};

use command::{Cli, Command};

/// Runs the command of the arguments. The exit code is 0, 2 for wrong input, or 1 for any other failure.
pub fn main() -> ExitCode {
    failure::explain_panics();
    #[cfg(all(feature = "torch", unix))]
    exact::restart_without_tf32();
    // Clap itself ends the program: with code 2 for wrong arguments, with 0 for help.
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
        Command::Completions(arguments) => completions::run(&arguments, Cli::command()),
        Command::Man(arguments) => man::run(&arguments, Cli::command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
