//! Embeds the files of the page: whatever lies in `assets`, by its path.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The kinds of files that are served, by their extension.
const KINDS: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("woff2", "font/woff2"),
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("assets");
    println!("cargo::rerun-if-changed=assets");
    let mut files = Vec::new();
    add(&root, &mut files);
    files.sort();
    let mut text = String::from("&[\n");
    for file in files {
        let extension = file.extension().unwrap_or_default().to_string_lossy().into_owned();
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == extension) else { continue };
        let path = file.strip_prefix(&root).expect("it lies below").to_string_lossy().replace('\\', "/");
        writeln!(text, "    ({:?}, {kind:?}, include_bytes!({file:?})),", format!("/{path}"))
            .expect("a string takes it");
    }
    text.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("assets.rs");
    fs::write(out, text).expect("the folder for builds is writable");
}

fn add(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            add(&path, files);
        } else {
            files.push(path);
        }
    }
}
