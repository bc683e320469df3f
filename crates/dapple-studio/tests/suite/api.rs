//! The interface over a real socket.

use std::fs;

use dapple_data::{decode_values_bytes, encode_png};
use serde_json::json;

use crate::common::{Running, SIDE, folder, id, png_of, scene, strokes};

#[test]
fn a_stroke_is_saved_and_told() {
    let folder = folder(2);
    let studio = Running::start(folder.path(), false);
    let state = studio.get("/api/state?tab=mine").json();
    assert_eq!(state["parts"], json!(["label"]));
    assert_eq!(state["classes"][1], json!({ "id": 1, "name": "object", "color": "#e64b35" }));
    assert_eq!((state["second"].as_bool(), state["images"].as_array().map(Vec::len)), (Some(false), Some(2)));
    let mut events = studio.events("other");
    assert!(events.by_ref().any(|line| line.contains("event: tabs")));
    assert_eq!(studio.get("/api/state?tab=mine").json()["second"], true, "another tab is open");
    assert_eq!(studio.get("/api/state?tab=other").json()["second"], false);
    let [(x, y, patch), second] = strokes(0);
    let answer = studio.draw(&id(0), 0, (x, y), &patch);
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert_eq!(answer.json()["revision"], 1);
    assert!(events.by_ref().any(|line| line.contains("event: changed")));
    assert!(events.by_ref().any(|line| line.contains("photo-0.png")));
    // Somebody else wrote in between.
    let stale = studio.draw(&id(0), 0, (second.0, second.1), &second.2);
    assert_eq!((stale.status, stale.json()["revision"].as_u64()), (412, Some(1)));
    let mask = studio.get("/api/images/photo-0.png/mask");
    assert!(mask.has("etag: \"1\"") && mask.has("content-type: image/png"), "{}", mask.head);
    let values = decode_values_bytes(&mask.body, "a mask").unwrap();
    assert_eq!(values.values[y * SIDE + x], 1);
    assert_eq!(values.values.iter().filter(|value| **value == 255).count(), SIDE * SIDE - 36);
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), false);
    let [(_, _, patch), _] = strokes(0);
    let png = png_of(&patch);
    for (head, body, status) in [
        ("PUT /api/images/photo-0.png/mask", &png[..], 428),
        ("PUT /api/images/photo-0.png/mask?x=60&y=0\nIf-Match: \"0\"", &png[..], 422),
        ("PUT /api/images/photo-0.png/mask?x=-1\nIf-Match: \"0\"", &png[..], 400),
        ("PUT /api/images/photo-0.png/mask\nIf-Match: \"0\"", b"no PNG", 422),
        ("PUT /api/images/absent.png/mask\nIf-Match: \"0\"", &png[..], 404),
        ("GET /api/images/absent.png/picture", b"", 404),
        ("GET /api/images/photo-0.png/picture?width=wide", b"", 400),
        ("GET /api/images/%FF/mask", b"", 400),
        ("POST /api/images", &png[..], 400),
        ("GET /api/nothing", b"", 404),
        ("DELETE /api/state", b"", 405),
        ("PUT /api/classes\nContent-Type: application/json", b"[]", 422),
        ("PUT /api/classes\nContent-Type: application/json", b"[", 400),
        ("POST /api/trainings\nContent-Type: application/json", b"{\"minutes\": 1}", 404),
        ("POST /api/export\nContent-Type: application/json", b"{\"format\": \"coco\"}", 409),
        ("POST /api/images?name=..%2Fx.png", &png[..], 422),
        ("POST /api/images?name=photo-0.png", &png[..], 409),
    ] {
        let answer = studio.send(head, body);
        assert_eq!(answer.status, status, "{head}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.json()["error"].is_string(), "{head}: {}", answer.json());
    }
    assert!(!folder.path().join("masks").exists());
}

#[test]
fn photographs_are_shown_and_added() {
    let folder = folder(1);
    fs::create_dir(folder.path().join("images/trip")).unwrap();
    fs::copy(folder.path().join("images/photo-0.png"), folder.path().join("images/trip/a b.png")).unwrap();
    let studio = Running::start(folder.path(), false);
    let whole = studio.get("/api/images/trip%2Fa%20b.png/picture");
    assert!(whole.status == 200 && whole.has("content-type: image/png"), "{}", whole.head);
    assert_eq!(whole.body, fs::read(folder.path().join("images/photo-0.png")).unwrap());
    let small = studio.get("/api/images/trip%2Fa%20b.png/picture?width=20");
    assert!(small.has("content-type: image/jpeg"));
    let size = dapple_data::image_size_bytes(&small.body, "a picture").unwrap();
    assert_eq!((size.width, size.height), (20, 20));
    let added = studio.send("POST /api/images?name=new.png", &encode_png(&scene(5).0).unwrap());
    assert_eq!((added.status, added.json()["id"].as_str()), (201, Some("new.png")));
    assert!(folder.path().join("images/new.png").is_file());
    assert_eq!(studio.get("/api/state").json()["images"].as_array().map(Vec::len), Some(3));
    // Named as no picture is, it is not kept.
    let odd = studio.send("POST /api/images?name=odd.txt", &encode_png(&scene(5).0).unwrap());
    assert_eq!(odd.status, 422);
    assert!(!folder.path().join("images/odd.txt").exists());
}

#[test]
fn classes_are_changed_by_the_page() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), false);
    let [(x, y, patch), _] = strokes(0);
    studio.draw(&id(0), 0, (x, y), &patch);
    let list = json!([
        { "id": 1, "name": "disc", "color": "#ff0000" },
        { "id": 0, "name": "ground", "color": "#000000", "merge_into": null },
    ]);
    let answer = studio.json("PUT", "/api/classes", &list);
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert_eq!(answer.json()[0], json!({ "id": 0, "name": "disc", "color": "#ff0000" }));
    let mask = decode_values_bytes(&studio.get("/api/images/photo-0.png/mask").body, "a mask").unwrap();
    assert_eq!(mask.values[y * SIDE + x], 0);
    let text = fs::read_to_string(folder.path().join("classes.toml")).unwrap();
    assert!(text.contains("disc") && text.contains("ignore = 255"), "{text}");
}

#[test]
fn edits_of_other_programs_reach_the_page() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), false);
    let mut events = studio.events("mine");
    assert!(events.by_ref().any(|line| line.contains("event: tabs")));
    fs::create_dir_all(folder.path().join("masks")).unwrap();
    fs::write(folder.path().join("masks/photo-0.png"), crate::common::truth(0).png().unwrap()).unwrap();
    assert!(events.by_ref().any(|line| line.contains("event: changed")));
    assert_eq!(studio.get("/api/state").json()["images"][0]["labelled"], 1.0);
}
