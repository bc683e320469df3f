//! Fuzz targets: whatever bytes a file has, reading it ends with a value that holds together or with an error, never with
//! a panic.
//!
//! Each [`Target`] is a plain function over bytes with a few seeds. Two programs run them:
//!
//! - `cargo test -p dapple-fuzz`: a bounded number of inputs, mutated from the seeds by a generator with a fixed seed, on a
//!   stable compiler. The gate runs it.
//! - `cargo +nightly fuzz run NAME`: libFuzzer, guided by coverage, without an end; see `fuzz/Cargo.toml`.
//!
//! ```
//! let target = dapple_fuzz::target("images").expect("a target");
//! (target.run)(b"not an image");
//! ```

mod annotations;
mod config;
mod hub;
mod images;
mod mutate;
mod onnx;
mod requests;
mod rows;
mod weights;

pub use mutate::Mutator;

/// One reader of foreign bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name, which is also that of the libFuzzer target.
    pub name: &'static str,
    /// Reads the bytes and checks the result. Panics where something is wrong.
    pub run: fn(&[u8]),
    /// Inputs to mutate.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many inputs the bounded run takes: about two seconds of work.
    pub inputs: usize,
}

/// All targets.
pub const TARGETS: [Target; 14] = [
    Target { name: "images", run: images::images, seeds: images::image_seeds, inputs: 3000 },
    Target { name: "masks", run: images::masks, seeds: images::mask_seeds, inputs: 2000 },
    Target { name: "annotations", run: annotations::annotations, seeds: annotations::seeds, inputs: 1500 },
    Target { name: "polygons", run: annotations::polygons, seeds: annotations::number_seeds, inputs: 1000 },
    Target {
        name: "run_lengths",
        run: annotations::run_lengths,
        seeds: annotations::number_seeds,
        inputs: 1000,
    },
    Target { name: "checkpoint", run: weights::checkpoint, seeds: weights::checkpoint_seeds, inputs: 4000 },
    Target { name: "pickle", run: weights::pickle, seeds: weights::pickle_seeds, inputs: 4000 },
    Target { name: "safetensors", run: weights::safetensors, seeds: weights::header_seeds, inputs: 4000 },
    Target { name: "metadata", run: weights::metadata, seeds: weights::card_seeds, inputs: 1000 },
    Target { name: "onnx", run: onnx::onnx, seeds: onnx::seeds, inputs: 1500 },
    Target { name: "config", run: config::config, seeds: config::seeds, inputs: 3000 },
    Target { name: "hub", run: hub::hub, seeds: hub::seeds, inputs: 1000 },
    Target { name: "tiff_rows", run: rows::tiff_rows, seeds: rows::seeds, inputs: 1500 },
    Target { name: "multipart", run: requests::multipart, seeds: requests::seeds, inputs: 5000 },
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
