//! Learning along.

use std::fs;
use std::ops::ControlFlow;
use std::sync::Arc;

use dapple_base::Size;
use dapple_studio::learn::{FAST_STEPS, Gallery, Pixels, Pool, disagreement, fit, pixels_of_image, propose};
use dapple_studio::store::LabelStore;

use crate::common::{Running, SIDE, engine, folder, id, iou, scene, strokes, truth};

fn pixels(gallery: &mut Gallery, images: &[usize]) -> Vec<Arc<Pixels>> {
    let most = pixels_of_image(images.len());
    images.iter().map(|index| gallery.pixels(&id(*index), most).expect("a photograph")).collect()
}

#[test]
fn two_strokes_are_enough_for_photographs_of_one_kind() {
    let folder = folder(3);
    let store = Arc::new(LabelStore::open(folder.path()).unwrap());
    for (revision, (x, y, patch)) in (0..).zip(strokes(0)) {
        store.draw(&id(0), revision, (x, y), &patch).unwrap();
    }
    let mut gallery = Gallery::new(Arc::clone(&store), None);
    let learnt = pixels(&mut gallery, &[0]);
    let pool = Pool::of(learnt.iter().map(|pixels| &**pixels), 2);
    let mut losses = Vec::new();
    let mut told = |_: usize, loss: f64| {
        losses.push(loss);
        ControlFlow::Continue(())
    };
    let head = fit(engine().as_ref(), &pool, FAST_STEPS, &mut told).unwrap().expect("nothing ends it");
    assert!(losses.len() == FAST_STEPS && losses[FAST_STEPS - 1] < losses[0] / 4.0, "{losses:?}");
    for index in 0..3 {
        let proposal = propose(&gallery.maps(&id(index)).unwrap(), &head, 2).unwrap();
        assert_eq!((proposal.width, proposal.height), (2 * SIDE, 2 * SIDE));
        let labels = proposal.labels_at(Size { height: SIDE, width: SIDE });
        let score = iou(&labels, &scene(index).1);
        assert!(score > 0.9, "photograph {index}: {score}");
    }
    // The same strokes, the same head.
    let again = fit(engine().as_ref(), &pool, FAST_STEPS, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(again, Some(head));
    let ended = fit(engine().as_ref(), &pool, FAST_STEPS, &mut |_, _| ControlFlow::Break(())).unwrap();
    assert_eq!(ended, None);
}

#[test]
fn one_class_teaches_nothing() {
    let folder = folder(1);
    let store = Arc::new(LabelStore::open(folder.path()).unwrap());
    let [(x, y, patch), _] = strokes(0);
    store.draw(&id(0), 0, (x, y), &patch).unwrap();
    let mut gallery = Gallery::new(store, None);
    let learnt = pixels(&mut gallery, &[0]);
    let pool = Pool::of(learnt.iter().map(|pixels| &**pixels), 2);
    assert!(fit(engine().as_ref(), &pool, 1, &mut |_, _| ControlFlow::Continue(())).is_err());
}

#[test]
fn a_wrong_mask_disagrees_with_the_others() {
    let folder = folder(4);
    let store = Arc::new(LabelStore::open(folder.path()).unwrap());
    (0..3).for_each(|index| _ = store.fill(&id(index), 0, &truth(index)).unwrap());
    // The mask of another photograph.
    store.fill(&id(3), 0, &truth(1)).unwrap();
    let mut gallery = Gallery::new(store, None);
    let learnt = pixels(&mut gallery, &[0, 1, 2]);
    let pool = Pool::of(learnt.iter().map(|pixels| &**pixels), 2);
    let head =
        fit(engine().as_ref(), &pool, FAST_STEPS, &mut |_, _| ControlFlow::Continue(())).unwrap().unwrap();
    let size = Size { height: SIDE, width: SIDE };
    let found: Vec<f64> = (0..4)
        .map(|index| {
            let proposal = propose(&gallery.maps(&id(index)).unwrap(), &head, 1).unwrap();
            disagreement(&id(index), &gallery.labels(&id(index)).unwrap(), &proposal, size).disagreement
        })
        .collect();
    assert!(found[3] > 0.3 && found[..3].iter().all(|value| *value < 0.1), "{found:?}");
}

#[test]
fn the_page_gets_proposals_while_a_person_paints() {
    let folder = folder(4);
    let studio = Running::start(folder.path(), true);
    assert_eq!(studio.get("/api/images/photo-0.png/proposal").status, 404);
    let focus = serde_json::json!({ "image": id(0), "busy": true });
    assert_eq!(studio.json("POST", "/api/focus", &focus).status, 204);
    for (revision, (x, y, patch)) in (0..).zip(strokes(0)) {
        assert_eq!(studio.draw(&id(0), revision, (x, y), &patch).status, 200);
    }
    let focus = serde_json::json!({ "image": id(0), "busy": false });
    assert_eq!(studio.json("POST", "/api/focus", &focus).status, 204);
    let state = studio.wait(|state| state["learner"]["state"] == "resting");
    let images = state["images"].as_array().unwrap();
    assert!(
        images.iter().all(|image| image["proposal"].is_u64() && image["uncertainty"].is_f64()),
        "{state}"
    );
    assert!(state["next"].is_string() && state["next"] != "photo-0.png", "{state}");
    let answer = studio.get("/api/images/photo-2.png/proposal");
    assert!(answer.status == 200 && answer.has("x-revision: "));
    let proposed = dapple_data::decode_values_bytes(&answer.body, "a proposal").unwrap();
    let labels: Vec<u8> = proposed.values.iter().map(|value| *value as u8).collect();
    assert!(iou(&labels, &scene(2).1) > 0.9);
    let uncertainty = studio.get("/api/images/photo-2.png/uncertainty");
    assert_eq!(uncertainty.status, 200);
    // A review needs labels in several photographs.
    assert_eq!(studio.send("POST /api/review", &[]).status, 202);
    let failed = |_: &serde_json::Value| studio.get("/api/review").json()["state"] == "failed";
    studio.wait(failed);
    for (revision, (x, y, patch)) in (0..).zip(strokes(1)) {
        assert_eq!(studio.draw(&id(1), revision, (x, y), &patch).status, 200);
    }
    let mut events = studio.events("mine");
    assert!(events.by_ref().any(|line| line.contains("event: tabs")));
    assert_eq!(studio.send("POST /api/review", &[]).status, 202);
    // The page learns the state and the progress from events, and asks for the images when it is done.
    let is_done = |line: &String| line.starts_with("data: ") && line.contains("\"state\":\"done\"");
    let told = events.by_ref().find(is_done).expect("it is told");
    let news: serde_json::Value = serde_json::from_str(&told["data: ".len()..]).unwrap();
    assert_eq!((news["done"].as_u64(), news["of"].as_u64()), (Some(2), Some(2)), "{news}");
    let review = studio.get("/api/review").json();
    assert_eq!(review["images"].as_array().unwrap().len(), 2, "{review}");
}

#[test]
fn a_photograph_that_cannot_be_decoded_does_not_keep_the_others_from_being_learnt() {
    let folder = folder(3);
    // Its head is whole, its pixels are not.
    let path = folder.path().join("images").join(id(2));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let studio = Running::start(folder.path(), true);
    for (revision, (x, y, patch)) in (0..).zip(strokes(0)) {
        assert_eq!(studio.draw(&id(0), revision, (x, y), &patch).status, 200);
    }
    let state = studio.wait(|state| state["learner"]["state"] == "resting");
    let message = state["learner"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("one photograph is left out") && message.contains("photo-2.png"), "{state}");
    assert!(state["images"][1]["proposal"].is_u64() && state["images"][2]["proposal"].is_null(), "{state}");
    // It is tried again when it is whole.
    fs::write(&path, whole).unwrap();
    let state = studio.wait(|state| state["images"][2]["proposal"].is_u64());
    assert!(state["images"][2]["uncertainty"].is_f64(), "{state}");
}

#[test]
fn a_proposal_of_the_classes_before_is_never_shown() {
    let folder = folder(2);
    let studio = Running::start(folder.path(), true);
    for (revision, (x, y, patch)) in (0..).zip(strokes(0)) {
        assert_eq!(studio.draw(&id(0), revision, (x, y), &patch).status, 200);
    }
    studio.wait(|state| state["images"][1]["proposal"].is_u64());
    let turned = serde_json::json!([
        { "id": 1, "was": "object", "name": "object", "color": "#ff0000" },
        { "id": 0, "was": "background", "name": "background", "color": "#000000" },
    ]);
    assert_eq!(studio.json("PUT", "/api/classes", &turned).status, 200);
    // Until there is a new one, there is none.
    let proposal = || studio.get("/api/images/photo-1.png/proposal");
    let mut answer = proposal();
    if answer.status == 404 {
        studio.wait(|state| state["images"][1]["proposal"].is_u64());
        answer = proposal();
    }
    assert_eq!(answer.status, 200);
    let proposed = dapple_data::decode_values_bytes(&answer.body, "a proposal").unwrap();
    let labels: Vec<u8> = proposed.values.iter().map(|value| 1 - *value as u8).collect();
    assert!(iou(&labels, &scene(1).1) > 0.9, "the object is the first class now");
    // The list of classes is another by now.
    assert_eq!(studio.json("PUT", "/api/classes", &turned).status, 409);
}
