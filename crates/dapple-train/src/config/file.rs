//! Settings as `config.toml`.

use std::path::Path;

use dapple_base::{readable, write_atomic};
use toml::Table;

use super::check::check_types;
use super::comments::with_comments;
use super::train_config::TrainConfig;
use crate::error::TrainError;

/// TOML that is not a file of settings. The message has the place and, for an unknown key, the nearest one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

impl TrainConfig {
    /// Reads and checks a `config.toml`.
    ///
    /// # Errors
    /// [`TrainError::Read`]; [`TrainError::BadRunFile`] for a file that cannot be parsed, with the nearest key for an
    /// unknown one, and for settings that [`TrainConfig::check`] refuses.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TrainError::Read { path: path.to_owned(), source })?;
        let wrong = |problem: String| TrainError::BadRunFile { path: path.to_owned(), problem };
        let config = Self::from_toml(&text).map_err(|error| wrong(error.to_string()))?;
        config.check().map_err(|error| wrong(error.to_string()))?;
        Ok(config)
    }

    /// Parses TOML.
    ///
    /// # Errors
    /// [`ParseError`].
    pub fn from_toml(text: &str) -> Result<Self, ParseError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            // The settings themselves say best what they take, where there is a value that one of them does not take.
            let refused = text.parse().ok().and_then(|table: Table| check_types(&table).err());
            ParseError(refused.map_or_else(|| readable(&error.to_string()), |refused| refused.to_string()))
        })
    }

    /// The settings as TOML with a comment at every key.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string(self).expect("settings are numbers, words, lists and tables of these");
        with_comments(&text, &self.reasons)
    }

    /// Writes the folder of these settings' data into the `config.toml` that they were read from; its other lines, comments
    /// included, stay as they are.
    ///
    /// # Errors
    /// [`TrainError::Read`] and [`TrainError::Write`].
    pub fn save_data_dir(&self, path: &Path) -> Result<(), TrainError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TrainError::Read { path: path.to_owned(), source })?;
        let dir = toml::Value::from(self.data.dir.to_string_lossy().into_owned());
        let mut table = String::new();
        let lines = text.lines().map(|line| {
            if line.starts_with('[') {
                line.trim_end().clone_into(&mut table);
            }
            let is_dir = line.split_once('=').is_some_and(|(key, _)| key.trim() == "dir");
            if is_dir && table == "[data]" { format!("dir = {dir}\n") } else { format!("{line}\n") }
        });
        let text: String = lines.collect();
        match Self::from_toml(&text) {
            Ok(read) if read.data.dir == self.data.dir => Ok(write_atomic(path, text.as_bytes())?),
            // Written in another way, by hand.
            _ => self.save(path),
        }
    }

    /// Writes [`TrainConfig::to_toml`].
    ///
    /// # Errors
    /// [`TrainError::Write`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        Ok(write_atomic(path, self.to_toml().as_bytes())?)
    }
}
