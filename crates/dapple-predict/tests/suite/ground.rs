//! Georeferenced images: their place, their empty pixels, their areas, their scale.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use dapple_base::{Size, StopFlag};
use dapple_data::{
    Channels, Photo, Raster, SampleKind, TrainingImages, ValueRange, decode_photo, decode_values, encode_png,
};
use dapple_nets::checkpoint::{ModelFile, Normalization};
use dapple_predict::batch::{BatchEvent, BatchSettings, run};
use dapple_predict::inputs::find;
use dapple_predict::output::{OutputKind, OutputSettings, ProbabilityFormat};
use dapple_predict::source::PhotoRows;
use dapple_predict::{GeoReference, PredictSettings, TileGrid, Tiling, Wants, is_scene};
use tiff::decoder::{Decoder, DecodingResult};
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

use crate::common::{batch, model, picture, predicted, predictor, write_tiff};

const GDAL_NODATA: Tag = Tag::Unknown(42113);

/// A field of 0.5 x 0.25 metres a pixel in zone 33, of which the left part has no data.
fn write_field(path: &Path, image: &Raster, empty_columns: usize) {
    let mut pixels = image.data.clone();
    for row in pixels.chunks_exact_mut(3 * image.width) {
        row[..3 * empty_columns].fill(0);
    }
    let mut encoder = TiffEncoder::new(fs::File::create(path).expect("a file")).expect("a TIFF");
    let mut file =
        encoder.new_image::<colortype::RGB8>(image.width as u32, image.height as u32).expect("a TIFF");
    let directory = file.encoder();
    directory.write_tag(Tag::ModelPixelScaleTag, &[0.5, 0.25, 0.0][..]).expect("a tag");
    directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 300.0, 900.0, 0.0][..]).expect("a tag");
    let keys: [u16; 20] = [1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633, 3076, 0, 1, 9001];
    directory.write_tag(Tag::GeoKeyDirectoryTag, &keys[..]).expect("a tag");
    directory.write_tag(GDAL_NODATA, "0").expect("a tag");
    file.write_data(&pixels).expect("a TIFF");
}

#[test]
fn masks_of_a_geotiff_keep_place_and_empty_pixels_and_areas_leave_those_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("field.tif");
    let (width, height, empty) = (60, 40, 24);
    let mut image = picture(width, height);
    // No pixel of the rest is empty by chance.
    image.data.iter_mut().for_each(|v| *v = (*v).max(1));
    write_field(&path, &image, empty);
    let kinds =
        [OutputKind::Mask, OutputKind::Labels, OutputKind::Overlay, OutputKind::Areas, OutputKind::Contours];
    for memory_bytes in [1 << 20, 2 << 20] {
        let out = folder.path().join(format!("out-{memory_bytes}"));
        let settings = PredictSettings { memory_bytes, ..PredictSettings::default() };
        let predictor = predictor(model("unet", 3, Normalization::Unit, 9), settings);
        assert_eq!(predicted(&predictor, &[&path], &batch(&out, &kinds)).0.predicted, 1);

        for name in ["field.tif", "field-labels.tif"] {
            let mask = out.join(name);
            let place = |path: &Path| GeoReference::of_file(path).expect("a place");
            assert_eq!(place(&mask), place(&path), "{name}");
            let mut decoder = Decoder::new(fs::File::open(&mask).expect("a mask")).expect("a TIFF");
            assert_eq!(decoder.get_tag_ascii_string(GDAL_NODATA).expect("a tag"), "255");
            if name == "field-labels.tif" {
                let DecodingResult::U8(labels) = decoder.read_image().expect("labels") else {
                    panic!("8 bits")
                };
                for (i, &label) in labels.iter().enumerate() {
                    assert_eq!(label == 255, i % width < empty, "{i}: {label}");
                }
            }
        }
        // The palette file is read by its indices, as every mask is.
        let (mask, labels) =
            (decode_values(out.join("field.tif")), decode_values(out.join("field-labels.tif")));
        let (mask, labels) = (mask.expect("a mask"), labels.expect("labels"));
        assert!(mask.indexed && !labels.indexed && mask.values == labels.values);

        let areas = fs::read_to_string(out.join("field-areas.csv")).expect("a table");
        let rows: Vec<Vec<&str>> = areas.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let classes: Vec<_> = rows.iter().filter(|row| row[3].is_empty() && row[1] != "no data").collect();
        let sum = |column: usize| {
            classes.iter().map(|row| row[column].parse::<f64>().expect("a number")).sum::<f64>()
        };
        let covered = ((width - empty) * height) as f64;
        assert_eq!(sum(4), covered);
        assert!((sum(5) - 1.0).abs() < 1e-5, "{areas}");
        assert!((sum(10) - covered * 0.125).abs() < 1e-6, "{areas}");
        assert!((sum(11) - covered * 0.125 / 10_000.0).abs() < 1e-5, "{areas}");
        let nothing = rows.iter().find(|row| row[1] == "no data").expect("a row for it");
        assert_eq!(nothing[4], (empty * height).to_string());
        // No region lies on pixels without data.
        assert!(
            rows.iter()
                .filter(|row| !row[3].is_empty())
                .all(|row| row[6].parse::<usize>().expect("x") >= empty)
        );
        let world = fs::read_to_string(out.join("field-overlay.pgw")).expect("a world file");
        assert_eq!(world, "0.5\n0\n0\n-0.25\n300.25\n899.875\n");
    }
}

#[test]
fn areas_on_the_ground_need_units_of_length() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.tif");
    write_tiff(&path, &picture(8, 8), true);
    assert_eq!(GeoReference::of_file(&path).expect("tags").and_then(|geo| geo.pixel_area()), Some(0.125));
    let with_keys = |keys: &[u16]| {
        let mut encoder = TiffEncoder::new(fs::File::create(&path).expect("a file")).expect("a TIFF");
        let mut file = encoder.new_image::<colortype::Gray8>(2, 2).expect("a TIFF");
        let directory = file.encoder();
        directory.write_tag(Tag::ModelPixelScaleTag, &[2.0, 2.0, 0.0][..]).expect("a tag");
        directory.write_tag(Tag::ModelTiepointTag, &[0.0; 6][..]).expect("a tag");
        directory.write_tag(Tag::GeoKeyDirectoryTag, keys).expect("a tag");
        file.write_data(&[0; 4]).expect("a TIFF");
        GeoReference::of_file(&path).expect("tags").expect("it is georeferenced").pixel_area()
    };
    // Mercator's projection by its method alone, in metres, whose base is not the system of the coordinates.
    let mercator: [u16; 24] =
        [1, 1, 0, 5, 1024, 0, 1, 1, 2048, 0, 1, 4326, 3072, 0, 1, 32767, 3075, 0, 1, 7, 3076, 0, 1, 9001];
    assert_eq!(with_keys(&mercator), None);
    let place = GeoReference::of_file(&path).expect("tags").expect("it is georeferenced");
    assert_eq!((place.epsg, place.system), (None, None));
    // Degrees, the map of the web, and feet.
    assert_eq!(with_keys(&[1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 4326]), None);
    assert_eq!(with_keys(&[1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 3857, 3076, 0, 1, 9001]), None);
    let feet = with_keys(&[1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 2225, 3076, 0, 1, 9002]).expect("feet");
    assert!((feet - 4.0 * 0.3048 * 0.3048).abs() < 1e-12, "{feet}");
    // A world file without a file `.prj` has the coordinate system of the tags.
    let mut encoder = TiffEncoder::new(fs::File::create(&path).expect("a file")).expect("a TIFF");
    let mut file = encoder.new_image::<colortype::Gray8>(2, 2).expect("a TIFF");
    let keys: [u16; 8] = [1, 1, 0, 1, 3072, 0, 1, 32633];
    file.encoder().write_tag(Tag::GeoKeyDirectoryTag, &keys[..]).expect("a tag");
    file.write_data(&[0; 4]).expect("a TIFF");
    fs::write(path.with_extension("tfw"), "2\n0\n0\n-2\n0\n0\n").expect("a file");
    let place = GeoReference::of_file(&path).expect("a world file").expect("a place");
    assert_eq!((place.epsg, place.pixel_area()), (Some(32633), Some(4.0)));
}

fn trained_on(side: usize) -> ModelFile {
    let mut file = model("unet", 2, Normalization::Unit, 5);
    let range = ValueRange::Type;
    let images = TrainingImages { values: SampleKind::BYTE, range, bands: 3, size: [side; 2] };
    file.card.images = Some(images);
    file
}

#[test]
fn a_scene_much_larger_than_the_training_is_seen_at_its_scale_and_it_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("scene.tif");
    write_tiff(&path, &picture(300, 200), true);
    let scenes = |file: ModelFile, tile: Tiling, path: &Path| {
        let predictor = predictor(file, PredictSettings { tile, ..PredictSettings::default() });
        let inputs = find(&[path.to_owned()], None).expect("a file");
        let seen = Mutex::new((Vec::new(), 0));
        let on_event = |event: BatchEvent<'_>| match event {
            BatchEvent::Scene(_, size, grid) => {
                seen.lock().expect("no panic").0.push((size.width, size.height, grid));
            }
            BatchEvent::SeenWhole(..) => seen.lock().expect("no panic").1 += 1,
            _ => {}
        };
        let batch = BatchSettings { force: true, ..batch(&folder.path().join("out"), &[OutputKind::Mask]) };
        let summary = run(&predictor, &inputs.inputs, &batch, &StopFlag::new(), &on_event).expect("a batch");
        assert_eq!(summary.predicted, 1);
        seen.into_inner().expect("no panic")
    };
    let grid = TileGrid { side: 96, overlap: 24, as_trained: true };
    assert_eq!(scenes(trained_on(96), Tiling::Auto, &path), (vec![(300, 200, grid)], 0));
    // Not for a model that does not know, a scene of the size of its training, or where tiles are switched off.
    let whole = (Vec::new(), 0);
    assert_eq!(scenes(model("unet", 2, Normalization::Unit, 5), Tiling::Auto, &path), whole);
    assert_eq!(scenes(trained_on(256), Tiling::Auto, &path), whole);
    assert_eq!(scenes(trained_on(96), Tiling::Off, &path), whole);
    // Of a photograph, the whole is what was photographed; one that is far larger is worth a word.
    let photo = folder.path().join("photo.tif");
    write_tiff(&photo, &picture(300, 200), false);
    assert_eq!(scenes(trained_on(96), Tiling::Auto, &photo), whole);
    assert_eq!(scenes(trained_on(24), Tiling::Auto, &photo), (Vec::new(), 1));
    assert_eq!(scenes(trained_on(96), Tiling::Scene, &photo), (vec![(300, 200, grid)], 0));
}

#[test]
fn a_scene_without_a_place_is_one_by_its_size_alone() {
    let of = |side, settings: PredictSettings, width, height, is_scene| {
        predictor(trained_on(side), settings).tiles(Size { height, width }, is_scene)
    };
    let grid = |side| Some(TileGrid { side, overlap: side / 4, as_trained: true });
    let auto = PredictSettings::default;
    let (ground, photograph, unknown) = (
        is_scene(true, b"\xff\xd8\xff\xe0"),
        is_scene(false, b"\xff\xd8\xff\xe0"),
        is_scene(false, b"\x89PNG"),
    );
    assert_eq!((ground, photograph, unknown), (Some(true), Some(false), None));
    // More pixels than most cameras have, and far more than the images of the training.
    assert_eq!(of(512, auto(), 8192, 8192, unknown).expect("a scene"), grid(512));
    assert_eq!(of(512, auto(), 11_656, 8742, photograph).expect("a photograph of a large camera"), None);
    assert_eq!(of(512, auto(), 8000, 6000, unknown).expect("a photograph"), None);
    assert_eq!(of(512, auto(), 8000, 6000, ground).expect("a scene"), grid(512));
    assert_eq!(of(6000, auto(), 8192, 8192, unknown).expect("as in the training"), None);
    // The larger photograph is worth a word, the other none.
    let far =
        |width, height| predictor(trained_on(512), auto()).is_far_larger(Size { height, width }, photograph);
    assert!(far(11_656, 8742) && !far(8000, 6000));
    // Too large for the memory: at the scale of the training too.
    let little = PredictSettings { memory_bytes: 64 << 20, ..auto() };
    assert_eq!(of(512, little, 8000, 6000, photograph).expect("it is cut"), grid(512));
    let scaled = PredictSettings { memory_bytes: 64 << 20, scales: vec![1.0, 0.5], ..auto() };
    let error = of(512, scaled, 8000, 6000, unknown).expect_err("tiles have one scale").to_string();
    assert!(error.contains("omit the size and the scales"), "{error}");
    let scene = PredictSettings { tile: Tiling::Scene, ..auto() };
    let predictor = predictor(model("unet", 2, Normalization::Unit, 5), scene);
    let error = predictor.tiles(Size { height: 900, width: 900 }, ground).expect_err("no scale").to_string();
    assert!(error.contains("--tile N"), "{error}");
}

#[test]
fn a_row_of_tiles_of_a_scene_fits_into_the_memory() {
    let of = |memory: u64, side, width| {
        let settings = PredictSettings { memory_bytes: memory << 20, ..PredictSettings::default() };
        predictor(trained_on(side), settings).tiles(Size { height: 9000, width }, Some(true))
    };
    // Eight bytes a pixel: red, green, blue, how much is there, and the sum of probabilities.
    for (memory, side, width, wanted) in
        [(512, 2048, 20_000, 2048), (128, 2048, 20_000, 832), (64, 512, 60_000, 128)]
    {
        let grid = of(memory, side, width).expect("it fits").expect("a scene");
        assert_eq!((grid.side, grid.as_trained), (wanted, true));
        assert!(8 * width as u64 * grid.side as u64 <= memory << 20);
    }
    let error = of(16, 512, 60_000).expect_err("too little").to_string();
    assert!(error.contains("--memory 59"), "{error}");
    assert_eq!(of(59, 512, 60_000).expect("enough").expect("a scene").side, 128);
}

#[test]
fn outputs_say_where_an_image_has_no_data() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (width, height, empty) = (60, 40, 24);
    let mut image = picture(width, height);
    image.data.iter_mut().for_each(|v| *v = (*v).max(1));
    let field = folder.path().join("field.tif");
    write_field(&field, &image, empty);
    // The same part is transparent, and a column beside it in part.
    let alpha = |x: usize| {
        if x < empty {
            0
        } else if x == empty {
            100
        } else {
            255
        }
    };
    let rgba: Vec<u8> = (0..width * height)
        .flat_map(|i| [image.data[3 * i], image.data[3 * i + 1], image.data[3 * i + 2], alpha(i % width)])
        .collect();
    let photo = folder.path().join("photo.png");
    let mut encoder =
        png::Encoder::new(fs::File::create(&photo).expect("a file"), width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&rgba)).expect("a PNG");

    let kinds = [
        OutputKind::Mask,
        OutputKind::Labels,
        OutputKind::Overlay,
        OutputKind::Heatmap,
        OutputKind::Probability,
        OutputKind::Uncertainty,
    ];
    for (format, tile) in [
        (ProbabilityFormat::Png8, Tiling::Off),
        (ProbabilityFormat::Png16, Tiling::Side { side: 64, overlap: None }),
        (ProbabilityFormat::Npy, Tiling::Off),
    ] {
        let settings = PredictSettings { tile, ..PredictSettings::default() };
        let predictor = predictor(model("unet", 3, Normalization::Unit, 9), settings);
        let out = folder.path().join(format!("{format:?}"));
        let settings = batch(&out, &kinds);
        let output = OutputSettings { probability: format, ..settings.output.clone() };
        let settings = BatchSettings { output, ..settings };
        let (summary, bad) = predicted(&predictor, &[&field, &photo], &settings);
        assert_eq!(summary.predicted, 2, "{bad:?}");
        for (name, end) in [("field", "tif"), ("photo", "png")] {
            for mask in [format!("{name}.{end}"), format!("{name}-labels.{end}")] {
                let mask = decode_values(out.join(&mask)).expect("a mask").values;
                assert!(mask.iter().enumerate().all(|(i, &v)| (v == 255) == (i % width < empty)), "{name}");
            }
            let mut pictures = vec![format!("{name}-overlay.png"), format!("{name}-heatmap.png")];
            if format == ProbabilityFormat::Npy {
                for (array, depth) in [("probability", 3), ("uncertainty", 1)] {
                    let bytes = fs::read(out.join(format!("{name}-{array}.npy"))).expect("an array");
                    let values = bytes[bytes.len() - 4 * depth * width * height..].as_chunks::<4>().0;
                    let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).enumerate();
                    assert!(
                        values.clone().all(|(i, v)| v.is_nan() == (i / depth % width < empty)),
                        "{array}"
                    );
                }
            } else {
                pictures.push(format!("{name}-uncertainty.png"));
                pictures.push(format!("{name}-probability-class-2.png"));
            }
            for picture in pictures {
                let shows_image = picture.contains("overlay") || picture.contains("heatmap");
                let photo = decode_photo(out.join(&picture), &Channels::Rgb.into()).expect("a picture");
                let coverage = photo.coverage.expect("it has alpha");
                let wanted = |x: usize| {
                    if shows_image && name == "photo" {
                        alpha(x)
                    } else if x < empty {
                        0
                    } else {
                        255
                    }
                };
                assert!(coverage.iter().enumerate().all(|(i, &part)| part == wanted(i % width)), "{picture}");
                let hidden = photo.raster.data.chunks_exact(3 * width).flat_map(|row| &row[..3 * empty]);
                assert!(hidden.copied().all(|v| v == 0), "{picture}");
            }
        }
    }
    // A picture that is there as a whole has no alpha.
    let plain = folder.path().join("plain.png");
    fs::write(&plain, encode_png(&image).expect("a PNG")).expect("a file");
    let out = folder.path().join("plain");
    let predictor = predictor(model("unet", 3, Normalization::Unit, 9), PredictSettings::default());
    assert_eq!(predicted(&predictor, &[&plain], &batch(&out, &kinds)).0.predicted, 1);
    for name in ["plain-overlay.png", "plain-uncertainty.png"] {
        let photo = decode_photo(out.join(name), &Channels::Rgb.into()).expect("a picture");
        assert_eq!(photo.coverage, None, "{name}");
    }
}

#[test]
fn results_of_an_image_with_a_world_file_have_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let photo = at("photo.png");
    fs::write(&photo, encode_png(&picture(60, 40)).expect("a PNG")).expect("a file");
    fs::write(at("photo.pgw"), "0.5\n0\n0\n-0.25\n300.25\n899.875\n").expect("a file");
    let utm =
        "PROJCS[\"UTM\",PROJECTION[\"Transverse_Mercator\"],UNIT[\"metre\",1],AUTHORITY[\"EPSG\",\"32633\"]]";
    fs::write(at("photo.prj"), utm).expect("a file");
    let (out, predictor) =
        (at("out"), predictor(model("unet", 2, Normalization::Unit, 9), PredictSettings::default()));
    let kinds = [OutputKind::Mask, OutputKind::Overlay, OutputKind::Areas, OutputKind::Contours];
    let settings = batch(&out, &kinds);
    let run = || {
        let (summary, bad) = predicted(&predictor, &[&photo], &settings);
        assert_eq!((summary.predicted + summary.kept, bad), (1, Vec::new()));
        summary.predicted == 1
    };
    assert!(run() && !run());
    let place = GeoReference::of_file(&photo).expect("a world file");
    assert_eq!(place.as_ref().and_then(|place| place.epsg), Some(32633));
    for name in ["photo.png", "photo-overlay.png"] {
        assert_eq!(GeoReference::of_file(&out.join(name)).expect("a world file"), place, "{name}");
    }
    let areas = fs::read_to_string(out.join("photo-areas.csv")).expect("a table");
    let metres: f64 = areas
        .lines()
        .skip(1)
        .take(2)
        .map(|line| line.split(',').nth(10).map_or(0.0, |m| m.parse().unwrap_or(0.0)))
        .sum();
    assert!((metres - 60.0 * 40.0 * 0.125).abs() < 0.1, "{areas}");
    let contours = fs::read_to_string(out.join("photo-contours.geojson")).expect("outlines");
    assert!(contours.contains("EPSG::32633"), "{contours}");
    // A GIS program that writes into the description makes no result outdated.
    let described = out.join("photo.png.aux.xml");
    let text = fs::read_to_string(&described).expect("a description");
    fs::write(&described, format!("{text}<!-- statistics -->")).expect("a file");
    assert!(!run());
    fs::write(&described, text).expect("a file");
    // The place is a part of the input, and of the results.
    fs::remove_file(out.join("photo.pgw")).expect("it is there");
    assert!(run() && out.join("photo.pgw").is_file());
    fs::write(at("photo.pgw"), "1\n0\n0\n-1\n0\n0\n").expect("a file");
    assert!(run());
    fs::write(at("photo.pgw"), "no numbers").expect("a file");
    let (summary, bad) = predicted(&predictor, &[&photo], &settings);
    assert!(summary.bad == 1 && bad[0].contains("photo.pgw"), "{bad:?}");
    // An image that has lost its place takes it from its results.
    fs::remove_file(at("photo.pgw")).expect("it is there");
    assert!(run());
    for name in ["photo.png", "photo-overlay.png"] {
        assert_eq!(GeoReference::of_file(&out.join(name)).expect("no place"), None, "{name}");
    }
}

#[test]
fn a_tile_at_the_scale_of_the_training_is_as_an_image_of_the_training() {
    let image = picture(128, 128);
    let predictor = predictor(trained_on(128), PredictSettings::default());
    let whole = predictor.predict(&image).expect("a prediction").probability(1);
    let grid = TileGrid { side: 128, overlap: 32, as_trained: true };
    let wants = Wants { probabilities: true, uncertainty: false };
    let mut tiled: Vec<f32> = Vec::new();
    predictor
        .predict_tiles(&mut PhotoRows::new(&Photo::from(image)), grid, wants, &StopFlag::new(), &mut |row| {
            tiled.extend(row.values.probabilities.iter().skip(1).step_by(2));
            Ok(())
        })
        .expect("a prediction");
    let worst = whole.iter().zip(&tiled).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(whole.len() == tiled.len() && worst < 1e-5, "{worst}");
}
