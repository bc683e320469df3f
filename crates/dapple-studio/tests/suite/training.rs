//! Trainings from the page, and the use of their models.

use dapple_data::encode_png;
use serde_json::json;

use crate::common::{Running, SIDE, folder, id, png_of, scene, truth};
use dapple_studio::store::Patch;

fn label_all(studio: &Running, count: usize) {
    for index in 0..count {
        let png = png_of(&Patch::of_labelled(&truth(index)));
        let head = format!("PUT /api/images/{}/mask\nIf-Match: \"0\"", id(index));
        assert_eq!(studio.send(&head, &png).status, 200);
    }
}

#[test]
fn a_model_is_trained_shown_and_used() {
    let folder = folder(6);
    let studio = Running::start(folder.path(), true);
    label_all(&studio, 5);
    assert_eq!(studio.json("POST", "/api/trainings", &json!({ "minutes": 0 })).status, 422);
    assert_eq!(studio.json("POST", "/api/trainings", &json!({ "minutes": 1, "name": "../x" })).status, 422);
    let answer = studio.json("POST", "/api/trainings", &json!({ "minutes": 2, "name": "first" }));
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(studio.json("POST", "/api/trainings", &json!({ "minutes": 1, "name": "second" })).status, 409);
    let state = studio.wait(|state| {
        let run = &state["runs"][0];
        run["state"] == "done" || run["state"] == "failed"
    });
    assert_eq!(state["runs"][0]["state"], "done", "{state}");
    assert!(state["runs"][0].get("curves").is_none(), "lists are short");
    let run = studio.get("/api/trainings/first").json();
    assert_eq!(run["curves"].as_array().map(Vec::len), Some(2), "{run}");
    assert_eq!(run["choices"][0]["reason"], "there are few images");
    assert_eq!(run["report"], "/runs/first/report.html");
    assert_eq!(studio.get("/runs/first/report.html").status, 200);
    for picture in run["pictures"].as_array().unwrap() {
        assert_eq!(studio.get(picture.as_str().unwrap()).status, 200, "{picture}");
    }
    let photo = encode_png(&scene(9).0).unwrap();
    let predicted = studio.send("POST /api/predict?run=first", &photo);
    assert_eq!(predicted.status, 200, "{}", String::from_utf8_lossy(&predicted.body));
    let predicted = predicted.json();
    assert_eq!(
        (predicted["width"].as_u64(), predicted["height"].as_u64()),
        (Some(SIDE as u64), Some(SIDE as u64))
    );
    let pixels: u64 =
        predicted["areas"].as_array().unwrap().iter().filter_map(|area| area["pixels"].as_u64()).sum();
    assert_eq!(pixels, (SIDE * SIDE) as u64);
    assert!(predicted["labels"].as_str().unwrap().starts_with("data:image/png;base64,"));
    assert_eq!(studio.send("POST /api/predict?run=absent", &photo).status, 404);
    assert_eq!(studio.send("POST /api/predict?run=..%2Ffirst", &photo).status, 404);
    // What the model says becomes the mask of the photograph without one.
    let head = format!("POST /api/images/{}/accept?run=first\nIf-Match: \"0\"", id(5));
    let accepted = studio.send(&head, &[]);
    assert_eq!((accepted.status, accepted.json()["labelled"].as_f64()), (200, Some(1.0)));
    assert_eq!(studio.send("POST /api/trainings/first/resume", &[]).status, 409, "it is done");
}

#[test]
fn a_training_is_stopped_and_resumed() {
    let folder = folder(4);
    let studio = Running::start(folder.path(), true);
    label_all(&studio, 4);
    assert_eq!(studio.json("POST", "/api/trainings", &json!({ "minutes": 500 })).status, 201);
    studio.wait(|state| state["runs"][0]["epoch"].as_u64() > Some(0));
    let busy = studio.json("PUT", "/api/classes", &json!([]));
    assert_eq!(busy.status, 409, "classes stay while a training reads the masks");
    assert_eq!(studio.send("POST /api/trainings/run-1/stop", &[]).status, 200);
    studio.wait(|state| state["runs"][0]["state"] == "stopped");
    assert_eq!(studio.send("POST /api/trainings/run-1/stop", &[]).status, 404, "it does not run");
    assert_eq!(studio.send("POST /api/trainings/run-1/resume", &[]).status, 200);
    studio.wait(|state| state["runs"][0]["state"] == "running");
    // The studio ends a training that is running when it ends itself.
    drop(studio);
    let studio = Running::start(folder.path(), true);
    assert_eq!(studio.get("/api/state").json()["runs"][0]["state"], "stopped");
}

#[test]
fn a_training_that_cannot_begin_says_why() {
    let folder = folder(1);
    let studio = Running::start(folder.path(), true);
    assert_eq!(studio.json("POST", "/api/trainings", &json!({ "minutes": 1 })).status, 201);
    let state = studio.wait(|state| state["runs"][0]["state"] == "failed");
    assert!(state["runs"][0]["message"].as_str().is_some_and(|message| !message.is_empty()), "{state}");
}
