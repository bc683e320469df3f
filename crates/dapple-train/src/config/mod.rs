//! The settings of a training: everything that is needed to repeat it.
//!
//! A setting is defined once, with the macro `settings!`: its type and range, its documentation, its flag. From the bottom
//! upwards:
//!
//! - `kind`, `setting`: types of settings, and a setting.
//! - `schedule`, `small_images`, `unlabelled`, `edits` (flags that set several keys), `data`, `loss`, `measuring`, `parts` (structures of
//!   other crates), `train_config`: the definitions.
//! - `catalogue`: all of them; `defaults`: default values.
//! - `comments`, `check`, `file`, `apply`, `page`: the file, the ranges, the flags and the reference page.
//!
//! A new setting is an entry in one of the definitions and its default value in `defaults`; the comment in the file, the
//! check of its range, its flag and its section of the reference page follow. The page is written by
//!
//! ```text
//! cargo run -p dapple-train --example settings > docs/guide/src/settings.md
//! ```

mod apply;
mod catalogue;
mod check;
mod comments;
pub(crate) mod data;
pub(crate) mod defaults;
mod edits;
pub(crate) mod file;
mod kind;
pub(crate) mod loss;
mod loss_text;
pub(crate) mod measuring;
mod page;
mod parts;
pub(crate) mod schedule;
mod setting;
pub(crate) mod small_images;
pub(crate) mod train_config;
pub(crate) mod unlabelled;

#[cfg(test)]
mod tests;

/// All settings by their keys, for the command line and the reference page.
pub mod settings {
    pub use super::catalogue::{all, find, flags};
    pub use super::edits::{AUGMENTATIONS, augmentation, size};
    pub use super::kind::{BadValue, Kind, Range, Word};
    pub use super::page::page;
    pub use super::setting::{Edit, Flag, Group, Setting};
}
