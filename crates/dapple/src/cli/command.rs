//! The program's commands.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use super::console::Purpose;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// Semantic segmentation: from a folder of images and masks to a trained, measured and explained model, and to predictions
/// on new images.
#[derive(Debug, Parser)]
#[command(name = "dapple", version, styles = STYLES, max_term_width = 110)]
#[command(after_help = "Examples:
  dapple demo
  dapple train --data horses --model u2net-lite --out runs/horses
  dapple eval --model runs/horses --data horses
  dapple predict --model runs/horses photo.jpg --out masks --kind all

Exit codes: 0 success, 2 wrong input, 1 any other failure.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train on built-in synthetic data, evaluate and write pictures: about a minute on 2 cores
    Demo(super::demo::Demo),
    /// Label photographs with help, train, look and use, on one page in the browser
    Studio(super::studio::Studio),
    /// Label photographs on a page in the browser
    Label(super::studio::Label),
    /// Train a network on a folder of images and masks
    Train(Box<super::arguments::Train>),
    /// Score a model on a folder of images and masks
    Eval(super::eval::Eval),
    /// Predict masks, overlays, cut-outs and outlines for images of any size
    Predict(Box<super::predict::Predict>),
    /// Serve models over HTTP, with a web page
    Serve(super::serve::Serve),
    /// Write a model for other programs: ONNX, or weights for PyTorch
    Export(super::export::Export),
    /// Make a model that computes in integers of eight bits, and measure its loss
    Quantize(super::quantize::Quantize),
    /// Make a model of weights that PyTorch or another program saved
    Import(super::import::Import),
    /// List and download published weights
    Weights(super::weights::Weights),
    /// Inspect, convert and preview folders of images and masks
    Data(super::data::Data),
    /// Write a report about one run, or several side by side: HTML and Markdown
    Report(super::report::Report),
    /// Show a run live in the browser
    Watch(super::watch::Watch),
    /// List the runs below a folder, or the differences between two
    Runs(super::runs::Runs),
    /// Score masks predicted by any program
    Score(super::score::Score),
    /// Join what the shards of predict and score made
    Merge(super::merge::Merge),
    /// Compare two models scored on the same images
    Compare(super::compare::Compare),
    /// List the networks
    Models(super::models::Models),
    /// List the devices for --device
    Devices(super::devices::Devices),
    /// Time a network on this machine, on one device or several in turns
    Bench(super::bench::Bench),
    /// Print a completion script for a shell
    Completions(super::completions::Completions),
    /// Write the manual pages into a folder
    Man(super::man::Man),
}

impl Command {
    /// The role of standard output for the command.
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::Models(_) | Self::Devices(_) | Self::Weights(_) | Self::Runs(_) | Self::Completions(_) => {
                Purpose::Listing
            }
            Self::Eval(_) | Self::Score(_) | Self::Merge(_) | Self::Compare(_) | Self::Bench(_) => {
                Purpose::Result
            }
            Self::Data(data) => data.purpose(),
            Self::Demo(_)
            | Self::Studio(_)
            | Self::Label(_)
            | Self::Train(_)
            | Self::Predict(_)
            | Self::Serve(_)
            | Self::Export(_)
            | Self::Quantize(_)
            | Self::Import(_)
            | Self::Report(_)
            | Self::Watch(_)
            | Self::Man(_) => Purpose::News,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    /// The longest line of an example: it fits a terminal of 80 columns with some room.
    const WIDTH: usize = 76;

    fn commands(command: &clap::Command) -> Vec<clap::Command> {
        let below = command.get_subcommands().flat_map(commands);
        std::iter::once(command.clone()).chain(below).collect()
    }

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Lines that begin with spaces are examples and tables, which must not be wrapped; all others are paragraphs, which clap
    /// wraps.
    #[test]
    fn examples_fit_a_terminal() {
        for command in commands(&Cli::command()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= WIDTH, "dapple {}: {line}", command.get_name());
            }
        }
    }

    #[test]
    fn every_command_and_flag_is_explained() {
        for mut command in commands(&Cli::command()) {
            command.build();
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let (name, flag) = (command.get_name(), argument.get_id());
                assert!(argument.get_help().is_some(), "dapple {name}: {flag}");
            }
        }
    }
}
