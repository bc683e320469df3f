//! Axes: which range to show, where to put ticks and how to write them.

/// The quantity of an axis, which decides how far it may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Whole numbers counted upwards; the axis ends with the data.
    Epoch,
    /// A score between 0 and 1; the axis never leaves that range unless the data do.
    Share,
    /// Any other number.
    Value,
}

/// A range with ticks in it, all finite and rising.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<Tick>,
}

/// A labelled position.
#[derive(Clone, Debug)]
pub(crate) struct Tick {
    pub value: f64,
    pub label: String,
}

impl Axis {
    /// An axis that covers `low` to `high` with about `count` ticks at round numbers.
    ///
    /// Both ends must be finite and of a size that can be subtracted; [`plottable`] tells.
    pub fn covering(low: f64, high: f64, quantity: Quantity, count: usize) -> Self {
        let (low, high) = widen(low.min(high), high.max(low), quantity);
        let mut step = round_step((high - low) / count.max(1) as f64);
        if quantity == Quantity::Epoch {
            step = step.max(1.0);
        }
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let (mut ends, mut indices) = ((first * step, last * step), (first, last));
        match quantity {
            Quantity::Epoch => {
                ends = (low, high);
                indices = ((low / step).ceil(), (high / step).floor());
            }
            Quantity::Share if low >= 0.0 && high <= 1.0 => ends = (ends.0.max(0.0), ends.1.min(1.0)),
            _ => {}
        }
        let steps = (indices.1 - indices.0).max(0.0) as usize;
        let ticks = (0..=steps)
            .map(|index| (indices.0 + index as f64) * step)
            .filter(|value| (ends.0..=ends.1).contains(value))
            .map(|value| Tick { value, label: label(value, step) })
            .collect();
        Self { low: ends.0, high: ends.1, ticks }
    }

    /// Where `value` lies between the axis' ends, 0 to 1.
    pub fn position(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// Whether a value can be drawn: finite, and far from where differences overflow.
pub(crate) fn plottable(value: f64) -> bool {
    value.abs() < 1e100
}

/// Gives a range without extent some, and starts at zero where that costs little of the height.
fn widen(low: f64, high: f64, quantity: Quantity) -> (f64, f64) {
    if quantity == Quantity::Epoch {
        return if high - low < 1e-9 * high.abs().max(1.0) { (low - 0.5, high + 0.5) } else { (low, high) };
    }
    let magnitude = high.abs().max(low.abs());
    if high - low <= 1e-9 * magnitude || magnitude == 0.0 {
        let margin = if magnitude == 0.0 { 0.5 } else { magnitude * 0.1 };
        let (low, high) = (low - margin, high + margin);
        return if quantity == Quantity::Share && high > 1.0 && high <= 1.1 + 1e-9 {
            (low, 1.0)
        } else {
            (low, high)
        };
    }
    if low > 0.0 && low < 0.4 * high { (0.0, high) } else { (low, high) }
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = step / power;
    let round = [1.0, 2.0, 5.0].into_iter().find(|candidate| factor <= candidate * (1.0 + 1e-9));
    round.unwrap_or(10.0) * power
}

/// Writes a tick's value with the decimals that tell it from its neighbours.
fn label(value: f64, step: f64) -> String {
    // The sum of steps can come out as -0 or as a hair beside it.
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    let decimals = (-step.log10().floor()).max(0.0);
    if decimals > 5.0 || value.abs() >= 1e6 {
        format!("{value:.1e}")
    } else {
        format!("{value:.0$}", decimals as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_sit_at_round_numbers() {
        assert_eq!(
            labels(&Axis::covering(0.13, 0.92, Quantity::Share, 5)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(&Axis::covering(1.0, 30.0, Quantity::Epoch, 6)),
            ["5", "10", "15", "20", "25", "30"]
        );
        assert_eq!(labels(&Axis::covering(1.0, 3.0, Quantity::Epoch, 6)), ["1", "2", "3"]);
        assert_eq!(
            labels(&Axis::covering(0.93, 0.98, Quantity::Value, 5)),
            ["0.93", "0.94", "0.95", "0.96", "0.97", "0.98"]
        );
    }

    #[test]
    fn a_share_never_exceeds_one_and_a_constant_still_has_an_axis() {
        assert_eq!(Axis::covering(0.91, 0.998, Quantity::Share, 5).high, 1.0);
        assert_eq!(Axis::covering(1.0, 1.0, Quantity::Share, 5).high, 1.0);
        let zero = Axis::covering(0.0, 0.0, Quantity::Value, 5);
        assert!(zero.low < 0.0 && zero.high > 0.0);
    }

    proptest! {
        #[test]
        fn the_axis_covers_the_data_with_few_rising_ticks(
            a in -1e30f64..1e30, exponent in -40i32..30, b in -1.0f64..1.0,
            quantity in prop::sample::select(vec![Quantity::Epoch, Quantity::Share, Quantity::Value]),
        ) {
            let a = a * 10f64.powi(exponent - 30);
            let axis = Axis::covering(a, b, quantity, 5);
            let slack = (axis.high - axis.low) * 1e-9;
            prop_assert!(axis.low <= a.min(b) + slack && axis.high >= a.max(b) - slack);
            prop_assert!(axis.low < axis.high);
            prop_assert!(axis.ticks.len() <= 12);
            prop_assert!(axis.ticks.windows(2).all(|pair| pair[0].value < pair[1].value));
        }
    }
}
