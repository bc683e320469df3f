//! The CPU engine of dapple.
