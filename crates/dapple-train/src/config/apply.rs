//! Flags that change the settings.

use std::mem;
use std::path::Path;

use dapple_base::readable;
use toml::Table;

use super::catalogue::all;
use super::edits::place;
use super::kind::BadValue;
use super::setting::{Edit, Setting};
use super::train_config::TrainConfig;
use crate::error::TrainError;

impl TrainConfig {
    /// Applies flags, each given by its setting and its text. Flags that change several settings come first, so that one
    /// of a single setting stands above them; among themselves they follow the order of the settings, whatever the order
    /// in which they are given. Those of the command itself ([`Edit::Command`]) are not applied.
    ///
    /// # Errors
    /// [`TrainError::Config`] for a value that the setting does not take.
    pub fn apply<'a>(
        &mut self,
        flags: impl IntoIterator<Item = (&'a Setting, &'a str)>,
    ) -> Result<(), TrainError> {
        let mut flags: Vec<(&Setting, &str)> = flags.into_iter().collect();
        flags.sort_by_key(|(setting, _)| all().position(|known| known.key == setting.key));
        let unwritable = |error: toml::ser::Error| TrainError::Config(error.to_string());
        let mut table = Table::try_from(&*self).map_err(unwritable)?;
        for values in [false, true] {
            for &(setting, text) in &flags {
                let Some(flag) = &setting.flag else { continue };
                let edited = match flag.edit {
                    Edit::Value if values => {
                        setting.kind.read(text).map(|value| place(&mut table, setting.key, value))
                    }
                    Edit::By(edit) if !values => edit(&mut table, text),
                    _ => Ok(()),
                };
                edited.map_err(|problem| TrainError::Config(format!("--{}: {problem}", flag.name)))?;
            }
        }
        let changed: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| TrainError::Config(readable(&error.to_string())))?;
        *self = Self { reasons: mem::take(&mut self.reasons), ..changed };
        Ok(())
    }

    /// Checks the text of a flag by itself, on default settings.
    ///
    /// # Errors
    /// [`BadValue`] for text that the flag does not take.
    pub fn try_flag(setting: &Setting, text: &str) -> Result<(), BadValue> {
        match setting.flag.map(|flag| flag.edit) {
            Some(Edit::Value) => setting.kind.read(text).map(drop),
            Some(Edit::By(edit)) => {
                let config = Self::for_network("unet", 2, Path::new("data"));
                let table = config.map(|config| Table::try_from(&config));
                match table {
                    Ok(Ok(mut table)) => edit(&mut table, text),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
