//! The kinds of outputs and the files they become.

use std::str::FromStr;

use super::{OutputSettings, ProbabilityFormat};

/// What can be made of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Class indices with a palette, PNG.
    Mask,
    /// Class indices as grey values, PNG, for programs that replace palettes by colours.
    Labels,
    /// The classes' colours over the image, PNG.
    Overlay,
    /// Probabilities, PNG or NumPy.
    Probability,
    /// How unsure the prediction is: the entropy of the mean probabilities, PNG or NumPy.
    Uncertainty,
    /// The uncertainty as colours over the image, PNG.
    Heatmap,
    /// The foreground with soft edges, PNG.
    Cutout,
    /// Outlines with holes, GeoJSON.
    Contours,
    /// Connected regions as COCO annotations, JSON.
    Coco,
    /// Pixels and share of each class, connected regions with boxes, CSV.
    Areas,
}

/// One file of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: Kind,
    /// The class that it is about, where each has a file of its own.
    pub class: Option<usize>,
    /// What stands behind the image's name, extension included: `-overlay.png`.
    pub suffix: String,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Mask,
        Self::Labels,
        Self::Overlay,
        Self::Probability,
        Self::Uncertainty,
        Self::Heatmap,
        Self::Cutout,
        Self::Contours,
        Self::Coco,
        Self::Areas,
    ];

    /// Its name on the command line and in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Labels => "labels",
            Self::Overlay => "overlay",
            Self::Probability => "probability",
            Self::Uncertainty => "uncertainty",
            Self::Heatmap => "heatmap",
            Self::Cutout => "cutout",
            Self::Contours => "contours",
            Self::Coco => "coco",
            Self::Areas => "areas",
        }
    }

    /// The media type of its files.
    pub fn media_type(self, settings: &OutputSettings) -> &'static str {
        match self {
            Self::Probability | Self::Uncertainty if settings.probability == ProbabilityFormat::Npy => {
                "application/octet-stream"
            }
            Self::Contours => "application/geo+json",
            Self::Coco => "application/json",
            Self::Areas => "text/csv; charset=utf-8",
            _ => "image/png",
        }
    }

    /// The files that it becomes: one, but probabilities of more than two classes as pictures have one a class.
    pub fn parts(self, names: &[String], settings: &OutputSettings) -> Vec<Part> {
        let one = |suffix: &str| vec![Part { kind: self, class: None, suffix: suffix.into() }];
        match self {
            Self::Mask => one(".png"),
            Self::Labels => one("-labels.png"),
            Self::Overlay => one("-overlay.png"),
            Self::Probability if settings.probability == ProbabilityFormat::Npy => one("-probability.npy"),
            Self::Probability if names.len() == 2 => one("-probability.png"),
            Self::Probability => {
                let part = |(class, name): (usize, &String)| {
                    let suffix = format!("-probability-{}.png", name.replace([' ', '/', '\\'], "-"));
                    Part { kind: self, class: Some(class), suffix }
                };
                names.iter().enumerate().map(part).collect()
            }
            Self::Uncertainty if settings.probability == ProbabilityFormat::Npy => one("-uncertainty.npy"),
            Self::Uncertainty => one("-uncertainty.png"),
            Self::Heatmap => one("-heatmap.png"),
            Self::Cutout => one("-cutout.png"),
            Self::Contours => one("-contours.geojson"),
            Self::Coco => one("-coco.json"),
            Self::Areas => one("-areas.csv"),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("there is no output `{text}`; give some of {}", names()))
    }
}
