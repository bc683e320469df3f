//! Shares of predictions, scores and conversions, and their joining.

use std::fs;

use crate::common::{Bench, names};
use dapple::data::{encode_indexed_png, palette};
use png::{BitDepth, ColorType};

/// Masks of three classes and maps of probabilities of nine pictures, some of them in a folder of their own.
fn masks() -> Bench {
    let bench = Bench::empty();
    for folder in ["p/inner", "t/inner", "maps/inner", "fore/inner"] {
        fs::create_dir_all(bench.path(folder)).expect("a folder");
    }
    let colours = [palette(0), palette(1), palette(2)];
    for number in 0..9_usize {
        let name = format!("{}{number}.png", if number % 3 == 0 { "inner/" } else { "" });
        let map = |step: usize| -> Vec<u8> { (0..63).map(|i| ((i * step + number) % 7 % 3) as u8).collect() };
        for (folder, step) in [("p", 3), ("t", 5)] {
            let bytes = encode_indexed_png(9, 7, &map(step), &colours).expect("a PNG");
            fs::write(bench.path(folder).join(&name), bytes).expect("a file");
        }
        let grey: Vec<u8> = (0..63).map(|i| ((i * 29 + number * 31) % 256) as u8).collect();
        let white: Vec<u8> = map(5).iter().map(|&label| if label == 1 { 255 } else { 0 }).collect();
        for (folder, data) in [("maps", grey), ("fore", white)] {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 9, 7);
            encoder.set_color(ColorType::Grayscale);
            encoder.set_depth(BitDepth::Eight);
            let mut writer = encoder.write_header().expect("the header is right");
            writer.write_image_data(&data).expect("the data have the size of the header");
            writer.finish().expect("bytes can be written");
            fs::write(bench.path(folder).join(&name), bytes).expect("a file");
        }
    }
    bench
}

#[test]
fn scores_of_shards_have_the_digits_of_one_machine() {
    let bench = masks();
    for (case, arguments) in [
        ("labels", "--pred p --truth t --classes 3 --surface --seed 4"),
        ("maps", "--pred maps --truth fore --probability"),
    ] {
        bench.succeed(&format!("score {arguments} --json {case}.json --csv {case}.csv"));
        let mut files = Vec::new();
        for number in 1..=4 {
            let said = bench.succeed(&format!("score {arguments} --json {case}.json --shard {number}/4"));
            assert!(said.out.contains(&format!("shard {number} of 4")), "{}", said.out);
            files.push(format!("{case}-{number}-of-4.json"));
        }
        // In any order.
        files.rotate_left(2);
        bench.succeed(&format!("merge {} --json joined.json --csv joined.csv", files.join(" ")));
        assert_eq!(bench.read("joined.json"), bench.read(&format!("{case}.json")));
        assert_eq!(bench.read("joined.csv"), bench.read(&format!("{case}.csv")));
        fs::remove_file(bench.path("joined.json")).expect("it was written");
    }

    let shard = |number| format!("labels-{number}-of-4.json");
    bench.refuse(&format!("merge {} {}", shard(1), shard(3)), &["2 of 4 shards", "missing: shards 2, 4"]);
    bench.refuse(
        &format!("merge {} {}", shard(1), shard(1)),
        &["labels-1-of-4.json", "shard 1 of 4, and so is"],
    );
    bench.refuse(&format!("merge {} maps-2-of-4.json", shard(1)), &["maps-2-of-4.json", "other settings"]);
    bench.refuse("merge labels.json", &["labels.json", "no file that `dapple score --shard` wrote"]);
    bench.refuse("score --pred p --truth t --shard 1/4 --json s.json", &["--classes"]);
    bench.refuse("score --pred p --truth t --shard 1/4 --classes 3", &["--json"]);
    bench.refuse("score --pred p --truth t --shard 1/4 --classes 3 --json s.json --csv s.csv", &["--csv"]);
}

#[test]
fn scores_of_a_manifest_are_those_of_its_folders() {
    let bench = masks();
    bench.succeed("score --pred p --truth t --classes 3 --json folders.json");
    let mut rows = "prediction,truth,name\n".to_owned();
    for number in (0..9).rev() {
        let name = format!("{}{number}", if number % 3 == 0 { "inner/" } else { "" });
        rows += &format!("p/{name}.png,t/{name}.png,{name}\n");
    }
    fs::write(bench.path("pairs.csv"), rows).expect("a file");
    bench.succeed("score --list pairs.csv --classes 3 --json listed.json");
    assert_eq!(bench.read("listed.json"), bench.read("folders.json"));
    bench.refuse("score --list pairs.parquet --classes 3", &["pairs.parquet", "duckdb"]);
    fs::write(bench.path("twice.jsonl"), "{\"prediction\":\"p/1.png\",\"truth\":\"t/1.png\"}\n".repeat(2))
        .expect("a file");
    bench.refuse("score --list twice.jsonl --classes 3", &["twice.jsonl", "several rows", "t/1"]);
}

#[test]
fn predictions_of_shards_are_joined() {
    let bench = Bench::new();
    bench.train("run");
    let kinds = "--kind mask,areas,coco --quiet";
    bench.succeed(&format!("predict run data/images --out whole {kinds}"));
    for number in 1..=3 {
        bench.succeed(&format!("predict run data/images --out shared --shard {number}/3 {kinds}"));
    }
    bench.succeed("merge shared");
    for name in ["areas.csv", "coco.json"] {
        assert_eq!(bench.read(&format!("shared/{name}")), bench.read(&format!("whole/{name}")), "{name}");
    }
    bench.refuse("merge whole", &["whole", "no shard"]);
    bench.refuse("predict run data/images --out one.png --shard 1/2", &["--out one.png", "folder"]);
    bench.refuse("predict run data/images --shard 0/2", &["0/2", "counted from 1"]);

    // The place among processes: ranks of one command share, tasks of an array only if they are asked to.
    let with = |arguments: &str, variables: &[(&str, &str)]| {
        let output = bench.command(arguments).envs(variables.iter().copied()).output().expect("it starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let rank = [("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "3")];
    let (code, said) = with("predict run data/images --out shared --kind mask,areas,coco", &rank);
    assert!(code == Some(0) && said.contains("shard 2 of 3, by the place of this rank of MPI"), "{said}");
    let task = [
        ("SLURM_ARRAY_TASK_ID", "0"),
        ("SLURM_ARRAY_TASK_COUNT", "3"),
        ("SLURM_ARRAY_TASK_MIN", "0"),
        ("SLURM_ARRAY_TASK_MAX", "2"),
    ];
    let (code, said) = with("predict run data/images --out alone", &task);
    assert!(code == Some(0) && said.contains("task 0 of a Slurm array does all of this work"), "{said}");
    assert_eq!(names(&bench.path("alone")).len(), 11);
    let (code, said) = with("predict run data/images --out array --shard auto", &task);
    assert!(code == Some(0) && said.contains("shard 1 of 3"), "{said}");
    let (code, said) = with("predict run data/images --out array --shard auto", &[]);
    assert!(code == Some(2) && said.contains("--shard I/N"), "{said}");
}

#[test]
fn a_manifest_names_images_and_results() {
    let bench = Bench::new();
    bench.train("run");
    let rows = "name,image\nday/one,data/images/synthetic0001.png\n,data/images/synthetic0002.png\n";
    fs::write(bench.path("images.csv"), rows).expect("a file");
    bench.succeed("predict run --list images.csv --out listed --quiet");
    assert!(bench.path("listed/day/one.png").is_file() && bench.path("listed/synthetic0002.png").is_file());
    fs::write(bench.path("bad.jsonl"), "{\"image\": 3}\n").expect("a file");
    bench.refuse("predict run --list bad.jsonl --out listed", &["bad.jsonl", "line 1"]);
}

#[test]
fn the_last_share_completes_a_conversion() {
    let bench = Bench::new();
    bench.succeed("data convert data --out whole");
    for number in [2, 3] {
        let said = bench.succeed(&format!("data convert data --out shared --shard {number}/3"));
        assert!(said.out.contains("others are still to come"), "{}", said.out);
    }
    bench.refuse("data inspect shared", &["interrupted"]);
    bench.succeed("data convert data --out shared --shard 2/3");
    let said = bench.succeed("data convert data --out shared --shard 1/3");
    assert!(said.out.contains("10 pairs"), "{}", said.out);
    assert_eq!(names(&bench.path("shared")), names(&bench.path("whole")));
    for folder in ["images", "masks"] {
        let files = names(&bench.path(&format!("whole/{folder}")));
        assert_eq!(names(&bench.path(&format!("shared/{folder}"))), files);
        for file in files {
            let bytes = |out: &str| fs::read(bench.path(out).join(folder).join(&file)).expect("a file");
            assert!(bytes("shared") == bytes("whole"), "{folder}/{file}");
        }
    }
}

#[cfg(not(feature = "cloud"))]
#[test]
fn addresses_name_the_feature_that_reads_them() {
    let bench = Bench::new();
    bench.train("run");
    let words = ["s3://bucket/photos", "--features cloud"];
    bench.refuse("predict run s3://bucket/photos --out out", &words);
    bench.refuse("predict run data/images --out s3://bucket/photos", &words);
    bench.refuse("merge s3://bucket/photos", &words);
    bench.refuse("predict run s3://me:hunter2@bucket/photos --out out", &["s3://bucket/photos"]);
    bench.refuse("score --pred s3://bucket/photos --truth t", &words);
    bench.refuse("predict run --list s3://bucket/list.csv", &["s3://bucket/list.csv", "copy it"]);
}
