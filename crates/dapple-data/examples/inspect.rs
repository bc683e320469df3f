//! Says what is found in a folder of images and masks, and how fast batches of it are made.
//!
//! `cargo run --release -p dapple-data --example inspect -- FOLDER [HEIGHT WIDTH [IGNORE]]`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use dapple_data::{
    Augment, DEFAULT_TRAIN_FRACTION, Dataset, InputSettings, Loader, LoaderSettings, OpenOptions, Split,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("usage: inspect FOLDER [HEIGHT WIDTH [IGNORE]]")?;
    let number = |i: usize, default| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let (height, width) = (number(1, 224)?, number(2, 224)?);
    let ignore = arguments.get(3).map(|text| text.parse()).transpose()?;

    let start = Instant::now();
    let dataset = Arc::new(Dataset::open(folder, &OpenOptions { ignore, ..OpenOptions::default() })?);
    println!("{} pairs, opened in {:.2} s", dataset.len(), start.elapsed().as_secs_f64());
    println!("format: {}", dataset.format().map_or("memory", |format| format.name()));
    println!("{:?}, classes: {}", dataset.coding(), dataset.classes().names.join(", "));
    let split = Split::new(&dataset, 0, DEFAULT_TRAIN_FRACTION)?;
    let parts = split.indices(&dataset)?;
    println!(
        "{} for training, {} for validation, {} for the test",
        parts.train.len(),
        parts.val.len(),
        parts.test.len()
    );
    println!(
        "median-frequency weights: {:.4?}",
        dataset.class_statistics(&parts.train).median_frequency_weights()
    );

    let plain = LoaderSettings { threads: 0, ..LoaderSettings::new(InputSettings::new(height, width), 4) };
    let light = LoaderSettings { augment: Augment::light(), shuffle: true, ..plain };
    let cached = 1 << 30;
    for (name, settings) in [
        ("plain, no thread", plain),
        ("plain, no thread, kept in memory", LoaderSettings { cache_bytes: cached, ..plain }),
        ("light changes, no thread", light),
        ("light changes, no thread, kept in memory", LoaderSettings { cache_bytes: cached, ..light }),
        ("light changes, 2 threads", LoaderSettings { threads: 2, prefetch: 4, ..light }),
    ] {
        let loader = Loader::new(Arc::clone(&dataset), parts.train.clone(), settings)?;
        for epoch in 0..2 {
            let start = Instant::now();
            for batch in loader.epoch(epoch) {
                batch?;
            }
            let rate = loader.len() as f64 / start.elapsed().as_secs_f64();
            println!("{name}, epoch {epoch}: {rate:.0} images/s at {height} x {width}");
        }
    }
    Ok(())
}
