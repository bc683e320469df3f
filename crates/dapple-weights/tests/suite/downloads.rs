//! Downloads from a server with all the faults of real ones.

use std::fs;
use std::path::Path;

use super::server::{Answer, ENTRY, Request, SUM, Server, content};
use dapple_weights::{
    CacheState, CatalogueEntry, Checksum, DownloadProgress, Store, StoreSettings, WeightsError,
};

fn store(folder: &Path, server: &Server) -> Store {
    Store::new(settings(folder, server))
}

/// The same cache without downloads.
fn offline(folder: &Path, server: &Server) -> Store {
    Store::new(StoreSettings { offline: true, ..settings(folder, server) })
}

fn settings(folder: &Path, server: &Server) -> StoreSettings {
    StoreSettings { mirror: Some(server.address.clone()), ..StoreSettings::new(folder) }
}

fn get(store: &Store, entry: &CatalogueEntry) -> Result<(Vec<u8>, Vec<DownloadProgress>), WeightsError> {
    let mut heard = Vec::new();
    let path = store.get(entry, &mut |progress| heard.push(progress))?;
    Ok((fs::read(path).expect("the file is there"), heard))
}

/// Names in the cache.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("the folder can be read").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_good_file_arrives_once() {
    let (folder, server) = (folder(), Server::start(|_, _| Answer::whole(content())));
    let store = store(folder.path(), &server);
    assert_eq!(store.state(&ENTRY), CacheState::Absent);
    let (bytes, heard) = get(&store, &ENTRY).expect("it comes");
    assert_eq!(bytes, content());
    assert_eq!(heard.last(), Some(&DownloadProgress { received: 300_000, total: Some(300_000) }));
    assert_eq!(store.state(&ENTRY), CacheState::Present);
    // The second call sends no request.
    let (bytes, heard) = get(&store, &ENTRY).expect("it is there");
    assert!(bytes == content() && heard.is_empty());
    let asked = Request { path: format!("/{}", ENTRY.file), from: None, if_range: None, authorization: None };
    assert_eq!(server.seen(), [asked]);
    assert_eq!(names(folder.path()), [ENTRY.file]);
}

#[test]
fn other_content_is_discarded() {
    let (folder, server) = (folder(), Server::start(|_, _| Answer::whole(vec![7; 1000])));
    let store = store(folder.path(), &server);
    let error = get(&store, &ENTRY).expect_err("the content differs");
    assert!(matches!(error, WeightsError::Checksum { .. }), "{error}");
    assert!(error.to_string().contains(&SUM[..8]), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_broken_connection_is_resumed_at_once() {
    let server = Server::start(|index, request| match (index, request.from) {
        (0, _) => Answer::whole(content()).cut(100_000),
        (1, Some(from)) => Answer::rest(&content(), from).cut(50_000),
        (_, Some(from)) => Answer::rest(&content(), from),
        (_, None) => Answer::status("500 Unexpected"),
    });
    let folder = folder();
    let (bytes, _) = get(&store(folder.path(), &server), &ENTRY).expect("it comes in three parts");
    assert_eq!(bytes, content());
    let asked: Vec<_> = server.seen().iter().map(|r| (r.from, r.if_range.clone())).collect();
    let version = Some("\"1\"".to_owned());
    assert_eq!(asked, [(None, None), (Some(100_000), version.clone()), (Some(150_000), version)]);
    assert_eq!(names(folder.path()), [ENTRY.file]);
}

#[test]
fn a_later_call_resumes() {
    let server = Server::start(|index, request| match (index, request.from) {
        (0, _) => Answer::whole(content()).cut(123_456),
        (1..=3, Some(from)) => Answer::rest(&content(), from).cut(0),
        (_, Some(from)) => Answer::rest(&content(), from),
        (_, None) => Answer::status("500 Unexpected"),
    });
    let folder = folder();
    let store = store(folder.path(), &server);
    let error = get(&store, &ENTRY).expect_err("the server never sends the rest");
    assert!(matches!(error, WeightsError::Interrupted { received: 123_456, .. }), "{error}");
    assert_eq!(store.state(&ENTRY), CacheState::Partial(123_456));
    let (bytes, heard) = get(&store, &ENTRY).expect("now it does");
    assert_eq!(bytes, content());
    assert_eq!(heard.first(), Some(&DownloadProgress { received: 123_456, total: Some(300_000) }));
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let server = Server::start(|index, _| {
        let answer = Answer::whole(content());
        if index == 0 { answer.cut(100_000) } else { answer }
    });
    let folder = folder();
    let (bytes, _) = get(&store(folder.path(), &server), &ENTRY).expect("it comes");
    assert_eq!(bytes, content());
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn nothing_is_resumed_without_a_validator() {
    let server = Server::start(|index, request| {
        let mut answer = Answer::whole(content());
        answer.headers = vec!["ETag: W/\"weak\"".into()];
        match (index, request.from) {
            (0, _) => answer.cut(100_000),
            (_, None) => answer,
            (_, Some(_)) => Answer::status("500 Unexpected"),
        }
    });
    let folder = folder();
    assert_eq!(get(&store(folder.path(), &server), &ENTRY).expect("it comes").0, content());
}

#[test]
fn a_wrong_range_is_discarded() {
    let server = Server::start(|index, request| match (index, request.from) {
        (0, _) => Answer::whole(content()).cut(100_000),
        (1, _) => Answer::rest(&content(), 5),
        (_, None) => Answer::whole(content()),
        (_, Some(_)) => Answer::status("500 Unexpected"),
    });
    let folder = folder();
    assert_eq!(get(&store(folder.path(), &server), &ENTRY).expect("it comes").0, content());
}

#[test]
fn a_complete_part_is_only_renamed() {
    let server = Server::start(|_, request| match request.from {
        Some(300_000) => Answer::status("416 Range Not Satisfiable").header("Content-Range: bytes */300000"),
        _ => Answer::status("500 Unexpected"),
    });
    let folder = folder();
    let part = |ending: &str| folder.path().join(format!("{}.part{ending}", ENTRY.file));
    fs::write(part(""), content()).expect("the folder is writable");
    fs::write(part(".version"), "\"1\"").expect("the folder is writable");
    assert_eq!(get(&store(folder.path(), &server), &ENTRY).expect("it is complete").0, content());
}

#[test]
fn refusals_name_the_address_and_the_way_out() {
    let server = Server::start(|_, _| Answer::status("404 Not Found"));
    let folder = folder();
    let error = get(&store(folder.path(), &server), &ENTRY).expect_err("it is not there").to_string();
    for part in ["404", &server.address, ENTRY.file, "by hand"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!folder.path().join(ENTRY.file).exists());

    let server = Server::start(|_, _| {
        Answer::whole(b"<html>".to_vec()).header("Content-Type: text/html; charset=utf-8")
    });
    let error = get(&store(folder.path(), &server), &ENTRY).expect_err("that is no file");
    assert!(matches!(error, WeightsError::WebPage { .. }), "{error}");

    // Nothing listens on the port of a closed listener.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let mirror = Some(format!("http://{gone}"));
    let store = Store::new(StoreSettings { mirror, ..StoreSettings::new(folder.path()) });
    let error = get(&store, &ENTRY).expect_err("nobody is there");
    assert!(matches!(error, WeightsError::Connection { .. }), "{error}");
}

#[test]
fn redirections_are_followed() {
    let server = Server::start(|_, request| match request.path.as_str() {
        "/elsewhere" => Answer::whole(content()),
        _ => Answer::status("302 Found").header("Location: /elsewhere"),
    });
    let folder = folder();
    assert_eq!(get(&store(folder.path(), &server), &ENTRY).expect("it comes").0, content());

    let server = Server::start(|_, _| Answer::status("302 Found").header("Location: /again"));
    let other = tempfile::tempdir().expect("a temporary folder");
    let error = get(&store(other.path(), &server), &ENTRY).expect_err("it never ends");
    assert!(matches!(error, WeightsError::Connection { .. }), "{error}");
}

#[test]
fn offline_sends_no_request() {
    let server = Server::start(|_, _| Answer::whole(content()));
    let folder = folder();
    let store = offline(folder.path(), &server);
    let error = get(&store, &ENTRY).expect_err("it is not there").to_string();
    for part in
        ["tiny", "switched off", &server.address, &folder.path().join(ENTRY.file).display().to_string()]
    {
        assert!(error.contains(part), "{error}");
    }
    fs::write(folder.path().join(ENTRY.file), content()).expect("the folder is writable");
    assert_eq!(get(&store, &ENTRY).expect("it is there").0, content());
    assert_eq!(server.seen(), []);
}

#[test]
fn a_damaged_file_is_downloaded_again() {
    let server = Server::start(|_, _| Answer::whole(content()));
    let folder = folder();
    let store = store(folder.path(), &server);
    fs::write(folder.path().join(ENTRY.file), &content()[..200_000]).expect("the folder is writable");
    let error = get(&offline(folder.path(), &server), &ENTRY).expect_err("it is damaged");
    assert!(matches!(error, WeightsError::DamagedOffline { .. }), "{error}");
    assert_eq!(get(&store, &ENTRY).expect("it comes").0, content());
}

#[test]
fn damage_is_noticed_without_a_published_sum() {
    let server = Server::start(|_, _| Answer::whole(content()));
    let folder = folder();
    let entry = CatalogueEntry { checksum: Checksum::Unpublished, ..ENTRY };
    let store = store(folder.path(), &server);
    assert_eq!(get(&store, &entry).expect("it comes").0, content());
    let sum =
        fs::read_to_string(folder.path().join(format!("{}.sha256", ENTRY.file))).expect("it was written");
    assert_eq!(sum, format!("{SUM}  {}\n", ENTRY.file));
    get(&offline(folder.path(), &server), &entry).expect("it is intact");
    fs::write(folder.path().join(ENTRY.file), "damaged").expect("the folder is writable");
    assert_eq!(get(&store, &entry).expect("it comes again").0, content());
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn two_processes_do_not_write_one_file() {
    let folder = folder();
    let part = folder.path().join(format!("{}.part", ENTRY.file));
    let held = fs::File::create(&part).expect("the folder is writable");
    held.lock().expect("nobody else has it");
    let server = Server::start(|_, _| Answer::whole(content()));
    let error = get(&store(folder.path(), &server), &ENTRY).expect_err("another has it");
    assert!(matches!(error, WeightsError::Busy(_)), "{error}");
}

#[test]
fn the_same_weights_from_another_publisher_are_taken_if_they_are_there() {
    let (folder, server) = (folder(), Server::start(|_, _| Answer::whole(content())));
    let (file, _) = ENTRY.also.expect("another publisher has them");
    fs::write(folder.path().join(file), content()).expect("the folder is writable");
    let store = store(folder.path(), &server);
    assert_eq!(store.state(&ENTRY), CacheState::Present);
    assert_eq!(store.get(&ENTRY, &mut |_| ()).expect("it is there"), folder.path().join(file));
    assert!(server.seen().is_empty());
    // A damaged one is no reason to go without.
    fs::write(folder.path().join(file), "damaged").expect("the folder is writable");
    assert_eq!(get(&store, &ENTRY).expect("it comes").0, content());
    assert_eq!(store.path(&ENTRY), folder.path().join(ENTRY.file));
}
