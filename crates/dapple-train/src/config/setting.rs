//! One setting: its key in `config.toml`, its type and range, its documentation and its flag.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use toml::{Table, Value};

use super::kind::{BadValue, Kind, LARGEST, Range, Word, read};

/// A setting of `config.toml`, or a table of them. File comments, range checks, flags of `dapple train` and the reference
/// page all come from it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Where it stands in the file: `batch`, `optimizer.beta1`.
    pub key: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Its flag, if it has one.
    pub flag: Option<Flag>,
    /// The default in words, where the default configuration does not have one that holds for all networks and machines.
    pub default: Option<&'static str>,
    /// The behaviour where the key is left out, as a noun phrase; absent where the key may not be left out.
    pub unset: Option<&'static str>,
    /// A value as the file has it.
    pub example: &'static str,
    /// Whether `--recipe auto` may choose it.
    pub auto: bool,
    group: Option<Group>,
    docs: &'static [&'static str],
}

/// The flag of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// The placeholder of its value; empty for a switch.
    pub value: &'static str,
    /// Help that differs from the setting's documentation.
    pub help: Option<&'static str>,
    /// How it changes the settings.
    pub edit: Edit,
    /// Other keys that it changes.
    pub also: &'static [&'static str],
    /// The words it takes.
    pub words: &'static [Word],
    /// Flags it cannot be given with.
    pub conflicts: &'static [&'static str],
    /// Another spelling of its name.
    pub alias: Option<&'static str>,
    /// Whether its value may begin with a hyphen.
    pub hyphens: bool,
}

/// How a flag changes the settings.
#[derive(Clone, Copy, Debug)]
pub enum Edit {
    /// Its text, read as the setting's kind, becomes the value of the key.
    Value,
    /// A function changes the settings, as TOML; it is called before the values of other flags are placed.
    By(fn(&mut Table, &str) -> Result<(), BadValue>),
    /// The command itself has the flag and applies it.
    Command,
}

/// A subject of settings: a heading of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The data, and how they are divided and read.
    Data,
    /// The network, its input and its first weights.
    Network,
    /// The loss.
    Loss,
    /// Random changes of training images.
    Augmentation,
    /// The optimizer, its schedule, and when to measure and stop.
    Schedule,
    /// The engine and the machine.
    Machine,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 6] =
        [Self::Data, Self::Network, Self::Loss, Self::Augmentation, Self::Schedule, Self::Machine];

    /// The heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Data => "Data",
            Self::Network => "Network",
            Self::Loss => "Loss",
            Self::Augmentation => "Augmentation",
            Self::Schedule => "Optimizer and schedule",
            Self::Machine => "Machine",
        }
    }
}

/// A whole number from `least` to `most`.
pub(super) const fn whole(least: u64, most: u64) -> Setting {
    Setting::of(Kind::Whole { least, most })
}

/// A whole number of at least `least`.
pub(super) const fn at_least(least: u64) -> Setting {
    whole(least, LARGEST)
}

/// A number.
pub(super) const fn number(range: Range) -> Setting {
    Setting::of(Kind::Number(range))
}

/// One of these words.
pub(super) const fn word(words: &'static [Word]) -> Setting {
    Setting::of(Kind::Word(words))
}

/// Text that is taken as it is.
pub(super) const fn text(what: &'static str) -> Setting {
    Setting::of(Kind::Text { what, read: |text| Ok(Value::String(text.to_owned())) })
}

/// Text that a type reads.
pub(super) const fn parsed<T: FromStr<Err: Display> + Serialize>(what: &'static str) -> Setting {
    Setting::of(Kind::Text { what, read: read::<T> })
}

/// A table of settings.
pub(super) const fn table() -> Setting {
    Setting::of(Kind::Table)
}

impl Setting {
    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            key: "",
            kind,
            group: None,
            flag: None,
            default: None,
            unset: None,
            example: "",
            auto: false,
            docs: &[],
        }
    }

    pub(super) const fn named(self, key: &'static str, docs: &'static [&'static str], group: Group) -> Self {
        // A group of the setting's own stands above the table's.
        let group = if self.group.is_some() { self.group } else { Some(group) };
        Self { key, docs, group, ..self }
    }

    pub(super) const fn in_group(self, group: Group) -> Self {
        Self { group: Some(group), ..self }
    }

    pub(super) const fn flag(self, flag: Flag) -> Self {
        Self { flag: Some(flag), ..self }
    }

    pub(super) const fn default(self, words: &'static str) -> Self {
        Self { default: Some(words), ..self }
    }

    pub(super) const fn unset(self, words: &'static str) -> Self {
        Self { unset: Some(words), ..self }
    }

    pub(super) const fn example(self, value: &'static str) -> Self {
        Self { example: value, ..self }
    }

    pub(super) const fn auto(self) -> Self {
        Self { auto: true, ..self }
    }

    /// The subject that it belongs to.
    pub fn group(&self) -> Group {
        self.group.unwrap_or(Group::Schedule)
    }

    /// The documentation in paragraphs.
    pub fn paragraphs(&self) -> Vec<String> {
        let lines = self.docs.split(|line| line.trim().is_empty());
        lines.map(|lines| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")).collect()
    }

    /// The first paragraph of the documentation.
    pub fn summary(&self) -> String {
        self.paragraphs().into_iter().next().unwrap_or_default()
    }

    /// The comment in the file: the summary, with the words that the setting takes.
    pub fn comment(&self) -> String {
        match self.kind {
            Kind::Word(_) | Kind::WordOrNumbers(..) => format!("{} Values: {}.", self.summary(), self.kind),
            _ => self.summary(),
        }
    }

    /// Checks a value against the range.
    pub(super) fn check(&self, value: &toml::Value) -> Result<(), BadValue> {
        if self.kind.takes(value) { Ok(()) } else { Err(self.refusal(value)) }
    }

    /// The message about a value of the key that it does not take.
    fn refusal(&self, value: &impl Display) -> BadValue {
        let Self { key, kind, unset, .. } = self;
        let unset = unset.map(|unset| format!(", or leave it out for {unset}")).unwrap_or_default();
        BadValue(format!("`{key}` is {value}; give {kind}{unset}"))
    }
}

impl Flag {
    pub(super) const fn new(name: &'static str, value: &'static str) -> Self {
        let (also, words, conflicts): (&[&str], &[Word], &[&str]) = (&[], &[], &[]);
        let (help, edit, alias) = (None, Edit::Value, None);
        Self { name, value, help, edit, also, words, conflicts, alias, hyphens: false }
    }

    pub(super) const fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }

    pub(super) const fn by(self, edit: fn(&mut Table, &str) -> Result<(), BadValue>) -> Self {
        Self { edit: Edit::By(edit), ..self }
    }

    pub(super) const fn by_command(self) -> Self {
        Self { edit: Edit::Command, ..self }
    }

    pub(super) const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    pub(super) const fn words(self, words: &'static [Word]) -> Self {
        Self { words, ..self }
    }

    /// With another spelling of its name.
    pub(super) const fn alias(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }

    /// With values that may begin with a hyphen.
    pub(super) const fn hyphens(self) -> Self {
        Self { hyphens: true, ..self }
    }

    pub(super) const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Self { conflicts, ..self }
    }
}

/// Defines settings once: the fields of a structure or, for one of another crate, their names; each with its documentation
/// and a [`Setting`]. The documentation of a field is that of the setting.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident: $table:ident($prefix:literal, $group:expr) {
            $(
                $(#[doc = $doc:literal])*
                $(#[serde($($serde:tt)*)])?
                $field:ident: $type:ty = $setting:expr,
            )*
        }
        $(without_key {
            $(#[$hidden_meta:meta])*
            $hidden:ident: $hidden_type:ty,
        })?
    ) => {
        $(#[$meta])*
        pub struct $name {
            $(
                $(#[doc = $doc])*
                $(#[serde($($serde)*)])?
                pub $field: $type,
            )*
            $(
                $(#[$hidden_meta])*
                pub $hidden: $hidden_type,
            )?
        }

        pub(super) const $table: &[$crate::config::setting::Setting] = &[
            $($setting.named(concat!($prefix, stringify!($field)), &[$($doc),*], $group),)*
        ];
    };
    (
        $visibility:vis const $table:ident($prefix:literal, $group:expr) {
            $(
                $(#[doc = $doc:literal])*
                $field:ident = $setting:expr,
            )*
        }
    ) => {
        $visibility const $table: &[$crate::config::setting::Setting] = &[
            $($setting.named(concat!($prefix, stringify!($field)), &[$($doc),*], $group),)*
        ];
    };
}

pub(super) use settings;
