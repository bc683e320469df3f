//! The command line: a command a file, each with its arguments and its work.

#[macro_use]
mod console;

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
mod find_rate;
mod import;
mod initial;
mod man;
mod merge;
mod model_facts;
mod model_list;
mod models;
mod predict;
mod pretrained;
mod quantize;
mod report;
mod runs;
mod score;
mod serve;
mod settings;
mod start;
mod studio;
mod train;
mod train_many;
mod train_together;
mod watch;
mod weights;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};
use dapple_base::plain;

use command::{Cli, Command};

pub use failure::Failure;
pub use start::start_training;
pub use train::StartedTraining;

/// Runs the command of the arguments, the first of which is the program's name, as the program does: it writes to standard
/// output and standard error, listens for Ctrl-C, and ends the process on a panic. The exit code is 0, 2 for wrong input, or 1
/// for any other failure.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    failure::explain_panics();
    #[cfg(all(feature = "torch", unix))]
    exact::restart_without_tf32();
    let words: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        // Help and the version are standard output; clap itself reports wrong arguments, with code 2.
        Err(error) if !error.use_stderr() => {
            let printed = error.print();
            return console::finish_with(printed);
        }
        Err(error) => {
            let text = error.render().to_string();
            // Arguments with control characters are repeated without colours.
            if plain(&text) != text || error.print().is_err() {
                note!("{}", text.trim_end());
            }
            return failure::INPUT;
        }
    };
    console::begin(cli.command.purpose());
    // A server outlives a request that needs too much.
    if !matches!(cli.command, Command::Serve(_) | Command::Watch(_) | Command::Studio(_) | Command::Label(_))
    {
        dapple::cpu::ExplainingAllocator::explain();
    }
    let result = match cli.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Train(arguments) => train::run(&arguments, words.get(1..).unwrap_or_default()),
        Command::Studio(arguments) => studio::studio(&arguments),
        Command::Label(arguments) => studio::label(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Quantize(arguments) => quantize::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Weights(arguments) => weights::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Runs(arguments) => runs::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Data(arguments) => data::run(&arguments),
        Command::Models(arguments) => models::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Cli::command()),
        Command::Man(arguments) => man::run(&arguments, Cli::command()),
    };
    match result {
        Ok(()) => console::finish(),
        Err(failure) => failure.report(),
    }
}
