//! Models of a hub that answers as it should, and of others.

use std::fs;
use std::path::Path;

use super::server::{Answer, Request, SUM, Server, content};
use dapple_weights::{HubName, HubSettings, HubToken, Snapshot, Store, StoreSettings, WeightsError};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const LATER: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// A small file with `git hash-object` of its content.
const SMALL: (&[u8], &str) = (b"abc", "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");

fn name(text: &str) -> HubName {
    HubName::parse(text).expect("it begins with hf://").expect("a name")
}

/// The hub's answer about a commit.
fn listing(commit: &str) -> Answer {
    let body = format!(
        r#"{{"sha": "{commit}", "cardData": {{"license": "mit"}}, "siblings": [
            {{"rfilename": "config.json", "size": 3, "blobId": "{}"}},
            {{"rfilename": "model.safetensors", "size": 300000, "lfs": {{"sha256": "{SUM}", "size": 300000}}}}]}}"#,
        SMALL.1
    );
    Answer::whole(body.into_bytes()).header("Content-Type: application/json")
}

/// A hub with one repository, `a/b`.
fn answer(request: &Request) -> Answer {
    match request.path.as_str() {
        "/api/models/a/b/revision/main?blobs=true" => listing(COMMIT),
        "/a/b/resolve/0123456789abcdef0123456789abcdef01234567/config.json" => {
            Answer::whole(SMALL.0.to_vec())
        }
        "/a/b/resolve/0123456789abcdef0123456789abcdef01234567/model.safetensors" => Answer::whole(content()),
        _ => Answer::status("404 Not Found"),
    }
}

fn settings(folder: &Path, server: &Server) -> StoreSettings {
    let hub = HubSettings { endpoint: format!("{}/", server.address), ..HubSettings::default() };
    StoreSettings { hub, ..StoreSettings::new(folder) }
}

fn get(store: &Store, snapshot: &Snapshot, file: &str) -> Result<Vec<u8>, WeightsError> {
    let path = store.hub().get(snapshot, snapshot.file(file).expect("it is listed"), &mut |_| ())?;
    Ok(fs::read(path).expect("the file is there"))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_model_stays_at_the_commit_of_its_first_use() {
    let folder = folder();
    let server = Server::start(|index, request| match request.path.as_str() {
        "/api/models/a/b/revision/main?blobs=true" if index > 2 => listing(LATER),
        _ => answer(request),
    });
    let store = Store::new(settings(folder.path(), &server));
    let snapshot = store.hub().look(&name("hf://a/b")).expect("a listing");
    assert_eq!((snapshot.commit.as_str(), snapshot.licence.as_deref()), (COMMIT, Some("mit")));
    assert_eq!(get(&store, &snapshot, "config.json").expect("it comes"), SMALL.0);
    assert_eq!(get(&store, &snapshot, "model.safetensors").expect("it comes"), content());
    assert_eq!(server.seen().len(), 3);
    // Nothing is asked again, and nothing without a network.
    let offline = StoreSettings { offline: true, ..settings(folder.path(), &server) };
    for settings in [settings(folder.path(), &server), offline] {
        let store = Store::new(settings);
        assert_eq!(
            store.hub().look(&name("hf://a/b@main")).expect("it was kept"),
            Snapshot { name: name("hf://a/b@main"), ..snapshot.clone() }
        );
        assert_eq!(get(&store, &snapshot, "model.safetensors").expect("it is there"), content());
    }
    assert_eq!(store.hub().look(&name(&format!("hf://a/b@{COMMIT}"))).expect("it was kept").commit, COMMIT);
    assert_eq!(server.seen().len(), 3);
    // Until someone asks for the newest.
    assert_eq!(store.hub().ask(&name("hf://a/b")).expect("a listing").commit, LATER);
    assert_eq!(store.hub().look(&name("hf://a/b")).expect("it was kept").commit, LATER);
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn files_that_are_not_the_listed_ones_are_refused() {
    let folder = folder();
    let server = Server::start(|_, request| match request.path.rsplit('/').next() {
        Some("config.json") => Answer::whole(b"abd".to_vec()),
        Some("model.safetensors") => Answer::whole([content(), content()].concat()),
        _ => answer(request),
    });
    let store = Store::new(settings(folder.path(), &server));
    let snapshot = store.hub().look(&name("hf://a/b")).expect("a listing");
    let error = get(&store, &snapshot, "config.json").expect_err("another content");
    assert!(matches!(&error, WeightsError::Checksum { expected, .. } if expected == SMALL.1), "{error}");
    let error = get(&store, &snapshot, "model.safetensors").expect_err("it is longer");
    assert!(matches!(error, WeightsError::TooLong { most: 300_000, .. }), "{error}");
    assert!(!store.hub().folder(&snapshot).join("model.safetensors").exists());
    // A file that was damaged later comes again.
    let server = Server::start(|_, request| answer(request));
    let store = Store::new(settings(folder.path(), &server));
    let path = store.hub().folder(&snapshot).join("config.json");
    fs::write(&path, "damaged").expect("the folder is writable");
    let offline = Store::new(StoreSettings { offline: true, ..settings(folder.path(), &server) });
    let error = get(&offline, &snapshot, "config.json").expect_err("it is damaged");
    assert!(matches!(error, WeightsError::DamagedOffline { .. }), "{error}");
    assert_eq!(get(&store, &snapshot, "config.json").expect("it comes"), SMALL.0);
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let folder = folder();
    let elsewhere = Server::start(|_, _| Answer::whole(content()));
    let to = elsewhere.address.replace("127.0.0.1", "localhost");
    let server = Server::start(move |_, request| match request.path.rsplit('/').next() {
        Some("model.safetensors") => Answer::status("302 Found").header(format!("Location: {to}/blob")),
        _ => answer(request),
    });
    let mut settings = settings(folder.path(), &server);
    settings.hub.token = HubToken::new("hf_secret");
    assert!(!format!("{settings:?}").contains("secret"));
    let store = Store::new(settings);
    let snapshot = store.hub().look(&name("hf://a/b")).expect("a listing");
    assert_eq!(get(&store, &snapshot, "model.safetensors").expect("it comes from elsewhere"), content());
    let sent: Vec<Option<String>> = server.seen().into_iter().map(|request| request.authorization).collect();
    assert_eq!(sent, [Some("Bearer hf_secret".to_owned()), Some("Bearer hf_secret".to_owned())]);
    assert_eq!(elsewhere.seen()[0].authorization, None);
}

#[test]
fn refusals_say_what_to_do() {
    let folder = folder();
    let server = Server::start(|_, _| Answer::status("401 Unauthorized"));
    let store = Store::new(settings(folder.path(), &server));
    let error = store.hub().look(&name("hf://a/private")).expect_err("it is private").to_string();
    for word in ["hf://a/private", "401", "HF_TOKEN", &server.address] {
        assert!(error.contains(word), "{error}");
    }
    let offline = Store::new(StoreSettings {
        hub: HubSettings { offline: true, ..settings(folder.path(), &server).hub },
        ..settings(folder.path(), &server)
    });
    let error = offline.hub().look(&name("hf://a/b")).expect_err("it is not there").to_string();
    assert!(error.contains("switched off") && error.contains("a--b"), "{error}");
    let hub = HubSettings { endpoint: "huggingface".to_owned(), ..HubSettings::default() };
    let store = Store::new(StoreSettings { hub, ..StoreSettings::new(folder.path()) });
    let error = store.hub().look(&name("hf://a/b")).expect_err("no address").to_string();
    assert!(error.contains("HF_ENDPOINT"), "{error}");
}

#[test]
fn answers_that_are_none_are_refused() {
    for body in ["<html>", "{}", r#"{"sha": "../../escape", "siblings": []}"#, &"[".repeat(100_000)] {
        let (folder, body) = (folder(), body.as_bytes().to_vec());
        let server = Server::start(move |_, _| Answer::whole(body.clone()));
        let store = Store::new(settings(folder.path(), &server));
        let error = store.hub().look(&name("hf://a/b")).expect_err("no listing");
        assert!(matches!(error, WeightsError::HubAnswer { .. }), "{error}");
        assert!(fs::read_dir(folder.path()).expect("it is there").next().is_none(), "nothing is kept");
    }
    // Another commit than the one that was asked for.
    let (folder, server) = (folder(), Server::start(|_, _| listing(COMMIT)));
    let store = Store::new(settings(folder.path(), &server));
    let error = store.hub().look(&name(&format!("hf://a/b@{LATER}"))).expect_err("another commit");
    assert!(matches!(error, WeightsError::HubAnswer { .. }), "{error}");
}
