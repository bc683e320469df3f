//! Images of more than 8 bits and of other channels than colour, from training to export.

use std::fs;
use std::path::Path;

use crate::common::Bench;
use dapple::Segmenter;
use dapple::data::{Dataset, OpenOptions, decode_image, decode_photo, decode_values};
use tiff::encoder::TiffEncoder;
use tiff::tags::Tag;

/// The bench's pictures again, with 16 bits a value of which 40 are used, in `dim/`.
fn write_dim_frames(bench: &Bench) {
    for index in 0..10 {
        let name = format!("synthetic{index:04}.png");
        let image = decode_image(bench.path(&format!("data/images/{name}"))).expect("a picture");
        let words =
            image.data.chunks_exact(3).flat_map(|p| (1000 + u16::from(p[1]) * 40 / 255).to_be_bytes());
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, image.width as u32, image.height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Sixteen);
        let data: Vec<u8> = words.collect();
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&data)).expect("a PNG");
        for folder in ["images", "masks"] {
            fs::create_dir_all(bench.path(&format!("dim/{folder}"))).expect("a folder");
        }
        fs::write(bench.path(&format!("dim/images/{name}")), bytes).expect("a file");
        let mask = fs::read(bench.path(&format!("data/masks/{name}"))).expect("a mask");
        fs::write(bench.path(&format!("dim/masks/{name}")), mask).expect("a file");
    }
}

#[test]
fn the_range_of_16_bit_frames_goes_from_the_data_to_the_model_and_all_that_use_it() {
    let bench = Bench::new();
    write_dim_frames(&bench);
    let inspected = bench.succeed("data inspect dim").out;
    assert!(inspected.contains("uint16") && inspected.contains("1002..1038"), "{inspected}");
    let said = bench.succeed(
        "train --data dim --model unet --width 2 --size 32 --epochs 2 --batch 2 --threads 2 --recipe plain --out run",
    );
    assert!(said.err.contains("1002..1038"), "{}", said.err);
    assert!(bench.read("run/config.toml").contains("value_range = \"1002..1038\""));

    // The mask is that of the stretched picture, by file and from standard input.
    let frame = bench.path("dim/images/synthetic0004.png");
    let segmenter = Segmenter::load(bench.path("run")).expect("a model");
    let photo = decode_photo(&frame, &segmenter.reading()).expect("a frame").raster;
    let (least, most) =
        (photo.data.iter().min().expect("a value"), photo.data.iter().max().expect("a value"));
    assert!(*least < 60 && *most > 150, "{least} to {most}");
    let labels = segmenter.predict(&photo).expect("a prediction").labels();
    bench.succeed("predict run dim/images/synthetic0004.png --out out");
    let mask = decode_values(bench.path("out/synthetic0004.png")).expect("a mask");
    assert!(mask.values.iter().map(|&v| v as u8).eq(labels.iter().copied()));
    // The data set of an evaluation is read as the training's, whatever it suggests itself.
    let images = segmenter.models()[0].card().images.clone();
    let options = OpenOptions { training: images, ..OpenOptions::default() };
    let dataset = Dataset::open(bench.path("dim"), &options).expect("a data set");
    assert_eq!(dataset.images().range.to_string(), "1002..1038");
    bench.succeed("eval --model run --data dim --part all");
    bench.succeed("train --resume run");

    // Pictures of another scale are not guessed at.
    bench
        .refuse("predict run data/images/synthetic0004.png --out bad", &["uint8", "uint16", "--value-range"]);
    bench.succeed("predict run data/images/synthetic0004.png --out forced --value-range type");
    // The exported model says what it was given.
    bench.succeed("export --model run --onnx model.onnx");
    let bytes = fs::read(bench.path("model.onnx")).expect("a model");
    let wanted = b"\"value_range\":\"1002..1038\"";
    assert!(bytes.windows(wanted.len()).any(|window| window == wanted));
}

/// Five channels of 8 bits, in 16 x 16 pixels.
fn write_five(path: &Path, seed: usize) {
    let mut encoder = TiffEncoder::new(fs::File::create(path).expect("a file")).expect("a TIFF");
    let mut file = encoder.image_directory().expect("a TIFF");
    let data: Vec<u8> = (0..16 * 16 * 5).map(|i| ((i * 7 + seed * 31) % 251) as u8).collect();
    let offset = file.write_data(&data[..]).expect("a TIFF") as u32;
    for (tag, value) in [
        (Tag::ImageWidth, 16),
        (Tag::ImageLength, 16),
        (Tag::PhotometricInterpretation, 1),
        (Tag::SamplesPerPixel, 5),
        (Tag::RowsPerStrip, 16),
        (Tag::StripOffsets, offset),
        (Tag::StripByteCounts, data.len() as u32),
    ] {
        file.write_tag(tag, value).expect("a tag");
    }
    file.write_tag(Tag::BitsPerSample, &[8_u16; 5][..]).expect("a tag");
    file.write_tag(Tag::ExtraSamples, &[0_u16; 4][..]).expect("a tag");
    file.finish().expect("a TIFF");
}

#[test]
fn five_channels_are_not_trained_on_as_three_without_a_word() {
    let bench = Bench::empty();
    for folder in ["five/images", "five/masks"] {
        fs::create_dir_all(bench.path(folder)).expect("a folder");
    }
    for index in 0..4 {
        write_five(&bench.path(&format!("five/images/{index}.tif")), index);
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 16, 16);
        encoder.set_color(png::ColorType::Grayscale);
        let mask: Vec<u8> = (0..256).map(|i| u8::from(i % 16 > 7)).collect();
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&mask)).expect("a PNG");
        fs::write(bench.path(&format!("five/masks/{index}.png")), bytes).expect("a file");
    }
    let train =
        "train --data five --model unet --width 2 --size 32 --epochs 1 --batch 2 --threads 2 --recipe plain";
    bench.refuse(&format!("{train} --out run"), &["5 channels", "--channels 5", "--channels 3"]);
    assert!(!bench.path("run").exists());
    for channels in [5, 3] {
        let run = format!("run{channels}");
        bench.succeed(&format!("{train} --channels {channels} --out {run}"));
        bench.succeed(&format!("predict {run} five/images/1.tif --out {run}-out"));
        bench.succeed(&format!("eval --model {run} --data five --part all --original-size"));
    }
    // A model of photographs has no third of these channels.
    let photographs = Bench::new();
    photographs.train("run");
    write_five(&photographs.path("five.tif"), 1);
    photographs.refuse("predict run five.tif --out out", &["five.tif", "5 channels", "images of 3"]);
}
