//! The JSON of COCO as tools write it: ids as numbers or text, sizes with a point, polygons flat or nested.
//!
//! Reading never fails for a value of a wrong kind: it is kept as such, so that the error can name the annotation.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::format::walk::shown;

/// The lists of a file; those it lacks are empty.
#[derive(Deserialize)]
pub(super) struct File {
    pub images: Option<Vec<Image>>,
    pub annotations: Option<Vec<Annotation>>,
    pub categories: Option<Vec<Category>>,
}

#[derive(Deserialize)]
pub(super) struct Image {
    #[serde(default)]
    pub id: Field<Id>,
    #[serde(default)]
    pub file_name: Field<String>,
    #[serde(default)]
    pub width: Field<Side>,
    #[serde(default)]
    pub height: Field<Side>,
}

#[derive(Deserialize)]
pub(super) struct Category {
    #[serde(default)]
    pub id: Field<Id>,
    #[serde(default)]
    pub name: Field<String>,
    #[serde(default)]
    pub supercategory: Field<String>,
}

#[derive(Deserialize)]
pub(super) struct Annotation {
    #[serde(default)]
    pub image_id: Field<Id>,
    #[serde(default)]
    pub category_id: Field<Id>,
    #[serde(default)]
    pub iscrowd: Field<Flag>,
    #[serde(default)]
    pub segmentation: Field<Segmentation>,
}

/// A value of the kind that is wanted, another one, or none.
#[derive(Debug, Clone, Default)]
pub(super) enum Field<T> {
    Right(T),
    Wrong(String),
    #[default]
    Missing,
}

impl<T> Field<T> {
    /// The value, or what is wrong with the field of this name.
    pub fn required(self, name: &str) -> std::result::Result<T, String> {
        match self {
            Self::Right(value) => Ok(value),
            Self::Wrong(text) => Err(format!("its `{name}` is {text}")),
            Self::Missing => Err(format!("it has no `{name}`")),
        }
    }

    /// The value, the usual one where there is none, or what is wrong with the field of this name.
    pub fn or(self, name: &str, usual: T) -> std::result::Result<T, String> {
        if let Self::Missing = self { Ok(usual) } else { self.required(name) }
    }

    /// The value if there is one of the right kind.
    pub fn right(self) -> Option<T> {
        if let Self::Right(value) = self { Some(value) } else { None }
    }
}

/// Values that are understood in several forms.
trait Lenient: Sized {
    fn of(value: &Value) -> Option<Self>;
}

impl<'de, T: Lenient> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(match T::of(&value) {
            _ if value.is_null() => Self::Missing,
            Some(right) => Self::Right(right),
            None => Self::Wrong(format!("`{}`", shown(&value.to_string()))),
        })
    }
}

/// The id of an image, a category or an annotation: a number, also if it is written as text, or another text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Id {
    Number(i64),
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "`{}`", shown(text)),
        }
    }
}

impl Lenient for Id {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => {
                Some(text.trim().parse().map_or_else(|_| Self::Text(text.clone()), Self::Number))
            }
            _ => whole(value).map(Self::Number),
        }
    }
}

impl Lenient for String {
    fn of(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

/// A width or height in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side(pub usize);

impl Lenient for Side {
    fn of(value: &Value) -> Option<Self> {
        whole(value).and_then(|side| usize::try_from(side).ok()).map(Self)
    }
}

/// 0 or 1, true or false.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag(pub bool);

impl Lenient for Flag {
    fn of(value: &Value) -> Option<Self> {
        value.as_bool().or_else(|| whole(value).map(|number| number != 0)).map(Self)
    }
}

/// A whole number, also if it is written with a point.
fn whole(value: &Value) -> Option<i64> {
    let of_float = |number: f64| (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(of_float))
}

/// The pixels of an annotation.
#[derive(Debug, Clone)]
pub(super) enum Segmentation {
    /// The coordinates of each polygon, x and y in turns.
    Polygons(Vec<Vec<f64>>),
    /// Height, width, and the lengths of runs.
    Runs { size: [usize; 2], counts: Counts },
}

#[derive(Debug, Clone)]
pub(super) enum Counts {
    Compressed(String),
    Plain(Vec<u32>),
}

impl Lenient for Segmentation {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Array(list) if list.is_empty() => Some(Self::Polygons(Vec::new())),
            Value::Array(list) => polygons(list).map(Self::Polygons),
            Value::Object(map) => {
                let [Side(height), Side(width)] = match &map.get("size")?.as_array()?[..] {
                    [height, width] => [Side::of(height)?, Side::of(width)?],
                    _ => return None,
                };
                let counts = match map.get("counts")? {
                    Value::String(text) => Counts::Compressed(text.clone()),
                    Value::Array(list) => {
                        let count = |value: &Value| whole(value).and_then(|n| u32::try_from(n).ok());
                        Counts::Plain(list.iter().map(count).collect::<Option<_>>()?)
                    }
                    _ => return None,
                };
                Some(Self::Runs { size: [height, width], counts })
            }
            _ => None,
        }
    }
}

/// Polygons as COCO writes them, one polygon as a flat list of numbers or as a list of points, or several such lists.
fn polygons(list: &[Value]) -> Option<Vec<Vec<f64>>> {
    let numbers = |list: &[Value]| list.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>();
    let point = |value: &Value| match value {
        Value::Array(pair) => numbers(pair).filter(|pair| pair.len() == 2),
        Value::Object(map) => numbers(&[map.get("x")?.clone(), map.get("y")?.clone()]),
        _ => None,
    };
    let points = |list: &[Value]| Some(list.iter().map(point).collect::<Option<Vec<_>>>()?.concat());
    if let Some(flat) = numbers(list) {
        return Some(vec![flat]);
    }
    // A list of three pairs or more is one polygon: no polygon has one point.
    if list.len() > 2
        && let Some(polygon) = points(list)
    {
        return Some(vec![polygon]);
    }
    let inner = |value: &Value| value.as_array().and_then(|list| numbers(list).or_else(|| points(list)));
    list.iter().map(inner).collect()
}
