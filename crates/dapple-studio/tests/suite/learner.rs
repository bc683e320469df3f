//! Learning along.

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
        assert_eq!((proposal.width, proposal.height), (SIDE, SIDE));
        let score = iou(&proposal.labels, &scene(index).1);
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
    assert_eq!(studio.send("POST /api/review", &[]).status, 202);
    studio.wait(|_| studio.get("/api/review").json()["state"] == "done");
    let review = studio.get("/api/review").json();
    assert_eq!(review["images"].as_array().unwrap().len(), 2, "{review}");
}
