//! The kinds of outputs and the files they become.

use std::collections::HashSet;
use std::str::FromStr;

use dapple_base::file_part;

use super::settings::{OutputSettings, ProbabilityFormat};

/// A kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum OutputKind {
    /// Class indices at the image's size, PNG with a palette; GeoTIFF for a GeoTIFF.
    Mask,
    /// Class indices as grey values, PNG; GeoTIFF for a GeoTIFF.
    Labels,
    /// The mask's colours over the image.
    Overlay,
    /// Probabilities as grey values, 0 black to 1 white, or a NumPy array.
    Probability,
    /// Entropy of the mean probabilities (over samples, models, flips and scales) over its largest value, 0 to 1, as grey
    /// values or a NumPy array.
    Uncertainty,
    /// The uncertainty as colours over the image, from black (sure) over red to yellow.
    Heatmap,
    /// The foreground with soft edges, transparent around it or on another background.
    Cutout,
    /// Outlines with holes, GeoJSON; on the ground for a georeferenced TIFF.
    Contours,
    /// Connected regions as COCO annotations.
    Coco,
    /// Pixels, shares and ground areas of classes, connected regions and their boxes, CSV.
    Areas,
}

/// One file of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its kind.
    pub kind: OutputKind,
    /// Its class, where each class has a file of its own.
    pub class: Option<usize>,
    /// The end of its name, after the image's name: `-overlay.png`.
    pub suffix: String,
}

impl OutputFile {
    /// The same for a georeferenced image, whose masks are TIFF files, for PNG cannot say where they lie.
    #[must_use]
    pub fn on_ground(self) -> Self {
        match (self.kind, self.suffix.strip_suffix(".png")) {
            (OutputKind::Mask | OutputKind::Labels, Some(stem)) => {
                Self { suffix: format!("{stem}.tif"), ..self }
            }
            _ => self,
        }
    }
}

impl OutputKind {
    /// All kinds.
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

    /// Its files: one, except that probabilities of more than two classes as PNG have one per class.
    pub fn files(self, names: &[String], settings: &OutputSettings) -> Vec<OutputFile> {
        let one = |suffix: &str| vec![OutputFile { kind: self, class: None, suffix: suffix.into() }];
        match self {
            Self::Mask => one(".png"),
            Self::Labels => one("-labels.png"),
            Self::Overlay => one("-overlay.png"),
            Self::Probability if settings.probability == ProbabilityFormat::Npy => one("-probability.npy"),
            Self::Probability if names.len() == 2 => one("-probability.png"),
            Self::Probability => {
                let part = |(class, part): (usize, String)| {
                    let suffix = format!("-probability-{part}.png");
                    OutputFile { kind: self, class: Some(class), suffix }
                };
                class_parts(names).into_iter().enumerate().map(part).collect()
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

/// The classes' names as parts of file names, all different; with their labels before them where the names alone would not be,
/// also on file systems that know no difference of case.
fn class_parts(names: &[String]) -> Vec<String> {
    let parts: Vec<String> = names.iter().map(|name| file_part(name)).collect();
    let different: HashSet<String> = parts.iter().map(|part| part.to_lowercase()).collect();
    if different.len() == parts.len() {
        return parts;
    }
    parts.into_iter().enumerate().map(|(label, part)| format!("{label}-{part}")).collect()
}

/// A name that is not one of an output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no output `{0}`; give some of {known}", known = OutputKind::ALL.map(OutputKind::name).join(", "))]
pub struct UnknownKind(pub String);

impl FromStr for OutputKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suffixes(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let files = OutputKind::Probability.files(&names, &OutputSettings::default());
        files.into_iter().map(|file| file.suffix).collect()
    }

    #[test]
    fn classes_of_one_name_have_files_of_their_own() {
        assert_eq!(suffixes(&["a", "b c", "d"])[1], "-probability-b-c.png");
        assert_eq!(
            suffixes(&["a", "horse", "Horse"]),
            ["-probability-0-a.png", "-probability-1-horse.png", "-probability-2-Horse.png"]
        );
        for names in [["1-x", "x", "x"], ["a/b", "a b", "c"]] {
            let different: HashSet<String> = suffixes(&names).into_iter().collect();
            assert_eq!(different.len(), 3, "{names:?}");
        }
    }

    #[test]
    fn names_of_classes_are_harmless_in_file_names() {
        for suffix in suffixes(&["../../etc", "<script>\u{1b}[31m", "\u{202e}gnp", "a\nb"]) {
            assert!(!suffix.contains(['/', '\\', '<', '>', '\u{1b}', '\u{202e}', '\n']), "{suffix:?}");
        }
    }
}
