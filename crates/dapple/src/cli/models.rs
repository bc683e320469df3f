//! `dapple models`: the networks with their size and cost.

use clap::{Args, Subcommand};
use dapple::graph::{Network, Shape, summary};
use dapple::nets::NetConfig;
use dapple::nets::registry::{self, NetworkEntry, networks};
use dapple::run::grouped;
use serde::Serialize;

use super::common::json::print_json;
use super::common::values::size;
use super::failure::Failure;
use super::model_facts::{self, Show};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  dapple models
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

#[derive(Serialize)]
struct Row {
    name: &'static str,
    title: &'static str,
    /// The name without the encoder's.
    family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoder: Option<&'static str>,
    parameters: usize,
    multiply_adds: u64,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoder_source: Option<&'static str>,
}

pub fn run(arguments: &Models) -> Result<(), Failure> {
    if let Some(Command::Show(show)) = &arguments.command {
        return model_facts::run(show);
    }
    let (height, width) = arguments.size;
    let row = |entry: &'static NetworkEntry| {
        let mut config = NetConfig::new(&entry.name, 3, arguments.classes)?;
        config.width = arguments.width.unwrap_or(config.width);
        config.check()?;
        let graph = config.build(Shape::new(1, height, width, 3))?;
        Ok(Row {
            name: &entry.name,
            title: &entry.title,
            family: entry.family,
            encoder: entry.encoder.map(|encoder| encoder.name),
            parameters: summary::parameters(&graph),
            multiply_adds: summary::multiply_adds(&graph),
            source: entry.source,
            encoder_source: entry.encoder.map(|encoder| encoder.source),
        })
    };
    let rows: Box<dyn Iterator<Item = Result<Row, Failure>>> = if arguments.names.is_empty() {
        Box::new(networks().iter().map(row))
    } else {
        Box::new(arguments.names.iter().map(|name| row(registry::find(name)?)))
    };
    let rows = rows.collect::<Result<Vec<Row>, Failure>>()?;
    if arguments.json {
        return print_json(&rows);
    }
    let column = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    say!("{:column$} {:>12} {:>15}  source", "name", "parameters", "multiply-adds");
    let mut family = "";
    for row in rows {
        // A decoder's paper is printed with its first encoder only.
        let source = if row.encoder.is_some() && row.family == family { "" } else { row.source };
        family = row.family;
        let (parameters, work) = (grouped(row.parameters as u64), grouped(row.multiply_adds));
        let line = format!("{:column$} {parameters:>12} {work:>15}  {source}", row.name);
        say!("{}", line.trim_end());
    }
    say!(
        "\nFor colour images of {height} x {width} and {} classes. A decoder on an encoder is DECODER-ENCODER, or",
        arguments.classes
    );
    say!("--model DECODER --encoder ENCODER.");
    Ok(())
}
