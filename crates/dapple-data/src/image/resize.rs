//! Resizing images, or windows of them.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::image::raster::Raster;

/// A rectangle of an image in shares of its width and height: the part that is shown to the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Window {
    /// The whole image.
    pub const FULL: Self = Self { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
}

/// Resizes a window of an image to `height` x `width`, bilinear; where it shrinks, the filter grows with the factor
/// (antialiasing), as in Pillow and in torchvision with `antialias=True`.
///
/// # Panics
/// If `height` or `width` is 0 or `window` leaves the image.
pub(crate) fn resize_image(image: &Raster, window: Window, height: usize, width: usize) -> Raster {
    if window == Window::FULL && (image.height, image.width) == (height, width) {
        return image.clone();
    }
    let pixel = match image.channels {
        1 => PixelType::U8,
        3 => PixelType::U8x3,
        _ => return resize_planes(image, window, height, width),
    };
    let source = ImageRef::new(image.width as u32, image.height as u32, &image.data, pixel)
        .expect("a raster's data has the length its size says");
    let mut target = Image::new(width as u32, height as u32, pixel);
    let (w, h) = (image.width as f64, image.height as f64);
    // A window at the edge may pass it by a rounding error, which the resizer refuses.
    let (left, top) = (window.left * w, window.top * h);
    let (across, down) = ((window.width * w).min(w - left), (window.height * h).min(h - top));
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(left, top, across, down)
        .use_alpha(false);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("the window lies in the image and types agree");
    Raster { width, height, channels: image.channels, data: target.into_vec() }
}

/// [`resize_image`] for any number of channels, one after the other.
fn resize_planes(image: &Raster, window: Window, height: usize, width: usize) -> Raster {
    let mut data = vec![0; height * width * image.channels];
    for channel in 0..image.channels {
        let plane = image.data.iter().skip(channel).step_by(image.channels).copied().collect();
        let plane = Raster { channels: 1, data: plane, ..*image };
        let resized = resize_image(&plane, window, height, width);
        for (to, from) in data.iter_mut().skip(channel).step_by(image.channels).zip(resized.data) {
            *to = from;
        }
    }
    Raster { width, height, channels: image.channels, data }
}
