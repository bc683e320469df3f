//! Files that name the classes of a data set and perhaps give their colours.
//!
//! | file | content |
//! |---|---|
//! | `classes.toml` | `[[class]]` with `name`, perhaps `colour` and `from`, the values that stand for it in the masks; \
//!   `ignore`, `ignore_colours`, `ignore_from` before them |
//! | `classes.txt` | a class a line: `name` or `name red green blue` |
//! | `classes.csv`, `class_dict.csv` | columns `name,r,g,b` with a header; `_classes.csv` has `Pixel Value, Class` |
//! | `classes.json` | a list of names or of objects with `name` and `color`, or an object of colours by name |
//! | `label_colors.txt` | CamVid's `red green blue name` |
//! | `labelmap.txt` | CVAT's and Datumaro's `name:red,green,blue:parts:actions` |

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dapple_base::{json_fault, readable};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;
use crate::format::walk::{bad_file, read_text, shown};
use crate::mask::classes::{Classes, palette};
use crate::mask::colour::unpack;

/// Classes written down beside the images, and what else such a file may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassTable {
    pub path: PathBuf,
    pub classes: Classes,
    /// The label of pixels that count nowhere.
    pub ignore: Option<u8>,
    /// Colours of pixels that count nowhere.
    pub ignored_colours: Vec<[u8; 3]>,
    /// The values that stand for each class in the masks, where the file gives them.
    pub from: Option<Vec<Vec<u16>>>,
    /// Values of pixels that count nowhere.
    pub ignored_values: Vec<u16>,
    /// Whether the file gives the colour of every class.
    pub has_colours: bool,
    /// Whether masks that go with such a file are always colour-coded, even where they are palette pictures.
    pub means_colours: bool,
}

/// The names of such files, the most telling first.
pub(crate) const FILES: [&str; 9] = [
    "classes.toml",
    "classes.txt",
    "classes.csv",
    "classes.json",
    "class_dict.csv",
    "labelmap.txt",
    "label_colors.txt",
    "_classes.csv",
    "train/_classes.csv",
];

/// Names, in lower case, of what annotators give to pixels that count nowhere.
const IGNORED_NAMES: [&str; 4] = ["void", "ignore", "ignored", "__ignore__"];

/// Whether a name is one that annotators give to pixels that count nowhere.
pub(crate) fn is_ignored_name(name: &str) -> bool {
    IGNORED_NAMES.contains(&name.to_lowercase().as_str())
}

impl ClassTable {
    /// A table of classes with their colours.
    pub fn of_colours(path: PathBuf, classes: Classes) -> Self {
        Self {
            path,
            classes,
            ignore: None,
            ignored_colours: Vec::new(),
            from: None,
            ignored_values: Vec::new(),
            has_colours: true,
            means_colours: false,
        }
    }

    /// Takes the classes named `void` or `ignore` out, for colour-coded masks, where labels are free to be chosen: their
    /// colours are ignored. Gives the names taken out.
    pub fn take_ignored(&mut self) -> Vec<String> {
        let names = std::mem::take(&mut self.classes.names);
        let colours = std::mem::take(&mut self.classes.colours);
        let mut taken = Vec::new();
        for (name, colour) in names.into_iter().zip(colours) {
            if is_ignored_name(&name) {
                taken.push(name);
                self.ignored_colours.push(colour);
            } else {
                self.classes.names.push(name);
                self.classes.colours.push(colour);
            }
        }
        taken
    }
}

impl Classes {
    /// Reads the classes that a file names, in any of the forms that [`Dataset::open`](crate::Dataset::open) reads.
    ///
    /// # Errors
    /// [`DataError::Read`](crate::DataError::Read) and [`DataError::BadFile`](crate::DataError::BadFile).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(parse(path, &read_text(path)?)?.classes)
    }

    /// The text of a `classes.toml` of these classes, as [`Dataset::open`](crate::Dataset::open) reads it.
    pub fn to_toml(&self) -> String {
        to_toml(self, None)
    }

    /// The same for masks that hold the labels themselves, and `ignore` where pixels count nowhere. The file gives the value of
    /// each class, so that nothing is guessed from masks that hold few of them.
    pub fn to_toml_of_labels(&self, ignore: u8) -> String {
        toml_text(self, Some(ignore), true)
    }

    /// Reads the `classes.toml` of masks that hold the labels themselves; also gives the label that counts nowhere, if there is
    /// one.
    ///
    /// # Errors
    /// Those of [`Classes::read`]; [`DataError::BadFile`](crate::DataError::BadFile) where masks hold other values or colours.
    pub fn read_of_labels(path: impl AsRef<Path>) -> Result<(Self, Option<u8>)> {
        let path = path.as_ref();
        let table = parse(path, &read_text(path)?)?;
        let own = |(label, values): (u16, &Vec<u16>)| values.as_slice() == [label];
        let plain = table.from.as_ref().is_none_or(|from| (0..).zip(from).all(own));
        if !plain
            || table.means_colours
            || !table.ignored_colours.is_empty()
            || !table.ignored_values.is_empty()
        {
            let problem = "by this file, the masks hold other values than the numbers of the classes; `dapple data convert` writes \
                           a folder of masks that hold those";
            return Err(bad_file(path, problem));
        }
        Ok((table.classes, table.ignore))
    }
}

/// Reads the class table of a folder; `None` where it has none.
pub(crate) fn read_class_table(folder: &Path) -> Result<Option<ClassTable>> {
    let path = FILES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    path.map(|path| parse(&path, &read_text(&path)?)).transpose()
}

/// Parses a class table by the name of its file.
pub(crate) fn parse(path: &Path, text: &str) -> Result<ClassTable> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let parsed = match name.as_str() {
        "labelmap.txt" => parse_labelmap(text),
        "label_colors.txt" => parse_label_colours(text),
        _ if name.ends_with(".toml") => return parse_toml(path, text),
        _ if name.ends_with(".json") => parse_json(text),
        _ if name.ends_with(".csv") => parse_csv(text),
        _ => Ok(lines(text).map(parse_line).collect()),
    };
    let means_colours = name == "labelmap.txt" || name == "label_colors.txt";
    Ok(ClassTable { means_colours, ..collect(path, parsed.map_err(|problem| bad_file(path, problem))?)? })
}

type Entry = (String, Option<[u8; 3]>);
type Parsed = std::result::Result<Vec<Entry>, String>;

/// The lines that are neither empty nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlFile {
    ignore: Option<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignore_colours: Vec<Colour>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignore_from: Vec<u16>,
    #[serde(rename = "class")]
    classes: Vec<TomlClass>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlClass {
    name: String,
    #[serde(alias = "color")]
    colour: Option<Colour>,
    from: Option<Vec<u16>>,
}

/// `[red, green, blue]` or `"#rrggbb"`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Colour {
    Channels([u8; 3]),
    Text(String),
}

impl Colour {
    fn channels(self) -> std::result::Result<[u8; 3], String> {
        match self {
            Self::Channels(colour) => Ok(colour),
            Self::Text(text) => json_colour(&Value::String(text)),
        }
    }
}

fn parse_toml(path: &Path, text: &str) -> Result<ClassTable> {
    let file: TomlFile = toml::from_str(text).map_err(|e| bad_file(path, readable(&e.to_string())))?;
    let wrong = |problem: String| bad_file(path, problem);
    let (mut entries, mut from) = (Vec::new(), Vec::new());
    for TomlClass { name, colour, from: values } in file.classes {
        from.push(values);
        entries.push((name, colour.map(Colour::channels).transpose().map_err(wrong)?));
    }
    let ignored_colours = file.ignore_colours.into_iter().map(Colour::channels);
    let ignored_colours = ignored_colours.collect::<std::result::Result<_, _>>().map_err(wrong)?;
    let table = collect(path, entries)?;
    let from = values_of(&table.classes, from, &file.ignore_from).map_err(wrong)?;
    if from.is_none() && !file.ignore_from.is_empty() {
        return Err(wrong("`ignore_from` needs `from`, the values of the masks, in every class".into()));
    }
    Ok(ClassTable { ignore: file.ignore, ignored_colours, from, ignored_values: file.ignore_from, ..table })
}

/// The values that stand for each class: all classes have some, or none has.
fn values_of(
    classes: &Classes,
    from: Vec<Option<Vec<u16>>>,
    ignored: &[u16],
) -> std::result::Result<Option<Vec<Vec<u16>>>, String> {
    if from.iter().all(Option::is_none) {
        return Ok(None);
    }
    let name = |i: usize| &classes.names[i];
    if let Some(i) = from.iter().position(Option::is_none) {
        return Err(format!("class `{}` has no `from`, others have; give its values in the masks", name(i)));
    }
    let from: Vec<Vec<u16>> = from.into_iter().flatten().collect();
    let mut owners: HashMap<u16, &str> = ignored.iter().map(|&value| (value, "ignore_from")).collect();
    for (i, values) in from.iter().enumerate() {
        for &value in values {
            if let Some(owner) = owners.insert(value, name(i)).filter(|owner| owner != name(i)) {
                return Err(format!(
                    "`{owner}` and `{}` both have the value {value}; take it out of one",
                    name(i)
                ));
            }
        }
    }
    Ok(Some(from))
}

/// The text of a `classes.toml`.
pub(crate) fn to_toml(classes: &Classes, ignore: Option<u8>) -> String {
    toml_text(classes, ignore, false)
}

/// The same, perhaps with the value of each class in the masks: its label.
fn toml_text(classes: &Classes, ignore: Option<u8>, values: bool) -> String {
    let entries = classes.names.iter().cloned().zip(&classes.colours);
    let class = |(label, (name, colour)): (u16, (String, &[u8; 3]))| TomlClass {
        name,
        colour: Some(Colour::Channels(*colour)),
        from: values.then(|| vec![label]),
    };
    let classes = (0..).zip(entries).map(class).collect();
    toml::to_string(&TomlFile { ignore, ignore_colours: Vec::new(), ignore_from: Vec::new(), classes })
        .expect("strings and numbers can be written as TOML")
}

/// `name` or `name red green blue`, separated by spaces, tabs or commas; names may have spaces.
fn parse_line(line: &str) -> Entry {
    let words: Vec<&str> = line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
    match &words[..] {
        [name @ .., r, g, b] if !name.is_empty() => match colour_of(&[r, g, b]) {
            Some(colour) => (name.join(" "), Some(colour)),
            None => (line.to_owned(), None),
        },
        _ => (line.to_owned(), None),
    }
}

fn colour_of(words: &[&str]) -> Option<[u8; 3]> {
    let [r, g, b] = words else { return None };
    Some([r.trim().parse().ok()?, g.trim().parse().ok()?, b.trim().parse().ok()?])
}

/// `red green blue name`.
fn parse_label_colours(text: &str) -> Parsed {
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let colour = words.get(..3).and_then(colour_of);
        match (colour, words.get(3..)) {
            (Some(colour), Some(name @ [_, ..])) => Ok((name.join(" "), Some(colour))),
            _ => Err(format!("`{}` is not `red green blue name`", shown(line))),
        }
    };
    lines(text).map(entry).collect()
}

/// `name:red,green,blue:parts:actions`; the colour, the parts and the actions may be empty.
fn parse_labelmap(text: &str) -> Parsed {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        // Names may have colons; parts and actions may not.
        let [name @ .., colour, _, _] = &fields[..] else {
            return Err(format!("`{}` is not `name:red,green,blue:parts:actions`", shown(line)));
        };
        let words: Vec<&str> = colour.split(',').collect();
        match (colour.trim(), colour_of(&words)) {
            ("", _) => Ok((name.join(":"), None)),
            (_, Some(colour)) => Ok((name.join(":"), Some(colour))),
            _ => Err(format!("`{}` is not a colour; give red,green,blue from 0 to 255", shown(colour))),
        }
    };
    lines(text).map(entry).collect()
}

/// Columns by their header: a name, and red, green, blue or a value.
fn parse_csv(text: &str) -> Parsed {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let headers: Vec<String> =
        reader.headers().map_err(|e| e.to_string())?.iter().map(str::to_lowercase).collect();
    let column = |names: &[&str]| headers.iter().position(|header| names.contains(&header.as_str()));
    let name = column(&["name", "class", "label", "class_name"])
        .ok_or("no column `name`; the first line must name the columns: name,r,g,b")?;
    let colours = (column(&["r", "red"]), column(&["g", "green"]), column(&["b", "blue"]));
    let value = column(&["pixel value", "value", "id", "index"]);
    let mut entries: Vec<Entry> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let field = |i: usize| record.get(i).unwrap_or_default();
        if let Some(value) = value
            && field(value).parse() != Ok(entries.len())
        {
            let (name, value) = (shown(field(name)), shown(field(value)));
            return Err(format!(
                "`{name}` has the value `{value}` instead of {}; number classes from 0",
                entries.len()
            ));
        }
        let colour = match colours {
            (Some(r), Some(g), Some(b)) => Some(
                colour_of(&[field(r), field(g), field(b)])
                    .ok_or_else(|| format!("`{}` has no colour; give 0 to 255", shown(field(name))))?,
            ),
            _ => None,
        };
        entries.push((field(name).to_owned(), colour));
    }
    Ok(entries)
}

/// A list of names, a list of objects with `name` and `color`, or an object of colours by name.
fn parse_json(text: &str) -> Parsed {
    let value: Value =
        serde_json::from_str(text).map_err(|e| format!("{}; correct it there", json_fault(&e)))?;
    let list = match &value {
        Value::Object(map) => match map.get("classes").or(map.get("labels")) {
            Some(Value::Array(list)) => list,
            _ => {
                let entry =
                    |(name, colour): (&String, &Value)| Ok((name.clone(), Some(json_colour(colour)?)));
                return map.iter().map(entry).collect();
            }
        },
        Value::Array(list) => list,
        _ => return Err("neither a list of classes nor an object of colours by name".into()),
    };
    let entry = |value: &Value| match value {
        Value::String(name) => Ok((name.clone(), None)),
        Value::Object(map) => {
            let name = map.get("name").or(map.get("label")).or(map.get("title")).and_then(Value::as_str);
            let name = name.ok_or_else(|| format!("`{}` has no `name`", shown(&value.to_string())))?;
            let colour = map.get("color").or(map.get("colour")).map(json_colour).transpose()?;
            Ok((name.to_owned(), colour))
        }
        other => Err(format!("`{}` is not a class", shown(&other.to_string()))),
    };
    list.iter().map(entry).collect()
}

/// `[red, green, blue]` or `"#rrggbb"`.
fn json_colour(value: &Value) -> std::result::Result<[u8; 3], String> {
    let byte = |v: &Value| v.as_u64().and_then(|v| u8::try_from(v).ok());
    let colour = match value {
        Value::Array(list) => match &list[..] {
            [r, g, b] => byte(r).zip(byte(g)).zip(byte(b)).map(|((r, g), b)| [r, g, b]),
            _ => None,
        },
        Value::String(text) => text
            .strip_prefix('#')
            .filter(|hex| hex.len() == 6)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok().map(unpack)),
        _ => None,
    };
    colour.ok_or_else(|| {
        format!("`{}` is not a colour; give [red, green, blue] or \"#rrggbb\"", shown(&value.to_string()))
    })
}

fn collect(path: &Path, classes: Vec<Entry>) -> Result<ClassTable> {
    if classes.is_empty() || classes.len() > 256 {
        return Err(bad_file(path, format!("it names {} classes; give 1 to 256", classes.len())));
    }
    if let Some(i) = classes.iter().position(|(name, _)| name.is_empty()) {
        return Err(bad_file(path, format!("class {i} has no name; give it one")));
    }
    if let Some((i, (name, _))) =
        classes.iter().enumerate().find(|(i, c)| classes[..*i].iter().any(|d| d.0 == c.0))
    {
        let problem = format!("class {i} is named `{name}` like one before it; give it another name");
        return Err(bad_file(path, problem));
    }
    let has_colours = classes.iter().all(|(_, colour)| colour.is_some());
    let colour = |(k, (_, colour)): (usize, &Entry)| colour.unwrap_or_else(|| palette(k));
    let colours = classes.iter().enumerate().map(colour).collect();
    let names = classes.into_iter().map(|(name, _)| name).collect();
    Ok(ClassTable { has_colours, ..ClassTable::of_colours(path.to_owned(), Classes { names, colours }) })
}
