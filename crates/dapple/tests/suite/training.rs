//! Trainings of the command line: recipes, flags, folds and seeds.

use std::fs;

use crate::common::{Bench, names};
use dapple::graph::{Network, Shape, State};
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::{Naming, Normalization, named_as, write_state_dict};
use dapple::train::TrainConfig;

#[test]
fn without_a_model_the_data_decide() {
    let bench = Bench::new();
    let said = bench.succeed("train --data data --out run --epochs 1 --size 32 --width 2 --profile fast");
    assert!(said.out.contains("batch = 2: many small steps for 8 training images"), "{}", said.out);
    let text = bench.read("run/config.toml");
    assert!(text.contains("recipe = \"auto\"") && text.contains("Chosen: many small steps for 8"), "{text}");
    let config = TrainConfig::load(&bench.path("run/config.toml")).expect("it can be read again");
    assert_eq!((config.network.name.as_str(), config.network.width, config.epochs), ("unet", 2, 1));
    // The written settings repeat the training.
    bench.succeed("train --config run/config.toml --out again --quiet");
    let best = |run: &str| fs::read(bench.path(run).join("best.safetensors")).expect("it has a model");
    assert_eq!(best("run"), best("again"));
}

#[test]
fn what_flags_set_is_not_given_out_as_chosen() {
    let bench = Bench::new();
    let said = bench.succeed(
        "train --data data --out run --epochs 1 --size 32 --width 2 --lr 0.002 --class-weights median-frequency \
         --augment light --folds 2",
    );
    assert!(said.out.contains("batch = 2: many small steps for 5 training images"), "{}", said.out);
    let text = bench.read("run/config.toml");
    for key in ["learning_rate", "class_weights", "flip_horizontal"] {
        assert!(!said.out.contains(key), "{key}: {}", said.out);
        let line = text.lines().position(|line| line.starts_with(&format!("{key} ="))).expect("it is set");
        let comment = text.lines().nth(line - 1).expect("it has a comment");
        assert!(!comment.contains("Chosen"), "{comment}");
    }
}

#[test]
fn flags_set_the_training() {
    let bench = Bench::new();
    bench.succeed(
        "train --data data --recipe plain --model unet-resnet18 --width 4 --size 32 --epochs 2 --batch 2 --out run --quiet \
         --loss ce+0.5*lovasz --label-smoothing 0.1 --ema 0.9 --accumulate 2 --patience 5 --encoder-rate 0.5 \
         --freeze-encoder 1 --optimizer lion --output-weights 1 --small-images 0 --evaluate-every 2",
    );
    let config = TrainConfig::load(&bench.path("run/config.toml")).expect("it can be read again");
    assert_eq!((config.ema_decay, config.accumulate, config.patience), (Some(0.9), 2, Some(5)));
    assert_eq!((config.encoder_rate, config.freeze_encoder), (Some(0.5), Some(1)));
    assert_eq!((config.small_images, config.evaluation.every), (None, 2));
    assert_eq!((config.loss.terms[0].smoothing, config.loss.terms[1].weight), (Some(0.1), 0.5));
    assert_eq!((config.loss.output_weights, config.learning_rate), (vec![1.0], 2e-4));
    let refused = |flags: &str, words: &[&str]| {
        let plain = "train --data data --recipe plain --model unet --width 2 --size 32 --out other";
        bench.refuse(&format!("{plain} {flags}"), words);
    };
    refused("--freeze-encoder 2", &["unet", "no encoder"]);
    refused("--loss dice --label-smoothing 0.1", &["--label-smoothing", "cross-entropy"]);
    refused("--ema 1.5", &["--ema", "below 1"]);
    refused("--small-images 1.5", &["--small-images", "below 1"]);
    refused("--fold all", &["--folds"]);
}

#[test]
fn folds_and_seeds_are_trained_and_used() {
    let bench = Bench::new();
    let small = "train --data data --recipe plain --model unet --width 2 --size 32 --epochs 1 --batch 2";
    let said = bench.succeed(&format!("{small} --folds 2 --fold all --out folds"));
    assert!(said.out.contains("out of fold") && said.out.contains(" ± "), "{}", said.out);
    let said = bench.succeed("train --resume folds");
    assert!(said.out.contains("out of fold"), "{}", said.out);
    bench.succeed("eval --model folds --data data --part all");
    bench.succeed("predict --model folds/ensemble.safetensors data/images --out masks");
    assert_eq!(names(&bench.path("masks")).len(), 10 + 1, "with the record");
    bench.refuse("export --model folds/ensemble.safetensors --onnx model.onnx", &["several models"]);
    bench.refuse(&format!("{small} --folds 2 --fold all --out folds"), &["already holds a run"]);

    let said = bench.succeed(&format!("{small} --seeds 2 --out seeds"));
    assert!(said.out.contains("over 2 trainings"), "{}", said.out);
    assert!(bench.read("seeds/members.csv").contains("deviation"));
}

#[test]
fn a_rate_is_looked_for_without_a_run() {
    let bench = Bench::new();
    let said = bench.succeed(
        "train --data data --recipe plain --model unet --width 2 --size 32 --batch 2 --find-lr rates.png",
    );
    assert!(said.out.contains("nothing was trained"), "{}", said.out);
    assert_eq!(names(&bench.path("")), ["data", "rates.png"]);
}

/// Makes all pixels of a mask the background.
fn blank(path: &std::path::Path) {
    let bytes = dapple::data::encode_indexed_png(32, 32, &[0; 32 * 32], &[[0; 3]]).expect("a label map");
    fs::write(path, bytes).expect("the folder is writable");
}

const SMALL: &str = "--recipe plain --model unet --width 2 --size 32 --epochs 2 --batch 2 --threads 2";

#[test]
fn data_with_nothing_to_learn_are_refused_at_the_start() {
    let bench = Bench::new();
    for name in names(&bench.path("data/masks")) {
        blank(&bench.path("data/masks").join(name));
    }
    bench.refuse(&format!("train --data data {SMALL} --out run"), &["of one class", "nothing to learn"]);
    bench.refuse(
        &format!("train --data data {SMALL} --ignore 0 --out run"),
        &["are ignored", "nothing to learn"],
    );
    assert!(!bench.path("run").exists());
}

#[test]
fn a_validation_part_without_foreground_is_warned_of_and_trained_to_the_end() {
    let bench = Bench::new();
    for (number, name) in names(&bench.path("data/masks")).iter().enumerate() {
        let part = if number < 7 { "train" } else { "val" };
        for kind in ["images", "masks"] {
            fs::create_dir_all(bench.path(&format!("divided/{part}/{kind}")))
                .expect("the folder is writable");
            let to = bench.path(&format!("divided/{part}/{kind}/{name}"));
            fs::rename(bench.path(&format!("data/{kind}/{name}")), &to).expect("a file");
            if (part, kind) == ("val", "masks") {
                blank(&to);
            }
        }
    }
    let said = bench.succeed(&format!("train --data divided {SMALL} --out run"));
    assert!(said.err.contains("none of the 3 validation masks has the class"), "{}", said.err);
    assert!(said.out.contains("masks in train/masks/"), "{}", said.out);
    assert!(bench.path("run/report.html").is_file());
}

/// Weights of EfficientNet-Lite0 under the names of its first port to PyTorch, in the bench's folder.
fn lite0(bench: &Bench) -> &'static str {
    let config = NetConfig::new("unet-efficientnet-lite0", 3, 2).expect("of the registry");
    let graph = config.build(Shape::new(1, 32, 32, 3)).expect("the size fits");
    let entries = named_as(&config, &State::init(&graph, 7), Naming::Numbered).expect("of the registry");
    let bytes = write_state_dict(&entries).expect("each has a name");
    fs::write(bench.path("lite.safetensors"), bytes).expect("the folder is writable");
    "lite.safetensors"
}

#[test]
fn an_automatic_training_takes_a_pretrained_encoder_with_its_normalization_and_says_why() {
    let bench = Bench::new();
    let file = lite0(&bench);
    let said = bench.succeed(&format!("train data --out run --epochs 1 --size 32 --weights {file}"));
    for line in
        ["network.name = unet-efficientnet-lite0: an encoder that knows ImageNet", "encoder_rate = 0.3: "]
    {
        assert!(said.out.contains(line), "no `{line}` in {}", said.out);
    }
    let config = TrainConfig::load(&bench.path("run/config.toml")).expect("it can be read");
    assert_eq!(config.init, Some(fs::canonicalize(bench.path(file)).expect("it is there")));
    assert_eq!((config.encoder_rate, config.input.normalization), (Some(0.3), Normalization::Lite));
    // The model carries the normalization of the weights, and so does its export.
    bench.succeed("export run --onnx run.onnx");
    let onnx = fs::read(bench.path("run.onnx")).expect("it was exported");
    let text = String::from_utf8_lossy(&onnx);
    assert!(
        text.contains("\"divisor\":255,\"mean\":[0.498") && text.contains("\"std\":[0.5019"),
        "preprocessing"
    );
}

#[test]
fn without_weights_at_hand_a_training_names_the_ones_that_it_misses() {
    let bench = Bench::new();
    let train = "train data --epochs 1 --size 32 --profile fast --out";
    let said = bench.succeed(&format!("{train} run"));
    for words in
        ["starts from random weights", "dapple weights get efficientnet_lite0", "19 MB", "Apache-2.0"]
    {
        assert!(said.out.contains(words), "no `{words}` in {}", said.out);
    }
    let said = bench.succeed(&format!("{train} none --weights none"));
    assert!(!said.out.contains("random weights"), "{}", said.out);
    let best = |run: &str| fs::read(bench.path(run).join("best.safetensors")).expect("it has a model");
    assert_eq!(best("run"), best("none"), "the same training");
}

#[test]
fn a_download_is_announced_and_a_failed_one_ends_no_training() {
    let bench = Bench::new();
    // Nothing listens there.
    let mut command = bench.command("train data --epochs 1 --size 32 --profile fast --out run --quiet");
    command.env_remove("DAPPLE_OFFLINE").env("DAPPLE_WEIGHTS_MIRROR", "http://127.0.0.1:9");
    let output = command.output().expect("the program starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    for words in
        ["fetching efficientnet_lite", " MB from http://127.0.0.1:9/tf_", "Apache-2.0", "starts without"]
    {
        assert!(err.contains(words), "no `{words}` in {err}");
    }
    assert_eq!(err.matches("fetching").count(), 1, "one failure is enough: {err}");
    let config = TrainConfig::load(&bench.path("run/config.toml")).expect("it can be read");
    assert_eq!((config.init, config.encoder_rate), (None, None));
}

#[test]
fn damaged_weights_are_not_fetched_again_offline() {
    let bench = Bench::new();
    let lite = dapple::weights::find("efficientnet_lite0").expect("of the catalogue");
    let file = bench.path("cache/weights").join(lite.file);
    fs::create_dir_all(bench.path("cache/weights")).expect("the folder is writable");
    fs::write(&file, "damaged").expect("the folder is writable");
    let mut command =
        bench.command("train data --epochs 1 --size 32 --profile fast --weights offline --out run");
    command.env_remove("DAPPLE_OFFLINE").env("DAPPLE_WEIGHTS_MIRROR", "http://127.0.0.1:9");
    let output = command.output().expect("the program starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.contains("starts without"), "{err}");
    assert!(err.contains("downloads are switched off"), "{err}");
    assert_eq!(fs::read(&file).expect("it is there"), b"damaged");
}

#[test]
fn weights_that_do_not_fit_the_wishes_are_refused() {
    let bench = Bench::new();
    let file = lite0(&bench);
    for (flags, words) in [
        ("--weights nosuch".to_owned(), &["nosuch", "dapple weights list"][..]),
        ("--weights u2net".to_owned(), &["not those of an encoder"][..]),
        (
            format!("--weights {file} --model unet --encoder resnet18"),
            &["efficientnet-lite0", "unet-resnet18"][..],
        ),
        (format!("--weights {file} --width 16"), &["--width"][..]),
        (
            format!("--weights {file} --init {file} --model unet-efficientnet-lite0"),
            &["one of --weights and --init"][..],
        ),
        (format!("--weights {file} --recipe plain --model unet-efficientnet-lite0"), &["--recipe auto"][..]),
    ] {
        bench.refuse(&format!("train data --out run --size 32 {flags}"), words);
        assert!(!bench.path("run").exists(), "{flags}");
    }
}
