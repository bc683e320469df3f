//! Sampling at another size, padding and cropping: its settings.

/// How a map is sampled at another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The nearest source pixel, `floor(i * in / out)`.
    Nearest,
    /// Bilinear; corners aligned (source = `i * (in - 1) / (out - 1)`) or, as is now usual, pixel
    /// areas aligned (source = `(i + 0.5) * in / out - 0.5`, clamped below at 0).
    Bilinear {
        /// Align the centres of the corner pixels.
        align_corners: bool,
    },
}
