//! Which pixels lie deep in a region of one label.
//!
//! The `(2 distance + 1)`² window around a pixel has one label throughout exactly if every pixel of the window's rows
//! equals its right neighbour, and every pixel of its middle column the one below.

use crate::bitplane::Grid;

/// Sets the bits of `out` whose window lies in the image and has one label; bits past the width are set, too.
///
/// `same_as_right` has the pixels that equal their right neighbour, `same_as_below` those that equal the one below; the
/// last pixel of a row and the last row have none. Both are used up. A distance of 0 counts as 1.
#[inline(always)]
pub(crate) fn interior(
    grid: Grid,
    distance: usize,
    same_as_right: &mut [u64],
    same_as_below: &mut [u64],
    scratch: &mut [u64],
    out: &mut [u64],
) {
    let distance = distance.max(1);
    out.fill(0);
    // The window must fit into the image; a smaller one has no interior pixel.
    if let Some(length) = distance.checked_mul(2).filter(|&length| length < grid.height.min(grid.width)) {
        // `level`: the window's part in the pixel's row has one label. `columns`: and the pixel below has it too.
        let [level, scratch] = grid.and_across(distance, same_as_right, scratch);
        let columns = same_as_below;
        for (column, level) in columns.iter_mut().zip(&*level) {
            *column &= level;
        }
        let [windows, _] = grid.and_along(length, columns, scratch);
        let last_rows = &level[length * grid.row()..];
        let centres = &mut out[distance * grid.row()..];
        for (out, (window, last)) in centres.iter_mut().zip(windows.iter().zip(last_rows)) {
            *out = window & last;
        }
    }
    grid.set_past_the_width(out);
}
