//! Setting boxes side by side and breaking the line when it is full, as legends need it.

/// Where a box went: its row and its left edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slot {
    pub row: usize,
    pub x: f32,
}

/// Places boxes of the given widths in rows of at most `limit`, `gap` apart; a wider box gets a row of its own.
pub(crate) fn flow(widths: impl IntoIterator<Item = f32>, gap: f32, limit: f32) -> Vec<Slot> {
    let (mut row, mut x) = (0, 0.0);
    widths
        .into_iter()
        .map(|width| {
            if x > 0.0 && x + width > limit {
                (row, x) = (row + 1, 0.0);
            }
            let slot = Slot { row, x };
            x += width + gap;
            slot
        })
        .collect()
}

/// How many rows the slots fill.
pub(crate) fn rows(slots: &[Slot]) -> usize {
    slots.last().map_or(0, |slot| slot.row + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn boxes_stay_within_the_limit_and_apart(
            widths in prop::collection::vec(0.5f32..120.0, 0..60),
            limit in 120.0f32..400.0,
        ) {
            let slots = flow(widths.iter().copied(), 4.0, limit);
            prop_assert_eq!(slots.len(), widths.len());
            for (slot, width) in slots.iter().zip(&widths) {
                prop_assert!(slot.x + width <= limit + 1e-3);
            }
            for (pair, width) in slots.windows(2).zip(&widths) {
                let same_row = pair[0].row == pair[1].row;
                let next_row = pair[1].row == pair[0].row + 1 && pair[1].x == 0.0;
                prop_assert!((same_row && pair[1].x >= pair[0].x + width) || next_row);
            }
        }
    }
}
