//! `dapple studio` and `dapple label`, asked as a browser asks them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::common::{Bench, Listening, names};
use dapple::data::decode_values;

/// Head and body of the answer to a request.
fn ask(address: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("the page listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n")
        .expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
}

/// Photographs without masks.
fn photographs(bench: &Bench) {
    fs::create_dir(bench.path("photos")).expect("the folder is writable");
    fs::rename(bench.path("data/images"), bench.path("photos/images")).expect("the folder is writable");
}

#[test]
fn the_printed_address_opens_the_page() {
    let bench = Bench::new();
    photographs(&bench);
    for command in ["label photos --port 0", "studio photos --port 0 --weights none"] {
        let page = Listening::open(&bench, command);
        let (address, key) = page.address.split_once("/?token=").expect("a key");
        assert!(ask(address, "/", "").0.starts_with("http/1.1 401"));
        assert!(ask(address, &format!("/?token={key}"), "").0.starts_with("http/1.1 303"));
        let key = format!("Authorization: Bearer {key}\r\n");
        let (head, body) = ask(address, "/", &key);
        assert!(head.starts_with("http/1.1 200") && head.contains("text/html"), "{command}: {head}");
        assert!(String::from_utf8_lossy(&body).contains("<script"), "{command}");
        let (_, body) = ask(address, "/api/state", &key);
        let state: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(state["images"].as_array().map(Vec::len), Some(10), "{state}");
        assert_eq!(
            state["parts"].as_array().map(Vec::len),
            Some(if command.starts_with("label") { 1 } else { 4 })
        );
        // A second process is told.
        bench.refuse("label photos --port 0", &["being written by"]);
    }
}

#[test]
fn folders_with_labels_of_another_form_are_imported() {
    let bench = Bench::new();
    // Black and white masks, which are not the numbers of classes.
    for name in names(&bench.path("data/masks")) {
        let path = bench.path("data/masks").join(name);
        let mask = decode_values(&path).expect("a mask");
        let labels: Vec<u8> = mask.values.iter().map(|&value| 255 * u8::from(value > 0)).collect();
        dapple::data::write_indexed_png(&path, 32, 32, &labels, &[]).expect("the folder is writable");
    }
    fs::remove_file(bench.path("data/classes.toml")).expect("written with the pictures");
    bench.refuse("label data --port 0", &["--import"]);
    bench.refuse("label data/absent --port 0", &["give a folder of photographs"]);
    let page = Listening::open(&bench, "label new --import data --port 0");
    assert!(bench.path("new/images/synthetic0000.png").is_file() && bench.path("new/classes.toml").is_file());
    drop(page);
    bench.refuse("label new --import data --port 0", &["not empty"]);
}
