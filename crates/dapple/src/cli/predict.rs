//! `dapple predict`: masks, overlays and probabilities for images of any size.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use dapple::TrainError;
use dapple::data::{Raster, decode_image, write_indexed_png};
use dapple::device::engine;
use dapple::report::{Classes, GrayImage, OverlayStyle, RgbImage, overlay, probability_map, save_png};
use dapple::train::{Prediction, Segmenter};

use super::arguments::{Kind, Predict};
use super::failure::Failure;

/// The extensions of files in a folder that are taken for images.
const EXTENSIONS: [&str; 10] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "pgm", "ppm", "pnm"];

pub fn run(arguments: &Predict) -> Result<(), Failure> {
    let device = &arguments.device;
    let engine = engine(device.device.as_deref().unwrap_or("auto"), device.threads)?;
    let segmenter = Segmenter::load(&arguments.model, engine.as_ref())?;
    let images = images(&arguments.inputs)?;
    fs::create_dir_all(&arguments.out)
        .map_err(|source| TrainError::Write { path: arguments.out.clone(), source })?;

    let mut writer = Writer::new(&segmenter, arguments)?;
    let mut bad = 0;
    for image in &images {
        match writer.predict(image) {
            Ok(()) => {}
            // One bad image is no reason to leave the others undone; a full disk is.
            Err(Failure::Input(message)) => {
                eprintln!("error: {message}");
                bad += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
    println!(
        "{} of {} images predicted, written to {}",
        images.len() - bad,
        images.len(),
        arguments.out.display()
    );
    match bad {
        0 => Ok(()),
        _ => {
            Err(Failure::input(format!("{bad} of {} images could not be predicted, see above", images.len())))
        }
    }
}

/// The images named, and those in the folders named, in order.
fn images(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut images = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            images.push(input.clone());
            continue;
        }
        let failed = |source| TrainError::Read { path: input.clone(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(input).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
            if extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str())) && path.is_file() {
                found.push(path);
            }
        }
        if found.is_empty() {
            return Err(Failure::input(format!("{}: no images in this folder", input.display())));
        }
        found.sort();
        images.append(&mut found);
    }
    Ok(images)
}

/// Predicts images and writes what was asked for.
struct Writer<'a> {
    segmenter: &'a Segmenter,
    classes: Classes,
    colours: Vec<[u8; 3]>,
    out: &'a Path,
    kind: Kind,
    /// File stems written so far.
    stems: HashSet<String>,
}

impl<'a> Writer<'a> {
    fn new(segmenter: &'a Segmenter, arguments: &'a Predict) -> Result<Self, Failure> {
        let named = segmenter.classes();
        let colours = named.colours.clone();
        let classes = Classes::new(named.names, named.colours, None)?;
        let (out, kind) = (arguments.out.as_path(), arguments.kind);
        Ok(Self { segmenter, classes, colours, out, kind, stems: HashSet::new() })
    }

    fn predict(&mut self, path: &Path) -> Result<(), Failure> {
        let image = decode_image(path, 3)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if same_file(path, &self.out.join(format!("{stem}.png"))) {
            return Err(Failure::input(format!(
                "{}: its mask would overwrite it; give another folder with --out",
                path.display()
            )));
        }
        if !self.stems.insert(stem.clone()) {
            return Err(Failure::input(format!(
                "{}: an image of the same name was predicted before; give them different folders with --out",
                path.display()
            )));
        }
        let prediction = self.segmenter.predict(&image)?;
        let wants = |kind| self.kind == kind || self.kind == Kind::All;
        let size = (image.width as u32, image.height as u32);
        let labels = prediction.labels();
        if wants(Kind::Mask) {
            write_indexed_png(self.out.join(format!("{stem}.png")), size.0, size.1, &labels, &self.colours)?;
        }
        if wants(Kind::Overlay) {
            let path = self.out.join(format!("{stem}-overlay.png"));
            self.write_overlay(&path, image, labels)?;
        }
        if wants(Kind::Probability) {
            self.write_probabilities(&stem, &prediction)?;
        }
        Ok(())
    }

    fn write_overlay(&self, path: &Path, image: Raster, labels: Vec<u8>) -> Result<(), Failure> {
        let (width, height) = (image.width as u32, image.height as u32);
        let photo = RgbImage::from_raw(width, height, image.data).expect("decoded to three channels");
        let labels = GrayImage::from_raw(width, height, labels).expect("one label a pixel");
        let unpainted = (self.classes.count() == 2).then_some(0);
        let style = OverlayStyle { unpainted, ..OverlayStyle::default() };
        let picture = overlay(&photo, &labels, &self.classes, style)?;
        Ok(save_png(&picture, path)?)
    }

    /// One map for the foreground of two classes, else one a class.
    fn write_probabilities(&self, stem: &str, prediction: &Prediction) -> Result<(), Failure> {
        let names = self.classes.names();
        for (class, name) in names.iter().enumerate() {
            let file = match names.len() {
                2 if class == 0 => continue,
                2 => format!("{stem}-probability.png"),
                _ => format!("{stem}-probability-{}.png", name.replace([' ', '/', '\\'], "-")),
            };
            let (width, height) = (prediction.width() as u32, prediction.height() as u32);
            let map = probability_map(width, height, &prediction.probability(class))?;
            save_png(&map, &self.out.join(file))?;
        }
        Ok(())
    }
}

/// Whether two paths lead to one file that exists.
fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
