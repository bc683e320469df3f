//! Painting a [`Scene`] onto pixels.

use image::RgbImage;
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform,
};
use ttf_parser::OutlineBuilder;

use crate::scene::{DASHES, Scene, Shape, Text};
use crate::{Colour, ReportError, text};

/// The longest side of a picture in pixels; the rasterizer's fixed-point arithmetic ends here.
pub(crate) const LONGEST_SIDE: u32 = 32_767;

/// A white canvas of `width` by `height` pixels.
pub(crate) fn canvas(width: u64, height: u64) -> Result<RgbImage, ReportError> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(w), Ok(h)) if w <= LONGEST_SIDE && h <= LONGEST_SIDE => {
            Ok(RgbImage::from_pixel(w, h, image::Rgb([255; 3])))
        }
        _ => Err(ReportError::TooLarge { width, height, limit: LONGEST_SIDE }),
    }
}

/// Paints the scene on a white canvas, `scale` pixels for each of the scene's.
pub(crate) fn rasterize(scene: &Scene, scale: f32) -> Result<RgbImage, ReportError> {
    let mut image = canvas((scene.width * scale).ceil() as u64, (scene.height * scale).ceil() as u64)?;
    paint_onto(scene, scale, &mut image);
    Ok(image)
}

/// Paints the scene over what `image` shows already; shapes outside of the image are cut off.
pub(crate) fn paint_onto(scene: &Scene, scale: f32, image: &mut RgbImage) {
    // An image without pixels has no place for a shape.
    let Some(mut pixmap) = Pixmap::new(image.width(), image.height()) else { return };
    for (to, from) in pixmap.data_mut().chunks_exact_mut(4).zip(image.as_raw().chunks_exact(3)) {
        to[..3].copy_from_slice(from);
        to[3] = 255;
    }
    let transform = Transform::from_scale(scale, scale);
    for shape in &scene.shapes {
        paint_shape(&mut pixmap, shape, transform);
    }
    for (from, to) in pixmap.data().chunks_exact(4).zip(image.chunks_exact_mut(3)) {
        to.copy_from_slice(&from[..3]);
    }
}

fn paint_shape(pixmap: &mut Pixmap, shape: &Shape, transform: Transform) {
    match shape {
        Shape::Rectangle { x, y, width, height, fill } => {
            if let Some(rectangle) = Rect::from_xywh(*x, *y, *width, *height) {
                pixmap.fill_rect(rectangle, &solid(*fill), transform, None);
            }
        }
        Shape::Line { points, colour, width, dashed } => {
            if let Some(path) = polyline(points) {
                let stroke = Stroke {
                    width: *width,
                    line_cap: LineCap::Round,
                    line_join: LineJoin::Round,
                    dash: dashed.then(|| StrokeDash::new(DASHES.to_vec(), 0.0)).flatten(),
                    ..Stroke::default()
                };
                pixmap.stroke_path(&path, &solid(*colour), &stroke, transform, None);
            }
        }
        Shape::Disc { x, y, radius, fill } => {
            if let Some(path) = PathBuilder::from_circle(*x, *y, *radius) {
                pixmap.fill_path(&path, &solid(*fill), FillRule::Winding, transform, None);
            }
        }
        Shape::Text(line) => {
            if let Some(path) = text_path(line) {
                pixmap.fill_path(&path, &solid(line.colour), FillRule::Winding, transform, None);
            }
        }
    }
}

fn solid([red, green, blue]: Colour) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

fn polyline(points: &[(f32, f32)]) -> Option<Path> {
    let (first, rest) = points.split_first()?;
    let mut builder = PathBuilder::new();
    builder.move_to(first.0, first.1);
    for point in rest {
        builder.line_to(point.0, point.1);
    }
    builder.finish()
}

/// The outlines of a whole line of text at its place; `None` for blank text.
fn text_path(line: &Text) -> Option<Path> {
    let (start, scale) = (line.start(), text::scale(line.size, line.weight));
    let mut pen = PixelPen { builder: PathBuilder::new(), x: start, y: line.y, scale };
    for placed in text::place(&line.text, line.weight).0 {
        pen.x = start + placed.x as f32 * scale;
        text::outline(placed.glyph, line.weight, &mut pen);
    }
    pen.builder.finish()
}

/// Takes outlines in font units, y upwards, to pixels, y downwards.
struct PixelPen {
    builder: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl PixelPen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for PixelPen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.move_to(x, y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.line_to(x, y);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.builder.quad_to(x1, y1, x, y);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.builder.cubic_to(x1, y1, x2, y2, x, y);
    }
    fn close(&mut self) {
        self.builder.close();
    }
}
