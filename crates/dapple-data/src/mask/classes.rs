//! Names and colours of classes.

use serde::{Deserialize, Serialize};

/// The classes of a data set, in the order of their labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// The name of every class.
    pub names: Vec<String>,
    /// The colour of every class, red, green, blue.
    pub colours: Vec<[u8; 3]>,
}

/// Names and colours of CamVid in the SegNet layout; the first eleven are the classes of the SegNet paper.
const CAMVID: [(&str, [u8; 3]); 12] = [
    ("sky", [128, 128, 128]),
    ("building", [128, 0, 0]),
    ("pole", [192, 192, 128]),
    ("road", [128, 64, 128]),
    ("pavement", [60, 40, 222]),
    ("tree", [128, 128, 0]),
    ("sign symbol", [192, 128, 128]),
    ("fence", [64, 64, 128]),
    ("car", [64, 0, 128]),
    ("pedestrian", [64, 64, 0]),
    ("bicyclist", [0, 128, 192]),
    ("unlabelled", [0, 0, 0]),
];

/// The classes of Pascal VOC, the background first.
const VOC: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv/monitor",
];

impl Classes {
    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no class.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Background and one foreground class of the given name.
    pub fn binary(foreground: &str) -> Self {
        Self { names: vec!["background".into(), foreground.into()], colours: vec![palette(0), palette(1)] }
    }

    /// `count` classes known by their number only, in the colours of [`palette`].
    pub fn numbered(count: usize) -> Self {
        Self {
            names: (0..count).map(|k| format!("class {k}")).collect(),
            colours: (0..count).map(palette).collect(),
        }
    }

    /// Classes of the given names in the colours of [`palette`].
    pub(crate) fn named(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        Self { colours: (0..names.len()).map(palette).collect(), names }
    }

    /// Classes of the given names and colours.
    pub(crate) fn coloured<'a>(entries: impl IntoIterator<Item = &'a (&'a str, [u8; 3])>) -> Self {
        let (names, colours) = entries.into_iter().map(|&(name, colour)| (name.to_owned(), colour)).unzip();
        Self { names, colours }
    }

    /// The 21 classes of Pascal VOC, the background first, in the colours of its palette.
    pub fn voc() -> Self {
        Self { names: VOC.map(str::to_owned).to_vec(), colours: (0..21).map(voc_colour).collect() }
    }

    /// The first `count` (11 or 12) classes of CamVid as SegNet numbers them.
    pub fn camvid(count: usize) -> Self {
        let classes = CAMVID.iter().take(count);
        let (names, colours) = classes.map(|&(name, colour)| (name.to_owned(), colour)).unzip();
        Self { names, colours }
    }
}

/// Entry `index` of the VOC palette: the bits of the index go to the channels in turns, the lowest to the highest bits.
pub(crate) fn voc_colour(index: u8) -> [u8; 3] {
    let bit = |k: usize| u32::from(index) >> k & 1;
    std::array::from_fn(|channel| (0..3).map(|k| (bit(3 * k + channel) as u8) << (7 - k)).sum())
}

/// A colour for class `index` of a data set without colours of its own: black for 0, then colours that are told apart
/// easily, without an end.
///
/// The first ones are chosen by hand. Further ones turn the hue by the golden angle, so that neighbours differ, with
/// brightness and saturation changing from one to the next.
pub fn palette(index: usize) -> [u8; 3] {
    const FIRST: [[u8; 3]; 12] = [
        [0, 0, 0],
        [230, 75, 53],
        [77, 187, 213],
        [0, 160, 135],
        [243, 196, 63],
        [126, 97, 171],
        [145, 209, 120],
        [244, 155, 127],
        [60, 84, 136],
        [220, 120, 190],
        [126, 97, 72],
        [200, 200, 200],
    ];
    if let Some(&colour) = FIRST.get(index) {
        return colour;
    }
    let hue = (index as f64 * 137.507_764) % 360.0;
    let value = [0.95, 0.7, 0.5][index % 3];
    let saturation = [0.55, 0.85][index % 2];
    let channel = |offset: f64| {
        let k = (offset + hue / 60.0) % 6.0;
        let v = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (v * 255.0).round() as u8
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}
