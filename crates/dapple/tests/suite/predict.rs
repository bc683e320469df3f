//! `dapple predict` and `dapple serve` as scripts use them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use crate::common::{Bench, names};
use dapple::data::{decode_image, decode_values, decode_values_bytes};
use dapple::{Flip, Segmenter};

#[test]
fn the_library_predicts_in_three_lines() {
    let bench = Bench::new();
    bench.train("run");
    let photo = decode_image(bench.path("data/images/synthetic0000.png")).expect("a picture");
    let segmenter = Segmenter::load(bench.path("run")).expect("a model");
    let labels = segmenter.predict(&photo).expect("a prediction").labels();

    // As the program does, and on several threads at once.
    bench.succeed("predict --model run data/images/synthetic0000.png --out out");
    let mask = decode_values(bench.path("out/synthetic0000.png")).expect("a mask");
    assert!(mask.values.iter().map(|&v| v as u8).eq(labels.iter().copied()));
    segmenter.predict(&photo).and_then(|found| found.save_mask(bench.path("own.png"))).expect("a file");
    let bytes = |name: &str| fs::read(bench.path(name)).expect("it was written");
    assert!(bytes("own.png") == bytes("out/synthetic0000.png"), "the same file as the program's");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(segmenter.predict(&photo).expect("a prediction").labels(), labels));
        }
    });
}

#[test]
fn the_builder_takes_the_settings_of_the_program() {
    let bench = Bench::new();
    bench.train("run");
    let builder =
        Segmenter::builder().device("cpu").threads(1).flip(Flip::Both).scales([1.0, 1.5]).threshold(0.25);
    let segmenter = builder.load(bench.path("run")).expect("a model");
    let photo = decode_image(bench.path("data/images/synthetic0003.png")).expect("an image");
    segmenter.predict(&photo).and_then(|found| found.save_mask(bench.path("own.png"))).expect("a file");
    bench.succeed(
        "predict run data/images/synthetic0003.png --out out --flip both --scales 1,1.5 --threshold 0.25",
    );
    let bytes = |name: &str| fs::read(bench.path(name)).expect("it was written");
    assert!(bytes("own.png") == bytes("out/synthetic0003.png"), "the same file as the program's");
}

#[test]
fn inputs_of_all_kinds() {
    let bench = Bench::new();
    bench.train("run");
    let image = fs::read(bench.path("data/images/synthetic0001.png")).expect("a picture");
    bench.succeed("predict run/best.safetensors data/images/synthetic0001.png --out out");
    let wanted = fs::read(bench.path("out/synthetic0001.png")).expect("a mask");

    // From standard input to standard output, and nothing else there.
    let mut child = bench
        .command("predict run -")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("piped").write_all(&image).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stdout == wanted);
    let values = decode_values_bytes(&output.stdout, "standard output").expect("a mask");
    assert_eq!((values.width, values.height), (32, 32));

    // Folders in folders, patterns and lists.
    fs::create_dir_all(bench.path("photos/a/b")).expect("a folder");
    for name in ["photos/one.png", "photos/a/two.png", "photos/a/b/three.png"] {
        fs::write(bench.path(name), &image).expect("a file");
    }
    bench.succeed("predict run photos --out photos/masks --kind labels");
    assert_eq!(names(&bench.path("photos/masks/a")), ["b", "two-labels.png"]);
    let said = bench.succeed("predict run photos --out photos/masks --kind labels");
    assert!(said.out.contains("0 of 3 images predicted") && said.out.contains("3 existed"), "{}", said.out);
    let said = bench.succeed("predict run photos --out photos/masks --kind labels --force");
    assert!(said.out.contains("3 of 3 images predicted"), "{}", said.out);
    bench.succeed("predict run photos/**/t*.png --out starred");
    assert_eq!(names(&bench.path("starred/a")), ["b", "two.png"]);
    fs::write(bench.path("list.txt"), "# two of them\nphotos/one.png\nphotos/a\n").expect("a file");
    bench.succeed("predict run --list list.txt --out listed --quiet");
    assert_eq!(names(&bench.path("listed")), [".dapple-results", "b", "one.png", "two.png"]);
}

#[test]
fn settings_reach_the_prediction() {
    let bench = Bench::new();
    bench.train("run");
    bench.succeed(
        "predict --model run --model run data/images --out all --kind mask,overlay,cutout,contours,coco,areas,uncertainty \
         --flip both --scales 1,2 --threshold 0.3 --class disc,2 --background #102030 --min-area 4",
    );
    assert_eq!(names(&bench.path("all")).len(), 10 * 7 + 2 + 1, "with the record");
    bench.succeed("predict run data/images --out cut --tile 64 --overlap 16 --probability-format npy --kind probability");
    assert_eq!(names(&bench.path("cut")).len(), 10 + 1, "with the record");
}

#[test]
fn wrong_predictions_are_refused() {
    let bench = Bench::new();
    bench.train("run");
    for (arguments, word) in [
        ("predict data/images --out o", "--model"),
        ("predict run --out o", "IMAGE"),
        ("predict run data/images --out o --kind masks", "mask"),
        ("predict run data/images --out o --threshold 2", "threshold"),
        ("predict run data/images --out o --tile 100 --overlap 80", "overlap"),
        ("predict run data/images --out o --tile 100 --scales 2", "scales"),
        ("predict run data/images --out o --class cow", "disc"),
        ("predict run data/images --out o --background nowhere.png", "nowhere.png"),
        ("predict run data/images --out o --opacity 3", "opacity"),
        ("predict run nothing*.png --out o", "nothing"),
        ("predict run - --out o", "standard input"),
        ("serve nowhere.safetensors", "nowhere.safetensors"),
        ("serve run --port 0 --cors nowhere", "nowhere"),
    ] {
        let said = bench.run(arguments);
        assert_eq!(said.code, Some(2), "dapple {arguments}\n{}{}", said.out, said.err);
        assert!(said.err.contains(word), "dapple {arguments}: no `{word}` in\n{}", said.err);
    }
}

#[cfg(unix)]
#[test]
fn a_server_answers_and_ends_when_asked() {
    let bench = Bench::new();
    bench.train("run");
    let mut server =
        bench.command("serve shapes=run --port 0").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(server.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says where");
    let address =
        line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_owned();

    let image = fs::read(bench.path("data/images/synthetic0002.png")).expect("a picture");
    let mut stream = TcpStream::connect(&address).expect("it listens");
    let head = format!(
        "POST /predict?model=shapes HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        image.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&image)).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    bench.succeed("predict run data/images/synthetic0002.png --out out");
    assert!(answer.ends_with(&fs::read(bench.path("out/synthetic0002.png")).expect("a mask")));

    let ended = std::process::Command::new("kill").arg(server.id().to_string()).status().expect("kill");
    assert!(ended.success() && server.wait().expect("it ends").success());
    said.read_line(&mut line).expect("it says so");
    assert!(line.ends_with("stopped\n"), "{line}");
}
