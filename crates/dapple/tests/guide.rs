//! The guide and the README are true: every command in them runs, every link leads somewhere.
//!
//! Commands stand in blocks marked `console`, each on a line that begins with `$ `. They run in the order of the page, in a folder
//! with small synthetic data under the names that the pages use. Trainings are cut short by the options in [`SHORT`]. A block
//! that cannot run is marked `console,norun-REASON`; of its `dapple` commands, the options are checked all the same.
#![cfg(unix)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dapple::data::{Raster, encode_png, synthetic, write_indexed_png};
use dapple::nets::ENCODERS;
use dapple::nets::registry::networks;

/// Why a block is not run.
const REASONS: [(&str, &str); 12] = [
    ("build", "it would build the program again, or install packages"),
    ("card", "it needs a graphics card"),
    ("cloud", "it needs object storage; `bench/cloud` has a server of it"),
    ("cluster", "it needs Slurm or Kubernetes; the tests of the templates run their commands"),
    ("container", "it needs a container runtime"),
    ("download", "it needs the network"),
    ("ffmpeg", "it needs ffmpeg and a video"),
    ("init", "it takes the network of a model, not the short one; tests of the program start from models"),
    ("minutes", "the gate runs it by itself"),
    ("weights", "it needs weights of another program"),
    ("moved", "it needs data in another place; a test of dapple-run moves some"),
    ("server", "it runs until it is stopped; the tests of the server and of `watch` run it"),
];

/// Options for every training, in place of what the page says; the network stays where the page names one.
const SHORT: [(&str, &str); 4] = [("--model", "unet"), ("--width", "4"), ("--size", "64"), ("--epochs", "1")];

/// Where the repository's own files are for readers of the book.
const REPOSITORY: &str = "https://github.com/dapple-rs/dapple/blob/main/";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages of the guide below a folder, sorted.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn guide() -> PathBuf {
    root().join("docs/guide/src")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The fence of a code block on this line, which may follow a list number: what stands behind the backticks.
fn fence(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.strip_prefix(". ").unwrap_or(line).trim_start().strip_prefix("```")
}

/// The commands of a page, with the mark of their block.
fn commands(text: &str) -> Vec<(String, String)> {
    let (mut found, mut open) = (Vec::new(), None::<&str>);
    for line in text.lines() {
        match (fence(line), open) {
            (Some(_), Some(_)) => open = None,
            (Some(mark), None) => open = Some(mark),
            (None, Some(mark)) if mark.starts_with("console") => {
                if let Some(command) = line.trim_start().strip_prefix("$ ") {
                    found.push((mark.to_owned(), command.to_owned()));
                }
            }
            _ => (),
        }
    }
    assert!(open.is_none(), "a code block does not end");
    found
}

/// A training of seconds instead of minutes, which overwrites what an earlier page trained.
fn shortened(command: &str) -> String {
    if !command.starts_with("dapple train") {
        return command.to_owned();
    }
    let mut words: Vec<&str> = command.split(' ').collect();
    for option in ["--time-budget", "--epochs", "--size", "--width"] {
        if let Some(place) = words.iter().position(|word| *word == option) {
            words.drain(place..place + 2);
        }
    }
    if words.contains(&"--resume") {
        return words.join(" ");
    }
    for (option, value) in SHORT {
        let network = option == "--model" && words.contains(&"--config");
        if !words.contains(&option) && !network {
            words.extend([option, value]);
        }
    }
    if words.contains(&"--out") {
        words.push("--force");
    }
    words.join(" ")
}

/// A folder with everything that the pages name.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().expect("a temporary folder"));
        let path = |name: &str| world.0.path().join(name);
        synthetic::write(path("horses"), 5, 16, 64, 64).expect("the folder is writable");
        fs::remove_file(path("horses/classes.toml")).expect("it was written");
        for i in 0..16 {
            // One class in place of four.
            let sample = synthetic::generate(5, i, 64, 64);
            let labels: Vec<u8> = sample.labels.labels.iter().map(|label| u8::from(*label > 0)).collect();
            let mask = path(&format!("horses/masks/synthetic{i:04}.png"));
            write_indexed_png(&mask, 64, 64, &labels, &[[0; 3], [255; 3]]).expect("the folder is writable");
        }
        for name in ["fields", "cells", "cracks", "products"] {
            copy(&path("horses"), &path(name));
        }
        copy(&path("horses/images"), &path("photos"));
        for i in 8..16 {
            fs::remove_file(path(&format!("photos/synthetic{i:04}.png"))).expect("it was copied");
        }
        for i in 0..2 {
            // Files are recognized by their content: a PNG under the name of a JPEG serves.
            fs::copy(path(&format!("photos/synthetic000{i}.png")), path(&format!("photos/{i}.jpg")))
                .expect("a copy");
        }
        let photo = synthetic::generate(6, 0, 96, 128).image;
        fs::write(path("photo.jpg"), encode_png(&photo).expect("a picture")).expect("the folder is writable");
        write_tiff(&path("field.tif"), &synthetic::generate(6, 1, 300, 200).image);
        world.succeeds("dapple train --data horses --recipe plain --out runs/horses");
        world
    }

    /// Runs a line as a shell does, with the program in the path.
    fn run(&self, line: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_dapple")).parent().expect("the program is in a folder");
        let paths = std::env::var("PATH").unwrap_or_default();
        Command::new("sh")
            .args(["-c", line])
            .current_dir(self.0.path())
            .env("PATH", format!("{}:{paths}", program.display()))
            .env("DAPPLE_OFFLINE", "1")
            .output()
            .expect("there is a shell")
    }

    fn succeeds(&self, command: &str) {
        let line = shortened(command);
        let output = self.run(&line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}\n{}{}", text(&output.stdout), text(&output.stderr));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder is writable");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let target = to.join(path.file_name().expect("entries have names"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("the folder is writable");
        }
    }
}

/// A TIFF in strips that lies at a place on the ground, half a metre a pixel.
fn write_tiff(path: &Path, image: &Raster) {
    use tiff::encoder::{TiffEncoder, colortype::RGB8};
    use tiff::tags::Tag;
    let mut encoder = TiffEncoder::new(fs::File::create(path).expect("a file")).expect("a TIFF");
    let mut file = encoder.new_image::<RGB8>(image.width as u32, image.height as u32).expect("a TIFF");
    let directory = file.encoder();
    directory.write_tag(Tag::ModelPixelScaleTag, &[0.5, 0.5, 0.0][..]).expect("a tag");
    directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 3e5, 5e6, 0.0][..]).expect("a tag");
    file.write_data(&image.data).expect("a TIFF");
}

#[test]
fn every_command_runs() {
    let world = World::new();
    let mut texts = vec![root().join("README.md")];
    texts.extend(pages(&guide()));
    let mut run = 0;
    for page in texts {
        for (mark, command) in commands(&read(&page)) {
            let place = page.strip_prefix(root()).unwrap_or(&page).display().to_string();
            let Some(reason) = mark.strip_prefix("console,norun-") else {
                assert_eq!(mark, "console", "{place}: unknown mark");
                assert!(
                    command.starts_with("dapple ") || command.starts_with("cat "),
                    "{place}: $ {command}"
                );
                world.succeeds(&command);
                run += 1;
                continue;
            };
            assert!(REASONS.iter().any(|(name, _)| *name == reason), "{place}: no reason `{reason}`");
            if command.starts_with("dapple ") {
                let output = world.run(&format!("{command} --help"));
                assert!(
                    output.status.success(),
                    "{place}: {command}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
    }
    assert!(run > 50, "only {run} commands were found");
    assert!(world.0.path().join("predictions/photo-cutout.png").is_file());
}

/// The anchors of a page's headings, as mdBook and GitHub make them.
fn anchors(text: &str) -> Vec<String> {
    let slug = |heading: &str| {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines().filter(|line| line.starts_with('#')).map(|line| slug(line.trim_start_matches('#'))).collect()
}

/// The targets of a text's links and pictures, outside of code.
fn links(text: &str) -> Vec<String> {
    let (mut found, mut code) = (Vec::new(), false);
    for line in text.lines() {
        if fence(line).is_some() {
            code = !code;
        } else if !code {
            let inline =
                line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
            let named =
                line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
            found.extend(inline.chain(named).filter(|target| !target.is_empty()).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let mut texts = pages(&guide());
    let beside = [
        "README",
        "ARCHITECTURE",
        "BENCHMARKS",
        "CHANGELOG",
        "CONTRIBUTING",
        "ENGINES",
        "METRICS",
        "RESULTS",
    ];
    texts.extend(beside.map(|name| root().join(format!("{name}.md"))));
    let crates = fs::read_dir(root().join("crates")).expect("there are crates");
    texts.extend(crates.map(|entry| entry.expect("the folder can be read").path().join("README.md")));
    let mut broken = Vec::new();
    for page in texts {
        let text = read(&page);
        for link in links(&text) {
            let (path, anchor) = link.split_once('#').map_or((link.as_str(), None), |(p, a)| (p, Some(a)));
            let target = match path.strip_prefix(REPOSITORY) {
                Some(inside) => root().join(inside),
                None if path.contains("://") || path.starts_with("mailto:") => continue,
                None if path.is_empty() => page.clone(),
                None => page.parent().expect("a page is in a folder").join(path),
            };
            let there = target.exists()
                && anchor.is_none_or(|a| anchors(&read(&target)).iter().any(|found| found == a));
            if !there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn the_summary_has_every_page() {
    let summary = read(&guide().join("SUMMARY.md"));
    let listed = links(&summary);
    for page in pages(&guide()) {
        let name = page.strip_prefix(guide()).expect("it is below").display().to_string();
        assert!(name == "SUMMARY.md" || listed.contains(&name), "SUMMARY.md lacks {name}");
    }
}

#[test]
fn the_readme_is_short() {
    let words = read(&root().join("README.md")).split_whitespace().count();
    assert!(words <= 900, "{words} words");
}

#[test]
fn the_readme_counts_the_networks() {
    let (combined, whole): (Vec<_>, Vec<_>) = networks().iter().partition(|entry| entry.encoder.is_some());
    let decoders: HashSet<&str> = combined.iter().map(|entry| entry.family).collect();
    let (encoders, decoders, whole) = (ENCODERS.len(), decoders.len(), whole.len());
    let counts = format!("{encoders} encoders, {decoders} decoders, {whole} whole networks");
    assert!(read(&root().join("README.md")).contains(&counts), "README.md does not have: {counts}");
}
