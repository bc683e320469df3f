//! The random geometry of one sample.

use crate::augment::settings::{Augment, Border};
use crate::random::Random;

/// The geometry of one sample besides window and flips.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// In radians.
    pub angle: f64,
    /// How many times larger things are shown.
    pub factor: f64,
    /// Tangents of the shear of x by y and of y by x.
    pub shear: [f64; 2],
    /// Shifts of the corners (upper left, upper right, lower left, lower right) as shares of the sides.
    pub corners: [[f64; 2]; 4],
    /// Standard deviation as a share of the shorter side, and the seed.
    pub elastic: Option<(f64, u64)>,
    pub border: Border,
}

impl Geometry {
    pub fn draw(augment: &Augment, random: &mut Random) -> Self {
        let mut within = |amount: f64| amount * random.range(-1.0, 1.0);
        let angle = within(augment.rotate).to_radians();
        let power = within(1.0);
        let shear = [within(augment.shear), within(augment.shear)].map(|degrees| degrees.to_radians().tan());
        let corners = std::array::from_fn(|_| [within(augment.perspective), within(augment.perspective)]);
        let seed = random.word();
        Self {
            angle,
            factor: (1.0 + augment.scale).powf(power),
            shear,
            corners,
            elastic: (augment.elastic > 0.0).then_some((augment.elastic, seed)),
            border: augment.border,
        }
    }
}
