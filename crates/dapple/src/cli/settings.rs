//! The flags of settings: built from the settings of `dapple-train`, so that each is defined once.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::Error;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches};
use dapple::data::Augment;
use dapple::train::settings::{
    AUGMENTATIONS, BadValue, Edit, Flag, Group, Kind, Setting, Word, augmentation, flags,
};
use dapple::train::{TrainConfig, TrainError};

/// The group of all these flags.
pub const GROUP: &str = "Settings";

/// Flags that stand above the settings of a recipe or a file.
#[derive(Debug, Default)]
pub struct Settings {
    given: Vec<(&'static Setting, String)>,
}

impl Settings {
    /// The text of a flag, if it was given.
    pub fn given(&self, flag: &str) -> Option<&str> {
        let named = |setting: &Setting| setting.flag.is_some_and(|known| known.name == flag);
        self.given.iter().find(|(setting, _)| named(setting)).map(|(_, text)| text.as_str())
    }

    /// Lets the flags that were given stand above the settings.
    ///
    /// # Errors
    /// Those of [`TrainConfig::apply`].
    pub fn apply(&self, config: &mut TrainConfig) -> Result<(), TrainError> {
        config.apply(self.given.iter().map(|(setting, text)| (*setting, text.as_str())))
    }
}

/// The flags that are defined here, not by the command itself.
fn own_flags() -> impl Iterator<Item = (&'static Setting, &'static Flag)> {
    flags().filter(|(_, flag)| !matches!(flag.edit, Edit::Command))
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let of = |group: Group| own_flags().filter(move |(setting, _)| setting.group() == group);
        let args: Vec<Arg> =
            Group::ALL.into_iter().flat_map(of).map(|(setting, flag)| arg(setting, flag)).collect();
        let group = ArgGroup::new(GROUP).multiple(true).args(args.iter().map(|arg| arg.get_id().clone()));
        command.args(args).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let text = |flag: &Flag| match flag.value {
            "" => matches.get_flag(flag.name).then(|| "true".to_owned()),
            _ => matches.get_one::<String>(flag.name).cloned(),
        };
        let given = own_flags().filter_map(|(setting, flag)| Some((setting, text(flag)?))).collect();
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The argument of a flag.
fn arg(setting: &'static Setting, flag: &'static Flag) -> Arg {
    let help = flag.help.map_or_else(|| setting.summary(), str::to_owned);
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .help(help.trim_end_matches('.').to_owned())
        .help_heading(setting.group().heading())
        .aliases(flag.alias)
        .conflicts_with_all(flag.conflicts.iter().copied());
    if flag.value.is_empty() {
        return arg.action(ArgAction::SetTrue);
    }
    let arg = arg.value_name(flag.value).allow_hyphen_values(flag.hyphens);
    match (flag.words, setting.kind) {
        ([], Kind::Word(words)) => arg.value_parser(one_of(words)),
        ([], _) => arg.value_parser(move |text: &str| -> Result<String, BadValue> {
            TrainConfig::try_flag(setting, text)?;
            Ok(text.to_owned())
        }),
        (words, _) => arg.value_parser(one_of(words)),
    }
}

/// One of these words, each with its help.
fn one_of(words: &'static [Word]) -> PossibleValuesParser {
    let value = |&(word, meaning): &Word| match meaning {
        "" => PossibleValue::new(word),
        _ => PossibleValue::new(word).help(meaning),
    };
    PossibleValuesParser::new(words.iter().map(value))
}

/// Reads the name of a preset of augmentation.
pub fn augmentation_preset() -> impl TypedValueParser<Value = Augment> {
    one_of(AUGMENTATIONS).try_map(|name| augmentation(&name))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::command::Cli;

    /// Flags of `dapple train` that are not settings: they say where to begin, where to write, and what to run.
    const NOT_SETTINGS: [&str; 12] = [
        "help", "out", "resume", "config", "encoder", "profile", "seeds", "find-lr", "weights", "offline",
        "force", "quiet",
    ];

    #[test]
    fn endings_and_ranges_may_begin_with_a_hyphen() {
        for flag in ["--mask-suffix -p", "--value-range -100..3000"] {
            let words = ["dapple", "train", "data"].into_iter().chain(flag.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{flag}");
        }
    }

    #[test]
    fn every_flag_of_train_that_changes_the_settings_is_one_of_them() {
        let mut cli = Cli::command();
        cli.build();
        let train = cli.find_subcommand("train").expect("there is a command of that name");
        let names: Vec<&str> = train.get_arguments().filter_map(Arg::get_long).collect();
        for name in &names {
            let is_setting = flags().any(|(_, flag)| flag.name == *name);
            assert!(is_setting != NOT_SETTINGS.contains(name), "--{name}");
        }
        for (_, flag) in flags() {
            assert!(names.contains(&flag.name), "--{} is not a flag of the command", flag.name);
        }
    }
}
