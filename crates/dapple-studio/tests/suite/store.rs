//! The labels of a folder.

use std::fs;

use dapple_data::{Dataset, OpenOptions, decode_values};
use dapple_studio::StudioError;
use dapple_studio::store::{ClassEdit, LabelStore, Patch, UNLABELLED, import};

use crate::common::{SIDE, folder, id, strokes, truth};

fn edit(id: Option<u8>, name: &str, merge_into: Option<u8>) -> ClassEdit {
    ClassEdit { id, was: None, name: name.into(), color: "#102030".into(), merge_into }
}

#[test]
fn strokes_are_on_the_disk_as_training_reads_them() {
    let folder = folder(3);
    let store = LabelStore::open(folder.path()).unwrap();
    assert!(!folder.path().join("masks").exists(), "nothing is written before the first stroke");
    let mut revision = 0;
    for (x, y, patch) in strokes(0) {
        revision = store.draw(&id(0), revision, (x, y), &patch).unwrap().revision;
    }
    assert_eq!(revision, 2);
    let saved = decode_values(folder.path().join("masks/photo-0.png")).unwrap();
    let labelled = saved.values.iter().filter(|&&value| value != 255).count();
    assert_eq!((saved.width, saved.height, labelled), (SIDE, SIDE, 72));
    // Partly labelled images train; those without a mask are left out.
    let options = OpenOptions { skip_bad: true, ..OpenOptions::default() };
    let dataset = Dataset::open(folder.path(), &options).unwrap();
    assert_eq!((dataset.len(), dataset.ignore(), dataset.skipped().len()), (1, Some(UNLABELLED), 2));
    assert_eq!(dataset.classes().names, ["background", "object"]);
    assert_eq!(dataset.label_counts(0), [(0, 36), (1, 36), (255, (SIDE * SIDE - 72) as u64)]);
}

#[test]
fn photographs_may_lie_in_the_folder_itself() {
    let made = folder(2);
    let flat = tempfile::tempdir().unwrap();
    for index in 0..2 {
        fs::copy(made.path().join("images").join(id(index)), flat.path().join(id(index))).unwrap();
    }
    let store = LabelStore::open(flat.path()).unwrap();
    for index in 0..2 {
        store.fill(&id(index), 0, &truth(index)).unwrap();
    }
    drop(store);
    fs::create_dir_all(flat.path().join("runs/run-1/samples")).unwrap();
    fs::copy(flat.path().join(id(0)), flat.path().join("runs/run-1/samples/a.png")).unwrap();
    let dataset = Dataset::open(flat.path(), &OpenOptions::default()).unwrap();
    assert_eq!(dataset.len(), 2);
    assert_eq!(dataset.labels(1).unwrap().labels, truth(1).labels);
    assert_eq!(LabelStore::open(flat.path()).unwrap().images().len(), 2);
}

#[test]
fn a_change_of_an_old_revision_is_refused() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    let [(x, y, patch), _] = strokes(0);
    store.draw(&id(0), 0, (x, y), &patch).unwrap();
    let error = store.draw(&id(0), 0, (x, y), &patch).unwrap_err();
    assert!(matches!(error, StudioError::Stale(1)), "{error}");
    assert!(matches!(store.draw("other.png", 0, (0, 0), &patch), Err(StudioError::Unknown(_))));
}

#[test]
fn a_second_process_is_told_of_the_first() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    let message = LabelStore::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("process"), "{message}");
    drop(store);
    LabelStore::open(folder.path()).unwrap();
}

#[test]
fn edits_of_other_programs_are_noticed_and_never_overwritten() {
    let folder = folder(2);
    let store = LabelStore::open(folder.path()).unwrap();
    let [(x, y, patch), _] = strokes(0);
    let revision = store.draw(&id(0), 0, (x, y), &patch).unwrap().revision;
    fs::write(folder.path().join("masks/photo-0.png"), truth(0).png().unwrap()).unwrap();
    let error = store.draw(&id(0), revision, (x, y), &patch).unwrap_err();
    assert!(matches!(error, StudioError::Stale(2)), "{error}");
    assert_eq!(store.mask(&id(0)).unwrap(), (truth(0), 2));
    fs::write(folder.path().join("masks/photo-1.png"), truth(1).png().unwrap()).unwrap();
    fs::copy(folder.path().join("images/photo-1.png"), folder.path().join("images/new.png")).unwrap();
    let refreshed = store.refresh().unwrap();
    assert_eq!(refreshed.masks, [(id(1), 1)]);
    assert!(refreshed.images && !refreshed.classes);
    assert!(store.refresh().unwrap().is_empty());
    // A mask that does not fit is named, and not drawn on.
    fs::write(
        folder.path().join("masks/photo-1.png"),
        fs::read(folder.path().join("images/photo-1.png")).unwrap(),
    )
    .unwrap();
    store.refresh().unwrap();
    let problem = store.image(&id(1)).unwrap().problem.unwrap();
    assert!(problem.contains("photo-1.png"), "{problem}");
    assert!(store.draw(&id(1), 2, (0, 0), &patch).is_err());
}

#[test]
fn erasing_everything_leaves_no_mask() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    let revision = store.fill(&id(0), 0, &truth(0)).unwrap().revision;
    let nothing = Patch { width: SIDE, height: SIDE, labels: vec![Some(UNLABELLED); SIDE * SIDE] };
    let saved = store.draw(&id(0), revision, (0, 0), &nothing).unwrap();
    assert_eq!((saved.revision, saved.labelled), (2, 0.0));
    assert!(!folder.path().join("masks/photo-0.png").exists());
}

#[test]
fn a_mask_that_a_training_reads_stays_as_a_file() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    let file = folder.path().join("masks/photo-0.png");
    let nothing = Patch { width: SIDE, height: SIDE, labels: vec![Some(UNLABELLED); SIDE * SIDE] };
    store.keep_files(true);
    let revision = store.fill(&id(0), 0, &truth(0)).unwrap().revision;
    let saved = store.draw(&id(0), revision, (0, 0), &nothing).unwrap();
    assert_eq!((saved.revision, saved.labelled), (2, 0.0));
    assert!(decode_values(&file).unwrap().values.iter().all(|&value| value == 255));
    store.keep_files(false);
    assert!(!file.exists());
    assert!(store.refresh().unwrap().is_empty());
    assert_eq!(store.image(&id(0)).unwrap().revision, 2);
}

#[test]
fn filling_keeps_what_is_labelled() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    let dot = Patch { width: 1, height: 1, labels: vec![Some(1)] };
    assert_eq!(truth(0).labels[0], 0);
    store.draw(&id(0), 0, (0, 0), &dot).unwrap();
    assert_eq!(store.fill(&id(0), 1, &truth(0)).unwrap().labelled, 1.0);
    let (mask, _) = store.mask(&id(0)).unwrap();
    assert_eq!((mask.labels[0], &mask.labels[1..]), (1, &truth(0).labels[1..]));
}

#[test]
fn merged_classes_join_in_all_masks() {
    let folder = folder(2);
    let store = LabelStore::open(folder.path()).unwrap();
    let more = [edit(Some(0), "ground", None), edit(Some(1), "disc", None), edit(None, "dot", None)];
    assert!(store.change_classes(&more).unwrap().is_empty(), "names and new classes change no mask");
    (0..2).for_each(|index| _ = store.fill(&id(index), 0, &truth(index)).unwrap());
    let dot = Patch { width: 1, height: 1, labels: vec![Some(2)] };
    store.draw(&id(1), 1, (0, 0), &dot).unwrap();
    let fewer = [edit(Some(1), "disc", None), edit(Some(2), "dot", Some(1)), edit(Some(0), "ground", None)];
    let changed = store.change_classes(&fewer).unwrap();
    assert_eq!(changed, [(id(0), 2), (id(1), 3)]);
    let (mask, _) = store.mask(&id(1)).unwrap();
    assert_eq!(mask.labels[0], 0);
    assert!(mask.labels[1..].iter().zip(&truth(1).labels[1..]).all(|(new, old)| *new == 1 - old));
    drop(store);
    assert_eq!(LabelStore::open(folder.path()).unwrap().classes().names, ["disc", "ground"]);
}

#[test]
fn a_change_of_all_masks_is_finished_after_a_kill() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    store.fill(&id(0), 0, &truth(0)).unwrap();
    drop(store);
    let own = folder.path().join(".dapple");
    // Killed before the change was decided: nothing has happened.
    fs::create_dir(own.join("relabelling")).unwrap();
    fs::write(own.join("relabelling/0.png"), "half").unwrap();
    let store = LabelStore::open(folder.path()).unwrap();
    assert_eq!(store.mask(&id(0)).unwrap().0, truth(0));
    assert!(!own.join("relabelling").exists());
    drop(store);
    // Killed after it was decided: it is carried out.
    let turned = dapple_studio::store::Mask {
        labels: truth(0).labels.iter().map(|label| 1 - label).collect(),
        ..truth(0)
    };
    fs::create_dir(own.join("relabelling")).unwrap();
    fs::write(own.join("relabelling/0.png"), turned.png().unwrap()).unwrap();
    let mut classes = dapple_data::Classes::binary("ground");
    classes.names[0] = "disc".into();
    let journal = serde_json::json!({
        "masks": [["0.png", "photo-0.png"]],
        "classes": classes.to_toml_of_labels(255),
    });
    fs::write(own.join("relabelling.json"), journal.to_string()).unwrap();
    let store = LabelStore::open(folder.path()).unwrap();
    assert_eq!(store.mask(&id(0)).unwrap().0, turned);
    assert_eq!(store.classes().names, ["disc", "ground"]);
    assert!(!own.join("relabelling").exists() && !own.join("relabelling.json").exists());
}

#[test]
fn half_a_stroke_of_a_killed_process_is_no_mask() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    store.fill(&id(0), 0, &truth(0)).unwrap();
    drop(store);
    let half = folder.path().join("masks/.photo-0.png.999999.0.tmp");
    fs::write(&half, "half").unwrap();
    let store = LabelStore::open(folder.path()).unwrap();
    assert_eq!(store.mask(&id(0)).unwrap().0, truth(0));
}

#[test]
fn labels_in_other_forms_are_imported_and_not_changed() {
    let from = tempfile::tempdir().unwrap();
    dapple_data::synthetic::write(from.path().join("data"), 3, 4, 40, 32).unwrap();
    let data = from.path().join("data");
    // Black and white masks without names.
    fs::remove_file(data.join("classes.toml")).unwrap();
    for index in 0..4 {
        let labels = dapple_data::synthetic::generate(3, index, 40, 32).labels.labels;
        let grey: Vec<u8> = labels.iter().map(|label| if *label > 0 { 255 } else { 0 }).collect();
        let png = dapple_data::encode_png(&dapple_data::Raster::new(32, 40, 1, grey)).unwrap();
        fs::write(data.join(format!("masks/synthetic{index:04}.png")), png).unwrap();
    }
    let message = LabelStore::open(&data).unwrap_err().to_string();
    assert!(message.contains("--import"), "{message}");
    let new = from.path().join("new");
    import(&data, &new).unwrap();
    let store = LabelStore::open(&new).unwrap();
    assert!(store.images().iter().all(|image| image.labelled == 1.0 && image.problem.is_none()));
    let (mask, _) = store.mask("synthetic0001.png").unwrap();
    let labels = dapple_data::synthetic::generate(3, 1, 40, 32).labels.labels;
    assert!(mask.labels.iter().zip(&labels).all(|(found, wanted)| *found == u8::from(*wanted > 0)));
}

#[test]
fn folders_that_are_nothing_to_label_are_refused() {
    let outer = tempfile::tempdir().unwrap();
    fs::create_dir_all(outer.path().join("trip/day")).unwrap();
    fs::copy(folder(1).path().join("images").join(id(0)), outer.path().join("trip/day/a.png")).unwrap();
    for (path, wanted) in
        [(outer.path().join("absent"), "give a folder"), (outer.path().to_owned(), "no photograph")]
    {
        let message = LabelStore::open(&path).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    }
    assert!(!outer.path().join(".dapple").exists());
}

#[test]
fn an_empty_folder_opens_says_so_and_notices_its_first_photograph() {
    let empty = tempfile::tempdir().unwrap();
    let store = LabelStore::open(empty.path()).unwrap();
    assert!(store.images().is_empty());
    assert!(store.notes()[0].contains("no photograph yet"), "{:?}", store.notes());
    assert!(store.refresh().unwrap().is_empty());
    fs::copy(folder(1).path().join("images").join(id(0)), empty.path().join("a.png")).unwrap();
    assert!(store.refresh().unwrap().images);
    assert!(store.images().len() == 1 && store.notes().is_empty());
}

#[test]
fn a_photograph_that_is_replaced_is_read_again() {
    let folder = folder(1);
    let store = LabelStore::open(folder.path()).unwrap();
    let before = store.image(&id(0)).unwrap();
    let other = dapple_data::Raster::new(20, 30, 3, vec![7; 20 * 30 * 3]);
    fs::write(&before.path, dapple_data::encode_png(&other).unwrap()).unwrap();
    let refreshed = store.refresh().unwrap();
    assert!(refreshed.images && refreshed.masks.len() == 1, "{refreshed:?}");
    let after = store.image(&id(0)).unwrap();
    assert_eq!((after.size.width, after.size.height), (20, 30));
    assert!(after.photograph > before.photograph && after.revision > before.revision);
    // The same photograph again is taken for what it is, another one under its name is not.
    let bytes = fs::read(&before.path).unwrap();
    assert_eq!(store.add_image(&id(0), &bytes).unwrap(), id(0));
    let third = dapple_data::encode_png(&dapple_data::Raster::new(20, 30, 3, vec![8; 1800])).unwrap();
    assert!(matches!(store.add_image(&id(0), &third), Err(StudioError::Taken(_))));
}

/// Turns the two classes round.
fn turned() -> [ClassEdit; 2] {
    [edit(Some(1), "object", None), edit(Some(0), "background", None)]
}

#[test]
fn a_stroke_of_the_classes_before_is_refused_where_there_is_no_mask_too() {
    let folder = folder(2);
    let store = LabelStore::open(folder.path()).unwrap();
    store.fill(&id(0), 0, &truth(0)).unwrap();
    let numbering = store.numbering();
    let changed = store.change_classes(&turned()).unwrap();
    assert!(store.numbering() > numbering);
    assert_eq!(changed.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), [id(0), id(1)]);
    let [(x, y, patch), _] = strokes(1);
    let error = store.draw(&id(1), 0, (x, y), &patch).unwrap_err();
    assert!(matches!(error, StudioError::Stale(_)), "{error}");
    // The same where another program has changed the list.
    let revision = store.image(&id(1)).unwrap().revision;
    let mut classes = store.classes();
    classes.names.reverse();
    fs::write(folder.path().join("classes.toml"), classes.to_toml_of_labels(UNLABELLED) + "\n").unwrap();
    let refreshed = store.refresh().unwrap();
    assert!(refreshed.classes && refreshed.masks.len() == 2, "{refreshed:?}");
    assert!(matches!(store.draw(&id(1), revision, (x, y), &patch), Err(StudioError::Stale(_))));
}

#[test]
fn masks_of_photographs_that_are_away_follow_the_classes() {
    let folder = folder(2);
    let store = LabelStore::open(folder.path()).unwrap();
    (0..2).for_each(|index| _ = store.fill(&id(index), 0, &truth(index)).unwrap());
    let (here, away) = (folder.path().join("images").join(id(1)), folder.path().join("away.png"));
    fs::rename(&here, &away).unwrap();
    assert!(store.refresh().unwrap().images);
    // One in another form would keep the numbers of before: nothing is changed.
    let odd = folder.path().join("masks/photo-1.bmp");
    fs::write(&odd, "a mask").unwrap();
    let message = store.change_classes(&turned()).unwrap_err().to_string();
    assert!(message.contains("photo-1.bmp"), "{message}");
    assert_eq!(store.mask(&id(0)).unwrap().0, truth(0));
    fs::remove_file(odd).unwrap();
    store.change_classes(&turned()).unwrap();
    fs::rename(&away, &here).unwrap();
    store.refresh().unwrap();
    let (mask, _) = store.mask(&id(1)).unwrap();
    assert!(mask.labels.iter().zip(&truth(1).labels).all(|(new, old)| *new == 1 - old));
}

#[test]
fn a_change_of_all_masks_that_meets_an_error_is_finished_before_a_mask_is_used() {
    let folder = folder(2);
    let store = LabelStore::open(folder.path()).unwrap();
    (0..2).for_each(|index| _ = store.fill(&id(index), 0, &truth(index)).unwrap());
    // The list of classes cannot be replaced: the masks have changed by then.
    let (classes, kept) = (folder.path().join("classes.toml"), folder.path().join("kept.toml"));
    fs::rename(&classes, &kept).unwrap();
    fs::create_dir(&classes).unwrap();
    assert!(store.change_classes(&turned()).is_err());
    let [(x, y, patch), _] = strokes(0);
    assert!(store.mask(&id(0)).is_err() && store.draw(&id(0), 1, (x, y), &patch).is_err());
    fs::remove_dir(&classes).unwrap();
    let (mask, _) = store.mask(&id(0)).unwrap();
    assert!(mask.labels.iter().zip(&truth(0).labels).all(|(new, old)| *new == 1 - old));
    assert_eq!(store.classes().names, ["object", "background"]);
    assert!(matches!(store.draw(&id(0), 1, (x, y), &patch), Err(StudioError::Stale(_))));
    assert!(store.refresh().unwrap().classes, "the pages are told");
}
