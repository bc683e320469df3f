//! The tests of the public interface.

mod distance;
mod ranks;
