//! Samples made of several: CutMix and mosaic.

use dapple_base::Size;

use crate::augment::settings::Augment;
use crate::mask::label_map::LabelledImage;
use crate::random::{Purpose, Random};

/// How one sample is mixed with others: which rectangles come from which partners.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mix {
    pub pieces: Vec<Piece>,
}

/// A rectangle of another sample, in pixels, and where that sample comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    /// Which of the samples that can be drawn.
    pub partner: usize,
    /// The epoch-wide number of this piece, which keys the partner's own changes.
    pub number: u64,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Mix {
    /// Draws how sample `sample` of `samples` that can be drawn is mixed; `None` where it stays as it is.
    pub fn draw(
        augment: &Augment,
        Size { height, width }: Size,
        samples: usize,
        (seed, epoch, sample): (u64, u64, u64),
    ) -> Option<Self> {
        if augment.mosaic == 0.0 && augment.cutmix == 0.0 {
            return None;
        }
        let mut random = Random::new(seed, Purpose::Mix, epoch, sample);
        let (mosaic, cutmix) = (random.chance(augment.mosaic), random.chance(augment.cutmix));
        let piece = |place: u64, left, top, width, height| Piece {
            partner: 0,
            number: sample * 4 + place,
            left,
            top,
            width,
            height,
        };
        let mut pieces = if mosaic {
            let x = (width as f64 * random.range(0.3, 0.7)) as usize;
            let y = (height as f64 * random.range(0.3, 0.7)) as usize;
            vec![
                piece(0, x, 0, width - x, y),
                piece(1, 0, y, x, height - y),
                piece(2, x, y, width - x, height - y),
            ]
        } else if cutmix {
            let side = random.range(0.1, 0.5).sqrt();
            let (across, down) = ((width as f64 * side) as usize, (height as f64 * side) as usize);
            let (left, top) = (random.below(width - across + 1), random.below(height - down + 1));
            vec![piece(0, left, top, across, down)]
        } else {
            return None;
        };
        for piece in &mut pieces {
            piece.partner = random.below(samples);
        }
        Some(Self { pieces })
    }
}

impl Piece {
    /// Pastes the rectangle of `from` into `to`; both have the size the piece was drawn for.
    pub fn paste(&self, from: &LabelledImage, to: &mut LabelledImage) {
        let channels = to.image.channels;
        for y in self.top..self.top + self.height {
            let at = y * to.labels.width + self.left;
            to.labels.labels[at..][..self.width].copy_from_slice(&from.labels.labels[at..][..self.width]);
            let (at, length) = (at * channels, self.width * channels);
            to.image.data[at..][..length].copy_from_slice(&from.image.data[at..][..length]);
        }
    }
}
