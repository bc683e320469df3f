//! The size of an image or a map.

/// Height and width in pixels, by name: two numbers alone are easily swapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// The most pixels of a network's input, 4096 x 4096: the feature maps of the smallest networks take a gigabyte there.
    pub const MOST_INPUT_PIXELS: u64 = 1 << 24;

    /// The number of pixels.
    ///
    /// ```
    /// use dapple_base::Size;
    /// assert_eq!(Size { height: 3, width: 4 }.pixels(), 12);
    /// ```
    pub fn pixels(self) -> u64 {
        self.height as u64 * self.width as u64
    }
}
