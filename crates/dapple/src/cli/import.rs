//! `dapple import`: models of weights that other programs saved.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use dapple::data::Normalization;
use dapple::foreign::{ForeignModel, ForeignSettings, foreign_model};
use dapple_base::write_atomic;

use super::common::values::size;
use super::common::written::{Own, check_written};
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple import unet.pth --network unet --out unet.safetensors
  dapple import saved-by-smp --size 384 --out road.safetensors
  dapple import best.ckpt --network fpn-resnet34 --size 320x480 \\
      --classes sky,road,tree --out street.safetensors

The weights are those of a whole network: a state dict, a checkpoint that holds one, or a folder that \
segmentation_models_pytorch saved. Nothing in a file is executed. Channels, classes and width follow from the shapes.")]
pub struct Import {
    /// Weights: a file of PyTorch (.pth, .pt, .ckpt) or safetensors, or a folder that segmentation_models_pytorch saved
    #[arg(value_name = "FILE|DIR")]
    pub weights: PathBuf,
    /// The network; `dapple models` lists the names [default: the one that the folder names]
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// The model file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Size to which images are resized, that of the training [default: 512]
    #[arg(long, value_name = "N|HxW", value_parser = size)]
    pub size: Option<(usize, usize)>,
    /// Normalization of pixel values [default: imagenet]
    #[arg(long, alias = "normalize", value_name = "NAME", value_parser = normalization())]
    pub normalise: Option<Normalization>,
    /// Names of the classes in the order of their labels
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub classes: Vec<String>,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}

/// The normalizations by their names.
fn normalization() -> impl TypedValueParser<Value = Normalization> {
    PossibleValuesParser::new(["imagenet", "unit", "u2net", "lite"]).map(|name| match name.as_str() {
        "unit" => Normalization::Unit,
        "lite" => Normalization::Lite,
        "u2net" => Normalization::U2Net,
        _ => Normalization::ImageNet,
    })
}

pub fn run(arguments: &Import) -> Result<(), Failure> {
    let Import { weights, network, out, size, normalise, classes, force } = arguments;
    // The weights are the file itself, or lie in the folder under one of these names.
    let inputs: [&Path; 3] =
        [weights, &weights.join("model.safetensors"), &weights.join("pytorch_model.bin")];
    check_written(out, Own::Never, &inputs, Some(*force))?;
    let settings = ForeignSettings {
        network: network.as_deref(),
        size: *size,
        normalization: *normalise,
        classes,
        ..ForeignSettings::default()
    };
    let ForeignModel { model, notes } = foreign_model(weights, &settings)?;
    let bytes = model.to_bytes().map_err(Failure::input)?;
    write_atomic(out, &bytes)?;
    notes.iter().for_each(|note| say!("{note}"));
    say!("{}: {}, {} classes", out.display(), model.card.network.name, model.card.classes.len());
    Ok(())
}
