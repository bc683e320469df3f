//! Finding image and mask pairs, decoding labels, splits, augmentation and the loader.
