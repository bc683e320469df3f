//! Planned memory of trainings at full width, batch 4 at 256 x 256 with Adam. Plans are made, nothing runs.

use dapple_cpu::CpuEngine;
use dapple_graph::{Network, Optimizer, Shape};
use dapple_nets::NetConfig;
use std::sync::Arc;

/// Shares of what depends on the batch that suffice. The loss of DDRNet wants both outputs and their gradients at once, at
/// the size of the image, beside the image.
const SMALLEST: [(&str, f64); 12] = [
    ("unet", 0.4),
    ("unet-resnet34", 0.4),
    ("unet-efficientnet-b0", 0.4),
    ("unet-mobilenetv3-large", 0.4),
    ("deeplabv3plus-resnet50", 0.4),
    ("fpn-resnet50", 0.4),
    ("pspnet-resnet50", 0.4),
    ("segformer-b0", 0.4),
    ("segformer-b2", 0.4),
    ("upernet-convnext-tiny", 0.4),
    ("unetplusplus-resnet34", 0.4),
    ("ddrnet-23-slim", 0.58),
];

#[test]
fn what_depends_on_the_batch_shrinks_to_four_tenths() {
    for (name, share) in SMALLEST {
        let shape = Shape::new(4, 256, 256, 3);
        let network: Arc<dyn Network> = Arc::new(NetConfig::new(name, 3, 2).unwrap());
        let engine = CpuEngine::new(Some(2)).unwrap();
        let free = engine.training_memory(&network, Optimizer::adam(), shape).unwrap();
        let limit = free.kept + (share * (free.planned - free.kept) as f64) as usize;
        assert!(free.smallest <= limit, "{name}: {free:?}");
        let limited = engine.with_memory_limit(Some(limit));
        let memory = limited.training_memory(&network, Optimizer::adam(), shape).unwrap();
        assert!(memory.planned <= limit && memory.smallest == free.smallest, "{name}: {memory:?} in {limit}");
        // Parameters are few here: it is the same of all memory.
        assert!(name != "unet-efficientnet-b0" || 10 * free.smallest <= 4 * free.planned, "{free:?}");
    }
}
