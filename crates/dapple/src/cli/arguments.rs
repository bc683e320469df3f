//! What the command line takes.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use dapple::data::{Format, Part};
use dapple::graph::Precision;
use dapple::train::auto::Profile;
use dapple::train::settings;
use dapple_base::ByteSize;

use super::settings::Settings;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// Semantic segmentation: point it at a folder of images and masks; it trains a network, measures it, shows what it
/// learned, and predicts on new images.
#[derive(Debug, Parser)]
#[command(name = "dapple", version, styles = STYLES, max_term_width = 110)]
#[command(after_help = "Examples:
  dapple demo
  dapple train --data horses --model u2net-lite --out runs/horses
  dapple eval --model runs/horses --data horses
  dapple predict --model runs/horses photo.jpg --out masks --kind all

Exit codes: 0 done, 2 the input is wrong, 1 anything else.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train on embedded synthetic data, evaluate and write pictures: about a minute on 2 cores
    Demo(Demo),
    /// Train a network on a folder of images and masks
    Train(Box<Train>),
    /// Score a model on a folder of images and masks
    Eval(Eval),
    /// Predict masks, overlays, cut-outs and outlines for images of any size
    Predict(Box<super::predict::Predict>),
    /// Serve models over HTTP, with a web page
    Serve(super::serve::Serve),
    /// Write a model for other programs: ONNX, or weights for PyTorch
    Export(super::export::Export),
    /// List and download published weights
    Weights(super::weights::Weights),
    /// Inspect, convert and preview folders of images and masks
    Data(super::data::Data),
    /// Write a report of a run, or of several side by side: HTML and Markdown
    Report(super::report::Report),
    /// Show a run live in the browser
    Watch(super::watch::Watch),
    /// List the runs below a folder, or what differs between two
    Runs(super::runs::Runs),
    /// Score masks that any program predicted
    Score(super::score::Score),
    /// Compare two models scored on the same images
    Compare(super::compare::Compare),
    /// List the networks
    Models(Models),
    /// List the engines and cards that --device takes
    Devices(super::devices::Devices),
    /// Time a network on this machine, on one device or several in turns
    Bench(super::bench::Bench),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  dapple demo --out demo")]
pub struct Demo {
    /// Folder for the run; its pictures are under samples/ and strips/
    #[arg(long, value_name = "RUN", default_value = "dapple-demo")]
    pub out: PathBuf,
    /// Overwrite the run in the folder
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub device: Device,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// Where the network runs.
#[derive(Clone, Debug, Args)]
pub struct Device {
    /// Engine: cpu, cuda:0 … (`dapple devices` lists them), or auto for the fastest available [default: auto]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Number format of convolutions and attention: fp32, bf16 or fp16; the CPU engine has fp32 only [default: fp32]
    #[arg(long, value_name = "NAME")]
    pub precision: Option<Precision>,
    /// Threads of the engine; without effect on the results [default: physical cores]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple train --data horses --out runs/horses
  dapple train --data horses --time-budget 30m --out runs/half-an-hour
  dapple train --data horses --model u2net-lite --loss bce+lovasz --out runs/lovasz
  dapple train --data horses --model unet --width 16 --epochs 20 --out runs/unet
  dapple train --data horses --model unet --encoder resnet34 --init imagenet --out runs/resnet
  dapple train --data horses --init saved-by-smp --out runs/tuned
  dapple train --data CamVid --recipe segnet-camvid --init vgg16_bn.pth --out runs/camvid
  dapple train --config runs/horses/config.toml --lr 0.0003 --out runs/slower
  dapple train --data horses --folds 5 --fold all --out runs/folds
  dapple train --data horses --model unet --find-lr rates.png
  dapple train --resume runs/horses

Data layouts that are recognized:
  images/ masks/                  any name beside mask/, masks/, annotations/ or labels/
  train/ trainannot/ val/ ...     or trainmask/ valmask/, images/train/ masks/train/, train/images/ train/masks/

Recipes: auto, plain, unet-horse, u2net-horse, u2net-lite-horse, segnet-camvid, segnet-camvid-paper, u2net")]
pub struct Train {
    /// Folder of images and masks
    #[arg(long, value_name = "DIR", required_unless_present_any = ["resume", "config"])]
    pub data: Option<PathBuf>,
    /// Network: unet, u2net, segnet, deeplabv3plus-resnet50 …; `dapple models` lists all [default: the one that
    /// config.json beside the weights of --init names, or U²-Net lite or a U-Net, as the time allows]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Encoder below the network's decoder: `--model unet --encoder resnet34` is `--model unet-resnet34`
    #[arg(long, value_name = "NAME", requires = "model")]
    pub encoder: Option<String>,
    /// Folder for the run
    #[arg(long, value_name = "RUN", required_unless_present_any = ["resume", "find_lr"])]
    pub out: Option<PathBuf>,
    /// Resume a run where it stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "model", "encoder", "out", "recipe", "config", "Settings", "profile", "seeds", "find_lr", "force"])]
    pub resume: Option<PathBuf>,
    /// Settings to begin with: auto (chosen by the data and the machine), plain (the same for all data), or a published
    /// recipe [default: auto]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub recipe: Option<String>,
    /// Begin with the settings of a config.toml
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub config: Option<PathBuf>,
    /// Time that --recipe auto plans for: fast (minutes), balanced (an hour), best (hours) [default: balanced]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub profile: Option<Profile>,
    /// Train with this many seeds, from --seed upwards, into RUN/seed-0 and so on; prints mean and deviation
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub seeds: Option<usize>,
    /// Train nothing: try 100 rising learning rates on the first batches, draw the losses, and suggest a rate
    #[arg(long, value_name = "PNG", num_args = 0..=1, default_missing_value = "learning-rates.png")]
    pub find_lr: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    /// Download no weights, as with DAPPLE_OFFLINE=1
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    pub device: Device,
    /// Memory of the engine, 2GiB for example: feature maps beyond it are computed again instead of being kept, with the
    /// same results
    #[arg(long, value_name = "SIZE")]
    pub memory_limit: Option<ByteSize>,
    /// Overwrite the run in the folder
    #[arg(long)]
    pub force: bool,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple eval --model runs/horses --data horses
  dapple eval --model model.safetensors --data horses --part all --json scores.json
  dapple eval --model runs/horses --data horses --original-size --csv images.csv
  dapple eval --model horse --data weizmann_horse_db --flip horizontal

Scores are those of the network's output at its own size, as published recipes take them. With --original-size
the output is brought to the size of each image first, and scores are those of `dapple predict` and `dapple score`.")]
pub struct Eval {
    /// A run's folder, a model file, or the name of a model (see `dapple weights list`)
    #[arg(long, value_name = "RUN|FILE|NAME")]
    pub model: PathBuf,
    /// Folder of images and masks
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Format of the data: folders, lists, voc, coco … [default: that of the run's own data, or found by itself]
    #[arg(long, value_name = "NAME")]
    pub format: Option<Format>,
    /// Which images; those of a run, or of a model that names its validation images, are
    /// divided as they were in training [default: val, or all without a division]
    #[arg(long)]
    pub part: Option<PartName>,
    /// Write the scores as JSON; with - to standard output, and nothing else there
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Write a table with a row for each image
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Predict mirrored images too and average
    #[arg(long, value_name = "HOW")]
    pub flip: Option<FlipName>,
    /// Score at the size of each image instead of the network's
    #[arg(long)]
    pub original_size: bool,
    /// Put each image's scores into the JSON too
    #[arg(long, requires = "json")]
    pub per_image: bool,
    /// Leave bad pairs out with a warning instead of stopping
    #[arg(long)]
    pub skip_bad: bool,
    #[command(flatten)]
    pub device: Device,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlipName {
    /// Left to right
    Horizontal,
    /// Upside down
    Vertical,
    /// Left to right, upside down, and both
    Both,
}

impl FlipName {
    /// Whether left and right change places.
    pub fn is_horizontal(self) -> bool {
        self != Self::Vertical
    }

    /// Whether top and bottom change places.
    pub fn is_vertical(self) -> bool {
        self != Self::Horizontal
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PartName {
    Train,
    Val,
    Test,
    All,
}

impl PartName {
    /// The part; `None` for all.
    pub fn part(self) -> Option<Part> {
        match self {
            Self::Train => Some(Part::Train),
            Self::Val => Some(Part::Val),
            Self::Test => Some(Part::Test),
            Self::All => None,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple models
  dapple models unet --width 16 --size 192x256
  dapple models --json")]
pub struct Models {
    /// Networks to list [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Channels of the network's first stage, for the named ones
    #[arg(long, value_name = "N", requires = "names")]
    pub width: Option<usize>,
    /// Size of the input that multiply-adds are counted for
    #[arg(long, value_name = "N|HxW", default_value = "224", value_parser = size)]
    pub size: (usize, usize),
    /// Classes, the background included
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub classes: usize,
    /// As a JSON list
    #[arg(long)]
    pub json: bool,
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "give a whole number of at least 1".into())
}

pub fn size(text: &str) -> Result<(usize, usize), String> {
    settings::size(text).map_err(|problem| problem.to_string())
}
