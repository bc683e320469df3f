//! All settings.

use super::setting::{Flag, Setting};
use super::{data, loss, measuring, parts, schedule, small_images, train_config, unlabelled};

const TABLES: [&[Setting]; 13] = [
    train_config::MAIN,
    parts::TABLES[0],
    data::DATA,
    parts::TABLES[1],
    parts::TABLES[2],
    loss::TABLES[0],
    loss::TABLES[1],
    parts::TABLES[3],
    schedule::SETTINGS,
    small_images::SETTINGS,
    unlabelled::SETTINGS,
    measuring::EVALUATION,
    measuring::CHECKPOINT,
];

/// All settings and tables of settings, in the order of the file.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    TABLES.into_iter().flatten()
}

/// The setting of a key: `optimizer.beta1`.
pub fn find(key: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.key == key)
}

/// All flags, each with its setting.
pub fn flags() -> impl Iterator<Item = (&'static Setting, &'static Flag)> {
    all().filter_map(|setting| Some((setting, setting.flag.as_ref()?)))
}
