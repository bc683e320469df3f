//! Alpha and the colour profile of an image, in its cut-outs.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use dapple_data::colour_profile;
use dapple_nets::checkpoint::Normalization;
use dapple_predict::batch::BatchSettings;
use dapple_predict::output::{Background, OutputKind, OutputSettings};
use dapple_predict::{PredictSettings, Tiling};

use crate::common::{batch, model, picture, predicted, predictor};

/// A profile that says no more than its colour space.
fn profile(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 132];
    profile[16..20].copy_from_slice(space);
    profile
}

/// A picture whose left half is transparent.
fn write_png(path: &Path, width: usize, height: usize, icc: Vec<u8>) {
    let pixels = picture(width, height).data;
    let alpha = |i: usize| if i % width < width / 2 { 0 } else { 255 };
    let data: Vec<u8> =
        pixels.chunks_exact(3).enumerate().flat_map(|(i, p)| [p[0], p[1], p[2], alpha(i)]).collect();
    let mut info = png::Info::with_size(width as u32, height as u32);
    info.color_type = png::ColorType::Rgba;
    info.bit_depth = png::BitDepth::Eight;
    info.icc_profile = Some(Cow::Owned(icc));
    let encoder = png::Encoder::with_info(fs::File::create(path).expect("a file"), info).expect("a PNG");
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&data)).expect("a PNG");
}

#[test]
fn a_cutout_keeps_what_is_transparent_and_the_colour_profile() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.png");
    let (width, height) = (96, 64);
    // In memory, in tiles, and row by row.
    for (tile, memory_bytes, scale) in [
        (Tiling::Off, 2 << 20, 1),
        (Tiling::Side { side: 64, overlap: None }, 2 << 20, 1),
        (Tiling::Side { side: 256, overlap: None }, 1 << 20, 8),
    ] {
        let (width, height) = (scale * width, scale * height);
        write_png(&path, width, height, profile(b"RGB "));
        let settings = PredictSettings { tile, memory_bytes, ..PredictSettings::default() };
        let predictor = predictor(model("unet", 2, Normalization::Unit, 3), settings);
        let cut = |background: Background| {
            let output = OutputSettings { background, ..OutputSettings::default() };
            let out = folder.path().join("out");
            let batch = batch(&out, &[OutputKind::Cutout, OutputKind::Overlay]);
            let batch = BatchSettings { output, force: true, ..batch };
            assert_eq!(predicted(&predictor, &[&path], &batch).0.predicted, 1);
            for name in ["a-cutout.png", "a-overlay.png"] {
                let kept = colour_profile(out.join(name)).expect("a PNG");
                assert!(kept == Some(profile(b"RGB ")), "{name}: {kept:?}");
            }
            let file = std::io::BufReader::new(fs::File::open(out.join("a-cutout.png")).expect("a cut-out"));
            let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
            let mut pixels = vec![0; reader.output_buffer_size().expect("a small one")];
            reader.next_frame(&mut pixels).expect("a PNG");
            pixels
        };
        let transparent = cut(Background::Transparent);
        let alpha = |i: usize| transparent[4 * i + 3];
        assert!((0..width * height).all(|i| i % width >= width / 2 || alpha(i) == 0), "{tile:?}");
        assert!((0..width * height).any(|i| alpha(i) > 0), "{tile:?}");
        let green = cut(Background::Colour([0, 177, 64]));
        let rows = green.chunks_exact(3 * width);
        assert!(
            rows.flat_map(|row| row[..3 * (width / 2)].chunks_exact(3)).all(|p| p == [0, 177, 64]),
            "{tile:?}"
        );
    }
}

#[test]
fn the_profile_of_an_image_larger_than_memory_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.png");
    // The header alone says that there are 3.6 GB of pixels.
    let mut info = png::Info::with_size(30_000, 30_000);
    info.color_type = png::ColorType::Rgba;
    info.bit_depth = png::BitDepth::Eight;
    info.icc_profile = Some(Cow::Owned(profile(b"RGB ")));
    let encoder = png::Encoder::with_info(fs::File::create(&path).expect("a file"), info).expect("a PNG");
    let mut writer = encoder.write_header().expect("a PNG");
    writer.write_chunk(png::chunk::IDAT, &[0; 8]).expect("a PNG");
    drop(writer);
    assert_eq!(colour_profile(&path).expect("its header is whole"), Some(profile(b"RGB ")));
}

#[test]
fn a_profile_of_grey_is_not_given_to_colours() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.png");
    write_png(&path, 40, 40, profile(b"GRAY"));
    let predictor = predictor(model("unet", 2, Normalization::Unit, 3), PredictSettings::default());
    let out = folder.path().join("out");
    assert_eq!(predicted(&predictor, &[&path], &batch(&out, &[OutputKind::Cutout])).0.predicted, 1);
    assert_eq!(colour_profile(out.join("a-cutout.png")).expect("a PNG"), None);
}
