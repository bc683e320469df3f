//! TIFF files: 8 and 16 bit, many channels, tiles, planes.

use crate::common::{grey_png, put};
use dapple_data::{
    Channels, DataError, Dataset, InputSettings, Loader, LoaderSettings, Normalization, OpenOptions,
    decode_image_bytes,
};
use std::ops::Range;
use std::sync::Arc;
use tempfile::tempdir;

/// How the pixels lie in the file.
#[derive(Clone, Copy, Debug)]
enum Arrangement {
    Strip,
    Planes,
    Tiles,
    PlanesOfTiles,
}

const TILE: usize = 16;

/// The tiles of some channels.
fn tiles(
    (width, height): (usize, usize),
    channels: Range<usize>,
    put: &impl Fn(&mut Vec<u8>, u16),
    value: &impl Fn(usize, usize, usize) -> u16,
) -> Vec<Vec<u8>> {
    let mut tiles = Vec::new();
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            let mut data = Vec::new();
            for (y, x) in (0..TILE).flat_map(|y| (0..TILE).map(move |x| (top + y, left + x))) {
                for c in channels.clone() {
                    put(&mut data, if x < width && y < height { value(x, y, c) } else { 0 });
                }
            }
            tiles.push(data);
        }
    }
    tiles
}

/// An uncompressed little-endian TIFF; `value(x, y, channel)` are its pixels.
fn tiff(
    (width, height, channels): (usize, usize, usize),
    bytes: usize,
    arrangement: Arrangement,
    value: impl Fn(usize, usize, usize) -> u16,
) -> Vec<u8> {
    let put = |data: &mut Vec<u8>, v: u16| data.extend(&v.to_le_bytes()[..bytes]);
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    match arrangement {
        Arrangement::Strip => {
            let mut data = Vec::new();
            (0..height).for_each(|y| {
                (0..width).for_each(|x| (0..channels).for_each(|c| put(&mut data, value(x, y, c))))
            });
            chunks.push(data);
        }
        Arrangement::Planes => {
            for c in 0..channels {
                let mut data = Vec::new();
                (0..height).for_each(|y| (0..width).for_each(|x| put(&mut data, value(x, y, c))));
                chunks.push(data);
            }
        }
        Arrangement::Tiles => chunks.extend(tiles((width, height), 0..channels, &put, &value)),
        Arrangement::PlanesOfTiles => {
            (0..channels).for_each(|c| chunks.extend(tiles((width, height), c..c + 1, &put, &value)));
        }
    }
    let tiled = matches!(arrangement, Arrangement::Tiles | Arrangement::PlanesOfTiles);
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let mut long_array = |values: &[u32]| -> u32 {
        // A single value is stored in the entry itself.
        if values.len() == 1 {
            return values[0];
        }
        let at = file.len() as u32;
        file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        at
    };
    let lengths: Vec<u32> = chunks.iter().map(|chunk| chunk.len() as u32).collect();
    let lengths_at = long_array(&lengths);
    let bits: Vec<u32> = vec![8 * bytes as u32; channels];
    let bits_at = long_array(&bits);
    let mut offsets = Vec::new();
    let mut at = file.len() as u32;
    for length in &lengths {
        offsets.push(at);
        at += length;
    }
    file.extend(chunks.concat());
    let count = offsets.len() as u32;
    let offsets_at = if count == 1 {
        offsets[0]
    } else {
        let at = file.len() as u32;
        file.extend(offsets.iter().flat_map(|v| v.to_le_bytes()));
        at
    };
    let planar = if matches!(arrangement, Arrangement::Planes | Arrangement::PlanesOfTiles) { 2 } else { 1 };
    let photometric = if channels == 3 { 2 } else { 1 };
    let mut entries: Vec<(u16, u32, u32)> = vec![
        (256, 1, width as u32),
        (257, 1, height as u32),
        (258, channels as u32, bits_at),
        (259, 1, 1),
        (262, 1, photometric),
        (277, 1, channels as u32),
        (284, 1, planar),
    ];
    if tiled {
        entries.extend([
            (322, 1, TILE as u32),
            (323, 1, TILE as u32),
            (324, count, offsets_at),
            (325, count, lengths_at),
        ]);
    } else {
        entries.extend([(273, count, offsets_at), (278, 1, height as u32), (279, count, lengths_at)]);
    }
    entries.sort_unstable();
    let directory = file.len() as u32;
    file[4..8].copy_from_slice(&directory.to_le_bytes());
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, count, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(4_u16.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file
}

#[test]
fn channels_in_strips_planes_tiles_and_planes_of_tiles() {
    let value = |x: usize, y: usize, c: usize| (x * 3 + y * 5 + c * 20) as u16;
    for arrangement in
        [Arrangement::Strip, Arrangement::Planes, Arrangement::Tiles, Arrangement::PlanesOfTiles]
    {
        for channels in [1, 3, 6] {
            let bytes = tiff((20, 18, channels), 1, arrangement, value);
            let raster = decode_image_bytes(&bytes, "a.tif", channels.into()).unwrap();
            assert_eq!((raster.width, raster.height, raster.channels), (20, 18, channels));
            for (i, &v) in raster.data.iter().enumerate() {
                let (p, c) = (i / channels, i % channels);
                assert_eq!(u16::from(v), value(p % 20, p / 20, c), "{arrangement:?} {channels} at {i}");
            }
        }
    }
}

#[test]
fn sixteen_bits_are_scaled_to_eight() {
    for channels in [1, 5] {
        let bytes = tiff((4, 4, channels), 2, Arrangement::Strip, |x, _, c| (x * 10_000 + c * 1000) as u16);
        let raster = decode_image_bytes(&bytes, "a.tif", channels.into()).unwrap();
        let expected =
            |i: usize| ((i / channels % 4 * 10_000 + i % channels * 1000) as f64 / 257.0).round() as u8;
        assert!(raster.data.iter().enumerate().all(|(i, &v)| v == expected(i)), "{:?}", raster.data);
    }
}

#[test]
fn fewer_and_more_channels_than_asked_for() {
    let bytes = tiff((4, 4, 6), 1, Arrangement::Strip, |_, _, c| c as u16 * 10);
    assert_eq!(decode_image_bytes(&bytes, "a.tif", Channels::Rgb).unwrap().data[..3], [0, 10, 20]);
    assert_eq!(
        decode_image_bytes(&bytes, "a.tif", Channels::First(5)).unwrap().data[..5],
        [0, 10, 20, 30, 40]
    );
    let error = decode_image_bytes(&bytes, "a.tif", Channels::First(7)).unwrap_err();
    assert!(matches!(&error, DataError::Decode { reason, .. } if reason.contains("6 channels")), "{error}");
}

#[test]
fn a_network_is_fed_with_six_channels() {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.tif", &tiff((20, 18, 6), 2, Arrangement::Tiles, |_, _, c| c as u16 * 5140));
    put(root.path(), "masks/a.png", &grey_png(20, 18, &[[0, 1]; 180].concat()));
    let dataset = Arc::new(Dataset::open(root.path(), &OpenOptions::default()).unwrap());
    let input =
        InputSettings { channels: 6, normalization: Normalization::Unit, ..InputSettings::new(9, 10) };
    let loader = Loader::new(dataset, vec![0], LoaderSettings::new(input, 1)).unwrap();
    let batch = loader.epoch(0).next().unwrap().unwrap();
    assert_eq!((batch.c, batch.images.len()), (6, 9 * 10 * 6));
    for (i, v) in batch.images.iter().enumerate() {
        assert!((v - (i % 6) as f32 * 20.0 / 255.0).abs() < 1e-6);
    }
}

#[test]
fn damaged_files_are_errors() {
    let bytes = tiff((20, 18, 6), 1, Arrangement::Tiles, |x, _, _| x as u16);
    for length in [4, 8, 100, bytes.len() / 2, bytes.len() - 20] {
        assert!(decode_image_bytes(&bytes[..length], "a.tif", Channels::First(6)).is_err());
    }
    // A width of four thousand million.
    let mut huge = bytes.clone();
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    huge[directory + 10..directory + 14].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(decode_image_bytes(&huge, "a.tif", Channels::First(6)).is_err());
}

#[test]
fn tiles_far_larger_than_the_image_are_refused() {
    let mut file = tiff((10, 10, 6), 1, Arrangement::Tiles, |x, _, _| x as u16);
    let mut set = |tag: u16, value: u32| {
        let entry = [tag.to_le_bytes(), 4_u16.to_le_bytes()].concat();
        let at = file.windows(4).rposition(|four| four == &entry[..]).unwrap();
        file[at + 8..at + 12].copy_from_slice(&value.to_le_bytes());
    };
    set(322, u32::MAX);
    set(323, u32::MAX);
    // A tile that is left out takes no bytes of the file.
    set(325, 0);
    let error = decode_image_bytes(&file, "a.tif", Channels::First(6)).unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}
