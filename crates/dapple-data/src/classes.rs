//! Names and colours of classes.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};

/// The classes of a data set, in the order of their labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// The name of every class.
    pub names: Vec<String>,
    /// The colour of every class, red, green, blue.
    pub colours: Vec<[u8; 3]>,
}

/// Names and colours of CamVid in the SegNet layout; the first eleven are the classes of the SegNet paper.
const CAMVID: [(&str, [u8; 3]); 12] = [
    ("sky", [128, 128, 128]),
    ("building", [128, 0, 0]),
    ("pole", [192, 192, 128]),
    ("road", [128, 64, 128]),
    ("pavement", [60, 40, 222]),
    ("tree", [128, 128, 0]),
    ("sign symbol", [192, 128, 128]),
    ("fence", [64, 64, 128]),
    ("car", [64, 0, 128]),
    ("pedestrian", [64, 64, 0]),
    ("bicyclist", [0, 128, 192]),
    ("unlabelled", [0, 0, 0]),
];

impl Classes {
    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no class.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Background and one foreground class of the given name.
    pub fn binary(foreground: &str) -> Self {
        Self { names: vec!["background".into(), foreground.into()], colours: vec![palette(0), palette(1)] }
    }

    /// `count` classes known by their number only, in the colours of [`palette`].
    pub fn numbered(count: usize) -> Self {
        Self {
            names: (0..count).map(|k| format!("class {k}")).collect(),
            colours: (0..count).map(palette).collect(),
        }
    }

    /// The text of a `classes.toml` of these classes, as [`Dataset::open`](crate::Dataset::open) reads it.
    pub fn to_toml(&self) -> String {
        let classes = self.names.iter().cloned().zip(self.colours.iter().copied().map(Some));
        let classes = classes.map(|(name, colour)| TomlClass { name, colour }).collect();
        toml::to_string(&TomlFile { ignore: None, classes })
            .expect("strings and numbers can be written as TOML")
    }

    /// The first `count` (11 or 12) classes of CamVid as SegNet numbers them.
    pub fn camvid(count: usize) -> Self {
        let classes = CAMVID.iter().take(count);
        let (names, colours) = classes.map(|&(name, colour)| (name.to_owned(), colour)).unzip();
        Self { names, colours }
    }
}

/// A colour for class `index` of a data set without colours of its own: black for 0, then colours that are told apart
/// easily, without an end.
///
/// The first ones are chosen by hand. Further ones turn the hue by the golden angle, so that neighbours differ, with
/// brightness and saturation changing from one to the next.
pub fn palette(index: usize) -> [u8; 3] {
    const FIRST: [[u8; 3]; 12] = [
        [0, 0, 0],
        [230, 75, 53],
        [77, 187, 213],
        [0, 160, 135],
        [243, 196, 63],
        [126, 97, 171],
        [145, 209, 120],
        [244, 155, 127],
        [60, 84, 136],
        [220, 120, 190],
        [126, 97, 72],
        [200, 200, 200],
    ];
    if let Some(&colour) = FIRST.get(index) {
        return colour;
    }
    let hue = (index as f64 * 137.507_764) % 360.0;
    let value = [0.95, 0.7, 0.5][index % 3];
    let saturation = [0.55, 0.85][index % 2];
    let channel = |offset: f64| {
        let k = (offset + hue / 60.0) % 6.0;
        let v = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (v * 255.0).round() as u8
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

/// Classes written down beside the images, and what else such a file may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassesFile {
    pub classes: Classes,
    pub ignore: Option<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlFile {
    ignore: Option<u8>,
    #[serde(rename = "class")]
    classes: Vec<TomlClass>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlClass {
    name: String,
    #[serde(alias = "color")]
    colour: Option<[u8; 3]>,
}

/// Reads `classes.toml` or `classes.txt` of a folder; `None` where it has neither.
///
/// The text form has one class a line, `name` or `name red green blue`; empty lines and lines that begin with `#` are
/// skipped. The TOML form has a table `[[class]]` with `name` and perhaps `colour = [red, green, blue]` for every class,
/// and perhaps `ignore = 255` before them.
pub(crate) fn read_classes_file(folder: &Path) -> Result<Option<ClassesFile>> {
    let toml = folder.join("classes.toml");
    if let Some(text) = read_optional(&toml)? {
        return parse_toml(&toml, &text).map(Some);
    }
    let plain = folder.join("classes.txt");
    match read_optional(&plain)? {
        Some(text) => parse_text(&plain, &text).map(Some),
        None => Ok(None),
    }
}

fn read_optional(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DataError::Read { path: path.to_owned(), source }),
    }
}

fn parse_toml(path: &Path, text: &str) -> Result<ClassesFile> {
    let file: TomlFile = toml::from_str(text).map_err(|e| bad(path, e.to_string()))?;
    let classes = file.classes.into_iter().map(|c| (c.name, c.colour)).collect();
    Ok(ClassesFile { classes: collect(path, classes)?, ignore: file.ignore })
}

fn parse_text(path: &Path, text: &str) -> Result<ClassesFile> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let classes = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse_line).collect();
    Ok(ClassesFile { classes: collect(path, classes)?, ignore: None })
}

/// `name` or `name red green blue`, separated by spaces, tabs or commas; names may have spaces.
fn parse_line(line: &str) -> (String, Option<[u8; 3]>) {
    let words: Vec<&str> = line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
    if let [name @ .., red, green, blue] = &words[..]
        && let (Ok(r), Ok(g), Ok(b)) = (red.parse(), green.parse(), blue.parse())
    {
        return (name.join(" "), Some([r, g, b]));
    }
    (line.to_owned(), None)
}

fn collect(path: &Path, classes: Vec<(String, Option<[u8; 3]>)>) -> Result<Classes> {
    if classes.is_empty() || classes.len() > 256 {
        return Err(bad(path, format!("it names {} classes; give 1 to 256", classes.len())));
    }
    if let Some(i) = classes.iter().position(|(name, _)| name.is_empty()) {
        return Err(bad(path, format!("class {i} has no name; give it one")));
    }
    if let Some((i, (name, _))) =
        classes.iter().enumerate().find(|(i, c)| classes[..*i].iter().any(|d| d.0 == c.0))
    {
        return Err(bad(
            path,
            format!("class {i} is named `{name}` like one before it; give it another name"),
        ));
    }
    let colour = |(k, colour): (usize, Option<[u8; 3]>)| colour.unwrap_or_else(|| palette(k));
    let colours = classes.iter().map(|c| c.1).enumerate().map(colour).collect();
    Ok(Classes { names: classes.into_iter().map(|c| c.0).collect(), colours })
}

fn bad(path: &Path, problem: String) -> DataError {
    DataError::BadFile { path: path.to_owned(), problem }
}
