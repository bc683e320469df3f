//! The third pass: the backward steps, from the tape in reverse.

mod append;
mod conv;
mod gradients;
mod maps;

pub(super) use append::append;
