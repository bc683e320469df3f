//! Lists of pairs: `train.txt`, `val.txt`, `pairs.csv` and so on with the paths of an image and of its mask on each line.
//!
//! Paths are relative to the list or to the data set's folder. Those of another machine, such as
//! `/SegNet/CamVid/train/x.png`, are found by their longest ending that exists; none leads out of the folder.

use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::class_table::FILES;
use crate::format::found::{Found, Notes, Record};
use crate::format::similar::NamedFiles;
use crate::format::walk::{
    bad_file, entries, has_extension, has_image_extension, has_mask_extension, read_text, relative_stem,
    shown,
};
use crate::part::Part;

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub image: String,
    pub mask: String,
    /// The part that a column of the list gives.
    pub part: Option<Part>,
}

pub(super) fn probe(root: &Path) -> bool {
    lists(root).is_ok_and(|lists| !lists.is_empty())
}

/// The text files of a folder that are lists of pairs.
fn lists(root: &Path) -> Result<Vec<(PathBuf, Vec<Line>)>> {
    let mut lists = Vec::new();
    for path in entries(root)? {
        let is_table = path.file_name().is_some_and(|name| FILES.iter().any(|file| name == *file));
        if is_table || !path.is_file() || !has_extension(&path, &["txt", "csv", "tsv", "lst"]) {
            continue;
        }
        // Other text files, such as a licence, are skipped; a damaged list would be one too, so that the error of
        // a folder without any list names what was looked for.
        if let Ok(lines) = read_text(&path).and_then(|text| parse(&path, &text))
            && !lines.is_empty()
        {
            lists.push((path, lines));
        }
    }
    Ok(lists)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut records: Vec<Record> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let files = NamedFiles::new(root, vec![root.to_owned()]);
    for (list, lines) in lists(root)? {
        let part_of_list = list.file_stem().and_then(|stem| stem.to_str()).and_then(Part::in_name);
        for Line { image, mask, part } in lines {
            let part = part.or(part_of_list);
            match (files.find(&image), files.find(&mask)) {
                (Some(image), Some(mask)) => {
                    let stem = relative_stem(root, &image);
                    let Some(stem) = stem else {
                        notes.bad(DataError::NameNotUtf8 { path: image })?;
                        continue;
                    };
                    let name = Part::prefixed(part, strip_part(&stem, part));
                    if seen.insert(name.clone()) {
                        records.push(Record::of_files(name, part, image, mask));
                    }
                }
                (image_path, _) => {
                    let missing = if image_path.is_none() { &image } else { &mask };
                    let problem = format!("`{}` is not in this folder; correct the list", shown(missing));
                    notes.bad(bad_file(&list, problem))?;
                }
            }
        }
    }
    if records.is_empty() && notes.skipped.is_empty() {
        let problem = "no list of pairs (txt, csv) with the paths of an image and its mask on each line";
        return Err(bad_file(root, problem));
    }
    records.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    Ok(Found::open(records))
}

/// The name without a folder that only says the part again.
fn strip_part(stem: &str, part: Option<Part>) -> &str {
    let again = |part: Part| {
        let (first, rest) = stem.split_once('/')?;
        part.words().contains(&first.to_lowercase().as_str()).then_some(rest)
    };
    part.and_then(again).unwrap_or(stem)
}

/// The lines of a list; none if the text is not a list of pairs.
///
/// # Errors
/// For a line that is not a pair in a list whose first line is one.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let contents = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (number, line) in contents.enumerate() {
        let fields = fields(line);
        let part = fields.get(2).and_then(|field| Part::in_name(field));
        match &fields[..] {
            [image, mask, ..] if is_pair(image, mask) && fields.len() <= 3 => {
                lines.push(Line { image: image.clone(), mask: mask.clone(), part });
            }
            // The header of a csv.
            _ if number == 0 => {
                if !fields.iter().any(|f| f.to_lowercase().contains("image")) || fields.len() < 2 {
                    return Ok(Vec::new());
                }
            }
            _ => return Err(bad_file(path, format!("`{}` is not an image and its mask", shown(line)))),
        }
    }
    Ok(lines)
}

fn is_pair(image: &str, mask: &str) -> bool {
    has_image_extension(Path::new(image)) && has_mask_extension(Path::new(mask))
}

/// The fields of a line: separated by tabs, commas or semicolons if it has any, else by spaces.
fn fields(line: &str) -> Vec<String> {
    let clean = |field: &str| field.trim().trim_matches('"').to_owned();
    match ['\t', ',', ';'].into_iter().find(|&separator| line.contains(separator)) {
        Some(separator) => line.split(separator).map(clean).collect(),
        None => line.split_whitespace().map(clean).collect(),
    }
}
