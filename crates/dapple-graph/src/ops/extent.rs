//! Height and width.

/// Both extents of a size, or `None` where one is.
pub(crate) fn each(f: impl Fn(usize) -> Option<usize>) -> Option<[usize; 2]> {
    Some([f(0)?, f(1)?])
}
