//! Contours one pixel wide.

/// Marks the pixels with a neighbour above, below, left or right that has another value or lies outside the image.
/// `map` has `height * width` values, row by row.
pub(crate) fn contour<T: PartialEq>(map: &[T], height: usize, width: usize) -> Vec<bool> {
    (0..height * width)
        .map(|pixel| {
            let (y, x) = (pixel / width, pixel % width);
            let at_border = y == 0 || y + 1 == height || x == 0 || x + 1 == width;
            at_border
                || [pixel - width, pixel + width, pixel - 1, pixel + 1]
                    .iter()
                    .any(|&neighbour| map[neighbour] != map[pixel])
        })
        .collect()
}

/// The [`contour`] of a mask's set pixels.
pub(crate) fn mask_contour(mask: &[bool], height: usize, width: usize) -> Vec<bool> {
    contour(mask, height, width).iter().zip(mask).map(|(contour, set)| contour & set).collect()
}
