//! Label Studio's export of brush strokes as PNG: `task-1-annotation-1-by-1-tag-CLASS-0.png`, a mask for each class.
//!
//! The files do not say which image a task is: a JSON of the project beside them does (`JSON-MIN` is enough), or images that
//! are named after their tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::format::class_table::{FILES, is_ignored_name, read_class_table};
use crate::format::found::{Found, IGNORED, Notes};
use crate::format::json::parse;
use crate::format::label_studio::{find_image, image_files, image_of, name_of_image};
use crate::format::several::{classes_of, merged, merged_record};
use crate::format::walk::{
    bad_file, entries, files_below, has_extension, has_image_extension, read_text, shown,
};
use crate::mask::merged::MaskPart;

static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^task-(\d+)-annotation-(\d+)-by-.*?-tag-(.+)-\d+$").expect("a regular expression")
});

pub(super) fn probe(root: &Path) -> bool {
    let below = files_below(root, &|path| has_image_extension(path) && mask_of(path).is_some());
    below.is_ok_and(|masks| !masks.is_empty())
}

/// The task, the annotation and the class that a file is named after.
fn mask_of(path: &Path) -> Option<(u64, u64, String)> {
    let found = NAME.captures(path.file_stem()?.to_str()?)?;
    Some((found[1].parse().ok()?, found[2].parse().ok()?, found[3].to_owned()))
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut tasks: BTreeMap<u64, BTreeMap<u64, Vec<(String, PathBuf)>>> = BTreeMap::new();
    let mut named_after: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for path in files_below(root, &has_image_extension)? {
        if let Some((task, annotation, class)) = mask_of(&path) {
            tasks.entry(task).or_default().entry(annotation).or_default().push((class, path));
        } else if let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
            && let Ok(task) = stem.strip_prefix("task-").unwrap_or(stem).parse()
        {
            named_after.insert(task, path);
        }
    }
    let images = images_of_tasks(root)?;
    let named: BTreeSet<&str> =
        tasks.values().flat_map(BTreeMap::values).flatten().map(|(class, _)| &**class).collect();
    let table = read_class_table(root)?;
    let (classes, ignores) = classes_of(root, &named, table.as_ref(), None)?;
    let label = |class: &str| {
        let position = classes.names.iter().position(|name| name == class);
        position.filter(|_| !is_ignored_name(class)).map_or(IGNORED, |label| label as u8)
    };
    let files = image_files(root);
    let mut records = Vec::new();
    for (task, annotations) in &tasks {
        let Some(masks) = annotations.values().next() else { continue };
        let first = &masks[0].1;
        if annotations.len() > 1 {
            let problem =
                format!("task {task} has {} annotations; export one for each task", annotations.len());
            notes.bad(bad_file(first, problem))?;
            continue;
        }
        let image = match images.get(task) {
            Some(named) => find_image(&files, named),
            None => named_after.get(task).cloned(),
        };
        let Some(image) = image else {
            let problem = match images.get(task) {
                Some(named) => format!("its image, `{}`, is nowhere in the folder; add it", shown(named)),
                None => format!(
                    "nothing says which image task {task} is; put the project's export as JSON-MIN into the folder, or name \
                     the image task-{task}"
                ),
            };
            notes.bad(bad_file(first, problem))?;
            continue;
        };
        let parts = masks
            .iter()
            .map(|(class, path)| MaskPart { path: path.clone(), label: label(class), outside: false })
            .collect();
        records.push(merged_record(name_of_image(root, &image), None, image, parts));
    }
    let without = images.keys().filter(|task| !tasks.contains_key(task)).count();
    if without > 0 {
        notes.warn(format!("{without} tasks of the JSON have no mask, and are left out"));
    }
    records.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(merged(records, classes, ignores, table))
}

/// The names of the images of tasks, from lists of tasks in the folder.
fn images_of_tasks(root: &Path) -> Result<BTreeMap<u64, String>> {
    let mut images = BTreeMap::new();
    let is_table = |path: &Path| path.file_name().is_some_and(|name| FILES.iter().any(|file| name == *file));
    let is_list = |path: &PathBuf| has_extension(path, &["json"]) && path.is_file() && !is_table(path);
    for path in entries(root)?.into_iter().filter(is_list) {
        let tasks: Vec<Map<String, Value>> =
            parse(&path, &read_text(&path)?, "a list of tasks of Label Studio")?;
        for task in tasks {
            let data = task.get("data").and_then(Value::as_object).unwrap_or(&task);
            if let (Some(id), Some(image)) = (task.get("id").and_then(Value::as_u64), image_of(data)) {
                images.insert(id, image.to_owned());
            }
        }
    }
    Ok(images)
}
