//! The arguments of `dapple predict`.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use dapple::Flip;
use dapple::data::ValueRange;
use dapple::predict::output::{CocoForm, OutputKind, ProbabilityFormat, Refine};
use dapple::predict::{Tiling, WorkingSize};

use crate::cli::common::device::Device;
use crate::cli::common::models::Foreign;
use crate::cli::common::shard::Sharding;
use crate::cli::common::values::{at_least_one, size, threads};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple predict horse photo.jpg
  dapple predict --model runs/horses photo.jpg --out masks
  dapple predict runs/horses photos/ --out masks --kind mask,overlay,cutout
  dapple predict horse 'photos/**/*.jpg' --kind cutout --background blur
  dapple predict runs/fields field.tif --tile 512 --kind mask,contours
  dapple predict horse video.mp4 --kind cutout --background '#00b140'
  dapple predict runs/bayesian photo.jpg --samples 20 --kind uncertainty
  dapple predict horse photo.jpg --out mask.png
  dapple predict runs/fields --list fields.csv --out masks --shard 3/64
  cat photo.jpg | dapple predict horse - > mask.png

Files written for photo.jpg:
  photo.png, photo-labels.png     masks with a palette, with grey values
                                  (.tif for a GeoTIFF)
  photo-overlay.png               the mask's colours over the image
  photo-probability.png           two classes; for more classes,
                                  photo-probability-CLASS.png
  photo-uncertainty.png, photo-heatmap.png, photo-cutout.png
  photo-contours.geojson
  photo-coco.json, photo-areas.csv, and coco.json and areas.csv for all
  video-overlay.mp4, video-cutout.mp4 (.mov with alpha), by ffmpeg

Without --model, the first name is the model. Folders keep their structure. Results that the same model and settings made of \
the same image are kept, so that the same command resumes an interrupted batch; others are made anew. The file .dapple-results \
in the folder keeps record of them. A file that dapple did not make is never replaced without --force, an image of the batch or \
a model not at all.

Shares of one collection (--shard) may go to one folder, at the same time; their tables have names such as \
areas-3-of-64.csv, and `dapple merge` joins them.

Exit codes: 0 success, 2 an image could not be predicted or the input is wrong, 1 any other failure, including a batch \
stopped by Ctrl-C, which leaves no unfinished file.")]
pub struct Predict {
    /// A run's folder, a model file, or the name of a model (see `dapple weights list`); several predict together, and
    /// their mean counts
    #[arg(long, value_name = "RUN|FILE|NAME")]
    pub model: Vec<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    /// Images, folders of images, patterns, or - for standard input (the mask goes to standard output)
    #[arg(required_unless_present = "list", value_name = "IMAGE|DIR")]
    pub inputs: Vec<PathBuf>,
    /// A text file with one image, folder or pattern per line, or a manifest: CSV or JSON lines with `image` and, for the
    /// name of the results, `name`
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    #[command(flatten)]
    pub sharding: Sharding,
    /// Folder for the results, or the file for one result of one image [default: predictions]
    #[arg(long, value_name = "DIR|FILE")]
    pub out: Option<PathBuf>,
    /// Outputs to write, separated by commas
    #[arg(long, value_name = "KINDS", default_value = "mask", value_delimiter = ',')]
    pub kind: Vec<KindChoice>,
    /// Make all results anew, and replace files of their names that dapple did not make
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub prediction: PredictionArguments,
    #[command(flatten)]
    pub outputs: OutputArguments,
    #[command(flatten)]
    pub device: Device,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// The settings of the prediction.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prediction")]
pub struct PredictionArguments {
    /// Size at which the network sees an image: input (that of its training), image (the image's own), or another one
    #[arg(long, value_name = "input|image|N|HxW", default_value = "input", value_parser = working_size)]
    pub size: WorkingSize,
    /// Cut images into tiles: auto (scenes much larger than the images of the training, and images too large for the
    /// memory), scene (at the scale of the training), off, or a side, seen at the image's own size
    #[arg(long, value_name = "auto|scene|off|N", default_value = "auto", value_parser = tiling)]
    pub tile: Tiling,
    /// Overlap of tiles in pixels, at most half of the side [default: a quarter of the side]
    #[arg(long, value_name = "N")]
    pub overlap: Option<usize>,
    /// Memory that the pixels of one image may take; larger ones are read and written row by row
    #[arg(long, value_name = "MiB", default_value_t = dapple::predict::DEFAULT_MEMORY_BYTES >> 20)]
    pub memory: u64,
    /// Values of image files that become black and white: type (each file by its type), LOW..HIGH, or LOW..HIGH for each
    /// channel [default: those of the model's training]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub value_range: Option<ValueRange>,
    /// Predict mirrored images too and average
    #[arg(long, value_name = "HOW")]
    pub flip: Option<Flip>,
    /// Predict at several multiples of the size and average, for instance 0.75,1,1.25
    #[arg(long, value_name = "X,…", value_delimiter = ',')]
    pub scales: Vec<f32>,
    /// Run networks with dropout this many times and average (Bayesian SegNet): the spread of the samples shows in
    /// probabilities and uncertainty
    #[arg(long, value_name = "T", value_parser = at_least_one)]
    pub samples: Option<usize>,
    /// Seed of the samples; the same seed gives the same samples
    #[arg(long, value_name = "N", default_value_t = 0, requires = "samples")]
    pub seed: u64,
    /// Probability above which a pixel is foreground (two classes) or decided (more; others become 255) [default: 0.5
    /// of two classes]
    #[arg(long, value_name = "P")]
    pub threshold: Option<f32>,
}

/// The settings of the outputs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Outputs")]
pub struct OutputArguments {
    /// Weight of the colours in overlays, 0 to 1
    #[arg(long, value_name = "X", default_value_t = 0.5)]
    pub opacity: f32,
    /// Format of probabilities and uncertainties
    #[arg(long, value_name = "FORMAT", default_value = "png8")]
    pub probability_format: ProbabilityFormat,
    /// Classes that cut-outs keep, by name or label [default: all but the first]
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',')]
    pub class: Vec<String>,
    /// Background of cut-outs: transparent, blur, a colour such as #20a0ff, or an image file
    #[arg(long, value_name = "WHAT", default_value = "transparent")]
    pub background: String,
    /// Method that fits the edges of cut-outs to the photograph
    #[arg(long, value_name = "HOW", default_value = "guided")]
    pub refine: Refine,
    /// Leave out connected regions of fewer pixels in contours, coco and areas
    #[arg(long, value_name = "PIXELS", default_value_t = 1)]
    pub min_area: u64,
    /// Format of COCO regions
    #[arg(long, value_name = "FORM", default_value = "runs")]
    pub coco: CocoForm,
    /// Share of the previous frames in each frame of a video, 0 to below 1
    #[arg(long, value_name = "X", default_value_t = 0.5)]
    pub smoothing: f32,
    /// The program that reads and writes videos
    #[arg(long, value_name = "PROGRAM", default_value = "ffmpeg")]
    pub ffmpeg: PathBuf,
    /// Threads that decode images, and as many that encode [default: half of the cores, at most 4]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub workers: Option<usize>,
}

/// A value of `--kind`: one kind, or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindChoice {
    One(OutputKind),
    All,
}

/// The kinds that `all` stands for.
const ALL: [OutputKind; 3] = [OutputKind::Mask, OutputKind::Overlay, OutputKind::Probability];

impl ValueEnum for KindChoice {
    fn value_variants<'a>() -> &'a [Self] {
        const CHOICES: [KindChoice; OutputKind::ALL.len() + 1] = {
            let mut choices = [KindChoice::All; OutputKind::ALL.len() + 1];
            let mut index = 0;
            while index < OutputKind::ALL.len() {
                choices[index] = KindChoice::One(OutputKind::ALL[index]);
                index += 1;
            }
            choices
        };
        &CHOICES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::One(kind) => kind.to_possible_value(),
            Self::All => Some(PossibleValue::new("all").help("Mask, overlay and probability")),
        }
    }
}

impl KindChoice {
    /// The kinds of several values, each once.
    pub fn all(choices: &[Self]) -> Vec<OutputKind> {
        let mut kinds: Vec<OutputKind> = Vec::new();
        for choice in choices {
            let more = match choice {
                Self::One(kind) => std::slice::from_ref(kind),
                Self::All => &ALL,
            };
            for kind in more {
                if !kinds.contains(kind) {
                    kinds.push(*kind);
                }
            }
        }
        kinds
    }
}

fn working_size(text: &str) -> Result<WorkingSize, String> {
    match text {
        "input" => Ok(WorkingSize::Input),
        "image" => Ok(WorkingSize::Image),
        _ => size(text).map(|(height, width)| WorkingSize::Fixed { height, width }),
    }
}

fn tiling(text: &str) -> Result<Tiling, String> {
    match text {
        "auto" => Ok(Tiling::Auto),
        "off" => Ok(Tiling::Off),
        "scene" => Ok(Tiling::Scene),
        _ => at_least_one(text).map(|side| Tiling::Side { side, overlap: None }),
    }
}
