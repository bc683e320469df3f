//! Trains a small network on synthetic pictures, measures it and predicts one picture, all by the library.
//!
//!     cargo run --release --example train_and_predict
//!
//! With a folder of your own images and masks, give it instead:
//!
//!     cargo run --release --example train_and_predict -- path/to/data

use std::path::PathBuf;
use std::sync::Arc;

use dapple::data::{Dataset, OpenOptions, decode_image, synthetic, write_indexed_png};
use dapple::run::{Run, RunFolder};
use dapple::train::{Event, Observer, Outcome, TrainConfig, best_epoch};
use dapple_base::StopFlag;

/// Prints a line an epoch; whatever else happens in a training can be heard in the same way.
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

    // The data say how many classes there are; the defaults say the rest, and any of it can be changed.
    let dataset = Arc::new(Dataset::open(&data, &OpenOptions::default())?);
    let mut config = TrainConfig::for_network("unet", dataset.classes().len(), &data)?;
    config.network.width = 8;
    (config.input.height, config.input.width) = (64, 64);
    config.epochs = 5;

    // Everything that is written goes into the run's folder, from where the training could be resumed.
    let run = RunFolder::claim(&folder.join("run"), false)?;
    let training = Run::start(config, Arc::clone(&dataset), run.clone())?;
    let engine = dapple::device::engine("auto", &Default::default())?;
    let outcome = training.train(engine.as_ref(), &mut Printer, &StopFlag::new())?;
    if let Outcome::Finished { records } = outcome
        && let Some(best) = best_epoch(&records)
    {
        println!("best epoch: {}", best.epoch);
    }

    // The best model explains itself: nothing but its file is needed to use it.
    let segmenter = dapple::load(run.best())?;
    let path = dataset.image_path(0).ok_or("the data are in files")?;
    let photo = decode_image(path)?;
    let prediction = segmenter.predict(&photo)?;
    let mask = folder.join("mask.png");
    let (width, height) = (photo.width as u32, photo.height as u32);
    write_indexed_png(&mask, width, height, &prediction.labels(), &segmenter.classes().colours)?;
    println!("{} -> {}", path.display(), mask.display());
    Ok(())
}
