//! Colours of masks and the labels that they stand for.

use std::collections::HashMap;

use crate::mask::classes::Classes;

/// The labels of colours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ColourTable {
    /// By `red << 16 | green << 8 | blue`.
    pub labels: HashMap<u32, u8>,
    /// How many labels there are, the ignored ones aside.
    pub classes: usize,
}

impl ColourTable {
    /// The colours of `classes`, and `ignored` ones with the label `ignore`.
    ///
    /// # Errors
    /// The two classes of one colour, for the reader.
    pub fn new(
        classes: &Classes,
        ignored: &[[u8; 3]],
        ignore: Option<u8>,
    ) -> std::result::Result<Self, String> {
        let mut labels = HashMap::new();
        for (label, colour) in (0..=255).zip(&classes.colours) {
            if let Some(first) = labels.insert(pack(*colour), label) {
                let (first, second) =
                    (&classes.names[usize::from(first)], &classes.names[usize::from(label)]);
                let [r, g, b] = colour;
                return Err(format!(
                    "`{first}` and `{second}` both have the colour {r}, {g}, {b}; correct one"
                ));
            }
        }
        if let Some(ignore) = ignore {
            for colour in ignored {
                labels.entry(pack(*colour)).or_insert(ignore);
            }
        }
        Ok(Self { labels, classes: classes.len() })
    }

    /// Whether every one of the colours has a label.
    pub fn has_all(&self, mut colours: impl Iterator<Item = u32>) -> bool {
        colours.all(|colour| self.labels.contains_key(&colour))
    }

    /// The label of the nearest colour, by the sum of squared differences of the channels; the first of equal ones by
    /// label and colour.
    pub fn nearest(&self, colour: u32) -> Option<u8> {
        let distance = |known: u32| {
            let (a, b) = (unpack(known), unpack(colour));
            (0..3).map(|c| u32::from(a[c].abs_diff(b[c])).pow(2)).sum::<u32>()
        };
        self.labels.iter().min_by_key(|&(&known, &label)| (distance(known), label, known)).map(|(_, &l)| l)
    }

    /// A table of single entries; several colours may share a label.
    pub fn grouped(entries: impl IntoIterator<Item = ([u8; 3], u8)>, classes: usize) -> Self {
        let labels = entries.into_iter().map(|(colour, label)| (pack(colour), label)).collect();
        Self { labels, classes }
    }
}

/// `red << 16 | green << 8 | blue`.
pub(crate) fn pack([r, g, b]: [u8; 3]) -> u32 {
    u32::from(r) << 16 | u32::from(g) << 8 | u32::from(b)
}

/// The colour that [`pack`] made into a number.
pub(crate) fn unpack(colour: u32) -> [u8; 3] {
    [(colour >> 16) as u8, (colour >> 8) as u8, colour as u8]
}
