//! Cuts: frames that show another scene than the one before, over which nothing is smoothed.

use dapple_data::Raster;

/// Side of the small picture that frames are compared by.
const SIDE: usize = 32;
/// The mean difference of grey values from which on frames are of different scenes: a tenth of the range, as ffmpeg's
/// filter `scdet` has it.
const DIFFERENCE: f32 = 25.5;
/// The correlation below which frames of less different values are of different scenes.
const CORRELATION: f32 = 0.5;
/// The deviation of grey values below which a frame is flat, so that a correlation says nothing.
const FLAT: f32 = 2.0;

/// Compares each frame with the one before.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    before: Option<Vec<f32>>,
}

impl Cuts {
    /// Whether the next frame, of red, green and blue, begins another scene; the first one does.
    pub fn is_cut(&mut self, frame: &Raster) -> bool {
        let small = small(frame);
        let is_cut = self.before.as_ref().is_none_or(|before| differ(before, &small));
        self.before = Some(small);
        is_cut
    }
}

/// Mean grey values of the cells of a grid.
fn small(frame: &Raster) -> Vec<f32> {
    let (across, down) = (SIDE.min(frame.width), SIDE.min(frame.height));
    let (mut sums, mut counts) = (vec![0.0f32; across * down], vec![0.0f32; across * down]);
    // Every second pixel of every second row is enough of large frames.
    let step = if frame.width.min(frame.height) >= 4 * SIDE { 2 } else { 1 };
    for y in (0..frame.height).step_by(step) {
        let row = &frame.data[y * frame.width * 3..][..frame.width * 3];
        for x in (0..frame.width).step_by(step) {
            let [r, g, b] = [row[3 * x], row[3 * x + 1], row[3 * x + 2]].map(f32::from);
            let cell = y * down / frame.height * across + x * across / frame.width;
            // Luma as ITU-R BT.601 weighs the colours.
            sums[cell] += 0.299 * r + 0.587 * g + 0.114 * b;
            counts[cell] += 1.0;
        }
    }
    sums.iter().zip(&counts).map(|(sum, count)| sum / count.max(1.0)).collect()
}

fn differ(a: &[f32], b: &[f32]) -> bool {
    let count = a.len() as f32;
    let mean = |values: &[f32]| values.iter().sum::<f32>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut difference, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        difference += (a - b).abs();
        aa += (a - mean_a).powi(2);
        bb += (b - mean_b).powi(2);
        ab += (a - mean_a) * (b - mean_b);
    }
    if difference / count > DIFFERENCE {
        return true;
    }
    let is_flat = |squares: f32| (squares / count).sqrt() < FLAT;
    !is_flat(aa) && !is_flat(bb) && ab / (aa * bb).sqrt() < CORRELATION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(value: impl Fn(usize, usize) -> u8) -> Raster {
        let pixel = |i: usize| [value(i % 160, i / 160); 3];
        Raster::new(160, 90, 3, (0..160 * 90).flat_map(pixel).collect())
    }

    #[test]
    fn motion_is_no_cut_and_another_scene_is_one() {
        let mut cuts = Cuts::default();
        let waves =
            |shift: usize| frame(move |x, _| (128.0 + 100.0 * ((x + shift) as f32 * 0.05).sin()) as u8);
        assert!(cuts.is_cut(&waves(0)), "the first frame");
        for shift in 1..10 {
            assert!(!cuts.is_cut(&waves(3 * shift)), "{shift}");
        }
        assert!(cuts.is_cut(&frame(|_, y| if y < 45 { 20 } else { 200 })));
        // A dark scene after another: the values differ little, the pictures do not agree.
        let dark = |down: bool| {
            frame(move |x, y| if (if down { y / 23 } else { x / 40 }) % 2 == 0 { 8 } else { 24 })
        };
        cuts.is_cut(&dark(true));
        assert!(cuts.is_cut(&dark(false)));
        // Slow light is no cut.
        cuts.is_cut(&frame(|_, _| 100));
        assert!(!cuts.is_cut(&frame(|_, _| 110)) && cuts.is_cut(&frame(|_, _| 200)));
    }
}
