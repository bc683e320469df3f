//! Lists, downloads and uploads against a real server, with faults on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dapple_bench_cloud::{KEY, Kind, SECRET, Server};
use dapple_cloud::{Cloud, CloudError, CloudSettings, Location, Mirror};

fn at(key: &str) -> Location {
    format!("s3://bucket/{key}").parse().expect("an address")
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 31 % 251) as u8).collect()
}

fn keys(cloud: &Cloud, location: &Location) -> Vec<String> {
    let found = cloud.list(location).unwrap_or_else(|error| panic!("{error}"));
    found.iter().map(|found| found.location.key().to_owned()).collect()
}

/// The smallest parts that S3 takes, and patience with a server that is not optimized.
fn in_parts() -> CloudSettings {
    CloudSettings { part_bytes: 5 << 20, patience: Duration::from_secs(6), ..CloudSettings::default() }
}

/// Downloads one object; gives its bytes.
fn bring(cloud: &Cloud, key: &str, folder: &Path) -> Result<Vec<u8>, CloudError> {
    let found = cloud.list(&at(key))?.remove(0);
    let path = folder.join("object");
    let result = cloud.download(&[(found, path.clone())]).remove(0);
    // Nothing half lies under its name or beside it.
    if result.is_err() {
        assert!(fs::read_dir(folder).expect("a folder").next().is_none());
    }
    result.map(|()| fs::read(path).expect("it was written"))
}

#[test]
fn lists_have_folders_patterns_and_single_objects() {
    let server = Server::start();
    for key in ["a/1.png", "a/2.tif", "a/b/3.png", "ab/4.png", "größe ä/5+6 &.png"] {
        server.put(key, b"x");
    }
    let cloud = server.cloud();
    assert_eq!(keys(&cloud, &at("a")), ["a/1.png", "a/2.tif", "a/b/3.png"]);
    assert_eq!(keys(&cloud, &at("a/1.png")), ["a/1.png"]);
    assert_eq!(keys(&cloud, &at("a/*.png")), ["a/1.png"]);
    assert_eq!(keys(&cloud, &at("**/*.png")).len(), 4);
    assert_eq!(keys(&cloud, &at("a*/**/[0-9].png")), ["a/1.png", "a/b/3.png", "ab/4.png"]);
    assert_eq!(keys(&cloud, &at("")).len(), 5);
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(bring(&cloud, "größe ä/5+6 &.png", folder.path()).expect("an object"), b"x");
    for (location, words) in [(at("absent"), "no such object"), (at("a/*.jpg"), "no object matches")] {
        let error = cloud.list(&location).expect_err("nothing there").to_string();
        assert!(error.contains(words) && error.contains(&location.to_string()), "{error}");
        assert!(cloud.list_if_any(&location).expect("an empty list").is_empty());
    }
}

#[test]
fn a_long_list_comes_in_pages() {
    let server = Server::start();
    for number in 0..1203 {
        server.put(&format!("many/{number:05}.png"), b"");
    }
    assert_eq!(keys(&server.cloud(), &at("many")).len(), 1203);
}

#[test]
fn downloads_go_on_after_faults() {
    let wanted = content(300_000);
    for (kind, times) in [
        (Kind::Status(503), 3),
        (Kind::Status(500), 1),
        (Kind::Status(429), 2),
        (Kind::Truncated(0), 2),
        (Kind::Truncated(100_000), 3),
        (Kind::Stalled(70_000), 1),
        (Kind::Silent, 1),
    ] {
        let server = Server::start();
        server.put("a.bin", &wanted);
        server.fail("GET", "/a.bin", kind, times);
        let folder = tempfile::tempdir().expect("a folder");
        let found =
            bring(&server.cloud(), "a.bin", folder.path()).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert!(found == wanted, "{kind:?}");
        assert!(server.has_failed(), "{kind:?}");
    }
}

#[test]
fn lists_go_on_after_faults() {
    let server = Server::start();
    server.put("a/1.png", b"x");
    for kind in [Kind::Status(503), Kind::Silent, Kind::Truncated(20)] {
        server.fail("GET", "list-type=2", kind, 1);
        assert_eq!(keys(&server.cloud(), &at("a")), ["a/1.png"], "{kind:?}");
        assert!(server.has_failed());
    }
}

#[test]
fn a_fault_that_stays_is_told_and_leaves_nothing() {
    for kind in [Kind::Status(503), Kind::Truncated(1000), Kind::Silent] {
        let server = Server::start();
        server.put("a.bin", &content(5000));
        server.fail("GET", "/a.bin", kind, 1000);
        let folder = tempfile::tempdir().expect("a folder");
        let error = bring(&server.cloud(), "a.bin", folder.path()).expect_err("it stays").to_string();
        assert!(error.contains("s3://bucket/a.bin") && error.contains("several attempts"), "{error}");
        assert!(!error.contains(KEY) && !error.contains(SECRET), "{error}");
    }
}

#[test]
fn an_object_that_changes_is_not_mixed() {
    let server = Server::start();
    server.put("a.bin", &content(9000));
    let cloud = server.cloud();
    let found = cloud.list(&at("a.bin")).expect("an object").remove(0);
    server.put("a.bin", &content(9001));
    let folder = tempfile::tempdir().expect("a folder");
    let error = cloud.download(&[(found, folder.path().join("x"))]).remove(0).expect_err("it changed");
    assert!(matches!(error, CloudError::Changed { .. }), "{error}");
    assert!(fs::read_dir(folder.path()).expect("a folder").next().is_none());
}

#[test]
fn uploads_go_on_after_faults_and_are_whole() {
    // In one request, and in parts.
    for (bytes, method, part) in
        [(50_000, "PUT", "/up"), (11 << 20, "PUT", "partNumber=2"), (11 << 20, "POST", "uploads")]
    {
        for kind in [Kind::Status(503), Kind::Silent, Kind::Lost] {
            // Two uploads may be begun where an answer is lost; only one is completed.
            let server = Server::start();
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("file");
            let wanted = content(bytes);
            fs::write(&path, &wanted).expect("a file");
            server.fail(method, part, kind, 1);
            let settings = in_parts();
            let cloud = server.cloud_with(settings);
            let sent = cloud.upload(&[(path, at("up/object"))]);
            assert!(server.has_failed(), "{bytes} {kind:?}");
            // To begin an upload is no request that may be made twice; then it fails, and nothing is there.
            match sent {
                Ok(()) => assert!(fs::read(server.file("up/object")).expect("an object") == wanted),
                Err(error) => {
                    assert!(part == "uploads", "{bytes} {kind:?} {error}");
                    assert!(!server.file("up/object").exists());
                }
            }
        }
    }
}

#[test]
fn an_upload_that_fails_leaves_the_older_object_and_no_parts() {
    let server = Server::start();
    server.put("up/object", b"older");
    server.fail("PUT", "partNumber=3", Kind::Status(503), 1000);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, content(11 << 20)).expect("a file");
    let settings = in_parts();
    let error = server.cloud_with(settings).upload(&[(path, at("up/object"))]).expect_err("it stays");
    assert!(matches!(error, CloudError::Fault { .. }), "{error}");
    assert_eq!(fs::read(server.file("up/object")).expect("an object"), b"older");
    assert!(server.requests().iter().any(|line| line.starts_with("DELETE") && line.contains("uploadId")));
}

#[test]
fn wrong_credentials_are_refused_without_showing_them() {
    let server = Server::start();
    server.put("a.png", b"x");
    let variables = vec![("aws_secret_access_key".to_owned(), "another-secret".to_owned())];
    let cloud = server.cloud_with(CloudSettings { variables, ..CloudSettings::default() });
    let error = cloud.list(&at("a.png")).expect_err("a wrong key");
    assert!(matches!(error, CloudError::Refused { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("another-secret") && !text.contains(KEY), "{text}");
}

#[test]
fn few_objects_are_under_way_at_a_time() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut files: Vec<(PathBuf, Location)> = Vec::new();
    for number in 0..40 {
        let path = folder.path().join(number.to_string());
        fs::write(&path, content(100 + number)).expect("a file");
        files.push((path, at(&format!("up/{number}"))));
    }
    let cloud = server.cloud_with(CloudSettings { parallel: 3, ..CloudSettings::default() });
    cloud.upload(&files).expect("a store");
    let found = cloud.list(&at("up")).expect("objects");
    assert_eq!(found.len(), 40);
    let read = cloud.read(&found[0], 1000).expect("an object");
    assert_eq!(read.len() as u64, found[0].bytes);
    assert!(cloud.read(&found[0], 10).is_err());
}

#[test]
fn a_mirror_brings_writes_back_and_removes() {
    let server = Server::start();
    for key in ["out/a.png", "out/b/c.png", "out/other.txt", "outside.png"] {
        server.put(key, key.as_bytes());
    }
    let cloud = server.cloud();
    let folder = tempfile::tempdir().expect("a folder");
    let local = folder.path().join("results");
    let mut mirror = Mirror::open(&cloud, &at("out"), &local, &|key| key.ends_with(".png")).expect("objects");
    assert_eq!(fs::read(local.join("b/c.png")).expect("it was brought"), b"out/b/c.png");
    assert!(!local.join("other.txt").exists());
    fs::write(local.join("a.png"), "changed").expect("a file");
    fs::write(local.join("new.csv"), "new").expect("a file");
    fs::write(local.join(".a.png.1.2.tmp"), "unfinished").expect("a file");
    fs::remove_file(local.join("b/c.png")).expect("it was there");
    // The first attempt ends in a fault, the second one does what is left.
    server.fail("PUT", "new.csv", Kind::Status(403), 1);
    assert!(mirror.deliver(&cloud, &|key| u8::from(key == "new.csv")).is_err());
    assert_eq!(mirror.deliver(&cloud, &|_| 0).expect("a store"), 2);
    assert_eq!(fs::read(server.file("out/a.png")).expect("an object"), b"changed");
    assert!(server.file("out/new.csv").exists() && server.file("out/other.txt").exists());
    assert!(!server.file("out/b/c.png").exists() && server.file("outside.png").exists());
    assert_eq!(mirror.deliver(&cloud, &|_| 0).expect("a store"), 0);
    assert_eq!(keys(&cloud, &at("out")).len(), 3);
}
