//! Settings that have proven themselves, by how much they change.

use crate::augment::settings::Augment;

impl Augment {
    /// Small changes that suit nearly all photographs: left-right flips, zoom up to 1.25, mild colour changes.
    pub fn light() -> Self {
        Self {
            flip_horizontal: 0.5,
            zoom: 0.2,
            brightness: 0.2,
            contrast: 0.2,
            saturation: 0.2,
            ..Self::default()
        }
    }

    /// For some hundreds of images: small rotations and shears, sizes from 0.8 to 1.25, colour, some blur and noise.
    pub fn medium() -> Self {
        Self {
            flip_horizontal: 0.5,
            rotate: 10.0,
            scale: 0.25,
            shear: 4.0,
            brightness: 0.25,
            contrast: 0.25,
            saturation: 0.25,
            hue: 10.0,
            blur: 0.1,
            noise: 0.1,
            ..Self::default()
        }
    }

    /// For few images and long trainings: everything, mixing included.
    pub fn strong() -> Self {
        Self {
            flip_horizontal: 0.5,
            rotate: 25.0,
            scale: 0.5,
            shear: 10.0,
            perspective: 0.12,
            elastic: 0.015,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 25.0,
            gamma: 0.3,
            grey: 0.1,
            blur: 0.2,
            noise: 0.2,
            jpeg: 0.2,
            cutout: 0.3,
            cutmix: 0.2,
            mosaic: 0.2,
            ..Self::default()
        }
    }
}
