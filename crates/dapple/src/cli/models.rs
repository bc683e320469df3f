//! `dapple models`: the networks with their size and cost.

use clap::{Args, Subcommand};
use dapple::nets::NetConfig;
use dapple::nets::registry::{self, NetworkEntry, networks};

use super::common::json::print_json;
use super::common::values::size;
use super::failure::Failure;
use super::model_facts::{self, Show};
use super::model_list::{Order, Row, has_words, print_groups, print_rows, sort};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  dapple models
  dapple models --search efficientnet --sort size
  dapple models show horse
  dapple models show model.onnx
  dapple models unet --width 16 --size 192x256
  dapple models --json")]
pub struct Models {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Networks to list [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// List the networks with these words in their names, titles or papers
    #[arg(long, value_name = "TEXT", conflicts_with = "names")]
    pub search: Option<String>,
    /// Order of the list, the smallest first [default: by decoder]
    #[arg(long, value_name = "ORDER")]
    pub sort: Option<Order>,
    /// Channels of the network's first stage, for the named ones
    #[arg(long, value_name = "N", requires = "names")]
    pub width: Option<usize>,
    /// Size of the input for which multiply-adds are counted
    #[arg(long, value_name = "N|HxW", default_value = "224", value_parser = size)]
    pub size: (usize, usize),
    /// Number of classes, the background included
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub classes: usize,
    /// Print a JSON list
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print what is known about a model: classes, input, origin, licence
    Show(Show),
}

pub fn run(arguments: &Models) -> Result<(), Failure> {
    if let Some(Command::Show(show)) = &arguments.command {
        return model_facts::run(show);
    }
    let (height, width) = arguments.size;
    let row = |entry: &'static NetworkEntry| {
        let mut config = NetConfig::new(&entry.name, 3, arguments.classes)?;
        config.width = arguments.width.unwrap_or(config.width);
        Row::new(entry, &config, [height, width])
    };
    let chosen: Vec<&'static NetworkEntry> = if arguments.names.is_empty() {
        searched(arguments)?
    } else {
        arguments.names.iter().map(|name| registry::find(name)).collect::<Result<_, _>>()?
    };
    let mut rows = chosen.into_iter().map(row).collect::<Result<Vec<Row>, Failure>>()?;
    if let Some(order) = arguments.sort {
        sort(&mut rows, order);
    }
    if arguments.json {
        return print_json(&rows);
    }
    match arguments.sort {
        Some(_) => print_rows(&rows),
        None => print_groups(&rows),
    }
    say!("\nParameters and multiply-adds for colour images of {height} x {width} and");
    say!("{} classes. A decoder on an encoder is DECODER-ENCODER, or", arguments.classes);
    say!("--model DECODER --encoder ENCODER.");
    Ok(())
}

/// The networks with the words of `--search`, or all, but for those that need larger images, which are named.
fn searched(arguments: &Models) -> Result<Vec<&'static NetworkEntry>, Failure> {
    let text = arguments.search.as_deref().unwrap_or_default();
    let (height, width) = arguments.size;
    let (fitting, others): (Vec<&'static NetworkEntry>, Vec<&'static NetworkEntry>) = networks()
        .iter()
        .filter(|entry| has_words(entry, text))
        .partition(|entry| entry.smallest <= height.min(width));
    if fitting.is_empty() && others.is_empty() {
        return Err(Failure::input(format!(
            "no network has `{text}` in its name, its title or its paper; `dapple models` lists all"
        )));
    }
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|entry| entry.name.as_str()).collect();
        note!("left out, since they need larger images than {height} x {width}: {}", names.join(", "));
    }
    Ok(fitting)
}
