//! How much processor time the loader needs for an image; `bench/loader/run.py` compares it with others.
//!
//! `cargo run --release -p dapple-data --example loader_speed -- FOLDER SIDE PRESET EPOCHS [ram]`
//!
//! Writes the images and the seconds of processor time of this thread, which does all the work, after one epoch to warm
//! up. Only on Linux, which keeps this time in `/proc`.

use std::error::Error;
use std::sync::Arc;

use dapple_data::{
    Augment, CacheSettings, Dataset, InputSettings, Loader, LoaderSettings, OpenOptions, Split,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, side, preset, epochs, cache @ ..] = &arguments[..] else {
        return Err("usage: loader_speed FOLDER SIDE PRESET EPOCHS [ram]".into());
    };
    let side = side.parse()?;
    let augment = match preset.as_str() {
        "none" => Augment::none(),
        "light" => Augment::light(),
        "medium" => Augment::medium(),
        "strong" => Augment::strong(),
        other => return Err(format!("no preset {other}").into()),
    };
    let dataset = Arc::new(Dataset::open(folder, &OpenOptions::default())?);
    let parts = Split::new(&dataset, 0, 0.85)?.indices(&dataset)?;
    let settings = LoaderSettings {
        augment,
        shuffle: true,
        threads: 0,
        cache: if cache.is_empty() { CacheSettings::None } else { CacheSettings::Ram { bytes: 4 << 30 } },
        ..LoaderSettings::new(InputSettings::new(side, side), 8)
    };
    let loader = Loader::new(dataset, parts.train, settings)?;
    let (mut images, mut begun) = (0, 0.0);
    for epoch in 0..=epochs.parse()? {
        if epoch == 1 {
            begun = processor_seconds()?;
        }
        for batch in loader.epoch(epoch) {
            images += if epoch == 0 { 0 } else { batch?.n };
        }
    }
    println!("{images} {}", processor_seconds()? - begun);
    Ok(())
}

/// The seconds that the main thread has run.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let statistics = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = statistics.split_whitespace().next().ok_or("an empty schedstat")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}
