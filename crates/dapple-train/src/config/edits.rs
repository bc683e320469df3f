//! Flags that do more than set one key. Each changes the settings as TOML.

use std::path;

use dapple_data::Augment;
use dapple_graph::Optimizer;
use serde::Serialize;
use toml::{Table, Value};

use super::kind::{BadValue, Kind, LARGEST, Range, Word};
use super::loss_text::loss_terms;
use super::schedule::Schedule;
use super::small_images::SmallImages;
use super::unlabelled::UnlabelledConfig;

type Edited = Result<(), BadValue>;

/// The values of `--optimizer`.
pub(super) const OPTIMIZERS: &[Word] = &[
    ("sgd", "Momentum 0.9"),
    ("rmsprop", "Momentum 0.9"),
    ("adam", ""),
    ("adamw", "Weight decay 0.01"),
    ("lion", "Weight decay 0.1, a fifth of the learning rate"),
    ("muon", "Weight decay 0.01"),
];

/// The values of `--schedule`.
pub(super) const SCHEDULES: &[Word] =
    &[("constant", ""), ("poly", "Power 0.9"), ("cosine", "With 5 % warm-up, down to 1 %")];

/// The presets of augmentation, by which `--augment` calls them.
pub const AUGMENTATIONS: &[Word] = &[
    ("none", ""),
    ("flip", "Left-right flips"),
    ("light", "Flips, zoom to 1.25, mild changes of colour"),
    ("medium", "Flips, rotation, scale, shear, colour, some blur and noise"),
    ("strong", "All of these and perspective, elastic, JPEG, cut-out, CutMix, mosaic"),
];

/// The preset of augmentation of that name.
///
/// # Errors
/// [`BadValue`] with the names of [`AUGMENTATIONS`].
pub fn augmentation(name: &str) -> Result<Augment, BadValue> {
    Ok(match name {
        "none" => Augment::none(),
        "flip" => Augment { flip_horizontal: 0.5, ..Augment::none() },
        "light" => Augment::light(),
        "medium" => Augment::medium(),
        "strong" => Augment::strong(),
        _ => return Err(unknown(AUGMENTATIONS)),
    })
}

fn unknown(words: &'static [Word]) -> BadValue {
    BadValue(format!("give {}", Kind::Word(words)))
}

/// Places a value at a key, `optimizer.beta1` for example.
pub(super) fn place(settings: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            settings.insert(key.to_owned(), value);
        }
        Some((table, rest)) => {
            let inner = settings.entry(table).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                place(inner, rest, value);
            }
        }
    }
}

/// Places what is made of numbers, words and tables of these.
fn set(settings: &mut Table, key: &str, value: impl Serialize) -> Edited {
    let value = Value::try_from(value).map_err(|error| BadValue(error.to_string()))?;
    place(settings, key, value);
    Ok(())
}

fn remove(settings: &mut Table, key: &str) {
    match key.split_once('.') {
        None => {
            settings.remove(key);
        }
        Some((table, rest)) => {
            if let Some(Value::Table(inner)) = settings.get_mut(table) {
                remove(inner, rest);
            }
        }
    }
}

fn whole(text: &str, least: u64, most: u64) -> Result<Value, BadValue> {
    Kind::Whole { least, most }.read(text)
}

fn number(text: &str, range: Range) -> Result<f64, BadValue> {
    let value = Kind::Number(range).read(text)?;
    Ok(value.as_float().unwrap_or_default())
}

/// Height and width in pixels from `224` or `360x480`.
///
/// # Errors
/// [`BadValue`] for anything else.
pub fn size(text: &str) -> Result<(usize, usize), BadValue> {
    let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
    match (height.trim().parse(), width.trim().parse()) {
        (Ok(height), Ok(width)) if height > 0 && width > 0 => Ok((height, width)),
        _ => Err(BadValue("give a side (224) or height x width (360x480) in pixels".into())),
    }
}

/// `--size`
pub(super) fn input_size(settings: &mut Table, text: &str) -> Edited {
    let (height, width) = size(text)?;
    set(settings, "input.height", height)?;
    set(settings, "input.width", width)
}

/// `--channels`
pub(super) fn channels(settings: &mut Table, text: &str) -> Edited {
    let problem = "give 3 (colour), 1 (grey), or the number of channels that the images have, at most 64";
    let channels = whole(text, 1, 64).map_err(|_| BadValue(problem.into()))?;
    place(settings, "network.in_channels", channels.clone());
    place(settings, "input.channels", channels);
    Ok(())
}

/// `--epochs`: a number of epochs instead of a span of time.
pub(super) fn epochs(settings: &mut Table, text: &str) -> Edited {
    place(settings, "epochs", whole(text, 1, LARGEST)?);
    remove(settings, "time_budget");
    Ok(())
}

/// `--seed`, also that of the division.
pub(super) fn seed(settings: &mut Table, text: &str) -> Edited {
    let seed = whole(text, 0, LARGEST)?;
    place(settings, "seed", seed.clone());
    place(settings, "data.split_seed", seed);
    Ok(())
}

/// `--split`: a word, or a file.
pub(super) fn split(settings: &mut Table, text: &str) -> Edited {
    if text == "random" || text == "stratified" {
        remove(settings, "data.split");
        return set(settings, "data.stratified", text == "stratified");
    }
    set(settings, "data.split", path::absolute(text).unwrap_or(text.into()))
}

/// `--fold`: all folds are the command's affair.
pub(super) fn fold(settings: &mut Table, text: &str) -> Edited {
    if text == "all" {
        return Ok(());
    }
    let fold = whole(text, 0, LARGEST).map_err(|_| BadValue("give a number from 0, or all".into()))?;
    place(settings, "data.fold", fold);
    Ok(())
}

/// `--loss`, and the activation that it needs.
pub(super) fn loss(settings: &mut Table, text: &str) -> Edited {
    use dapple_graph::LossKind::{BinaryCrossEntropy, CrossEntropy};
    let terms = loss_terms(text)?;
    // Cross-entropy needs a logit for each class; sigmoids are for one class against the rest.
    let has = |kind| terms.iter().any(|term| term.kind == kind);
    if has(CrossEntropy) {
        set(settings, "network.activation", "softmax")?;
    } else if has(BinaryCrossEntropy) {
        set(settings, "network.activation", "sigmoid")?;
    }
    set(settings, "loss.terms", terms)
}

/// `--label-smoothing` of each cross-entropy among the terms.
pub(super) fn label_smoothing(settings: &mut Table, text: &str) -> Edited {
    let smoothing = number(text, Range::from(0.0).below(1.0))?;
    let terms = settings.get_mut("loss").and_then(|loss| loss.get_mut("terms")).and_then(Value::as_array_mut);
    let mut found = false;
    for term in terms.into_iter().flatten().filter_map(Value::as_table_mut) {
        if term.get("kind").and_then(Value::as_str) == Some("cross-entropy") {
            term.insert("smoothing".into(), Value::Float(smoothing));
            found = true;
        }
    }
    match found {
        true => Ok(()),
        false => Err(BadValue("it is for cross-entropy; give --loss ce or ce+dice too".into())),
    }
}

/// `--optimizer` with its usual settings.
pub(super) fn optimizer(settings: &mut Table, text: &str) -> Edited {
    let optimizer = match text {
        "sgd" => Optimizer::sgd(0.9, 0.0),
        "rmsprop" => Optimizer::rmsprop(0.9),
        "adam" => Optimizer::adam(),
        "adamw" => Optimizer::adamw(0.01),
        "lion" => Optimizer::lion(0.1),
        "muon" => Optimizer::muon(0.01),
        _ => return Err(unknown(OPTIMIZERS)),
    };
    // Every value moves by the whole rate (Chen et al. 2023, section 5: 3 to 10 times less than AdamW's). A rate that is
    // given is placed afterwards.
    if text == "lion"
        && let Some(rate) = settings.get("learning_rate").and_then(Value::as_float)
    {
        set(settings, "learning_rate", rate / 5.0)?;
    }
    set(settings, "optimizer", optimizer)
}

/// `--schedule` with its usual settings.
pub(super) fn schedule(settings: &mut Table, text: &str) -> Edited {
    let schedule = match text {
        "constant" => Schedule::Constant,
        "poly" => Schedule::Poly { power: 0.9 },
        "cosine" => Schedule::Cosine { warm_up: 0.05, floor: 0.01 },
        _ => return Err(unknown(SCHEDULES)),
    };
    set(settings, "schedule", schedule)
}

/// `--augment`
pub(super) fn augment(settings: &mut Table, text: &str) -> Edited {
    set(settings, "augment", augmentation(text)?)
}

/// `--clip`; 0 for no limit.
pub(super) fn clip(settings: &mut Table, text: &str) -> Edited {
    number_or_none(settings, "clip_norm", text, Range::from(0.0))
}

/// `--ema`; 0 for no average.
pub(super) fn ema(settings: &mut Table, text: &str) -> Edited {
    number_or_none(settings, "ema_decay", text, Range::from(0.0).below(1.0))
}

/// `--small-images`; 0 for none.
pub(super) fn small_images(settings: &mut Table, text: &str) -> Edited {
    match number(text, Range::from(0.0).below(1.0))? {
        0.0 => remove(settings, "small_images"),
        share => set(settings, "small_images", SmallImages::for_share(share))?,
    }
    Ok(())
}

/// The decay of the average that is the teacher of `--unlabelled`, where none is set.
const TEACHER: f64 = 0.999;

/// `--unlabelled`, with an average to teach.
pub(super) fn unlabelled(settings: &mut Table, text: &str) -> Edited {
    let dir = path::absolute(text).unwrap_or(text.into());
    match settings.contains_key("unlabelled") {
        true => set(settings, "unlabelled.dir", dir)?,
        false => set(settings, "unlabelled", UnlabelledConfig::of_folder(dir))?,
    }
    match settings.contains_key("ema_decay") {
        true => Ok(()),
        false => set(settings, "ema_decay", TEACHER),
    }
}

fn number_or_none(settings: &mut Table, key: &str, text: &str, range: Range) -> Edited {
    match number(text, range)? {
        0.0 => remove(settings, key),
        value => set(settings, key, value)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_paths() {
        let mut settings = Table::new();
        place(&mut settings, "a.b.c", Value::Integer(1));
        place(&mut settings, "a.d", Value::Integer(2));
        assert_eq!(settings.to_string().trim(), "[a]\nd = 2\n\n[a.b]\nc = 1");
        remove(&mut settings, "a.b.c");
        remove(&mut settings, "x.y");
        assert!(settings["a"]["b"].as_table().is_some_and(Table::is_empty));
    }
}
