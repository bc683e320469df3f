//! `dapple train --find-lr`: a learning rate for these data and this network, without a training.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use dapple::data::Dataset;
use dapple::device::engine;
use dapple::run::save_rate_plot;
use dapple::train::{RateSweep, TrainConfig};
use dapple_base::StopFlag;

use super::common::device::engine_options;
use super::common::signal::stop_on_signal;
use super::common::values::shell_word;
use super::failure::Failure;

/// Steps of the sweep.
const STEPS: usize = 100;

/// Measures the loss at rising learning rates, draws the curve, and prints the command that trains with the suggested rate:
/// `words` are the arguments of the present one.
pub fn run(
    config: &TrainConfig,
    dataset: &Arc<Dataset>,
    plot: &Path,
    quiet: bool,
    words: &[OsString],
) -> Result<(), Failure> {
    let engine = engine(&config.device, &engine_options(config)?)?;
    let stop = StopFlag::new();
    stop_on_signal(stop.clone(), "stopping after this step")?;
    let sweep = RateSweep::measure(config, dataset, engine.as_ref(), STEPS, &mut |step, point| {
        if !quiet && step % 10 == 9 {
            say!("rate {:.1e}  loss {:.4}", point.rate, point.smoothed);
        }
        if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    save_rate_plot(&sweep, plot)?;
    let suggestion = sweep.suggestion();
    match suggestion {
        Some(rate) => say!("suggested: --lr {rate:.1e}"),
        None => say!("the loss falls at no learning rate: check the plot, the data and the loss"),
    }
    if !quiet {
        say!("written to {}; nothing was trained", plot.display());
        if let Some(rate) = suggestion {
            say!("next:");
            say!("  {}", training(words.iter().cloned(), plot, rate));
        }
    }
    Ok(())
}

/// The command with these arguments as one that trains at a rate.
fn training(arguments: impl Iterator<Item = OsString>, plot: &Path, rate: f64) -> String {
    let mut words = vec!["dapple".to_owned()];
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let (flag, value) = text.split_once('=').map_or((&*text, None), |(flag, value)| (flag, Some(value)));
        // A value of --find-lr that is not the plot's name is the folder of the data.
        match (flag, value) {
            ("--find-lr", None) => {
                arguments.next_if(|value| Path::new(value) == plot);
            }
            ("--find-lr", Some(value)) if Path::new(value) != plot => {
                words.push(shell_word(Path::new(value)))
            }
            ("--lr", None) => {
                arguments.next();
            }
            ("--find-lr" | "--lr", Some(_)) | ("--force", None) => {}
            _ => words.push(shell_word(Path::new(&argument))),
        }
    }
    words.push(format!("--lr {rate:.1e}"));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_trains_keeps_all_other_arguments() {
        let command = |arguments: &str, plot: &str| {
            training(arguments.split(' ').map(OsString::from), Path::new(plot), 3e-4)
        };
        let trained = "dapple train horses --size 64 --lr 3.0e-4";
        for (arguments, plot) in [
            ("train horses --find-lr rates.png --size 64", "rates.png"),
            ("train --find-lr horses --size 64", "learning-rates.png"),
            ("train --find-lr=horses --size 64", "learning-rates.png"),
            ("train horses --lr 1 --find-lr --size 64", "learning-rates.png"),
            ("train horses --lr=1 --find-lr=a.png --size 64 --force", "a.png"),
        ] {
            assert_eq!(command(arguments, plot), trained, "{arguments}");
        }
        assert_eq!(
            command("train my,data --find-lr", "learning-rates.png"),
            "dapple train my,data --lr 3.0e-4"
        );
    }
}
