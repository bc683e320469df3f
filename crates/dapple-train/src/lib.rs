//! Recipes, schedules, the training loop, checkpoints and the run folder.
