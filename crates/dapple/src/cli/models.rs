//! `dapple models`: the networks with their size and cost.

use dapple::graph::{Network, Shape, summary};
use dapple::nets::NetConfig;
use dapple::nets::registry::{self, NetworkEntry, networks};
use dapple::run::grouped;
use serde::Serialize;

use super::arguments::Models;
use super::failure::Failure;

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
        println!("{}", serde_json::to_string_pretty(&rows).expect("rows are numbers and words"));
        return Ok(());
    }
    let column = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    println!("{:column$} {:>12} {:>15}  source", "name", "parameters", "multiply-adds");
    let mut family = "";
    for row in rows {
        // A decoder's paper stands with its first encoder.
        let source = if row.encoder.is_some() && row.family == family { "" } else { row.source };
        family = row.family;
        let (parameters, work) = (grouped(row.parameters as u64), grouped(row.multiply_adds));
        let line = format!("{:column$} {parameters:>12} {work:>15}  {source}", row.name);
        println!("{}", line.trim_end());
    }
    println!(
        "\nFor colour images of {height} x {width} and {} classes. A decoder on an encoder is DECODER-ENCODER, or",
        arguments.classes
    );
    println!("--model DECODER --encoder ENCODER.");
    Ok(())
}
