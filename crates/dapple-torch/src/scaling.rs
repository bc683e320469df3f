//! Factors of the loss that keep small gradients above half precision's smallest numbers.

use dapple_graph::Precision;

/// Passes without overflow after which the factor is doubled, as in PyTorch's `GradScaler`.
const PATIENCE: u32 = 2000;

/// The factor of the loss, a power of two (Micikevicius et al. 2018, section 3.2). A gradient that overflows is computed
/// again with half the factor, so that no batch is left out.
pub(crate) struct Scaling {
    factor: f64,
    /// Passes since the factor changed.
    passes: u32,
    adapts: bool,
}

impl Scaling {
    pub fn new(precision: Precision) -> Self {
        let adapts = precision == Precision::Fp16;
        Self { factor: if adapts { 65536.0 } else { 1.0 }, passes: 0, adapts }
    }

    /// The factor for the next gradient.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Whether gradients are to be looked at, as they may overflow.
    pub fn adapts(&self) -> bool {
        self.adapts
    }

    /// After a gradient that overflowed: whether a smaller factor may help.
    pub fn shrink(&mut self) -> bool {
        self.passes = 0;
        let can = self.factor > 1.0;
        self.factor = (self.factor / 2.0).max(1.0);
        can
    }

    /// After a gradient that did not.
    pub fn passed(&mut self) {
        self.passes += 1;
        if self.adapts && self.passes >= PATIENCE {
            (self.factor, self.passes) = (self.factor * 2.0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_halves_and_doubles() {
        let mut scaling = Scaling::new(Precision::Fp16);
        assert!(scaling.adapts() && scaling.shrink());
        assert_eq!(scaling.factor(), 32768.0);
        (0..PATIENCE).for_each(|_| scaling.passed());
        assert_eq!(scaling.factor(), 65536.0);
        while scaling.shrink() {}
        assert_eq!(scaling.factor(), 1.0);
        let mut single = Scaling::new(Precision::Fp32);
        (0..2 * PATIENCE).for_each(|_| single.passed());
        assert!(!single.adapts() && single.factor() == 1.0);
    }
}
