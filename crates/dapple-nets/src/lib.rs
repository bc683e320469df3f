//! Segmentation networks as dapple graphs, with the names of published checkpoints.
