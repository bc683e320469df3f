//! The arguments of `dapple train`.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::pretrained::StartWeights;
use dapple::train::auto::Profile;
use dapple_base::ByteSize;

use super::common::device::{Device, MACHINE};
use super::common::values::at_least_one;
use super::settings::Settings;

/// The plot of `--find-lr` without a name.
const RATES: &str = "learning-rates.png";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple train horses
  dapple train horses --time-budget 30m --out runs/half-an-hour
  dapple train --data horses --loss bce+lovasz --out runs/lovasz
  dapple train --data horses --model unet --width 16 --out runs/unet
  dapple train --data horses --model unet --encoder resnet34 \\
      --init imagenet --out runs/resnet
  dapple train horses --weights efficientnet_lite0
  dapple train --data my-horses --init horse --out runs/tuned
  dapple train --data horses --init saved-by-smp --out runs/from-smp
  dapple train --data CamVid --recipe segnet-camvid \\
      --init vgg16_bn.pth --out runs/camvid
  dapple train --config runs/horses/config.toml --lr 3e-4 --out runs/slower
  dapple train --data horses --folds 5 --fold all --out runs/folds
  dapple train --data horses --model unet --find-lr rates.png
  dapple train --resume runs/horses

Data layouts that are detected (`dapple data --help` lists all formats):
  images/ masks/               any name beside mask/, masks/, annotations/
                               or labels/
  train/ trainannot/ val/ ...  or trainmask/ valmask/, images/train/
                               masks/train/, train/images/ train/masks/

Recipes: auto, plain, unet-horse, u2net-horse, u2net-lite-horse, segnet-camvid, segnet-camvid-paper, u2net")]
pub struct Train {
    /// Folder of images and masks
    #[arg(value_name = "DIR", required_unless_present_any = ["data", "resume", "config", "find_lr"])]
    pub folder: Option<PathBuf>,
    /// The same as a flag; with --resume, the place that the data have moved to
    #[arg(long, value_name = "DIR", conflicts_with = "folder")]
    pub data: Option<PathBuf>,
    /// Network: unet, u2net, segnet, deeplabv3plus-resnet50 …; `dapple models` lists all [default: that of
    /// the weights of --init, or a U-Net on a pretrained encoder, U²-Net lite or a U-Net, as the time allows]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Encoder below the network's decoder: `--model unet --encoder resnet34` is `--model unet-resnet34`
    #[arg(long, value_name = "NAME", requires = "model")]
    pub encoder: Option<String>,
    /// Folder for the run [default: runs/ and the name of the data with the first free number, runs/horses-1]
    #[arg(long, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Resume a run where it stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["folder", "model", "encoder", "out", "recipe", "config", "Settings", "profile", "weights", "seeds", "find_lr", "force"])]
    pub resume: Option<PathBuf>,
    /// Settings to begin with: auto (chosen by the data and the machine), plain (the same for all data), or a published
    /// recipe [default: auto]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub recipe: Option<String>,
    /// Start from the settings of a config.toml
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub config: Option<PathBuf>,
    /// Time that --recipe auto plans for: fast (minutes), balanced (an hour), best (hours) [default: balanced]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub profile: Option<Profile>,
    /// Weights that the encoder of --recipe auto starts from: auto (those on this machine, or a small file that is
    /// fetched and announced), offline (those on this machine), none (random), a name of `dapple weights list`, or a
    /// file [default: auto]
    #[arg(long, value_name = "auto|offline|none|NAME|FILE", conflicts_with = "config")]
    pub weights: Option<StartWeights>,
    /// Train with this many seeds, from --seed upwards, into RUN/seed-0 and so on; prints mean and deviation
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub seeds: Option<usize>,
    /// Train nothing: try 100 rising learning rates on the first batches, draw the losses, and suggest a rate
    #[arg(long, value_name = "PNG", num_args = 0..=1, default_missing_value = RATES)]
    pub find_lr: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    /// Download no weights, as with DAPPLE_OFFLINE=1
    #[arg(long, help_heading = MACHINE)]
    pub offline: bool,
    #[command(flatten)]
    pub device: Device,
    /// Memory limit of the engine, such as 2GiB: activations beyond it are recomputed, with the same results
    #[arg(long, value_name = "SIZE", help_heading = MACHINE)]
    pub memory_limit: Option<ByteSize>,
    /// Replace the run in the folder
    #[arg(long)]
    pub force: bool,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

impl Train {
    /// The folder of images and masks, by its flag or its place.
    pub fn data(&self) -> Option<&Path> {
        let named = self.data.as_deref().or(self.folder.as_deref());
        named.or_else(|| self.find_lr.as_deref().filter(|value| value.is_dir()))
    }

    /// The plot of `--find-lr`. A folder after that flag, where no other is named, is the data.
    pub fn plot(&self) -> Option<&Path> {
        let value = self.find_lr.as_deref()?;
        let is_data = self.data.is_none() && self.folder.is_none() && value.is_dir();
        Some(if is_data { Path::new(RATES) } else { value })
    }
}
