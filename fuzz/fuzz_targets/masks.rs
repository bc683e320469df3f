//! Whatever bytes a mask file has, reading it ends with values or an error, and what was read can be scored.
#![no_main]

use dapple_data::{LabelCoding, decode_values_bytes};
use dapple_metrics::{Evaluator, Protocol};
use libfuzzer_sys::fuzz_target;

/// Larger masks are read but not scored, which would only be slow.
const SCORED_PIXELS: usize = 1 << 14;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mask) = decode_values_bytes(bytes, "mask") else { return };
    assert!(mask.width > 0 && mask.height > 0);
    assert_eq!(mask.values.len(), mask.width * mask.height);
    assert!(mask.values.iter().all(|&value| value <= mask.white));
    if mask.values.len() > SCORED_PIXELS {
        return;
    }
    // Two classes and an ignore label, then as many classes as there can be.
    for (classes, ignore) in [(2, Some(255)), (256, None)] {
        let label = |&value: &u16| LabelCoding::Indices.label(value, ignore).filter(|&l| usize::from(l) < classes);
        let labels: Vec<u8> = mask.values.iter().map(|value| label(value).or(ignore).unwrap_or(0)).collect();
        let names = (0..classes).map(|class| class.to_string());
        let mut evaluator = Evaluator::new(Protocol::new(names, ignore)).expect("the settings are right");
        let scores = evaluator.add("mask", &labels, &labels, mask.height, mask.width).expect("labels are classes");
        assert!(scores.miou.is_none_or(|miou| miou == 1.0));
        assert!(scores.boundary_miou.is_none_or(|miou| miou == 1.0));
    }
});
