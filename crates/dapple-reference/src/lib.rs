//! Slow, obvious f64 reference of every dapple operation: values and gradients, for tests.
