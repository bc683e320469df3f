//! Georeferenced images: their place, their empty pixels, their areas, their scale.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use dapple_base::StopFlag;
use dapple_data::{Photo, Raster, SampleKind, TrainingImages, ValueRange, decode_values};
use dapple_nets::checkpoint::{ModelFile, Normalization};
use dapple_predict::batch::{BatchEvent, BatchSettings, run};
use dapple_predict::inputs::find;
use dapple_predict::output::{OutputKind, OutputSettings};
use dapple_predict::source::PhotoRows;
use dapple_predict::{GeoReference, PredictSettings, TileGrid, Tiling, Wants};
use tiff::decoder::{Decoder, DecodingResult};
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

use crate::common::{model, picture, predictor, write_tiff};

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

fn batch(out: &Path, kinds: &[OutputKind]) -> BatchSettings {
    let (kinds, output, out) = (kinds.into(), OutputSettings::default(), out.into());
    BatchSettings {
        kinds,
        output,
        out,
        force: false,
        protected: Vec::new(),
        engine: "cpu".into(),
        workers: 1,
    }
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
        let inputs = find(std::slice::from_ref(&path), None).expect("a file");
        let summary = run(&predictor, &inputs.inputs, &batch(&out, &kinds), &StopFlag::new(), &|_| ())
            .expect("a batch");
        assert_eq!(summary.predicted, 1);

        for name in ["field.tif", "field-labels.tif"] {
            let mask = out.join(name);
            assert_eq!(GeoReference::of_file(&mask), GeoReference::of_file(&path), "{name}");
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
    assert_eq!(GeoReference::of_file(&path).and_then(|geo| geo.pixel_area()), Some(0.125));
    let with_keys = |keys: &[u16]| {
        let mut encoder = TiffEncoder::new(fs::File::create(&path).expect("a file")).expect("a TIFF");
        let mut file = encoder.new_image::<colortype::Gray8>(2, 2).expect("a TIFF");
        let directory = file.encoder();
        directory.write_tag(Tag::ModelPixelScaleTag, &[2.0, 2.0, 0.0][..]).expect("a tag");
        directory.write_tag(Tag::ModelTiepointTag, &[0.0; 6][..]).expect("a tag");
        directory.write_tag(Tag::GeoKeyDirectoryTag, keys).expect("a tag");
        file.write_data(&[0; 4]).expect("a TIFF");
        GeoReference::of_file(&path).expect("it is georeferenced").pixel_area()
    };
    // Degrees, the map of the web, and feet.
    assert_eq!(with_keys(&[1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 4326]), None);
    assert_eq!(with_keys(&[1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 3857, 3076, 0, 1, 9001]), None);
    let feet = with_keys(&[1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 2225, 3076, 0, 1, 9002]).expect("feet");
    assert!((feet - 4.0 * 0.3048 * 0.3048).abs() < 1e-12, "{feet}");
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
        let seen = Mutex::new(Vec::new());
        let on_event = |event: BatchEvent<'_>| {
            if let BatchEvent::Scene(_, size, grid) = event {
                seen.lock().expect("no panic").push((size.width, size.height, grid));
            }
        };
        let batch = BatchSettings { force: true, ..batch(&folder.path().join("out"), &[OutputKind::Mask]) };
        let summary = run(&predictor, &inputs.inputs, &batch, &StopFlag::new(), &on_event).expect("a batch");
        assert_eq!(summary.predicted, 1);
        seen.into_inner().expect("no panic")
    };
    let grid = TileGrid { side: 96, overlap: 24, as_trained: true };
    assert_eq!(scenes(trained_on(96), Tiling::Auto, &path), [(300, 200, grid)]);
    // Not for a model that does not know, a scene of the size of its training, or where tiles are switched off.
    assert_eq!(scenes(model("unet", 2, Normalization::Unit, 5), Tiling::Auto, &path), []);
    assert_eq!(scenes(trained_on(256), Tiling::Auto, &path), []);
    assert_eq!(scenes(trained_on(96), Tiling::Off, &path), []);
    // Of a photograph, the whole is what was photographed.
    let photo = folder.path().join("photo.tif");
    write_tiff(&photo, &picture(300, 200), false);
    assert_eq!(scenes(trained_on(96), Tiling::Auto, &photo), []);
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
