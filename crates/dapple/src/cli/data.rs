//! `dapple data`: inspect, convert and preview folders of images and masks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use dapple::data::{
    Augment, Dataset, Format, InputSettings, Inspection, MaskOrientation, OpenOptions, ValueRange,
    encode_png, preview,
};
use dapple_base::write_atomic;

use super::common::data::warn_of_skipped;
use super::common::json::{check_json, write_json};
use super::common::shard::Sharding;
use super::common::values::size;
use super::common::written::{Own, check_apart, check_written, same_file};
use super::console::Purpose;
use super::failure::Failure;
use super::settings::augmentation_preset;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple data inspect VOC2012 --html voc.html
  dapple data convert CamVid --format camvid-11 --out camvid11
  dapple data preview horses --augment strong --out strong.png

Formats, detected or named with --format:
  folders     images and masks in two folders, also nested and in parts, or
              NAME.jpg beside NAME_mask.png, NAME.png or NAME_CLASS.png
  colours     folders with colour-coded masks and no table: a class a colour
  lists       txt or csv files, an image and its mask on each line
  voc, cvat   ImageSets, JPEGImages, SegmentationClass, labelmap.txt
  camvid      the original 32 colours; camvid-11 and camvid-12 for the
              classes of SegNet
  cityscapes  leftImg8bit and gtFine
  ade20k      images and annotations of the scene parsing challenge
  coco        JSON with polygons or run lengths; coco-stuff and
              coco-panoptic for masks
  labelme     a JSON file beside each image
  yolo        images and labels, a text file of polygons for each image
  label-studio, via, cvat-xml, supervisely
              exports of these tools; label-studio-png for its masks
  oxford-pets, drive, isic, loveda
              these data sets as they are unpacked
  nnunet      imagesTr, labelsTr, dataset.json
  run-lengths images and a CSV of run lengths, as Kaggle has them

Values, palettes and colours of the masks are read as all masks together mean them; where they can be read in two ways, the \
message names both. `from = [10, 20]` in classes.toml lists the values of a class.

Class names come from classes.toml, classes.txt, classes.csv, classes.json, class_dict.csv, label_colors.txt or labelmap.txt \
in the folder.")]
pub struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Print the detected format, classes, sizes, faults and duplicates
    Inspect(Inspect),
    /// Write the folder as images/, masks/ with class indices, and classes.toml
    Convert(Convert),
    /// Draw a contact sheet of augmented samples
    Preview(Box<Preview>),
}

#[derive(Debug, Args)]
struct Inspect {
    /// Folder of images and masks
    #[arg(value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Write an HTML page with the findings and thumbnails
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Number of thumbnails on the page
    #[arg(long, value_name = "N", default_value_t = 24)]
    pictures: usize,
    /// Write the findings as JSON; - writes them to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Convert {
    /// Folder of images and masks
    #[arg(value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Folder to write: new, empty, or that of a conversion that was interrupted
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave bad pairs out with a warning instead of stopping
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    sharding: Sharding,
}

#[derive(Debug, Args)]
struct Preview {
    /// Folder of images and masks
    #[arg(value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Augmentation, as in training
    #[arg(long, value_name = "NAME", default_value = "medium", value_parser = augmentation_preset())]
    augment: Augment,
    /// Size of the network's input
    #[arg(long, value_name = "N|HxW", value_parser = size, default_value = "224")]
    size: (usize, usize),
    /// Seed of the augmentation
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number of samples, a row each
    #[arg(long, value_name = "N", default_value_t = 6)]
    samples: usize,
    /// PNG file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

/// Reading of the folder.
#[derive(Debug, Args)]
struct Reading {
    /// Format of the data [default: detected]
    #[arg(long, value_name = "NAME")]
    format: Option<Format>,
    /// Number of classes, the background included [default: counted in the masks]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Label of pixels to ignore
    #[arg(long, value_name = "LABEL")]
    ignore: Option<u8>,
    /// How masks lie on images that EXIF data turn: as-image (as stored) or upright [default: found from sizes and borders]
    #[arg(long, value_name = "HOW")]
    mask_orientation: Option<MaskOrientation>,
    /// Ending of the masks' names before the extension, which they add to those of their images, as _manual1 [default: found from
    /// the names]
    #[arg(long, value_name = "ENDING", allow_hyphen_values = true)]
    mask_suffix: Option<String>,
    /// Values of the images that become black and white: type (each file by its type), LOW..HIGH, or LOW..HIGH for each
    /// channel [default: found from the images]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    value_range: Option<ValueRange>,
}

impl Data {
    /// The role of standard output for the command.
    pub fn purpose(&self) -> Purpose {
        match self.command {
            DataCommand::Inspect(_) => Purpose::Result,
            DataCommand::Convert(_) | DataCommand::Preview(_) => Purpose::News,
        }
    }
}

impl Reading {
    fn open(&self, folder: &Path, skip_bad: bool) -> Result<Dataset, Failure> {
        let Self { format, classes, ignore, mask_orientation, ref mask_suffix, ref value_range } = *self;
        let (mask_suffix, value_range) = (mask_suffix.clone(), value_range.clone());
        let options = OpenOptions {
            format,
            classes,
            ignore,
            mask_orientation,
            mask_suffix,
            skip_bad,
            value_range,
            ..OpenOptions::default()
        };
        Ok(Dataset::open(folder, &options)?)
    }
}

pub fn run(arguments: &Data) -> Result<(), Failure> {
    match &arguments.command {
        DataCommand::Inspect(arguments) => inspect(arguments),
        DataCommand::Convert(arguments) => convert(arguments),
        DataCommand::Preview(arguments) => draw(arguments),
    }
}

fn inspect(arguments: &Inspect) -> Result<(), Failure> {
    check_apart(&[arguments.json.as_deref(), arguments.html.as_deref()])?;
    check_json(arguments.json.as_deref(), Own::Json(&["folder", "pairs", "classes", "problems"]), &[])?;
    if let Some(path) = &arguments.html {
        check_written(path, Own::Html, &[], None)?;
    }
    // Bad pairs are among the findings.
    let dataset = arguments.reading.open(&arguments.data, true)?;
    let inspection = Inspection::of(&arguments.data, &dataset)?;
    if let Some(path) = &arguments.html {
        write_atomic(path, inspection.to_html(&dataset, arguments.pictures)?.as_bytes())?;
    }
    if write_json(&inspection, arguments.json.as_deref())? {
        say_text!("{}", inspection.to_text());
        if let Some(path) = &arguments.html {
            say!("page: {}", path.display());
        }
    }
    Ok(())
}

fn convert(arguments: &Convert) -> Result<(), Failure> {
    let shard = arguments.sharding.resolve(false)?;
    let dataset = arguments.reading.open(&arguments.data, arguments.skip_bad)?;
    warn_of_skipped(&dataset);
    for folders in dataset.first_folders() {
        say!("{folders}");
    }
    let is_complete = dataset.convert_share(&arguments.out, shard)?;
    let (pairs, classes, out) = (dataset.len(), dataset.classes().len(), arguments.out.display());
    match shard {
        Some(shard) if !is_complete => say!("{shard} written to {out}; others are still to come"),
        _ => say!("{pairs} pairs of {classes} classes written to {out}"),
    }
    Ok(())
}

fn draw(arguments: &Preview) -> Result<(), Failure> {
    check_written(&arguments.out, Own::Never, &[], Some(arguments.force))?;
    let dataset = Arc::new(arguments.reading.open(&arguments.data, false)?);
    let files_of = |i: usize| dataset.image_path(i).into_iter().chain(dataset.label_paths(i));
    let mut files = (0..dataset.len()).flat_map(files_of);
    if let Some(file) = files.find(|file| arguments.out.exists() && same_file(file, &arguments.out)) {
        return Err(Failure::input(format!("{}: is a file of the data; give another name", file.display())));
    }
    warn_of_skipped(&dataset);
    let input = InputSettings::new(arguments.size.0, arguments.size.1);
    let sheet = preview::sheet(&dataset, input, arguments.augment, arguments.seed, arguments.samples)?;
    write_atomic(&arguments.out, &encode_png(&sheet)?)?;
    say!("written to {}", arguments.out.display());
    Ok(())
}
