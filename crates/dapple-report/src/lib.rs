//! Curves, panels and mask strips of a training run.
