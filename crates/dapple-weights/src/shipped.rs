//! Models that are part of the program.

/// A model that needs no download.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Name on command lines.
    pub name: &'static str,
    /// Purpose in a few words.
    pub purpose: &'static str,
    /// Content of its model file.
    pub bytes: &'static [u8],
    /// Model card in Markdown: data and their licence, scores, limits.
    pub card: &'static str,
}

/// All shipped models. Their files are in `models/`; RESULTS.md describes their training.
// Not a `const`: each use of one would put another copy of the files into the binary.
pub static SHIPPED: [Shipped; 2] = [
    Shipped {
        name: "horse",
        purpose: "horses in photographs",
        bytes: include_bytes!("../models/horse.safetensors"),
        card: include_str!("../models/horse.md"),
    },
    Shipped {
        name: "road",
        purpose: "road scenes, CamVid's 11 classes",
        bytes: include_bytes!("../models/road.safetensors"),
        card: include_str!("../models/road.md"),
    },
];

/// The shipped model of that name.
pub fn find_shipped(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}
