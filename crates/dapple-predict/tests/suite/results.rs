//! Results are kept only for the same model, settings and input; files of others are never replaced.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{batch, model, picture, predicted, predictor};
use dapple_base::StopFlag;
use dapple_data::encode_png;
use dapple_nets::checkpoint::Normalization;
use dapple_predict::batch::{BatchSettings, BatchSummary, run};
use dapple_predict::inputs::find;
use dapple_predict::output::OutputKind;
use dapple_predict::{PredictSettings, Predictor};

/// A folder with photographs and a folder for results.
struct Bench {
    folder: tempfile::TempDir,
    batch: BatchSettings,
}

impl Bench {
    fn new(photos: &[&str], kinds: &[OutputKind]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let batch = batch(&folder.path().join("out"), kinds);
        let bench = Self { folder, batch };
        photos.iter().for_each(|name| bench.photo(name, 40));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn photo(&self, name: &str, side: usize) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(path, encode_png(&picture(side, 30)).expect("a PNG")).expect("a file");
    }

    fn result(&self, name: &str) -> Vec<u8> {
        fs::read(self.batch.out.join(name)).expect("a result")
    }

    /// The summary and the messages of bad images.
    fn run(&self, predictor: &Predictor, inputs: &[&str]) -> (BatchSummary, Vec<String>) {
        let paths: Vec<PathBuf> = inputs.iter().map(|name| self.path(name)).collect();
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        predicted(predictor, &paths, &self.batch)
    }

    /// Predicts `a.png`; returns whether it was predicted and not kept.
    fn is_predicted(&self, predictor: &Predictor) -> bool {
        let (summary, bad) = self.run(predictor, &["a.png"]);
        assert_eq!((summary.predicted + summary.kept, bad), (1, Vec::new()));
        summary.predicted == 1
    }
}

fn of(seed: u64, threshold: Option<f32>) -> Predictor {
    let settings = PredictSettings { threshold, ..PredictSettings::default() };
    predictor(model("unet", 2, Normalization::Unit, seed), settings)
}

#[test]
fn a_stale_result_is_made_anew() {
    let mut bench = Bench::new(&["a.png"], &[OutputKind::Mask]);
    let (first, second, careful) = (of(1, None), of(2, None), of(1, Some(0.9)));
    assert!(bench.is_predicted(&first) && !bench.is_predicted(&first));
    let mask = bench.result("a.png");
    // Another model, and back; another threshold; another file of the same name; another precision.
    assert!(bench.is_predicted(&second) && !bench.is_predicted(&second));
    assert_ne!(bench.result("a.png"), mask);
    assert!(bench.is_predicted(&first));
    assert_eq!(bench.result("a.png"), mask);
    assert!(bench.is_predicted(&careful) && bench.is_predicted(&first));
    bench.photo("a.png", 50);
    assert!(bench.is_predicted(&first) && !bench.is_predicted(&first));
    bench.batch.engine = "bf16".into();
    assert!(bench.is_predicted(&first));
    // Settings of other outputs, and outputs that were not wanted before.
    bench.batch.output.opacity = 0.7;
    bench.batch.kinds.push(OutputKind::Overlay);
    assert!(bench.is_predicted(&first) && !bench.is_predicted(&first));
}

#[test]
fn a_file_of_anothers_is_no_result_and_is_not_replaced() {
    let mut bench = Bench::new(&["a.png", "b.png"], &[OutputKind::Mask, OutputKind::Areas]);
    fs::create_dir_all(&bench.batch.out).expect("a folder");
    fs::write(bench.batch.out.join("a.png"), "drawn by hand").expect("a file");
    let (summary, bad) = bench.run(&of(1, None), &["a.png", "b.png"]);
    assert_eq!((summary.predicted, summary.bad, summary.crashed), (1, 1, 0));
    assert!(bad[0].contains("did not make it") && bad[0].contains("--force"), "{bad:?}");
    assert_eq!(bench.result("a.png"), b"drawn by hand");
    assert_eq!(String::from_utf8_lossy(&bench.result("areas.csv")).matches("b.png,class 0,0,,").count(), 1);

    // A result that was touched up since is no result any more.
    fs::write(bench.batch.out.join("b.png"), "touched up").expect("a file");
    let (summary, _) = bench.run(&of(1, None), &["b.png"]);
    assert_eq!((summary.bad, bench.result("b.png").as_slice()), (1, &b"touched up"[..]));
    bench.batch.force = true;
    let (summary, bad) = bench.run(&of(1, None), &["a.png", "b.png"]);
    assert_eq!((summary.predicted, bad), (2, Vec::new()));

    // So it is with the table of all images.
    bench.batch.force = false;
    fs::write(bench.batch.out.join("areas.csv"), "my own table").expect("a file");
    let inputs = find(&[bench.path("a.png")], None).expect("an image").inputs;
    let error =
        run(&of(1, None), &inputs, &bench.batch, &StopFlag::new(), &|_| ()).expect_err("a file of another's");
    assert!(error.to_string().contains("areas.csv"), "{error}");
    assert_eq!(bench.result("areas.csv"), b"my own table");
}

#[test]
fn images_and_models_are_not_replaced_even_by_force() {
    // The mask of a.jpg would be a.png.
    let mut bench = Bench::new(&["photos/a.jpg", "photos/a.png", "photos/b.png"], &[OutputKind::Mask]);
    bench.batch.out = bench.path("photos");
    bench.batch.force = true;
    let model_file = bench.path("photos/m.png");
    fs::write(&model_file, "a model").expect("a file");
    bench.photo("photos/m.bmp", 20);
    bench.batch.protected = vec![model_file.clone()];
    let before = fs::read(bench.path("photos/a.png")).expect("a file");
    let inputs = ["photos/a.jpg", "photos/a.png", "photos/b.png", "photos/m.bmp"];
    let (summary, bad) = bench.run(&of(1, None), &inputs);
    assert_eq!((summary.predicted, summary.bad), (0, 4), "{bad:?}");
    assert!(bad.iter().any(|message| message.contains("would replace")), "{bad:?}");
    assert_eq!(fs::read(bench.path("photos/a.png")).expect("a file"), before);
    assert_eq!(fs::read(&model_file).expect("a file"), b"a model");
}

#[test]
fn two_images_never_write_one_result() {
    // The labels of a.png and the mask of a-labels.png, and names that differ in their case only.
    let kinds = [OutputKind::Mask, OutputKind::Labels];
    let bench = Bench::new(&["in/a.png", "in/a-labels.png", "in/B.png", "in/b.jpg"], &kinds);
    let (summary, bad) = bench.run(&of(1, None), &["in"]);
    assert_eq!((summary.predicted, summary.bad), (2, 2), "{bad:?}");
    assert!(bad.iter().all(|message| message.contains("--out")), "{bad:?}");
}

#[test]
fn a_batch_that_ended_early_leaves_no_table_of_an_earlier_one() {
    let bench = Bench::new(&["a.png", "b.png"], &[OutputKind::Areas]);
    bench.run(&of(1, None), &["a.png", "b.png"]);
    let stop = StopFlag::new();
    stop.raise();
    let inputs = find(&[bench.path("a.png")], None).expect("an image").inputs;
    let summary = run(&of(2, None), &inputs, &bench.batch, &stop, &|_| ()).expect("a batch");
    assert_eq!(summary.left, 1);
    assert!(!bench.batch.out.join("areas.csv").exists());
    // A table that an image left behind earlier is not taken for one of now.
    fs::write(bench.path("b.png"), "no image any more").expect("a file");
    bench.run(&of(2, None), &["a.png", "b.png"]);
    let table = String::from_utf8(bench.result("areas.csv")).expect("text");
    assert!(table.contains("a.png") && !table.contains("b.png"), "{table}");
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_long_names_are_errors_of_their_image() {
    let bench = Bench::new(&["a.png"], &[OutputKind::Overlay]);
    let pipe = bench.path("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", bench.path("zero.png")).expect("a link");
    let long = format!("{}.png", "n".repeat(250));
    bench.photo(&long, 20);
    let (summary, bad) = bench.run(&of(1, None), &["pipe.png", "zero.png", &long, "a.png"]);
    assert_eq!((summary.predicted, summary.bad), (1, 3), "{bad:?}");
    for word in ["a named pipe", "a device", "262 bytes"] {
        assert!(bad.iter().any(|message| message.contains(word)), "no `{word}` in {bad:?}");
    }
    assert!(Path::new(&pipe).exists());
}
