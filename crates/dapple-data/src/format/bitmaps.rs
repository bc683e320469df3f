//! Bitmaps of annotation tools as run lengths, checked before they are decoded: at a byte for each pixel, a few hundred regions
//! of large images would fill any memory.

use std::path::Path;

use crate::image::decode::image_size_bytes;
use crate::mask::regions::{Shape, work_limit};

/// The pixels that the bitmaps of one image may still have.
pub(super) struct Room(u64);

impl Room {
    /// Of an image of width and height: as many as may be drawn.
    pub fn of(size: (usize, usize)) -> Self {
        Self(work_limit(size.0, size.1))
    }

    /// Takes the pixels of one more bitmap.
    ///
    /// # Errors
    /// In words, where there are too many.
    pub fn take(&mut self, (width, height): (usize, usize)) -> Result<(), String> {
        let pixels = (width as u64).saturating_mul(height as u64);
        self.0 = self.0.checked_sub(pixels).ok_or(
            "the bitmaps of this image take too many steps to draw: hundreds of regions as large as the image; simplify them",
        )?;
        Ok(())
    }
}

/// Checks by its header that an encoded bitmap lies on an image of width and height, and that there is room for it.
///
/// # Errors
/// In words.
pub(super) fn check_header(
    bytes: &[u8],
    path: &Path,
    at: (usize, usize),
    size: (usize, usize),
    room: &mut Room,
) -> Result<(), String> {
    let found = image_size_bytes(bytes, path).map_err(|error| error.to_string())?;
    check_place(at, (found.width, found.height), size)?;
    room.take((found.width, found.height))
}

/// A bitmap of that width at a place of left and top, on an image of width and height; what is not 0 is inside.
///
/// # Errors
/// In words: it is empty, or leaves the image.
pub(super) fn placed(
    (left, top): (usize, usize),
    width: usize,
    bits: &[u8],
    size: (usize, usize),
) -> Result<Shape, String> {
    let height = bits.len() / width.max(1);
    check_place((left, top), (width, height), size)?;
    if bits.iter().all(|&bit| bit == 0) {
        return Err("its bitmap is empty".into());
    }
    let mut runs = Runs::default();
    runs.push(false, left * size.1);
    for x in 0..width {
        runs.push(false, top);
        (0..height).for_each(|y| runs.push(bits[y * width + x] != 0, 1));
        runs.push(false, size.1 - top - height);
    }
    runs.push(false, (size.0 - left - width) * size.1);
    Ok(Shape::Runs(runs.counts))
}

/// A bitmap of a whole image, row by row.
pub(super) fn whole(bits: &[u8], width: usize) -> Shape {
    let height = bits.len() / width.max(1);
    let mut runs = Runs::default();
    for x in 0..width {
        (0..height).for_each(|y| runs.push(bits[y * width + x] != 0, 1));
    }
    Shape::Runs(runs.counts)
}

/// Checks that a bitmap of width and height at a place of left and top lies on an image of width and height.
///
/// # Errors
/// In words.
pub(super) fn check_place(
    (left, top): (usize, usize),
    (width, height): (usize, usize),
    size: (usize, usize),
) -> Result<(), String> {
    if left.saturating_add(width) > size.0 || top.saturating_add(height) > size.1 {
        return Err(format!(
            "a bitmap of {width} x {height} pixels at ({left}, {top}) leaves the image of {} x {}",
            size.0, size.1
        ));
    }
    Ok(())
}

/// Lengths of runs outside and inside in turns.
struct Runs {
    counts: Vec<u32>,
    inside: bool,
}

impl Default for Runs {
    fn default() -> Self {
        Self { counts: vec![0], inside: false }
    }
}

impl Runs {
    /// The next pixels. No image has more than a run length can count.
    fn push(&mut self, inside: bool, pixels: usize) {
        if pixels == 0 {
            return;
        }
        if inside != self.inside {
            self.counts.push(0);
            self.inside = inside;
        }
        if let Some(last) = self.counts.last_mut() {
            *last += pixels as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::regions::Regions;

    #[test]
    fn a_bitmap_at_a_place_is_drawn_there() {
        let drawn = |shape| {
            let regions = Regions { width: 4, height: 3, background: 0, regions: vec![(1, shape)] };
            assert_eq!(regions.problem(), None);
            regions.draw().labels
        };
        let bits = [1, 0, 1, 1];
        let shape = placed((1, 1), 2, &bits, (4, 3)).expect("it fits");
        assert_eq!(drawn(shape), [0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0]);
        assert_eq!(drawn(placed((2, 1), 2, &bits, (4, 3)).expect("it fits"))[6..8], [1, 0]);
        let all: Vec<u8> = (0..12).map(|i| u8::from(i % 5 == 0)).collect();
        assert_eq!(drawn(whole(&all, 4)), all);
        for (at, bits, word) in
            [((3, 1), &bits, "leaves"), ((usize::MAX, 0), &bits, "leaves"), ((0, 0), &[0; 4], "empty")]
        {
            let problem = placed(at, 2, bits, (4, 3)).expect_err(word);
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn there_is_room_for_as_many_pixels_as_may_be_drawn() {
        let mut room = Room::of((4000, 4000));
        let taken = (0..1000).take_while(|_| room.take((4000, 4000)).is_ok()).count();
        assert!((60..100).contains(&taken), "{taken}");
    }
}
