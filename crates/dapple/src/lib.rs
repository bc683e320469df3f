//! Semantic segmentation: train, measure, show and use networks.
