//! `dapple data`: what was understood of a folder, and the folder in a form that every program reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use dapple::data::{Augment, Dataset, Format, InputSettings, Inspection, OpenOptions, encode_png, preview};
use dapple_base::write_atomic;

use super::arguments::size;
use super::failure::Failure;
use super::settings::augmentation_preset;
use super::train::warn_of_skipped;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple data inspect VOC2012 --html voc.html
  dapple data convert CamVid --format camvid-11 --out camvid11
  dapple data preview horses --augment strong --out strong.png

Formats, found by themselves or named with --format:
  folders       images and masks in two folders, in parts and nested as they come; NAME.jpg beside NAME_mask.png
  colours       folders whose masks are colour-coded without a table: every colour is a class
  lists         txt and csv files with the paths of an image and its mask on each line
  voc, cvat     ImageSets, JPEGImages, SegmentationClass, perhaps with labelmap.txt
  camvid        the original 32 colours; camvid-11 and camvid-12 for SegNet's classes
  cityscapes    leftImg8bit and gtFine
  ade20k        images and annotations of the scene parsing challenge
  coco          JSON with polygons or run lengths; coco-stuff and coco-panoptic for masks
  labelme       a JSON beside each image

Classes are named by classes.toml, classes.txt, classes.csv, classes.json, class_dict.csv, label_colors.txt or
labelmap.txt in the folder.")]
pub struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Say what was understood: format, classes, sizes, faults, duplicates
    Inspect(Inspect),
    /// Write the folder as images/, masks/ with class indices, classes.toml
    Convert(Convert),
    /// Draw samples with random changes as a contact sheet
    Preview(Preview),
}

#[derive(Debug, Args)]
struct Inspect {
    /// Folder of images and masks
    #[arg(value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Write a page with everything in it, thumbnails too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Thumbnails on the page
    #[arg(long, value_name = "N", default_value_t = 24)]
    pictures: usize,
    /// Write what was found as JSON; with - to standard output, and nothing else there
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
    /// Folder to write, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave bad pairs out with a warning instead of stopping
    #[arg(long)]
    skip_bad: bool,
}

#[derive(Debug, Args)]
struct Preview {
    /// Folder of images and masks
    #[arg(value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Random changes, as in training
    #[arg(long, value_name = "NAME", default_value = "medium", value_parser = augmentation_preset())]
    augment: Augment,
    /// Size of the network's input
    #[arg(long, value_name = "N|HxW", value_parser = size, default_value = "224")]
    size: (usize, usize),
    /// Seed of the changes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Samples, a row each
    #[arg(long, value_name = "N", default_value_t = 6)]
    samples: usize,
    /// Picture to write (PNG)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// How the folder is read.
#[derive(Debug, Args)]
struct Reading {
    /// Format of the data [default: found by itself]
    #[arg(long, value_name = "NAME")]
    format: Option<Format>,
    /// Classes, the background included [default: found from the masks]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Label of pixels that do not count
    #[arg(long, value_name = "LABEL")]
    ignore: Option<u8>,
}

impl Reading {
    fn open(&self, folder: &Path, skip_bad: bool) -> Result<Dataset, Failure> {
        let Self { format, classes, ignore } = *self;
        Ok(Dataset::open(folder, &OpenOptions { format, classes, ignore, coding: None, skip_bad })?)
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
    // Bad pairs are what one wants to see here.
    let dataset = arguments.reading.open(&arguments.data, true)?;
    let inspection = Inspection::of(&arguments.data, &dataset)?;
    if let Some(path) = &arguments.html {
        write_atomic(path, inspection.to_html(&dataset, arguments.pictures)?.as_bytes())?;
    }
    let json = || serde_json::to_string_pretty(&inspection).map_err(|e| Failure::Other(e.to_string()));
    match arguments.json.as_deref() {
        Some(path) if path == Path::new("-") => println!("{}", json()?),
        path => {
            if let Some(path) = path {
                write_atomic(path, json()?.as_bytes())?;
            }
            print!("{}", inspection.to_text());
            if let Some(path) = &arguments.html {
                println!("page: {}", path.display());
            }
        }
    }
    Ok(())
}

fn convert(arguments: &Convert) -> Result<(), Failure> {
    let dataset = arguments.reading.open(&arguments.data, arguments.skip_bad)?;
    warn_of_skipped(&dataset);
    dataset.convert(&arguments.out)?;
    let (pairs, classes) = (dataset.len(), dataset.classes().len());
    println!("{pairs} pairs of {classes} classes written to {}", arguments.out.display());
    Ok(())
}

fn draw(arguments: &Preview) -> Result<(), Failure> {
    let dataset = Arc::new(arguments.reading.open(&arguments.data, false)?);
    warn_of_skipped(&dataset);
    let input = InputSettings::new(arguments.size.0, arguments.size.1);
    let sheet = preview::sheet(&dataset, input, arguments.augment, arguments.seed, arguments.samples)?;
    write_atomic(&arguments.out, &encode_png(&sheet)?)?;
    println!("written to {}", arguments.out.display());
    Ok(())
}
