//! The settings of a training.

use dapple_train::TrainConfig;

/// Parsing ends with settings that can be written and read again, or with an error.
pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = TrainConfig::from_toml(text) else { return };
    let written = config.to_toml();
    let again = TrainConfig::from_toml(&written).expect("what was written can be read");
    assert_eq!(again.to_toml(), written);
}

/// The settings of a run.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vec![include_bytes!("../seeds/config.toml").to_vec()]
}
