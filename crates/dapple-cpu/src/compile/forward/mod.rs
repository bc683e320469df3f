//! The second pass: the steps of each operation's forward pass, and the tape.

mod conv;
mod int8;
mod lower;
mod maps;
mod reads;
mod state;

pub(super) use lower::lower;
