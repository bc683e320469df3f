//! Masks: the values and colours that files store, the labels that they stand for, and classes.

pub(crate) mod classes;
pub(crate) mod coding;
pub(crate) mod colour;
pub(crate) mod decoder;
pub(crate) mod label_map;
pub(crate) mod merged;
mod npy;
pub(crate) mod palettes;
pub(crate) mod pnm;
pub(crate) mod raw;
pub(crate) mod regions;
pub(crate) mod statistics;
