//! Trains a small network on synthetic images and predicts one of them, with the library alone.
//!
//!     cargo run --release --example train_and_predict
//!
//! With your own folder of images and masks:
//!
//!     cargo run --release --example train_and_predict -- path/to/data

use std::path::PathBuf;
use std::sync::Arc;

use dapple::data::{Dataset, OpenOptions, decode_image, synthetic};
use dapple::run::{Run, RunFolder};
use dapple::train::{Event, Observer, Outcome, TrainConfig, best_epoch};
use dapple_base::StopFlag;

/// Prints a line per epoch; other events of a training arrive in the same way.
struct Printer;

impl Observer for Printer {
    fn notice(&mut self, event: &Event<'_>) {
        if let Event::Epoch { record, epochs, .. } = event {
            let miou = record.val_miou.unwrap_or(f64::NAN);
            println!("epoch {}/{epochs}: loss {:.3}, mIoU {miou:.3}", record.epoch, record.train_loss);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("dapple-example-{}", std::process::id()));
    let data = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => {
            synthetic::write(folder.join("data"), 0, 60, 64, 64)?;
            folder.join("data")
        }
    };

    // The number of classes comes from the data, everything else from the defaults.
    let dataset = Arc::new(Dataset::open(&data, &OpenOptions::default())?);
    let mut config = TrainConfig::for_network("unet", dataset.classes().len(), &data)?;
    config.network.width = 8;
    (config.input.height, config.input.width) = (64, 64);
    config.epochs = 5;

    // The run's folder holds all files of the training, which could be resumed from it.
    let run = RunFolder::claim(&folder.join("run"), false)?;
    let training = Run::start(config, Arc::clone(&dataset), run.clone())?;
    let engine = dapple::device::engine("auto", &Default::default())?;
    let outcome = training.train(engine.as_ref(), &mut Printer, &StopFlag::new())?;
    if let Outcome::Finished { records } = outcome
        && let Some(best) = best_epoch(&records)
    {
        println!("best epoch: {}", best.epoch);
    }

    // The model file has everything that is needed to use it.
    let segmenter = dapple::load(run.best())?;
    let path = dataset.image_path(0).ok_or("the data are in files")?;
    let mask = folder.join("mask.png");
    segmenter.predict(&decode_image(path)?)?.save_mask(&mask)?;
    println!("{} -> {}", path.display(), mask.display());
    Ok(())
}
