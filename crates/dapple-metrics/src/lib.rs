//! Region, boundary and salient-object metrics for semantic segmentation.
