//! What `dapple predict` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dapple::Flip;
use dapple::predict::output::{CocoForm, Kind, ProbabilityFormat, Refine};
use dapple::predict::{Tiling, WorkingSize};

use crate::cli::common::device::Device;
use crate::cli::common::values::{at_least_one, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple predict horse photo.jpg
  dapple predict --model runs/horses photo.jpg --out masks
  dapple predict runs/horses photos/ --out masks --kind mask,overlay,cutout
  dapple predict horse 'photos/**/*.jpg' --kind cutout --background blur
  dapple predict fields.safetensors field.tif --tile 512 --kind mask,contours
  dapple predict horse video.mp4 --kind cutout --background '#00b140'
  dapple predict runs/bayesian photo.jpg --samples 20 --kind uncertainty
  cat photo.jpg | dapple predict horse - > mask.png

Files written for photo.jpg:
  photo.png, photo-labels.png     masks with a palette, with grey values
  photo-overlay.png               the mask's colours over the image
  photo-probability.png           two classes; for more classes,
                                  photo-probability-CLASS.png
  photo-uncertainty.png, photo-heatmap.png, photo-cutout.png
  photo-contours.geojson
  photo-coco.json, photo-areas.csv, and coco.json and areas.csv for all
  video-overlay.mp4, video-cutout.mp4 (.mov with alpha), by ffmpeg

Without --model, the first name is the model. Folders keep their structure. Existing results are kept, so that the same \
command resumes an interrupted batch.

Exit codes: 0 success, 2 an image could not be predicted or the input is wrong, 1 any other failure, including a batch \
stopped by Ctrl-C, which leaves no unfinished file.")]
pub struct Predict {
    /// A run's folder, a model file, or the name of a model (see `dapple weights list`); several predict together, and
    /// their mean counts
    #[arg(long, value_name = "RUN|FILE|NAME")]
    pub model: Vec<PathBuf>,
    /// Images, folders of images, patterns, or - for standard input (the mask goes to standard output)
    #[arg(required_unless_present = "list", value_name = "IMAGE|DIR")]
    pub inputs: Vec<PathBuf>,
    /// A text file with an image, a folder or a pattern a line
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Folder for the results [default: predictions]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to write, separated by commas
    #[arg(long, value_name = "KINDS", default_value = "mask", value_delimiter = ',')]
    pub kind: Vec<KindName>,
    /// Make results anew that are there
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub how: How,
    #[command(flatten)]
    pub look: Look,
    #[command(flatten)]
    pub device: Device,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// How predictions are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prediction")]
pub struct How {
    /// Size at which the network sees an image: input (that of its training), image (the image's own), or another one
    #[arg(long, value_name = "input|image|N|HxW", default_value = "input", value_parser = working_size)]
    pub size: WorkingSize,
    /// Cut images into tiles, seen at the image's own size: auto (those too large for the memory), off, or a side
    #[arg(long, value_name = "auto|off|N", default_value = "auto", value_parser = tiling)]
    pub tile: Tiling,
    /// Overlap of tiles in pixels, at most half of the side [default: a quarter of the side]
    #[arg(long, value_name = "N")]
    pub overlap: Option<usize>,
    /// Memory that the pixels of one image may take; larger ones are read and written row by row
    #[arg(long, value_name = "MiB", default_value_t = dapple::predict::DEFAULT_MEMORY_BYTES >> 20)]
    pub memory: u64,
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
    /// What samples are drawn from; the same seed gives the same ones
    #[arg(long, value_name = "N", default_value_t = 0, requires = "samples")]
    pub seed: u64,
    /// Probability above which a pixel is foreground (two classes) or decided (more; others become 255) [default: 0.5
    /// of two classes]
    #[arg(long, value_name = "P")]
    pub threshold: Option<f32>,
}

/// How results look.
#[derive(Debug, Args)]
#[command(next_help_heading = "Outputs")]
pub struct Look {
    /// Weight of the colours in overlays, 0 to 1
    #[arg(long, value_name = "X", default_value_t = 0.5)]
    pub opacity: f32,
    /// How probabilities and uncertainties are written
    #[arg(long, value_name = "FORMAT", default_value = "png8")]
    pub probability_format: FormatName,
    /// Classes that cut-outs keep, by name or label [default: all but the first]
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',')]
    pub class: Vec<String>,
    /// What cut-outs stand on: transparent, blur, a colour such as #20a0ff, or an image file
    #[arg(long, value_name = "WHAT", default_value = "transparent")]
    pub background: String,
    /// How the edges of cut-outs are fitted to the photograph
    #[arg(long, value_name = "HOW", default_value = "guided")]
    pub refine: RefineName,
    /// Leave out connected regions of fewer pixels in contours, coco and areas
    #[arg(long, value_name = "PIXELS", default_value_t = 1)]
    pub min_area: u64,
    /// How coco regions are written
    #[arg(long, value_name = "FORM", default_value = "runs")]
    pub coco: CocoName,
    /// Share of the frames before in each frame of a film, 0 to below 1
    #[arg(long, value_name = "X", default_value_t = 0.5)]
    pub smoothing: f32,
    /// The program that reads and writes films
    #[arg(long, value_name = "PROGRAM", default_value = "ffmpeg")]
    pub ffmpeg: PathBuf,
    /// Threads that decode images, and as many that encode [default: half of the cores, at most 4]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub workers: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindName {
    /// Class indices at the image's size, PNG with a palette
    Mask,
    /// Class indices as grey values, PNG
    Labels,
    /// The mask's colours over the image
    Overlay,
    /// Probabilities as grey values, 0 black to 1 white, or a NumPy array
    Probability,
    /// Entropy of the mean probabilities (over samples, models, flips and scales) over its largest value, 0 to 1, as grey
    /// values or a NumPy array
    Uncertainty,
    /// The uncertainty as colours over the image, from black (sure) over red to yellow
    Heatmap,
    /// The foreground with soft edges, transparent around it or on another background
    Cutout,
    /// Outlines with holes, GeoJSON; on the ground for a georeferenced TIFF
    Contours,
    /// Connected regions as COCO annotations
    Coco,
    /// Pixels and shares of classes, connected regions and their boxes, CSV
    Areas,
    /// Mask, overlay and probability
    All,
}

impl KindName {
    /// The kinds of this name.
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Mask => &[Kind::Mask],
            Self::Labels => &[Kind::Labels],
            Self::Overlay => &[Kind::Overlay],
            Self::Probability => &[Kind::Probability],
            Self::Uncertainty => &[Kind::Uncertainty],
            Self::Heatmap => &[Kind::Heatmap],
            Self::Cutout => &[Kind::Cutout],
            Self::Contours => &[Kind::Contours],
            Self::Coco => &[Kind::Coco],
            Self::Areas => &[Kind::Areas],
            Self::All => &[Kind::Mask, Kind::Overlay, Kind::Probability],
        }
    }

    /// The kinds of several names, each once.
    pub fn all(names: &[Self]) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = Vec::new();
        for &kind in names.iter().flat_map(|name| name.kinds()) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FormatName {
    Png8,
    Png16,
    Npy,
}

impl FormatName {
    /// The format of this name.
    pub fn format(self) -> ProbabilityFormat {
        match self {
            Self::Png8 => ProbabilityFormat::Png8,
            Self::Png16 => ProbabilityFormat::Png16,
            Self::Npy => ProbabilityFormat::Npy,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RefineName {
    /// As the network gives them
    Off,
    /// By a guided filter
    Guided,
    /// By closed-form matting: finer, takes seconds to minutes
    ClosedForm,
}

impl RefineName {
    /// The way of this name.
    pub fn refine(self) -> Refine {
        match self {
            Self::Off => Refine::Off,
            Self::Guided => Refine::Guided,
            Self::ClosedForm => Refine::ClosedForm,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CocoName {
    /// Compressed run lengths, exact
    Runs,
    /// Outer outlines
    Polygons,
}

impl CocoName {
    /// The form of this name.
    pub fn form(self) -> CocoForm {
        match self {
            Self::Runs => CocoForm::Runs,
            Self::Polygons => CocoForm::Polygons,
        }
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
        _ => at_least_one(text).map(|side| Tiling::Side { side, overlap: None }),
    }
}
