//! Times the scoring of one image, on one thread, for pairs of label maps that `benches/speed.py` has written.
//!
//! Arguments: prediction and truth (raw bytes), height, width, classes. Prints the median microseconds of the
//! Boundary IoU overlaps of every class and of the confusion matrix, then the overlaps, a line a class.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use dapple_metrics::{BOUNDARY_RATIO, ConfusionMatrix, boundary_distance, boundary_overlaps};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [prediction, truth, height, width, classes] = arguments.as_slice() else {
        return Err("usage: boundary_speed PREDICTION TRUTH HEIGHT WIDTH CLASSES".into());
    };
    let (prediction, truth) = (std::fs::read(prediction)?, std::fs::read(truth)?);
    let (height, width, classes) = (height.parse()?, width.parse()?, classes.parse()?);
    let distance = boundary_distance(height, width, BOUNDARY_RATIO);

    let boundary = median_microseconds(|| {
        boundary_overlaps(&prediction, &truth, height, width, classes, Some(255), distance)
    })?;
    let confusion = median_microseconds(|| {
        let mut confusion = ConfusionMatrix::new(classes, Some(255))?;
        confusion.add(&prediction, &truth, height, width).map(|()| confusion)
    })?;
    println!("{boundary:.1} {confusion:.1}");
    for overlap in boundary_overlaps(&prediction, &truth, height, width, classes, Some(255), distance)? {
        println!("{} {} {}", overlap.intersection, overlap.predicted, overlap.labelled);
    }
    Ok(())
}

fn median_microseconds<T, E>(mut work: impl FnMut() -> Result<T, E>) -> Result<f64, E> {
    let mut times = Vec::new();
    for _ in 0..51 {
        let start = Instant::now();
        black_box(work()?);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
