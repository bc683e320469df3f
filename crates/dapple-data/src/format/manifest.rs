//! Manifests: tables of files, a row an item, as other programs write them. CSV with a header, or a JSON object a line.

use std::path::Path;

use dapple_base::{json_fault, read_regular};
use serde_json::{Map, Value};

use crate::error::{DataError, Result};
use crate::format::walk::{bad_file, has_extension, shown};

/// The largest manifest that is read, in bytes.
const LIMIT: u64 = 1 << 30;

/// A column of a manifest, under any of its names; the first one stands in messages.
#[derive(Clone, Copy, Debug)]
pub struct ManifestColumn {
    /// Its names, compared without regard to case.
    pub names: &'static [&'static str],
    /// Whether every row must have a value.
    pub required: bool,
}

/// Whether a file is a manifest, by its extension: `csv`, `tsv`, `jsonl`, `ndjson`, and `parquet`, which is refused when it is
/// read.
pub fn is_manifest(path: &Path) -> bool {
    has_extension(path, &["csv", "tsv", "jsonl", "ndjson", "parquet"])
}

/// The values of columns in each row of a manifest; `None` for a value that is absent or empty.
///
/// # Errors
/// [`DataError::Read`], and [`DataError::BadFile`] with the line for a manifest that is damaged, empty, of a format that is not
/// read, without a required column, or with an empty value in one.
pub fn manifest_rows(path: &Path, columns: &[ManifestColumn]) -> Result<Vec<Vec<Option<String>>>> {
    if has_extension(path, &["parquet"]) {
        return Err(bad_file(
            path,
            "Parquet is not read; convert it to CSV, for instance with duckdb -c \"COPY (FROM 'x.parquet') TO 'x.csv'\", or in \
             Python with pandas.read_parquet('x.parquet').to_csv('x.csv', index=False)",
        ));
    }
    let bytes =
        read_regular(path, LIMIT).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let text =
        String::from_utf8(bytes).map_err(|_| bad_file(path, "it is not UTF-8 text; save it as UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let rows = if has_extension(path, &["jsonl", "ndjson"]) {
        of_json(path, text, columns)?
    } else {
        of_table(path, text, columns)?
    };
    if rows.is_empty() {
        return Err(bad_file(path, "the manifest has no rows"));
    }
    Ok(rows)
}

/// The error of a required value that is not there.
fn absent(path: &Path, line: u64, column: &ManifestColumn) -> DataError {
    bad_file(path, format!("line {line}: no value of `{}`; add it, or take the row out", column.names[0]))
}

fn of_table(path: &Path, text: &str, columns: &[ManifestColumn]) -> Result<Vec<Vec<Option<String>>>> {
    let delimiter = if has_extension(path, &["tsv"]) { b'\t' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let damaged = |error: csv::Error| bad_file(path, format!("it is no table: {error}"));
    let header = reader.headers().map_err(damaged)?.clone();
    let place = |column: &ManifestColumn| {
        let is_named = |field: &str| column.names.iter().any(|name| name.eq_ignore_ascii_case(field.trim()));
        let mut places =
            header.iter().enumerate().filter(|(_, field)| is_named(field)).map(|(place, _)| place);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(Some(place)),
            (Some(_), Some(_)) => {
                let names = column.names.join("`, `");
                Err(bad_file(path, format!("several columns of the names `{names}`; keep one of them")))
            }
            (None, _) if column.required => {
                let found: Vec<&str> = header.iter().collect();
                Err(bad_file(
                    path,
                    format!(
                        "its header has no column `{}` but {}; add it, or name the files in a text file, one a line",
                        column.names[0],
                        shown(&found.join(", "))
                    ),
                ))
            }
            (None, _) => Ok(None),
        }
    };
    let places = columns.iter().map(place).collect::<Result<Vec<Option<usize>>>>()?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(damaged)?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Vec::with_capacity(columns.len());
        for (column, place) in columns.iter().zip(&places) {
            let value = place.and_then(|place| record.get(place)).map(str::trim);
            let value = value.filter(|value| !value.is_empty());
            if value.is_none() && column.required {
                return Err(absent(path, line, column));
            }
            row.push(value.map(str::to_owned));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn of_json(path: &Path, text: &str, columns: &[ManifestColumn]) -> Result<Vec<Vec<Option<String>>>> {
    let mut rows = Vec::new();
    for (number, line) in (1_u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |problem: String| bad_file(path, format!("line {number}: {problem}"));
        let object: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| wrong(format!("no JSON object: {}", json_fault(&error))))?;
        let mut row = Vec::with_capacity(columns.len());
        for column in columns {
            let is_named = |key: &str| column.names.iter().any(|name| name.eq_ignore_ascii_case(key));
            let mut values = object.iter().filter(|(key, _)| is_named(key)).map(|(_, value)| value);
            let value = match (values.next(), values.next()) {
                (Some(_), Some(_)) => {
                    let names = column.names.join("`, `");
                    return Err(wrong(format!("several keys of the names `{names}`; keep one of them")));
                }
                (None | Some(Value::Null), _) => None,
                (Some(Value::String(text)), None) => {
                    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
                }
                (Some(_), None) => return Err(wrong(format!("`{}` is not a text", column.names[0]))),
            };
            if value.is_none() && column.required {
                return Err(absent(path, number, column));
            }
            row.push(value);
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const COLUMNS: [ManifestColumn; 2] = [
        ManifestColumn { names: &["image", "path"], required: true },
        ManifestColumn { names: &["name"], required: false },
    ];

    fn read(name: &str, text: &str) -> std::result::Result<Vec<Vec<Option<String>>>, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        assert!(is_manifest(&path));
        manifest_rows(&path, &COLUMNS).map_err(|error| error.to_string())
    }

    #[test]
    fn tables_and_lines_of_json_give_the_same_rows() {
        let some = |text: &str| Some(text.to_owned());
        let wanted = Ok(vec![vec![some("a, b.jpg"), some("x/1")], vec![some("c.png"), None]]);
        for (name, text) in [
            ("m.csv", "\u{feff}id,Image,name\n7,\"a, b.jpg\",x/1\n8,c.png,\n"),
            ("m.tsv", "name\tpath\nx/1\ta, b.jpg\n\tc.png\n"),
            ("m.jsonl", "{\"image\":\"a, b.jpg\",\"name\":\"x/1\"}\n\n{\"path\":\"c.png\",\"size\":[1,2]}\n"),
            ("m.ndjson", "{\"IMAGE\":\"a, b.jpg\",\"name\":\"x/1\"}\r\n{\"path\":\" c.png\",\"name\":null}"),
        ] {
            assert_eq!(read(name, text), wanted, "{name}");
        }
    }

    #[test]
    fn faults_name_their_line_and_the_way_out() {
        for (name, text, words) in [
            ("m.parquet", "PAR1", "duckdb"),
            ("m.csv", "file,name\na.png,b\n", "no column `image` but file, name"),
            ("m.csv", "image,path\na.png,b\n", "several columns"),
            ("m.csv", "image,name\na.png,b\n,c\n", "line 3: no value of `image`"),
            ("m.csv", "image,name\na.png\n", "no table"),
            ("m.csv", "image\n", "no rows"),
            ("m.jsonl", "{\"image\":\"a\"}\n[1]\n", "line 2: no JSON object"),
            ("m.jsonl", "{\"image\":1}", "`image` is not a text"),
            ("m.jsonl", "{\"name\":\"a\"}", "line 1: no value of `image`"),
            ("m.jsonl", "{\"image\":\"a\",\"path\":\"b\"}", "several keys"),
        ] {
            let error = read(name, text).expect_err(words);
            assert!(error.contains(words) && error.contains(name), "no `{words}` in {error}");
        }
    }
}
