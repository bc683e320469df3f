//! Run lengths in a CSV, as Kaggle's competitions have them: a row an image, or an image and a class, with pairs of start and
//! length counted from 1.
//!
//! Kaggle counts down the columns; some files count along the rows. Read the wrong way, regions fall apart into stripes,
//! so that the length of their borders tells which way it is, unless all images are square: then Kaggle's definition holds,
//! and it is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{DataError, Result};
use crate::format::bitmaps::whole;
use crate::format::found::{Found, Notes, Record, Target};
use crate::format::walk::{
    bad_file, entries, files_below, has_extension, has_image_extension, missing, read_text, relative_stem,
    shown,
};
use crate::image::decode::image_header;
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::mask::regions::{Regions, Shape};
use crate::part::Part;

/// Names of the column of run lengths, in lower case.
const RUNS: [&str; 6] = ["encodedpixels", "rle", "rle_mask", "rle_encode", "mask_rle", "segmentation"];
/// Names of the column of images.
const IMAGES: [&str; 9] =
    ["imageid", "image_id", "image", "img", "img_id", "id", "filename", "image_name", "imageid_classid"];
/// Names of the column of classes.
const CLASSES: [&str; 7] = ["classid", "class_id", "class", "label", "classname", "class_name", "category"];
/// Names of a column with an image and a class, joined by `_`.
const JOINED: [&str; 3] = ["image_label", "imageid_classid", "image_class"];

/// Images whose borders are measured to tell the direction.
const EVIDENCE: usize = 100;
/// How much longer the borders of the wrong direction must be.
const CLEAR: f64 = 1.3;

/// The most pixels that are looked at for the rows of one image: thousands of rows of a large image.
const WORK_LIMIT: u64 = 1 << 33;

/// The columns of a file.
struct Columns {
    image: usize,
    runs: usize,
    class: Option<usize>,
    joined: bool,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Option<Self> {
        let names: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
        let position = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        let runs = position(&RUNS)?;
        let joined = position(&JOINED);
        let image = joined.or_else(|| position(&IMAGES))?;
        Some(Self { image, runs, class: position(&CLASSES), joined: joined.is_some() })
    }
}

/// One row: its line, the class, and starts and lengths.
struct Row {
    line: u64,
    class: Option<String>,
    runs: Vec<(usize, usize)>,
}

pub(super) fn probe(root: &Path) -> bool {
    tables(root).is_ok_and(|tables| !tables.is_empty())
}

/// The CSV files with such columns, but for samples of submissions.
fn tables(root: &Path) -> Result<Vec<PathBuf>> {
    let is_table = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        has_extension(path, &["csv"])
            && !name.contains("submission")
            && path.is_file()
            && csv::Reader::from_path(path).is_ok_and(|mut reader| holds_runs(&mut reader))
    };
    Ok(entries(root)?.into_iter().filter(is_table).collect())
}

/// Whether the header has the columns and the first rows hold run lengths.
fn holds_runs(reader: &mut csv::Reader<std::fs::File>) -> bool {
    let Some(columns) = reader.headers().ok().and_then(Columns::of) else { return false };
    let mut rows = reader.records().take(50);
    rows.all(|row| row.is_ok_and(|row| parse_runs(row.get(columns.runs).unwrap_or_default().trim()).is_ok()))
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut rows: BTreeMap<String, (PathBuf, Vec<Row>)> = BTreeMap::new();
    let tables = tables(root)?;
    if tables.is_empty() {
        return Err(bad_file(
            root,
            "no CSV with a column of images and one of run lengths (EncodedPixels, rle)",
        ));
    }
    for path in &tables {
        read_table(path, &mut rows)?;
    }
    let mut images: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for image in files_below(root, &has_image_extension)? {
        match image.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) {
            Some(stem) => images.entry(stem).or_default().push(image),
            None => notes.bad(DataError::NameNotUtf8 { path: image })?,
        }
    }
    let named: BTreeSet<String> =
        rows.values().flat_map(|(_, rows)| rows.iter().filter_map(|row| row.class.clone())).collect();
    let mut names: Vec<String> = named.into_iter().collect();
    // Numbers by their value.
    if names.iter().all(|name| name.parse::<u32>().is_ok()) {
        names.sort_by_key(|name| name.parse::<u32>().unwrap_or_default());
    }
    if names.is_empty() {
        names.push("foreground".to_owned());
    } else if rows.values().any(|(_, rows)| rows.iter().any(|row| row.class.is_none())) {
        let problem =
            "some of its CSV files have a column of classes and others have none; add it, or take these out";
        return Err(bad_file(root, problem));
    }
    if names.len() > 254 {
        return Err(bad_file(root, format!("{} classes; 1 to 254 can be learned", names.len())));
    }
    let mut samples = Vec::new();
    for (name, (path, rows)) in rows {
        let stem = Path::new(&name).with_extension("").to_string_lossy().into_owned();
        let found = images.remove(&stem).or_else(|| images.remove(&name)).unwrap_or_default();
        let image = match &found[..] {
            [image] => image.clone(),
            [] => {
                notes.bad(missing(&path, &name))?;
                continue;
            }
            [first, second, ..] => {
                let problem = format!(
                    "`{}` may be {} or {}; rename one or take it out",
                    shown(&name),
                    first.display(),
                    second.display()
                );
                notes.bad(bad_file(&path, problem))?;
                continue;
            }
        };
        let Some(header) = notes.kept(image_header(&image))? else { continue };
        let (width, height) = header.size();
        samples.push(Sample { path, image, rows, width: width as usize, height: height as usize });
    }
    if !images.is_empty() {
        notes.warn(format!("{} images have no row in the CSV and are left out", images.len()));
    }
    let down = goes_down(&samples, notes);
    let mut records = Vec::new();
    for sample in samples {
        match sample.regions(&names, down) {
            Ok(regions) => {
                let Sample { path, image, .. } = sample;
                let Some(name) = relative_stem(root, &image) else {
                    notes.bad(DataError::NameNotUtf8 { path: image })?;
                    continue;
                };
                let (part, name) = Part::split(&name);
                let target = Target::Regions { path, regions: Arc::new(regions) };
                records.push(Record { name: Part::prefixed(part, name), part, image, target });
            }
            Err(error) => notes.bad(error)?,
        }
    }
    records.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    let classes = Classes::named(std::iter::once("background".to_owned()).chain(names));
    Ok(Found::fixed(records, classes, MaskDecoder::indices()))
}

fn read_table(path: &Path, rows: &mut BTreeMap<String, (PathBuf, Vec<Row>)>) -> Result<()> {
    let text = read_text(path)?;
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| bad_file(path, format!("not a CSV: {e}")))?;
    let columns = Columns::of(header).ok_or_else(|| bad_file(path, "it has no column of run lengths"))?;
    for record in reader.records() {
        let record = record.map_err(|e| bad_file(path, format!("not a CSV: {e}")))?;
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| bad_file(path, format!("line {line}: {problem}"));
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let mut image = cell(columns.image);
        let mut class = columns.class.map(|column| cell(column).to_owned());
        if columns.joined {
            let (name, label) = image.rsplit_once('_').ok_or_else(|| {
                wrong(format!("`{}` is not an image and a class joined by `_`", shown(image)))
            })?;
            image = name;
            class = Some(label.to_owned());
        }
        let entry = rows.entry(image.to_owned()).or_insert_with(|| (path.to_owned(), Vec::new()));
        let runs = parse_runs(cell(columns.runs)).map_err(wrong)?;
        if !runs.is_empty() {
            if class.as_deref() == Some("") {
                return Err(wrong("it has run lengths but no class".into()));
            }
            entry.1.push(Row { line, class, runs });
        }
    }
    Ok(())
}

/// Starts, counted from 0, and lengths; none for an empty cell, `-1` and `nan`.
fn parse_runs(text: &str) -> std::result::Result<Vec<(usize, usize)>, String> {
    if matches!(text.to_ascii_lowercase().as_str(), "" | "-1" | "nan" | "none") {
        return Ok(Vec::new());
    }
    let numbers: Option<Vec<usize>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    let numbers = numbers.ok_or_else(|| format!("`{}` are not starts and lengths", shown(text)))?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a start without a length".into());
    }
    let mut runs = Vec::with_capacity(pairs.len());
    for &[start, length] in pairs {
        if start == 0 {
            return Err("a run starts at 0; starts are counted from 1".into());
        }
        runs.push((start - 1, length));
    }
    runs.sort_unstable();
    Ok(runs)
}

/// An image with its rows.
struct Sample {
    path: PathBuf,
    image: PathBuf,
    rows: Vec<Row>,
    width: usize,
    height: usize,
}

impl Sample {
    /// The regions, where runs go down the columns or along the rows.
    fn regions(&self, names: &[String], down: bool) -> Result<Regions> {
        let Self { path, rows, width, height, .. } = self;
        let pixels = width * height;
        if (rows.len() as u64).saturating_mul(pixels as u64) > WORK_LIMIT {
            let (image, rows) = (self.image.display(), rows.len());
            let problem =
                format!("it has {rows} rows for {image} of {width} x {height} pixels; divide the image");
            return Err(bad_file(path, problem));
        }
        let mut regions = Vec::new();
        for row in rows {
            let wrong = |problem: String| bad_file(path, format!("line {}: {problem}", row.line));
            let label = match &row.class {
                Some(class) => names.iter().position(|name| name == class).unwrap_or(0),
                None => 0,
            };
            let mut bits = vec![0_u8; pixels];
            // Runs are sorted: what overlaps is drawn once, so that the work is that of the pixels.
            let mut drawn = 0;
            for &(start, length) in &row.runs {
                let end = start.checked_add(length).filter(|&end| end <= pixels);
                let Some(end) = end else {
                    let problem = format!(
                        "a run from {} of {length} pixels leaves the image of {width} x {height}",
                        start + 1
                    );
                    return Err(wrong(problem));
                };
                for at in start.max(drawn)..end {
                    bits[if down { at % height * width + at / height } else { at }] = 1;
                }
                drawn = drawn.max(end);
            }
            regions.push((label as u8 + 1, whole(&bits, *width)));
        }
        // Small ones last, so that they stay visible.
        regions.sort_by(|a: &(u8, Shape), b| Regions::area(&b.1).total_cmp(&Regions::area(&a.1)));
        Ok(Regions { width: *width, height: *height, background: 0, regions })
    }

    /// Pairs of neighbouring pixels of different labels.
    fn border(&self, down: bool) -> u64 {
        let Ok(regions) = self.regions(&[], down) else { return 0 };
        let labels = regions.draw().labels;
        let across = labels.chunks_exact(self.width).flat_map(|row| row.windows(2)).filter(|p| p[0] != p[1]);
        let below = labels.iter().zip(labels.iter().skip(self.width)).filter(|(a, b)| a != b);
        (across.count() + below.count()) as u64
    }
}

/// Whether runs go down the columns.
fn goes_down(samples: &[Sample], notes: &mut Notes) -> bool {
    let telling: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.width != sample.height && !sample.rows.is_empty())
        .take(EVIDENCE)
        .collect();
    let border = |down: bool| telling.iter().map(|sample| sample.border(down)).sum::<u64>() as f64;
    let (down, along) = (border(true), border(false));
    if down > 0.0 && along > down * CLEAR {
        return true;
    }
    if along > 0.0 && down > along * CLEAR {
        notes.warn(
            "run lengths are read along the rows: down the columns, as Kaggle counts, regions fall apart",
        );
        return false;
    }
    notes.warn(
        "run lengths are read down the columns, as Kaggle counts; the images do not tell whether that is true: look \
         at them with `dapple data preview`",
    );
    true
}
