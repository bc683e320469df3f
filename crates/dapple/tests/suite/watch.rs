//! `dapple watch`, asked as a browser asks it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::common::{Bench, Listening};
use serde_json::Value;

struct Page(Listening);

impl Page {
    fn open(bench: &Bench, run: &str) -> Self {
        Self(Listening::open(bench, &format!("watch {run} --port 0")))
    }

    /// Head and body of the answer to a request for `path` that names `host`.
    fn ask(&self, path: &str, host: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.0.address).expect("the server listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
            .expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        (head, answer[end + 4..].to_vec())
    }

    fn state(&self) -> Value {
        let (head, body) = self.ask("/state", "localhost");
        assert!(head.starts_with("http/1.1 200"), "{head}");
        serde_json::from_slice(&body).expect("JSON")
    }
}

#[test]
fn a_run_is_shown_from_before_it_begins_to_its_end() {
    let bench = Bench::new();
    let page = Page::open(&bench, "run");
    let (head, body) = page.ask("/", "127.0.0.1");
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
    assert!(String::from_utf8_lossy(&body).contains("watch.js"));
    assert_eq!((&page.state()["title"], &page.state()["ended"]), (&"Waiting".into(), &false.into()));

    bench.train("run");
    let state = page.state();
    let html = state["html"].as_str().expect("a text").to_owned();
    assert_eq!((&state["lead"], &state["ended"]), (&"Finished after 2 epochs.".into(), &true.into()));
    for wanted in
        ["id=\"now\"", "id=\"curves\"", "id=\"classes\"", "id=\"panels\"", "id=\"log\"", "epoch 2/2"]
    {
        assert!(html.contains(wanted), "no {wanted}");
    }
    assert!(!html.contains(" style="), "the policy forbids inline styles");
    let picture = html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a picture");
    let (head, body) = page.ask(&format!("/{}", picture.replace("&amp;", "&")), "localhost:1");
    assert!(head.contains("image/png") && body.starts_with(b"\x89PNG"), "{head}");

    // A file that is half there and a process that is gone are no reason to fail.
    fs::write(bench.path("run/metrics.jsonl"), "{\"epoch\":1,\"train_loss\":0.5}\n{\"epo").expect("a file");
    fs::write(bench.path("run/progress.json"), "{\"state\":").expect("a file");
    assert_eq!(page.state()["lead"], "1 epochs done.");
}

#[test]
fn only_pictures_are_given_out_and_only_to_this_machine() {
    let bench = Bench::new();
    bench.train("run");
    let page = Page::open(&bench, "run");
    for path in [
        "/picture/..%2F/config.toml",
        "/picture/current/..%2F..%2Fconfig.toml",
        "/picture/current/..%2Fcurves.png",
        "/picture/tensorboard/x.png",
        "/config.toml",
        "/run/config.toml",
    ] {
        let (head, _) = page.ask(path, "localhost");
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
    }
    let (head, body) = page.ask("/state", "evil.example");
    assert!(head.starts_with("http/1.1 403") && !String::from_utf8_lossy(&body).contains("epoch"), "{head}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_with_success() {
    let bench = Bench::empty();
    let mut page = Page::open(&bench, "run");
    let id = page.0.child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill is there");
    assert!(sent.success());
    assert_eq!(page.0.child.wait().expect("it ends").code(), Some(0));
    bench.refuse("watch data --port 99999", &[]);
}

#[cfg(unix)]
#[test]
fn links_out_of_the_run_are_not_followed() {
    use std::os::unix::fs::symlink;

    let bench = Bench::new();
    bench.train("run");
    fs::write(bench.path("secret.png"), b"\x89PNG secret").expect("a file");
    fs::write(bench.path("secret.txt"), "classified").expect("a file");
    let folder = bench.path("run/current");
    fs::create_dir_all(&folder).expect("a folder");
    symlink(bench.path("secret.png"), folder.join("out.png")).expect("a link");
    let page = Page::open(&bench, "run");
    let (head, _) = page.ask("/picture/current/out.png", "localhost");
    assert!(head.starts_with("http/1.1 404"), "{head}");

    fs::remove_file(bench.path("run/log.txt")).expect("the run has a log");
    symlink(bench.path("secret.txt"), bench.path("run/log.txt")).expect("a link");
    let state = page.state();
    assert!(!state.to_string().contains("classified"), "{state}");
    assert!(state["lead"].as_str().is_some_and(|lead| lead.contains("log.txt is a link out")), "{state}");

    // The folder itself may be behind a link, and files within it may be links to others.
    fs::remove_file(bench.path("run/log.txt")).expect("it was just made");
    fs::write(bench.path("run/real.log"), "epoch 7/7").expect("a file");
    symlink(bench.path("run/real.log"), bench.path("run/log.txt")).expect("a link");
    symlink(bench.path("run"), bench.path("latest")).expect("a link");
    let page = Page::open(&bench, "latest");
    assert!(page.state()["html"].as_str().is_some_and(|html| html.contains("epoch 7/7")));
}

#[test]
fn pages_of_other_sites_are_refused() {
    let bench = Bench::empty();
    let page = Page::open(&bench, "run");
    for headers in ["localhost\r\nOrigin: https://evil.example", "localhost\r\nSec-Fetch-Site: cross-site"] {
        let (head, _) = page.ask("/state", headers);
        assert!(head.starts_with("http/1.1 403"), "{head}");
    }
}
