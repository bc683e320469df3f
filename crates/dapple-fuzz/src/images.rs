//! Image and mask files.

use dapple_data::{
    Channels, LabelCoding, Raster, decode_image_bytes, decode_values_bytes, encode_indexed_png, encode_png,
};
use dapple_metrics::{Evaluator, Protocol};

/// Larger masks are read but not scored, which would only be slow.
const SCORED_PIXELS: usize = 1 << 14;

/// Decoding ends with a raster of the channels asked for, or with an error.
pub(crate) fn images(bytes: &[u8]) {
    for channels in [Channels::Grey, Channels::Rgb, Channels::First(5)] {
        let Ok(image) = decode_image_bytes(bytes, "image", channels) else { continue };
        assert!(image.width > 0 && image.height > 0);
        assert_eq!(image.channels, channels.count());
        assert_eq!(image.data.len(), image.width * image.height * image.channels);
    }
}

/// Reading a mask ends with values that can be scored, or with an error.
pub(crate) fn masks(bytes: &[u8]) {
    let Ok(mask) = decode_values_bytes(bytes, "mask") else { return };
    assert!(mask.width > 0 && mask.height > 0);
    assert_eq!(mask.values.len(), mask.width * mask.height);
    assert!(mask.values.iter().all(|&value| value <= mask.white));
    if mask.values.len() > SCORED_PIXELS {
        return;
    }
    // Two classes and an ignore label, then as many classes as there can be.
    for (classes, ignore) in [(2, Some(255)), (256, None)] {
        let label =
            |&value: &u16| LabelCoding::Indices.label(value, ignore).filter(|&l| usize::from(l) < classes);
        let labels: Vec<u8> = mask.values.iter().map(|value| label(value).or(ignore).unwrap_or(0)).collect();
        let names = (0..classes).map(|class| class.to_string());
        let mut evaluator = Evaluator::new(Protocol::new(names, ignore)).expect("the settings are right");
        let scores =
            evaluator.add("mask", &labels, &labels, mask.height, mask.width).expect("labels are classes");
        assert!(scores.miou.is_none_or(|miou| miou == 1.0));
        assert!(scores.boundary_miou.is_none_or(|miou| miou == 1.0));
    }
}

/// PNGs, and the beginnings of the other formats.
pub(crate) fn image_seeds() -> Vec<Vec<u8>> {
    let png = |channels| {
        let data = (0..9 * 7 * channels).map(|i| (i * 37 % 251) as u8).collect();
        encode_png(&Raster::new(9, 7, channels, data)).expect("a small raster")
    };
    let mut seeds = vec![png(3), png(1), b"P5 3 2 255\nabcdef".to_vec(), b"P6 2 1 255\nabcdef".to_vec()];
    seeds.push(
        b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x18\0\0\0\0\0\x10\0\0\0"
            .to_vec(),
    );
    seeds.extend(crate::rows::seeds());
    seeds
}

/// Palette and grey PNGs.
pub(crate) fn mask_seeds() -> Vec<Vec<u8>> {
    let labels: Vec<u8> = (0..48).map(|i| u8::from(i % 8 > 3)).collect();
    let indexed = encode_indexed_png(8, 6, &labels, &[[0; 3], [200, 0, 0]]).expect("a small label map");
    let grey = encode_png(&Raster::new(8, 6, 1, labels)).expect("a small raster");
    vec![indexed, grey, b"P5 3 2 1\n\0\x01\0\x01\0\x01".to_vec()]
}
