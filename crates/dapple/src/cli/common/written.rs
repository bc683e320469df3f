//! Files that commands write beside their work: never over an input, a model, or a file of another program.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use dapple::run::RunFolder;
use serde::de::IgnoredAny;

use crate::cli::failure::Failure;

/// How an earlier file of the same command is known, which the next one may replace.
#[derive(Clone, Copy, Debug)]
pub enum Own {
    /// A JSON object, or a list of them, with these keys among others.
    Json(&'static [&'static str]),
    /// A table whose header begins like this.
    Csv(&'static str),
    /// A page that names dapple as its generator.
    Html,
    /// Not at all: models and pictures look the same from any program.
    Never,
}

/// The keys of scores.
pub const SCORES: Own = Own::Json(&["dataset", "per_image", "policies"]);
/// The first columns of the table of each image's scores; lists of images and masks begin with `image` too.
pub const IMAGE_SCORES: Own = Own::Csv("image,height,width,");

/// Bytes at the beginning of a page or a table that tell whose it is.
const HEAD: u64 = 4096;

/// Checks, before the work, that a file may be written: it is none of the inputs, and if it exists, an earlier file of the
/// same kind, but none of a run. With `force`, which commands without that flag leave out, it may be any file but the
/// inputs and those of a run.
pub fn check_written(path: &Path, own: Own, inputs: &[&Path], force: Option<bool>) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::input(format!("{}: {why}", path.display())));
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    if !found.is_file() {
        return refuse("is a folder, a pipe or a device; give the name of a file");
    }
    // Reports are made anew at any time.
    if !matches!(own, Own::Html) && RunFolder::holds(path) {
        return refuse("belongs to the run in its folder and would be replaced; give another name");
    }
    if inputs.iter().any(|input| same_file(path, input)) {
        return refuse("is an input of this command and would be replaced; give another name");
    }
    match force {
        Some(true) => Ok(()),
        _ if is_own(path, own) => Ok(()),
        Some(false) => refuse("exists already; give another name, or replace it with --force"),
        None => refuse("exists, and is no earlier file of this command; give another name, or remove it"),
    }
}

/// Refuses a file that is named for two outputs of a command, whether it exists or not. Standard output, `-`, is none.
pub fn check_apart(outputs: &[Option<&Path>]) -> Result<(), Failure> {
    let place = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let outputs: Vec<&Path> =
        outputs.iter().flatten().copied().filter(|path| *path != Path::new("-")).collect();
    for (index, &path) in outputs.iter().enumerate() {
        if outputs[..index].iter().any(|&other| place(other) == place(path) || same_file(other, path)) {
            return Err(Failure::input(format!(
                "{}: is named for two outputs; give each a name of its own",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Whether two paths lead to one existing file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn is_own(path: &Path, own: Own) -> bool {
    match own {
        Own::Json(keys) => has_keys(path, keys),
        Own::Csv(start) => head(path).starts_with(start.as_bytes()),
        Own::Html => {
            let generator = b"name=\"generator\" content=\"dapple\"";
            head(path).windows(generator.len()).any(|part| part == generator)
        }
        Own::Never => false,
    }
}

fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    // A file that cannot be read is nobody's.
    let _ = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    head
}

fn has_keys(path: &Path, keys: &[&str]) -> bool {
    // Annotations may be large: nothing of them but the keys is kept.
    type Keys = BTreeMap<String, IgnoredAny>;
    let Ok(mut file) = File::open(path).map(BufReader::new) else { return false };
    let is_list = file.fill_buf().is_ok_and(|bytes| bytes.trim_ascii_start().starts_with(b"["));
    let first: Option<Keys> = if is_list {
        serde_json::from_reader(file).ok().and_then(|maps: Vec<Keys>| maps.into_iter().next())
    } else {
        serde_json::from_reader(file).ok()
    };
    first.is_some_and(|map| keys.iter().all(|key| map.contains_key(*key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_files_of_their_own() {
        let [a, same, b, standard] = ["x/a", "./x//a", "x/b", "-"].map(|path| Some(Path::new(path)));
        assert!(check_apart(&[a, None, b, standard, standard]).is_ok());
        assert!(check_apart(&[b, a, None, same]).is_err());
    }

    #[test]
    fn only_earlier_files_of_a_command_are_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let keys = Own::Json(&["a", "b"]);
        let check = |name: &str, own| check_written(&path(name), own, &[&path("input.json")], None).is_ok();
        for (name, text) in [
            ("input.json", r#"{"a": 1, "b": 2}"#),
            ("own.json", r#"{"b": [1], "a": {"c": 3}, "d": 4}"#),
            ("list.json", r#"[{"a": 1, "b": 2}]"#),
            ("coco.json", r#"{"images": [], "annotations": []}"#),
            ("own.html", "<!doctype html><meta name=\"generator\" content=\"dapple\">"),
            ("page.html", "<!doctype html><p>mine"),
            ("own.csv", "image,height,width,miou\n"),
            ("list.csv", "image,mask\n"),
        ] {
            fs::write(path(name), text).expect("the folder is writable");
        }
        assert!(check("absent.json", keys) && check("own.json", keys) && check("list.json", keys));
        assert!(!check("input.json", keys) && !check("coco.json", keys) && !check("page.html", keys));
        assert!(check("own.html", Own::Html) && !check("page.html", Own::Html));
        assert!(check("own.csv", IMAGE_SCORES) && !check("list.csv", IMAGE_SCORES));
        assert!(!check("own.json", Own::Never) && !check(".", keys));
        let forced =
            |name: &str| check_written(&path(name), keys, &[&path("input.json")], Some(true)).is_ok();
        assert!(forced("coco.json") && !forced("input.json"));
    }
}
