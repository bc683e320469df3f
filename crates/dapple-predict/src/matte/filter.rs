//! Means over squares, in time independent of their size.

use super::plane::Plane;

/// The mean over the square of `2 radius + 1` pixels around each pixel, as far as it lies in the plane.
pub(crate) fn box_mean(plane: &Plane, radius: usize) -> Plane {
    let Plane { width, height, ref data } = *plane;
    // Along rows.
    let mut rows = vec![0.0f32; data.len()];
    for (from, to) in data.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        let mut sum: f64 = from[..radius.min(width)].iter().map(|&v| f64::from(v)).sum();
        for x in 0..width {
            if x + radius < width {
                sum += f64::from(from[x + radius]);
            }
            if x > radius {
                sum -= f64::from(from[x - radius - 1]);
            }
            let count = (x + radius).min(width - 1) + 1 - x.saturating_sub(radius);
            to[x] = (sum / count as f64) as f32;
        }
    }
    // Along columns, all at once.
    let mut out = vec![0.0f32; data.len()];
    let mut sums = vec![0.0f64; width];
    let row = |y: usize| &rows[y * width..][..width];
    let add = |y: usize, sums: &mut [f64], sign: f64| {
        sums.iter_mut().zip(row(y)).for_each(|(sum, &v)| *sum += sign * f64::from(v));
    };
    (0..radius.min(height)).for_each(|y| add(y, &mut sums, 1.0));
    for (y, to) in out.chunks_exact_mut(width).enumerate() {
        if y + radius < height {
            add(y + radius, &mut sums, 1.0);
        }
        if y > radius {
            add(y - radius - 1, &mut sums, -1.0);
        }
        let share = 1.0 / ((y + radius).min(height - 1) + 1 - y.saturating_sub(radius)) as f64;
        to.iter_mut().zip(&sums).for_each(|(to, sum)| *to = (sum * share) as f32);
    }
    Plane { width, height, data: out }
}

/// Three means over squares after each other: near a Gaussian whose standard deviation is about `radius`.
pub(crate) fn blur(plane: &Plane, radius: usize) -> Plane {
    (0..3).fold(plane.clone(), |plane, _| box_mean(&plane, radius))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn means_are_means(
            width in 1usize..9, height in 1usize..9, radius in 0usize..12, seed in 0u32..1000,
        ) {
            let value = |i: usize| ((i as u32 * 7919 + seed * 31) % 97) as f32;
            let plane = Plane::new(width, height, (0..width * height).map(value).collect());
            let found = box_mean(&plane, radius);
            for y in 0..height {
                for x in 0..width {
                    let ys = y.saturating_sub(radius)..(y + radius + 1).min(height);
                    let xs = x.saturating_sub(radius)..(x + radius + 1).min(width);
                    let count = (ys.len() * xs.len()) as f32;
                    let sum: f32 = ys.flat_map(|y| xs.clone().map(move |x| value(y * width + x))).sum();
                    prop_assert!((found.data[y * width + x] - sum / count).abs() < 1e-3);
                }
            }
        }
    }
}
