//! Reading settings of a `config.json`, with a list of all that do not fit.

use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// The settings of one object, and what is wrong with them.
pub(super) struct Settings<'a> {
    map: &'a Map<String, Value>,
    /// Before the names of settings in messages.
    place: &'static str,
    pub problems: Vec<String>,
}

impl<'a> Settings<'a> {
    pub fn new(map: &'a Map<String, Value>, place: &'static str) -> Self {
        Self { map, place, problems: Vec::new() }
    }

    /// A setting; null counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A whole number, or the default of the library.
    pub fn number(&mut self, key: &str, range: RangeInclusive<u64>, default: u64) -> usize {
        let Some(value) = self.get(key) else { return default as usize };
        match value.as_u64().filter(|number| range.contains(number)) {
            Some(number) => number as usize,
            None => {
                let (low, high) = range.into_inner();
                self.refuse(key, value, &format!("a whole number from {low} to {high}"));
                default as usize
            }
        }
    }

    /// So many whole numbers, or the defaults of the library.
    pub fn numbers<const N: usize>(
        &mut self,
        key: &str,
        range: RangeInclusive<u64>,
        default: [usize; N],
    ) -> [usize; N] {
        let Some(value) = self.get(key) else { return default };
        let numbers = |value: &Value| -> Option<[usize; N]> {
            let number = |value: &Value| {
                value.as_u64().filter(|number| range.contains(number)).map(|number| number as usize)
            };
            value.as_array()?.iter().map(number).collect::<Option<Vec<usize>>>()?.try_into().ok()
        };
        numbers(value).unwrap_or_else(|| {
            let (low, high) = (range.start(), range.end());
            self.refuse(key, value, &format!("a list of {N} whole numbers from {low} to {high}"));
            default
        })
    }

    /// A rate at least 0 and below 1, or the default of the library.
    pub fn rate(&mut self, key: &str, default: f32) -> f32 {
        let Some(value) = self.get(key) else { return default };
        match value.as_f64().map(|rate| rate as f32).filter(|rate| (0.0..1.0).contains(rate)) {
            Some(rate) => rate,
            None => {
                self.refuse(key, value, "at least 0 and below 1");
                default
            }
        }
    }

    /// A setting with one supported value, which is the default of the library too.
    pub fn only(&mut self, key: &str, wanted: &Value) {
        if let Some(value) = self.get(key).filter(|value| *value != wanted) {
            self.refuse(key, value, &wanted.to_string());
        }
    }

    fn refuse(&mut self, key: &str, value: &Value, wanted: &str) {
        let place = self.place;
        self.problems.push(format!("`{place}{key}` is {}, it must be {wanted}", shown(value)));
    }
}

/// A value as JSON on one line, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
