//! `dapple demo`: training, evaluation and pictures on synthetic data.

use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use clap::Args;
use dapple::data::{Augment, Dataset, OpenOptions, synthetic};
use dapple::run::{Run, RunFolder};
use dapple::train::{Outcome, TrainConfig};

use super::common::device::Device;
use super::common::values::shell_word;
use super::eval::{self, Eval};
use super::failure::Failure;
use super::train;

/// Side of the images in pixels.
const SIDE: usize = 64;
/// Images, of which 85 % are for training.
const IMAGES: usize = 480;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  dapple demo --out demo")]
pub struct Demo {
    /// Folder for the run; its pictures are in samples/ and strips/
    #[arg(long, value_name = "RUN", default_value = "dapple-demo")]
    pub out: PathBuf,
    /// Replace the run in the folder
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub device: Device,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

pub fn run(arguments: &Demo) -> Result<(), Failure> {
    // A wrong device is reported before the folder is created.
    arguments.device.engine(true)?;
    let run = RunFolder::claim(&arguments.out, arguments.force)?;
    let data = arguments.out.join("data");
    let data = absolute(&data).unwrap_or(data);
    synthetic::write(&data, 0, IMAGES, SIDE, SIDE)?;
    if !arguments.quiet {
        say!("{IMAGES} images of textured shapes with their masks: {}", data.display());
    }

    let dataset = Arc::new(Dataset::open(&data, &OpenOptions::default())?);
    let training = Run::start(settings(&dataset, &data)?, dataset, run)?;
    let outcome = train::train(training, &arguments.device, None, arguments.quiet)?;
    if matches!(outcome, Outcome::Interrupted { .. }) || arguments.quiet {
        return Ok(());
    }

    let (out, inside) = (shell_word(&arguments.out), |name: &str| shell_word(&arguments.out.join(name)));
    say!("\ndapple eval {out} {}", inside("data"));
    eval::run(&Eval::of(&arguments.out, &data, &arguments.device))?;
    say!("\nlook at {} and the pictures in {}", inside("report.html"), inside("samples"));
    say!("next:");
    say!("  dapple predict {out} {} --out {} --kind all", inside("data/images"), inside("masks"));
    say!("  dapple train YOUR_FOLDER");
    Ok(())
}

/// A narrow U-Net, trained for less than a minute.
fn settings(dataset: &Dataset, data: &Path) -> Result<TrainConfig, Failure> {
    let mut config = TrainConfig::for_network("unet", dataset.classes().len(), data)?;
    config.network.width = 16;
    (config.input.height, config.input.width) = (SIDE, SIDE);
    config.augment = Augment { flip_horizontal: 0.5, flip_vertical: 0.5, ..Augment::none() };
    config.epochs = 22;
    config.batch = 8;
    config.learning_rate = 3e-3;
    (config.evaluation.train_images, config.evaluation.pictures) = (Some(24), 4);
    Ok(config)
}
