//! Signed distances to the border of a class, for the boundary loss.

use dapple_base::DistanceTransform;

use crate::Shape;

/// For every pixel of a mask `[height, width]` the distance in pixels to its border (Kervadec et al. 2019, section 2):
/// outside, that to the nearest pixel inside; inside, one less than that to the nearest pixel outside, negated, so that
/// pixels at the border have 0. Zero everywhere where the mask is empty or full, as there is no border.
///
/// # Panics
/// If the mask has another size.
///
/// ```
/// let mask = [false, true, true, true, false, false];
/// assert_eq!(dapple_graph::signed_distance(&mask, 1, 6), [1.0, 0.0, -1.0, 0.0, 1.0, 2.0]);
/// ```
pub fn signed_distance(mask: &[bool], height: usize, width: usize) -> Vec<f32> {
    assert_eq!(mask.len(), height * width, "a mask of {height} x {width}");
    let complement: Vec<bool> = mask.iter().map(|set| !set).collect();
    let (inside, outside) =
        (DistanceTransform::new(mask, height, width), DistanceTransform::new(&complement, height, width));
    let (Some(inside), Some(outside)) = (inside, outside) else {
        return vec![0.0; mask.len()];
    };
    let distance = |(pixel, &set): (usize, &bool)| {
        if set { 1.0 - outside.distance(pixel) as f32 } else { inside.distance(pixel) as f32 }
    };
    mask.iter().enumerate().map(distance).collect()
}

/// [`signed_distance`] of every class in every image of a batch of labels, `[n, h, w, k]` as the boundary loss multiplies
/// them with probabilities of that shape. For one channel the class is label 1; ignored pixels are outside of all classes.
/// Images are shared out over the processor's cores.
///
/// # Panics
/// If there is not one label for each pixel.
pub fn signed_distances(labels: &[u8], shape: Shape, ignore: Option<u8>) -> Vec<f32> {
    assert_eq!(labels.len(), shape.pixels(), "a label for each pixel");
    let (size, classes) = (shape.h * shape.w, shape.c);
    let mut all = vec![0.0; shape.len()];
    let fill = |(labels, all): (&[u8], &mut [f32])| {
        for class in 0..classes {
            let truth = if classes == 1 { 1 } else { class };
            let inside = |&label: &u8| Some(label) != ignore && usize::from(label) == truth;
            let mask: Vec<bool> = labels.iter().map(inside).collect();
            let distances = signed_distance(&mask, shape.h, shape.w);
            all.iter_mut()
                .skip(class)
                .step_by(classes)
                .zip(distances)
                .for_each(|(to, distance)| *to = distance);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let images = shape.n.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let shares = labels.chunks(images * size).zip(all.chunks_mut(images * size * classes));
        for (labels, all) in shares {
            scope.spawn(move || labels.chunks(size).zip(all.chunks_mut(size * classes)).for_each(fill));
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_and_images_are_apart() {
        let labels = [0, 1, 1, 9, 2, 2, 2, 1];
        let found = signed_distances(&labels, Shape::new(2, 1, 4, 3), Some(9));
        for (image, labels) in labels.chunks(4).enumerate() {
            for class in 0..3 {
                let mask: Vec<bool> = labels.iter().map(|&label| usize::from(label) == class).collect();
                let wanted = signed_distance(&mask, 1, 4);
                let own: Vec<f32> = (0..4).map(|pixel| found[(image * 4 + pixel) * 3 + class]).collect();
                assert_eq!(own, wanted, "image {image}, class {class}");
            }
        }
        // One channel: label 1 against the rest.
        let one = signed_distances(&labels[..4], Shape::new(1, 1, 4, 1), Some(9));
        assert_eq!(one, signed_distance(&[false, true, true, false], 1, 4));
    }

    proptest! {
        #[test]
        fn distances_are_those_of_the_definition(
            height in 1usize..9,
            width in 1usize..9,
            bits in proptest::collection::vec(any::<bool>(), 64),
        ) {
            let mask = &bits[..height * width];
            let found = signed_distance(mask, height, width);
            for (p, &set) in mask.iter().enumerate() {
                let others = (0..mask.len()).filter(|&q| mask[q] != set);
                let squared = |q: usize| {
                    (p / width).abs_diff(q / width).pow(2) + (p % width).abs_diff(q % width).pow(2)
                };
                let wanted = match others.map(squared).min() {
                    None => 0.0,
                    Some(d) if set => 1.0 - (d as f32).sqrt(),
                    Some(d) => (d as f32).sqrt(),
                };
                prop_assert!((found[p] - wanted).abs() < 1e-5, "{} for {wanted} at {p}", found[p]);
            }
        }
    }
}
