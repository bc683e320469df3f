//! `dapple demo`: the whole way on embedded synthetic data.

use std::sync::Arc;

use dapple::data::{Augment, Dataset, OpenOptions, synthetic};
use dapple::run::{Run, RunFolder};
use dapple::train::{Outcome, TrainConfig};

use super::arguments::{Demo, Eval};
use super::failure::Failure;
use super::{eval, train};

/// Side of the pictures in pixels.
const SIDE: usize = 64;
/// Pictures, of which 85 % are learned from.
const PICTURES: usize = 480;

pub fn run(arguments: &Demo) -> Result<(), Failure> {
    // Checked before the folder is made.
    arguments.device.engine(true)?;
    let run = RunFolder::claim(&arguments.out, arguments.force)?;
    let data = std::path::absolute(arguments.out.join("data")).unwrap_or(arguments.out.join("data"));
    synthetic::write(&data, 0, PICTURES, SIDE, SIDE)?;
    if !arguments.quiet {
        println!("{PICTURES} pictures of textured shapes with their masks: {}", data.display());
    }

    let dataset = Arc::new(Dataset::open(&data, &OpenOptions::default())?);
    let mut config = TrainConfig::for_network("unet", dataset.classes().len(), &data)?;
    config.network.width = 16;
    (config.input.height, config.input.width) = (SIDE, SIDE);
    config.augment = Augment { flip_horizontal: 0.5, flip_vertical: 0.5, ..Augment::none() };
    config.epochs = 22;
    config.batch = 8;
    config.learning_rate = 3e-3;
    (config.evaluation.train_images, config.evaluation.pictures) = (Some(24), 4);
    let outcome = train::train(Run::start(config, dataset, run)?, &arguments.device, None, arguments.quiet)?;
    if matches!(outcome, Outcome::Interrupted { .. }) || arguments.quiet {
        return Ok(());
    }

    let out = arguments.out.display();
    println!("\ndapple eval --model {out} --data {out}/data");
    eval::run(&Eval {
        model: arguments.out.clone(),
        data,
        format: None,
        part: None,
        json: None,
        csv: None,
        flip: None,
        original_size: false,
        per_image: false,
        skip_bad: false,
        device: arguments.device.clone(),
    })?;
    println!("\nlook at {out}/samples, {out}/strips and {out}/curves.png; then try");
    println!("  dapple predict --model {out} {out}/data/images --out {out}/masks --kind all");
    println!("  dapple train --data YOUR_FOLDER --model u2net-lite --out runs/first");
    Ok(())
}
