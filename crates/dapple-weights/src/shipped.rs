//! The models that are part of the program.

/// A model that needs no download.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// What command lines say.
    pub name: &'static str,
    /// What it finds, in a few words.
    pub purpose: &'static str,
    /// The content of its model file.
    pub bytes: &'static [u8],
    /// Its card, Markdown: data and their licence, scores, limits.
    pub card: &'static str,
}

/// All of them. `models/` has their files, and RESULTS.md says how they were made.
pub const SHIPPED: &[Shipped] = &[
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

/// The model of that name.
pub fn find_shipped(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}
