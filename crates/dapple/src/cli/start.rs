//! A training from the arguments of `dapple train`, for a program that shows it in its own way.

use std::ffi::OsString;

use clap::Parser;
use dapple_base::plain;

use super::command::{Cli, Command};
use super::failure::Failure;
use super::train::{self, StartedTraining};

/// Prepares a training of one model from the arguments that `dapple train` takes, without those words before them. Nothing is
/// printed; the folder of the run is made.
///
/// # Errors
/// Those of `dapple train`, in its words, and arguments that ask for several trainings or for none.
pub fn start_training(arguments: &[OsString]) -> Result<StartedTraining, Failure> {
    let words = ["dapple", "train", "--quiet"].map(OsString::from);
    let cli = Cli::try_parse_from(words.iter().chain(arguments)).map_err(|error| refused(&error))?;
    match cli.command {
        Command::Train(arguments) => train::start(&arguments),
        _ => Err(Failure::input("give the arguments of `dapple train`")),
    }
}

/// The message of the command line about arguments, without its hints on usage.
fn refused(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    Failure::input(plain(text.strip_prefix("error: ").unwrap_or(text).trim_end()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(arguments: &[&str]) -> String {
        let words: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let Err(failure) = start_training(&words) else { panic!("{arguments:?} start a training") };
        assert!(failure.is_input_fault(), "{failure}");
        failure.to_string()
    }

    #[test]
    fn arguments_are_refused_in_the_words_of_the_command_line() {
        let unknown = message(&["--data", "horses", "--epoch", "3"]);
        assert!(unknown.contains("--epoch") && !unknown.contains("Usage"), "{unknown}");
        let missing = message(&["--data", "no-such-folder"]);
        assert!(missing.contains("no-such-folder"), "{missing}");
    }

    #[test]
    fn several_trainings_are_not_one() {
        let rates = message(&["--data", "horses", "--find-lr"]);
        assert!(rates.contains("one model"), "{rates}");
    }
}
