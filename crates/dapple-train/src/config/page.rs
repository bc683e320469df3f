//! The reference page of all settings, in Markdown.

use std::fmt::Write;
use std::path::Path;

use toml::{Table, Value};

use super::catalogue::{all, flags};
use super::kind::Kind;
use super::setting::{Edit, Flag, Setting};
use super::train_config::TrainConfig;

const HEAD: &str = "\
# Settings

<!-- Generated: cargo run -p dapple-train --example settings > docs/guide/src/settings.md -->

All settings of a training, as `config.toml` in the folder of a run has them. `dapple train --config config.toml` begins with
the settings of a file; flags stand above those of a file or a recipe. Defaults are those of `--recipe plain` with a U-Net;
`--recipe auto` chooses the settings that say so by the data and the machine.
";

/// The page.
pub fn page() -> String {
    let config = TrainConfig::for_network("unet", 2, Path::new("data"));
    let defaults = config.ok().and_then(|config| config.to_toml().parse().ok()).unwrap_or_default();
    let mut page = String::from(HEAD);
    write_section(&mut page, "", &defaults).expect("writing to a string cannot fail");
    for table in all().filter(|setting| matches!(setting.kind, Kind::Table)) {
        write_table(&mut page, table, &defaults).expect("writing to a string cannot fail");
    }
    page
}

fn write_table(page: &mut String, table: &Setting, defaults: &Table) -> std::fmt::Result {
    writeln!(page, "\n## `[{}]`\n", table.key)?;
    for paragraph in table.paragraphs() {
        writeln!(page, "{paragraph}\n")?;
    }
    if let Some(flag) = &table.flag {
        let help = flag.help.map(|help| format!(": {help}")).unwrap_or_default();
        writeln!(page, "`{}`{help}.\n", usage(flag))?;
        for (word, meaning) in flag.words {
            let meaning = if meaning.is_empty() { String::new() } else { format!(": {meaning}") };
            writeln!(page, "- `{word}`{meaning}")?;
        }
    }
    if let Some(unset) = table.unset {
        writeln!(page, "Without the table: {unset}.")?;
    }
    write_section(page, table.key, defaults)
}

/// The settings of a table.
fn write_section(page: &mut String, table: &str, defaults: &Table) -> std::fmt::Result {
    for setting in all().filter(|setting| !matches!(setting.kind, Kind::Table)) {
        let (of, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if of == table {
            write_setting(page, name, setting, defaults)?;
        }
    }
    Ok(())
}

fn write_setting(page: &mut String, name: &str, setting: &Setting, defaults: &Table) -> std::fmt::Result {
    let Setting { key, kind, auto, example, .. } = setting;
    writeln!(page, "\n### `{key}`\n")?;
    for paragraph in setting.paragraphs() {
        writeln!(page, "{paragraph}\n")?;
    }
    if let Some(flag) = &setting.flag {
        let by = match flag.edit {
            Edit::By(_) if !flag.also.is_empty() => format!(" (also sets `{}`)", flag.also.join("`, `")),
            _ => String::new(),
        };
        writeln!(page, "- Flag: `{}`{by}", usage(flag))?;
    }
    if let Some((_, flag)) = flags().find(|(_, flag)| flag.also.contains(key)) {
        writeln!(page, "- Also set by: `{}`", usage(flag))?;
    }
    writeln!(page, "- Values: {kind}")?;
    writeln!(page, "- Default: {}", default(setting, defaults))?;
    if *auto {
        writeln!(page, "- Chosen by `--recipe auto`")?;
    }
    if !example.is_empty() {
        writeln!(page, "- Example: `{name} = {example}`")?;
    }
    Ok(())
}

fn usage(flag: &Flag) -> String {
    format!("--{} {}", flag.name, flag.value).trim_end().to_owned()
}

/// The default: in words, by the default configuration, or what holds without the key.
fn default(setting: &Setting, defaults: &Table) -> String {
    let mut keys = setting.key.split('.');
    let first = keys.next().and_then(|key| defaults.get(key));
    let value = keys.fold(first, |value: Option<&Value>, key| value?.get(key));
    match (setting.default, value, setting.unset) {
        (Some(words), ..) => words.to_owned(),
        (None, Some(value), _) => format!("`{value}`"),
        (None, None, Some(unset)) => format!("left out ({unset})"),
        (None, None, None) => "none; the key must be given".to_owned(),
    }
}
