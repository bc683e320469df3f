//! Events, numbers and spans of time as text.

use dapple_model::Weights;
use dapple_train::{EpochRecord, Event};

/// An event as one line or more; `None` for the frequent ones.
pub fn line_of(event: &Event<'_>) -> Option<String> {
    match *event {
        Event::Started {
            network,
            parameters,
            device,
            train_images,
            val_images,
            size: (height, width),
            epochs_done,
            batches_done,
            epochs,
        } => {
            let parameters = grouped(parameters as u64);
            let mut text = format!(
                "{network}, {parameters} parameters, {height} x {width}, on {device}\n\
                 {train_images} training images, {val_images} validation images"
            );
            if epochs_done + batches_done > 0 {
                text +=
                    &format!("\nresumed after {epochs_done} of {epochs} epochs and {batches_done} batches");
            }
            Some(text)
        }
        Event::Note(text) => Some(text.to_owned()),
        Event::Epoch { record, epochs, best } => Some(epoch_line(record, epochs, best)),
        Event::Batch { .. } | Event::Scored { .. } => None,
    }
}

/// One line of at most 80 columns with the scores of the better weights; `metrics.csv` has all of both with all digits.
fn epoch_line(record: &EpochRecord, epochs: usize, best: bool) -> String {
    let loss = match record.train_loss {
        loss if loss.abs() < 1000.0 => format!("{loss:.3}"),
        loss => format!("{loss:.1e}"),
    };
    let mut line = format!("epoch {}/{epochs}  loss {loss}", record.epoch);
    let [miou, foreground] = record.better_scores();
    // The note takes the place of the longer word.
    let weights = record.better_weights();
    let word = if weights == Weights::Average { "fg IoU" } else { "foreground IoU" };
    let scores = [("mIoU", miou), (word, foreground)];
    let scores = scores.into_iter().filter_map(|(name, score)| Some(format!("  {name} {:.3}", score?)));
    line += &(scores.collect::<String>() + note_on(weights));
    line + &format!("  {:.1} s{}", record.seconds, if best { "  best" } else { "" })
}

/// The note on the scores of these weights: nothing for weights as they are.
pub fn note_on(weights: Weights) -> &'static str {
    match weights {
        Weights::Raw => "",
        Weights::Average => " (average)",
    }
}

/// A number with commas between the thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds as `1 h 05 min`, `4 min 10 s` or `12 s`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_numbers() {
        assert_eq!(duration(0.4), "0 s");
        assert_eq!(duration(59.6), "1 min 00 s");
        assert_eq!(duration(250.0), "4 min 10 s");
        assert_eq!(duration(3900.0), "1 h 05 min");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn an_epoch_is_one_line_of_a_terminal() {
        let record = EpochRecord {
            epoch: 300,
            train_loss: 12345.678,
            val_miou: Some(0.123_456),
            val_foreground_iou: Some(0.876_543),
            seconds: 12_345.6,
            ..EpochRecord::default()
        };
        let line = epoch_line(&record, 300, true);
        assert!(line.len() <= 80, "{line}");
        assert!(line.contains("mIoU 0.123") && line.ends_with("12345.6 s  best"), "{line}");
        let better = EpochRecord {
            average_val_miou: Some(0.234_567),
            average_val_foreground_iou: Some(0.987_654),
            ..record
        };
        let line = epoch_line(&better, 300, true);
        assert!(line.len() <= 80, "{line}");
        assert!(line.contains("  mIoU 0.235  fg IoU 0.988 (average)  "), "{line}");
    }
}
