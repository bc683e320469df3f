//! Whole runs of tiny networks on a few synthetic pictures.

mod course;
mod ranks;
mod resumed;
mod scarce;
mod tiny;
mod training;
