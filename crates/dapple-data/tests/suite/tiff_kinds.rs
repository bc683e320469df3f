//! TIFF files whose colours, channels, pages or compression are easily taken for others.

use dapple_data::{
    Channels, Dataset, OpenOptions, Reading, SampleKind, SourceImages, decode_image_bytes, decode_photo_bytes,
};
use image::codecs::jpeg::JpegEncoder;
use tempfile::tempdir;

use crate::common::{grey_png, put};
use crate::tiffs::{Tiff, pages};

fn colours(bytes: &[u8]) -> Vec<u8> {
    decode_image_bytes(bytes, "a.tif", Channels::Rgb).unwrap().data
}

fn refusal(bytes: &[u8]) -> String {
    decode_image_bytes(bytes, "a.tif", Channels::Rgb).unwrap_err().to_string()
}

#[test]
fn jpeg_in_luma_and_chroma_is_not_taken_for_red_green_and_blue() {
    let red = [200, 30, 30].repeat(32 * 16);
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
    let mut encoder = encoder;
    encoder.encode(&red, 32, 16, image::ExtendedColorType::Rgb8).unwrap();
    let tiff = Tiff { samples: 3, photometric: 6, compression: 7, ..Tiff::grey(32, 16) };
    let found = colours(&tiff.file(&jpeg));
    let far = found.iter().zip(&red).filter(|(a, b)| a.abs_diff(**b) > 3).count();
    assert!(found.len() == red.len() && far == 0, "{:?}", &found[..3]);
    // The same data that are said to be red, green and blue are taken as they are.
    let plain = colours(&Tiff { photometric: 2, ..tiff.clone() }.file(&jpeg));
    assert!(plain[0].abs_diff(81) < 4 && plain[2].abs_diff(213) < 4, "{:?}", &plain[..3]);
    // A file that was cut off is not filled with grey.
    let cut = refusal(&tiff.file(&jpeg[..jpeg.len() / 2]));
    assert!(cut.contains("truncated"), "{cut}");
}

#[test]
fn a_fourth_channel_is_alpha_only_where_the_file_says_so() {
    let pixels = [10, 20, 30, 40, 50, 60, 70, 0];
    let four = |extra: u16| {
        Tiff { samples: 4, photometric: 2, extra: vec![extra], ..Tiff::grey(2, 1) }.file(&pixels)
    };
    let photo =
        |bytes: &[u8], channels: Channels| decode_photo_bytes(bytes, "a.tif", &channels.into()).unwrap();
    // Not said: a channel like the others.
    let infrared = photo(&four(0), Channels::First(4));
    assert_eq!((infrared.raster.data.as_slice(), infrared.coverage), (&pixels[..], None));
    let transparent = photo(&four(2), Channels::Rgb);
    assert_eq!(transparent.raster.data, [10, 20, 30, 50, 60, 70]);
    assert_eq!(transparent.coverage, Some(vec![40, 0]));

    // A file that calls one of its three colours alpha has three colours.
    let blue = Tiff { samples: 3, photometric: 2, extra: vec![1], ..Tiff::grey(1, 1) }.file(&[10, 20, 30]);
    let found = photo(&blue, Channels::Rgb);
    assert_eq!((found.raster.data, found.coverage), (vec![10, 20, 30], None));

    // A model of three channels does not take the first three of four without a word.
    let images = Some(SourceImages { values: SampleKind::BYTE, bands: 3 });
    let reading = Reading { images, ..Channels::Rgb.into() };
    let error = decode_photo_bytes(&four(0), "a.tif", &reading).unwrap_err().to_string();
    assert!(error.contains("4 channels") && error.contains("images of 3"), "{error}");
    assert!(decode_photo_bytes(&four(2), "a.tif", &reading).is_ok());
}

#[test]
fn data_sets_know_their_channels_without_alpha() {
    let root = tempdir().unwrap();
    for (name, samples, extra, wanted) in [
        ("rgba", 4, vec![2], 3),
        ("infrared", 4, vec![0], 4),
        ("five", 5, vec![0; 4], 5),
        ("grey-alpha", 2, vec![1], 1),
    ] {
        let photometric = if samples == 4 { 2 } else { 1 };
        let tiff = Tiff { samples, photometric, extra, ..Tiff::grey(2, 2) };
        let folder = root.path().join(name);
        put(&folder, "images/a.tif", &tiff.file(&vec![9; 4 * usize::from(samples)]));
        put(&folder, "masks/a.png", &grey_png(2, 2, &[0, 1, 1, 0]));
        let dataset = Dataset::open(&folder, &OpenOptions::default()).unwrap();
        assert_eq!(dataset.images().bands, wanted, "{name}");
    }
}

#[test]
fn white_is_zero_is_inverted_and_palettes_are_colours() {
    let inverted = Tiff { photometric: 0, ..Tiff::grey(3, 1) };
    assert_eq!(
        decode_image_bytes(&inverted.file(&[0, 55, 255]), "a.tif", Channels::Grey).unwrap().data,
        [255, 200, 0]
    );
    let bilevel = Tiff { photometric: 0, bits: 1, ..Tiff::grey(8, 1) };
    let wanted = [255, 255, 255, 255, 0, 0, 0, 0];
    assert_eq!(decode_image_bytes(&bilevel.file(&[0x0f]), "a.tif", Channels::Grey).unwrap().data, wanted);
    let mut palette = vec![0; 3 * 16];
    (palette[2], palette[16 + 2], palette[32 + 2]) = (0xc800, 0x1e00, 0xffff);
    let indexed = Tiff { photometric: 3, bits: 4, palette, ..Tiff::grey(2, 1) };
    assert_eq!(colours(&indexed.file(&[0x20])), [200, 30, 255, 0, 0, 0]);
    let wide = refusal(&Tiff { photometric: 0, bits: 32, ..Tiff::grey(1, 1) }.file(&[1, 0, 0, 0]));
    assert!(wide.contains("photometric 0") && wide.contains("convert it"), "{wide}");
}

#[test]
fn several_pages_are_refused_and_reduced_copies_are_not() {
    let page = |side: u32, kind: u32| {
        (Tiff { page: kind, ..Tiff::grey(side, side) }, vec![side as u8; (side * side) as usize])
    };
    let error = refusal(&pages(&[page(8, 0), page(8, 0), page(8, 0)]));
    assert!(error.contains("3 pages") && error.contains("a file of its own"), "{error}");
    // Scanned sheets differ by some pixels.
    let error = refusal(&pages(&[page(8, 0), page(7, 0)]));
    assert!(error.contains("2 pages"), "{error}");
    for others in [[page(4, 1), page(2, 1)], [page(8, 4), page(4, 0)]] {
        let [a, b] = others;
        assert_eq!(colours(&pages(&[page(8, 0), a, b]))[0], 8);
    }
}

#[test]
fn zstd_is_read_and_lerc_is_named() {
    let pixels: Vec<u8> = (0..200).map(|i| (i * 7 % 251) as u8).collect();
    let packed = ruzstd::encoding::compress_to_vec(&pixels[..], ruzstd::encoding::CompressionLevel::Fastest);
    let zstd = Tiff { compression: 50000, ..Tiff::grey(20, 10) };
    assert_eq!(decode_image_bytes(&zstd.file(&packed), "a.tif", Channels::Grey).unwrap().data, pixels);
    let lerc = refusal(&Tiff { compression: 34887, ..Tiff::grey(20, 10) }.file(&packed));
    assert!(lerc.contains("LERC") && lerc.contains("COMPRESS=DEFLATE"), "{lerc}");
    let damaged = refusal(&zstd.file(&packed[..packed.len() / 2]));
    assert!(damaged.contains("a.tif") && damaged.contains("zstd"), "{damaged}");
}

#[test]
fn pixels_without_data_are_not_there() {
    let grey = Tiff { nodata: Some("7"), ..Tiff::grey(4, 1) };
    let photo = decode_photo_bytes(&grey.file(&[7, 8, 7, 0]), "a.tif", &Channels::Grey.into()).unwrap();
    assert_eq!(photo.coverage, Some(vec![0, 255, 0, 255]));
    // In colours, all channels have to be empty.
    let colour = Tiff { samples: 3, photometric: 2, nodata: Some("0"), ..Tiff::grey(2, 1) };
    let photo =
        decode_photo_bytes(&colour.file(&[0, 0, 0, 0, 0, 9]), "a.tif", &Channels::Rgb.into()).unwrap();
    assert_eq!(photo.coverage, Some(vec![0, 255]));
    // The value is that of the file, where white is 0 or the pixels are indices.
    let read = |tiff: Tiff, data: &[u8]| {
        decode_photo_bytes(&tiff.file(data), "a.tif", &Channels::Rgb.into()).unwrap().coverage
    };
    let inverted = Tiff { photometric: 0, bits: 4, nodata: Some("15"), ..Tiff::grey(2, 1) };
    assert_eq!(read(inverted, &[0xf0]), Some(vec![0, 255]));
    let mut palette = vec![0; 3 * 256];
    palette[255] = 0xff00;
    let indexed = Tiff { photometric: 3, palette, nodata: Some("255"), ..Tiff::grey(2, 1) };
    assert_eq!(read(indexed, &[255, 0]), Some(vec![0, 255]));
    // A strip that was left out has no data.
    assert_eq!(read(Tiff { nodata: Some("7"), ..Tiff::grey(2, 1) }, &[]), Some(vec![0, 0]));
    let floats: Vec<u8> = [-9999.0, 0.5].iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
    let floating = Tiff { bits: 32, format: 3, nodata: Some("-9999"), ..Tiff::grey(2, 1) }.file(&floats);
    let reading = Reading { range: "0..1".parse().unwrap(), ..Channels::Grey.into() };
    let photo = decode_photo_bytes(&floating, "a.tif", &reading).unwrap();
    assert_eq!((photo.raster.data, photo.coverage), (vec![0, 128], Some(vec![0, 255])));
}

#[test]
fn limits_go_by_the_type_that_pixels_have_in_memory() {
    // 324 and 121 million bytes in the files, 648 and 484 in memory; and indices, which become colours.
    let of = |side: u32, bits: u16, format: u16| Tiff { bits, format, ..Tiff::grey(side, side) };
    let indexed = Tiff { photometric: 3, palette: vec![0; 3 * 256], ..Tiff::grey(14_000, 14_000) };
    for tiff in [of(9000, 32, 1), of(12_000, 8, 2), of(12_000, 16, 3), indexed] {
        let error = refusal(&tiff.file(&[7; 64]));
        assert!(error.contains("MiB allowed for one image"), "{} bits: {error}", tiff.bits);
    }
    let small = refusal(&of(11_000, 8, 2).file(&[7; 64]));
    assert!(small.contains("too short"), "{small}");
}

#[test]
fn a_predictor_is_undone_only_where_a_compression_has_one() {
    let pixels = [10, 20, 30, 40];
    for (compression, data) in [(1, &pixels[..]), (32773, &[3, 10, 20, 30, 40][..])] {
        let tiff = Tiff { compression, predictor: 2, ..Tiff::grey(4, 1) };
        let found = decode_image_bytes(&tiff.file(data), "a.tif", Channels::Grey).unwrap();
        assert_eq!(found.data, pixels, "compression {compression}");
    }
    let differences = ruzstd::encoding::compress_to_vec(
        &[10_u8, 10, 10, 10][..],
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    let tiff = Tiff { compression: 50000, predictor: 2, ..Tiff::grey(4, 1) };
    assert_eq!(decode_image_bytes(&tiff.file(&differences), "a.tif", Channels::Grey).unwrap().data, pixels);
}

#[test]
fn a_palette_with_another_channel_is_named() {
    let tiff =
        Tiff { photometric: 3, samples: 2, extra: vec![2], palette: vec![0; 3 * 256], ..Tiff::grey(2, 1) };
    let error = refusal(&tiff.file(&[1, 255, 0, 0]));
    assert!(
        error.contains("palette of colours and another channel") && error.contains("-expand rgba"),
        "{error}"
    );
}

#[test]
fn pixels_outside_of_an_internal_mask_are_not_there() {
    let image = Tiff { samples: 3, photometric: 2, ..Tiff::grey(10, 3) };
    // One bit a pixel, in another compression than the image; a reduced copy with its mask stands between.
    let mask = Tiff { photometric: 4, bits: 1, compression: 32773, page: 4, ..Tiff::grey(10, 3) };
    let reduced = Tiff { page: 1, ..Tiff::grey(5, 1) };
    let reduced_mask = Tiff { photometric: 4, page: 5, ..Tiff::grey(5, 1) };
    let packed = vec![5, 0xff, 0x80, 0x00, 0x40, 0x0f, 0xc0];
    let file = pages(&[
        (image, vec![9; 90]),
        (reduced, vec![0; 5]),
        (reduced_mask, vec![0; 5]),
        (mask.clone(), packed),
    ]);
    let photo = decode_photo_bytes(&file, "a.tif", &Channels::Rgb.into()).unwrap();
    let rows = ["1111111110", "0000000001", "0000111111"].concat();
    let wanted: Vec<u8> = rows.bytes().map(|bit| if bit == b'1' { 255 } else { 0 }).collect();
    assert_eq!((photo.coverage, &photo.raster.data[..3]), (Some(wanted), &[9; 3][..]));
    // A mask that cannot be read is no reason to take all pixels for data.
    let damaged = pages(&[(Tiff::grey(10, 3), vec![9; 30]), (mask, vec![5, 0xff])]);
    assert!(refusal(&damaged).contains("a.tif"));
}

#[test]
fn an_animation_is_refused_as_a_file_of_several_pages_is() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[1, 2]).unwrap();
    writer.write_image_data(&[3, 4]).unwrap();
    writer.finish().unwrap();
    let error = decode_image_bytes(&bytes, "a.png", Channels::Grey).unwrap_err().to_string();
    assert!(error.contains("a.png") && error.contains("animation"), "{error}");
}
