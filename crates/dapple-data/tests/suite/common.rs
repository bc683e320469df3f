//! Small files for the tests.

use std::fs;
use std::path::Path;

use png::{BitDepth, ColorType};

/// A PNG of the given raw rows.
pub fn png(width: u32, height: u32, colour: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        let palette: Vec<u8> = (0..=255_u8).flat_map(|v| [v, 255 - v, v / 2]).collect();
        encoder.set_palette(palette[..3 << (depth as usize).min(8)].to_vec());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

pub fn grey_png(width: u32, height: u32, data: &[u8]) -> Vec<u8> {
    png(width, height, ColorType::Grayscale, BitDepth::Eight, data)
}

pub fn rgb_png(width: u32, height: u32) -> Vec<u8> {
    let data: Vec<u8> = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
    png(width, height, ColorType::Rgb, BitDepth::Eight, &data)
}

/// Writes a file, making its folders.
pub fn put(root: &Path, file: &str, bytes: &[u8]) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes a 4 x 3 image and a mask whose pixels go through `values`.
pub fn put_pair(root: &Path, image: &str, mask: &str, values: &[u8]) {
    put(root, image, &rgb_png(4, 3));
    let data: Vec<u8> = (0..12).map(|i| values[i % values.len()]).collect();
    put(root, mask, &grey_png(4, 3, &data));
}

/// A PNG with a palette of red, green, blue in turns.
pub fn palette_png(width: u32, height: u32, indices: &[u8], palette: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.to_vec());
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(indices).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A colour mask that begins with `colours`, the rest of it the first of them.
pub fn rgb_mask_png(width: u32, height: u32, colours: &[[u8; 3]]) -> Vec<u8> {
    let mut data = colours.concat();
    while data.len() < (width * height * 3) as usize {
        data.extend(colours[0]);
    }
    png(width, height, ColorType::Rgb, BitDepth::Eight, &data)
}
