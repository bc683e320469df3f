//! `dapple score` and `dapple compare` as scripts use them.

use std::fs;
use std::path::Path;

use crate::common::{Bench, names};
use dapple::data::{encode_indexed_png, palette};
use png::{BitDepth, ColorType};
use serde_json::Value;

/// Writes a PNG of the given raw rows, making its folder.
fn put_png(path: &Path, (width, height): (u32, u32), colour: ColorType, depth: BitDepth, data: &[u8]) {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().expect("the header is right");
    writer.write_image_data(data).expect("the data have the size of the header");
    writer.finish().expect("bytes can be written");
    put(path, &bytes);
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("the folder is writable");
    fs::write(path, bytes).expect("the folder is writable");
}

fn put_grey(path: &Path, size: (u32, u32), data: &[u8]) {
    put_png(path, size, ColorType::Grayscale, BitDepth::Eight, data);
}

fn json(bench: &Bench, arguments: &str) -> Value {
    let said = bench.succeed(&format!("{arguments} --json -"));
    serde_json::from_str(&said.out).expect("nothing but JSON on standard output")
}

/// 2 x 2 masks of two classes: `a` 3 of 4 right, `b` all right.
fn two_pairs() -> Bench {
    let bench = Bench::empty();
    put_grey(&bench.path("p/a.png"), (2, 2), &[0, 1, 1, 1]);
    put_grey(&bench.path("t/a.png"), (2, 2), &[0, 0, 255, 255]);
    put_grey(&bench.path("p/b.png"), (2, 2), &[0, 0, 0, 1]);
    put_grey(&bench.path("t/b.png"), (2, 2), &[0, 0, 0, 255]);
    bench
}

#[test]
fn scores_by_hand() {
    let bench = two_pairs();
    let scores = json(&bench, "score --pred p --truth t --csv rows.csv --surface");
    assert_eq!(scores["images"], 2);
    assert_eq!(scores["classes"][1]["name"], "foreground");
    assert_eq!(scores["classes"][1]["iou"], 3.0 / 4.0);
    assert_eq!(scores["dataset"]["pixel_accuracy"], 7.0 / 8.0);
    assert_eq!(scores["per_image"]["foreground_iou"], (2.0 / 3.0 + 1.0) / 2.0);
    assert_eq!(scores["surface"][1]["images"], 2);
    assert!(
        scores["intervals"]
            .as_array()
            .is_some_and(|list| list.iter().all(|entry| entry["score"].is_string()))
    );
    assert_eq!(scores["images_detail"][1]["name"], "b");

    let csv = bench.read("rows.csv");
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{csv}");
    let column = rows[0].iter().position(|name| *name == "iou foreground").expect("a column");
    assert_eq!((rows[1][0], rows[1][column]), ("a", "0.6666666666666666"));
    assert!(rows[0].contains(&"hausdorff_95 foreground"));

    let said = bench.succeed("score --pred p --truth t --classes 2 --boundary-ratio 0.1");
    for words in
        ["absent classes", "empty masks", "0.1 * image diagonal", "95 % interval", "white", "0.750000"]
    {
        assert!(said.out.contains(words), "{words}\n{}", said.out);
    }
}

#[test]
fn threads_change_nothing() {
    let bench = Bench::new();
    shifted_masks(&bench);
    let of = |threads: usize| {
        bench.succeed(&format!("score --pred p --truth data/masks --json - --threads {threads}"))
    };
    let one = of(1).out;
    assert!([2, 3, 16].iter().all(|&threads| of(threads).out == one));
}

/// Predictions `p` for the synthetic masks: the masks moved by two pixels.
fn shifted_masks(bench: &Bench) {
    for name in names(&bench.path("data/masks")) {
        let mask = dapple::data::decode_values(bench.path("data/masks").join(&name)).expect("a mask");
        let labels: Vec<u8> =
            (0..mask.values.len()).map(|at| mask.values[at.saturating_sub(2)] as u8).collect();
        let bytes = encode_indexed_png(32, 32, &labels, &[]).expect("a label map");
        put(&bench.path("p").join(name), &bytes);
    }
}

#[test]
fn a_comparison_of_two_models() {
    let bench = Bench::new();
    shifted_masks(&bench);
    bench.succeed("score --pred p --truth data/masks --json first.json");
    bench.succeed("score --pred data/masks --truth data/masks --json second.json");
    let differences = json(&bench, "compare first.json second.json");
    let miou = &differences.as_array().expect("a list")[0];
    assert_eq!((&miou["score"], &miou["second"]), (&"dataset.miou".into(), &1.0.into()));
    assert_eq!(miou["difference"]["value"].as_f64(), miou["first"].as_f64().map(|first| 1.0 - first));
    let said = bench.succeed("compare first.json second.json");
    assert!(said.out.contains("dataset.miou") && said.out.contains("  *"), "{}", said.out);

    bench.refuse("compare first.json nowhere.json", &["nowhere.json"]);
    bench.refuse("compare first.json data/masks/synthetic0000.png", &["synthetic0000.png", "dapple score"]);
    fs::remove_file(bench.path("p/synthetic0003.png")).expect("just written");
    bench.succeed("score --pred p --truth data/masks --allow-missing --json fewer.json");
    bench.refuse("compare first.json fewer.json", &["first.json and fewer.json", "10 images"]);
}

#[test]
fn probability_maps_of_8_and_16_bits() {
    let bench = Bench::empty();
    put_grey(&bench.path("t/a.png"), (2, 2), &[255, 255, 0, 0]);
    put_grey(&bench.path("8/a-p.png"), (2, 2), &[255, 127, 51, 0]);
    let wide: Vec<u8> = [65535_u16, 127 * 257, 51 * 257, 0].iter().flat_map(|v| v.to_be_bytes()).collect();
    put_png(&bench.path("16/a-p.png"), (2, 2), ColorType::Grayscale, BitDepth::Sixteen, &wide);
    let of = |folder: &str| {
        json(
            &bench,
            &format!("score --pred {folder} --truth t --probability --pred-suffix -p --csv {folder}.csv"),
        )
    };
    let scores = of("8");
    assert_eq!(scores, of("16"));
    assert_eq!(bench.read("8.csv"), bench.read("16.csv"));
    let mae = scores["foreground"]["salient"]["mae"].as_f64().expect("a number");
    assert!((mae - (128.0 / 255.0 + 0.2) / 4.0).abs() < 1e-12, "{mae}");
    assert_eq!(scores["foreground"]["average_precision"], 1.0);
    // 127 is below one half.
    assert_eq!(scores["classes"][1]["iou"], 0.5);
    assert!(bench.read("8.csv").lines().next().is_some_and(|header| header.contains(",mae,max_f,")));
    assert!(
        bench.succeed("score --pred 8 --truth t --probability --pred-suffix -p").out.contains("S-measure")
    );

    bench.refuse("score --pred 8 --truth t --pred-suffix -p", &["a-p.png", "127", "--probability"]);
    bench.refuse("score --pred 8 --truth t --probability --pred-suffix -p --classes 3", &["two classes"]);
    bench.refuse("score --pred 8 --truth t --probability --ignore 255", &["--probability", "--ignore"]);
    let indexed = encode_indexed_png(2, 2, &[1, 0, 0, 0], &[palette(0), palette(1)]).expect("a label map");
    put(&bench.path("8/a-p.png"), &indexed);
    bench.refuse("score --pred 8 --truth t --probability --pred-suffix -p", &["a-p.png", "palette"]);
}

#[test]
fn ignored_pixels_are_told_from_a_white_class() {
    let bench = Bench::empty();
    let white = [[0, 0, 0], [255, 255, 255]];
    let put_both = |folder: &str, name: &str, labels: &[u8]| {
        let bytes = encode_indexed_png(2, 2, labels, &white).expect("a label map");
        put(&bench.path(&format!("{folder}/{name}")), &bytes);
    };
    for folder in ["p", "t"] {
        put_both(folder, "a.png", &[0, 0, 255, 255]);
        put_both(folder, "b.png", &[0, 1, 1, 1]);
    }
    let scores = json(&bench, "score --pred p --truth t --ignore 255");
    assert_eq!(scores["dataset"]["miou"], 1.0, "{scores}");
}

#[test]
fn every_kind_of_mask_file() {
    let bench = two_pairs();
    let expected = json(&bench, "score --pred p --truth t");
    let scores = |bench: &Bench| json(bench, "score --pred p --truth t");
    let indexed =
        |palette: &[[u8; 3]]| encode_indexed_png(2, 2, &[0, 1, 1, 1], palette).expect("a label map");
    put(&bench.path("p/a.png"), &indexed(&[[0, 0, 0], [255, 255, 255]]));
    assert_eq!(scores(&bench), expected);
    // Greys that are neither the indices nor black and white may mean either.
    put(&bench.path("p/a.png"), &indexed(&[[9, 9, 9], [0, 0, 0]]));
    bench.refuse("score --pred p --truth t", &["p/a.png"]);
    let wide: Vec<u8> = [0_u16, 1, 1, 1].iter().flat_map(|v| v.to_be_bytes()).collect();
    put_png(&bench.path("p/a.png"), (2, 2), ColorType::Grayscale, BitDepth::Sixteen, &wide);
    assert_eq!(scores(&bench), expected);
    let alpha = [0, 255, 1, 0, 1, 255, 1, 255];
    put_png(&bench.path("p/a.png"), (2, 2), ColorType::GrayscaleAlpha, BitDepth::Eight, &alpha);
    assert_eq!(scores(&bench), expected);
    put_png(&bench.path("p/a.png"), (2, 2), ColorType::Grayscale, BitDepth::One, &[0b0100_0000, 0b1100_0000]);
    assert_eq!(scores(&bench), expected);
}

#[test]
fn hostile_files_are_named() {
    let bench = two_pairs();
    let refused = |bench: &Bench, words: &[&str]| bench.refuse("score --pred p --truth t", words);
    let whole = fs::read(bench.path("p/a.png")).expect("just written");
    put(&bench.path("p/a.png"), &[]);
    refused(&bench, &["p/a.png", "empty"]);
    put(&bench.path("p/a.png"), &whole[..whole.len() - 20]);
    refused(&bench, &["p/a.png", "cannot be decoded"]);
    put(&bench.path("p/a.png"), b"no picture");
    refused(&bench, &["p/a.png"]);
    let colours = [9, 0, 0, 0, 9, 0, 0, 0, 9, 9, 9, 9];
    put_png(&bench.path("p/a.png"), (2, 2), ColorType::Rgb, BitDepth::Eight, &colours);
    refused(&bench, &["p/a.png", "colour picture", "class indices"]);
    put_grey(&bench.path("p/a.png"), (2, 2), &[0, 1, 1, 7]);
    refused(&bench, &["p/a.png", "value 7", "2 classes"]);
    bench.refuse("score --pred p --truth t --classes 3", &["t/a.png", "value 255", "0 to 2", "ignore"]);
    put_grey(&bench.path("p/a.png"), (3, 2), &[0, 1, 1, 1, 1, 0]);
    refused(&bench, &["p/a.png is 3 x 2", "t/a.png is 2 x 2", "--resize nearest"]);
    let resized = json(&bench, "score --pred p --truth t --resize nearest");
    assert_eq!(resized["images_detail"][0]["width"], 2);

    put_grey(&bench.path("p/a.bmp"), (2, 2), &[0; 4]);
    refused(&bench, &["a.bmp", "a.png", "same name"]);
    fs::remove_file(bench.path("p/a.bmp")).expect("just written");
    fs::remove_file(bench.path("p/a.png")).expect("just written");
    refused(&bench, &["t/a.png", "no prediction named `a`", "--allow-missing"]);
    let said = bench.succeed("score --pred p --truth t --allow-missing");
    assert!(said.err.contains("1 true masks without prediction"), "{}", said.err);
    fs::rename(bench.path("p/b.png"), bench.path("p/c.png")).expect("the folder is writable");
    bench.refuse("score --pred p --truth t --allow-missing", &["--pred-suffix"]);
    fs::remove_file(bench.path("p/c.png")).expect("just renamed");
    refused(&bench, &["p", "no image"]);
    bench.refuse("score --pred nowhere --truth t", &["nowhere"]);
    bench.refuse("score --pred t --truth t --truth-suffix _gt", &["_gt"]);
}

#[test]
fn classes_and_the_ignore_label() {
    let bench = Bench::empty();
    put_grey(&bench.path("p/a.png"), (4, 1), &[0, 1, 2, 2]);
    put_grey(&bench.path("t/a.png"), (4, 1), &[0, 1, 1, 255]);
    let said = bench.run("score --pred p --truth t");
    assert!(said.code == Some(2) && said.err.contains("--ignore 255"), "{}", said.err);
    put(&bench.path("classes.txt"), b"sky\ntree 1 2 3\n\"car\", red\n");
    let scores = json(&bench, "score --pred p --truth t --classes classes.txt --ignore 255 --csv rows.csv");
    assert_eq!(scores["classes"][1]["name"], "tree");
    assert_eq!(scores["dataset"]["pixel_accuracy"], 2.0 / 3.0);
    assert!(bench.read("rows.csv").starts_with("image,"));
    bench.refuse("score --pred p --truth t --ignore 255", &["p/a.png", "value 2", "2 classes"]);
    bench.refuse("score --pred p --truth t --classes nowhere.txt", &["nowhere.txt"]);
    bench.refuse("score --pred p --truth t --classes 300", &["2 to 256"]);
    bench
        .refuse("score --pred p --truth t --classes 3 --ignore 255 --boundary-ratio=-1", &["boundary ratio"]);
    bench.refuse("score --pred p --truth t --ignore 256", &["--ignore"]);
    // 1 in one file and 255 in another.
    put_grey(&bench.path("t/a.png"), (4, 1), &[0, 1, 1, 0]);
    put_grey(&bench.path("t/b.png"), (4, 1), &[0, 255, 255, 0]);
    for name in ["a", "b"] {
        put_grey(&bench.path(&format!("p/{name}.png")), (4, 1), &[0, 1, 1, 0]);
    }
    bench.refuse("score --pred p --truth t --classes 2", &["t/a.png", "t/b.png", "--ignore 255"]);
}

#[test]
fn eval_at_the_images_size_and_predict_with_score_agree_to_the_last_digit() {
    let bench = Bench::new();
    // Of other sizes than the network's.
    for folder in ["images", "masks"] {
        for (number, name) in names(&bench.path("data").join(folder)).into_iter().enumerate() {
            let path = bench.path("data").join(folder).join(&name);
            let (width, height) = (32 - number, 20 + number);
            if folder == "masks" {
                let mask = dapple::data::decode_values(&path).expect("a mask");
                let cut = mask.values.chunks(32).take(height).flat_map(|row| &row[..width]);
                let labels: Vec<u8> = cut.map(|&value| value as u8).collect();
                let bytes =
                    encode_indexed_png(width as u32, height as u32, &labels, &[]).expect("a label map");
                put(&path, &bytes);
            } else {
                let image = dapple::data::decode_image(&path).expect("an image");
                let cut: Vec<u8> =
                    image.data.chunks(96).take(height).flat_map(|row| row[..3 * width].to_vec()).collect();
                put_png(&path, (width as u32, height as u32), ColorType::Rgb, BitDepth::Eight, &cut);
            }
        }
    }
    bench.train("run");
    let evaluated =
        json(&bench, "eval --model run --data data --part all --original-size --per-image --csv e.csv");
    bench.succeed("predict --model run data/images --out masks");
    let scored =
        json(&bench, "score --pred masks --truth data/masks --classes data/classes.toml --csv s.csv");
    for key in ["images", "classes", "dataset", "per_image", "images_detail", "intervals"] {
        assert_eq!(evaluated[key], scored[key], "{key}");
    }
    assert_eq!(bench.read("e.csv"), bench.read("s.csv"));
    let said = bench.succeed("eval --model run --data data --part all --original-size");
    assert!(said.out.contains("at the size of each image"), "{}", said.out);
}

/// Writes a palette PNG of 2 x 2 pixels, making its folder.
fn put_palette(path: &Path, indices: &[u8; 4], palette: &[u8]) {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.to_vec());
    let mut writer = encoder.write_header().expect("the header is right");
    writer.write_image_data(indices).expect("the data have the size of the header");
    writer.finish().expect("bytes can be written");
    put(path, &bytes);
}

#[test]
fn palettes_in_another_order_show_the_same_mask() {
    // White on black, with the palettes [black, white] and [white, black].
    let bench = Bench::empty();
    put_palette(&bench.path("p/a.png"), &[0, 1, 0, 0], &[0, 0, 0, 255, 255, 255]);
    put_palette(&bench.path("t/a.png"), &[1, 0, 1, 1], &[255, 255, 255, 0, 0, 0]);
    assert_eq!(json(&bench, "score --pred p --truth t")["dataset"]["pixel_accuracy"], 1.0);
    put_grey(&bench.path("p/a.png"), (2, 2), &[0, 255, 0, 0]);
    assert_eq!(json(&bench, "score --pred p --truth t")["classes"][1]["iou"], 1.0);

    // Colours need a table where their indices differ.
    put_palette(&bench.path("p/a.png"), &[0, 1, 2, 0], &[0, 0, 0, 200, 0, 0, 0, 200, 0]);
    put_palette(&bench.path("t/a.png"), &[0, 2, 1, 0], &[0, 0, 0, 0, 200, 0, 200, 0, 0]);
    bench.refuse("score --pred p --truth t", &["palettes of the masks differ", "(0, 200, 0)", "--classes"]);
    put(&bench.path("classes.txt"), b"ground 0 0 0\nroof 200 0 0\ntree 0 200 0\n");
    let scores = json(&bench, "score --pred p --truth t --classes classes.txt");
    assert_eq!(scores["dataset"]["pixel_accuracy"], 1.0);
    assert_eq!(scores["classes"][2]["name"], "tree");

    // A palette of other colours in the same order is the same mask.
    put_palette(&bench.path("p/a.png"), &[0, 2, 1, 0], &[0, 0, 0, 9, 9, 200, 200, 200, 9]);
    assert_eq!(json(&bench, "score --pred p --truth t")["dataset"]["pixel_accuracy"], 1.0);
}
