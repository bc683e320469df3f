//! Pictures of all shapes of input: odd sizes, single pixels, one class to 150, names of any length.

use dapple_data::Classes;
use dapple_report::{
    Best, Curves, GrayImage, Palette, Panel, PanelStyle, ReportError, RgbImage, Sample, Series, StripSample,
    StripStyle, contact_sheet, panels, save_png, strips,
};
use image::{Luma, Rgb};
use proptest::prelude::*;

fn classes(count: usize, name: &str, ignore_index: Option<u8>) -> Palette {
    let names = (0..count).map(|class| format!("{name}{class}")).collect();
    let colours = (0..count).map(|class| [(class * 37 % 256) as u8, (class * 91 % 256) as u8, 90]).collect();
    Palette::new(Classes { names, colours }, ignore_index).expect("one name and one colour for each class")
}

fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 5 % 256) as u8, (y * 3 % 256) as u8, 120]))
}

fn labels(width: u32, height: u32, count: usize, turn: u32) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| Luma([((x / 3 + y / 2 + turn) as usize % count) as u8]))
}

fn series() -> impl Strategy<Value = Series> {
    let value = prop::option::weighted(
        0.8,
        prop_oneof![8 => -2.0f64..2.0, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => any::<f64>()],
    );
    let best = prop::sample::select(vec![None, Some(Best::Lowest), Some(Best::Highest)]);
    ("\\PC{0,80}", prop::collection::vec(value, 0..40), best).prop_map(|(name, values, best)| {
        let series = Series::from_epochs(name, values);
        best.map_or(series.clone(), |best| series.marking(best))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn panels_and_strips_take_any_size_and_any_number_of_classes(
        (width, height) in (1u32..70, 1u32..70),
        count in 1usize..=150,
        name in "\\PC{0,120}",
        ignore_index in prop::option::of(any::<u8>()),
        side in 0u32..80,
        with_truth in any::<bool>(),
    ) {
        let classes = classes(count, &name, ignore_index);
        let (image, truth, prediction) = (photo(width, height), labels(width, height, count, 0), labels(width, height, count, 1));
        let scores = [("IoU", 0.5), ("BIoU", f64::NAN)];
        let truth = with_truth.then_some(&truth);
        let sample = Sample { name: &name, image: &image, truth, prediction: &prediction, scores: &scores };
        let sheet = panels(&sample, &classes, PanelStyle { side, ..PanelStyle::default() }).expect("panels");
        prop_assert!(sheet.width() > 3 * side && sheet.height() > 32);

        let style = StripStyle { side, classes_per_band: count / 3 };
        let strip = strips(&[StripSample { sample, probabilities: None }], &classes, style);
        match strip {
            Ok(strip) => prop_assert!(strip.width() > side),
            // A great many bands of large pictures are more than one picture holds.
            Err(error) => prop_assert!(matches!(error, ReportError::TooLarge { .. }), "{error}"),
        }
    }

    #[test]
    fn curves_take_any_values_and_their_png_shows_what_their_svg_says(
        title in "\\PC{0,200}",
        groups in prop::collection::vec((any::<bool>(), "\\PC{0,60}", prop::collection::vec(series(), 0..12)), 1..4),
    ) {
        let panel = |(share, title, series)| if share { Panel::share(title, series) } else { Panel::new(title, series) };
        let curves = Curves::new(title, groups.into_iter().map(panel).collect()).expect("at least one panel");
        assert_same_picture(&curves);
    }
}

/// Draws the SVG with an independent renderer and compares it with our own picture.
fn assert_same_picture(curves: &Curves) {
    let ours = curves.to_image().expect("a picture");
    let tree =
        resvg::usvg::Tree::from_str(&curves.to_svg(), &resvg::usvg::Options::default()).expect("valid SVG");
    let mut theirs = resvg::tiny_skia::Pixmap::new(ours.width(), ours.height()).expect("a canvas");
    let scale = resvg::tiny_skia::Transform::from_scale(2.0, 2.0);
    resvg::render(&tree, scale, &mut theirs.as_mut());
    assert_eq!((tree.size().width() * 2.0).round() as u32, ours.width());
    let pairs = ours.pixels().zip(theirs.pixels());
    // The SVG rounds to hundredths of a pixel, which can move an edge over one of the four samples of a pixel.
    let far = pairs.filter(|(ours, theirs)| {
        [theirs.red(), theirs.green(), theirs.blue()].iter().zip(ours.0).any(|(a, b)| a.abs_diff(b) > 72)
    });
    let (far, all) = (far.count(), (ours.width() * ours.height()) as usize);
    assert!(far * 2000 < all, "{far} of {all} pixels differ");
}

#[test]
fn a_usual_run_looks_the_same_in_both_formats_and_is_not_blank() {
    let loss: Vec<_> = (0..25).map(|epoch| Some(1.0 / f64::from(epoch + 1))).collect();
    let score: Vec<_> =
        (0..25).map(|epoch| (epoch % 6 != 4).then(|| 0.9 - 0.5 / f64::from(epoch + 1))).collect();
    let curves = Curves::new(
        "U-Net",
        vec![
            Panel::new(
                "Loss",
                vec![Series::from_epochs("train", loss), Series::from_epochs("val", score.clone())],
            ),
            Panel::share("mIoU", vec![Series::from_epochs("val", score).marking(Best::Highest)]),
        ],
    )
    .expect("two panels");
    assert_same_picture(&curves);
    let picture = curves.to_image().expect("a picture");
    let blue = picture.pixels().filter(|pixel| pixel.0[2].saturating_sub(pixel.0[0]) > 100).count();
    assert!(blue > 300, "the first line's colour is on {blue} pixels only");

    let folder = tempfile::tempdir().expect("a temporary folder");
    curves.save(folder.path()).expect("both files");
    assert_eq!(image::open(folder.path().join("curves.png")).expect("a PNG").to_rgb8(), picture);
    let svg = std::fs::read_to_string(folder.path().join("curves.svg")).expect("an SVG");
    assert!(svg.contains("best 0.880, epoch 25"), "the best epoch is named");
}

#[test]
fn the_panels_show_photograph_truth_and_prediction_side_by_side() {
    let classes = classes(2, "class", Some(255));
    let image = RgbImage::from_pixel(40, 40, Rgb([10, 200, 30]));
    let truth = GrayImage::from_pixel(40, 40, Luma([1]));
    let prediction = GrayImage::from_pixel(40, 40, Luma([0]));
    let sample =
        Sample { name: "one", image: &image, truth: Some(&truth), prediction: &prediction, scores: &[] };
    let style = PanelStyle { side: 200, ..PanelStyle::default() };
    let sheet = panels(&sample, &classes, style).expect("panels");
    // Margin 20, pictures 200 wide and 12 apart, under 54 pixels of text.
    let at = |panel: u32| sheet.get_pixel(20 + panel * 212 + 100, 20 + 54 + 100).0;
    assert_eq!(at(0), [10, 200, 30]);
    assert_eq!(at(1), [37, 91, 90]);
    assert_eq!(at(2), [0, 0, 90]);
    assert_eq!(at(3), [10, 200, 30], "the background stays unpainted");
}

#[test]
fn probabilities_take_the_place_of_the_predicted_masks() {
    let classes = classes(2, "class", None);
    let (image, map) = (photo(16, 16), labels(16, 16, 1, 0));
    let sample = Sample { name: "one", image: &image, truth: None, prediction: &map, scores: &[] };
    let values = [0.2, 0.8].repeat(256);
    let strip = StripSample { sample, probabilities: Some(&values) };
    let style = StripStyle { side: 100, classes_per_band: 12 };
    let sheet = strips(&[strip], &classes, style).expect("a strip");
    // Margin 20, labels 76, cells 100 wide and 8 apart, under 50 pixels of text.
    let at = |column: u32| sheet.get_pixel(96 + column * 108 + 50, 70 + 50).0;
    assert_eq!((at(2), at(3)), ([51; 3], [204; 3]));
    let short = StripSample { probabilities: Some(&values[1..]), ..strip };
    let error = strips(&[short], &classes, style).expect_err("a value is missing").to_string();
    assert!(error.contains("height 16 x width 16 x 2 classes"), "{error}");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let classes = classes(2, "class", None);
    let (image, map) = (photo(8, 6), labels(8, 6, 2, 0));
    let good = Sample { name: "street.png", image: &image, truth: None, prediction: &map, scores: &[] };
    let other = labels(8, 7, 2, 0);
    let message = |sample: Sample<'_>| {
        panels(&sample, &classes, PanelStyle::default()).expect_err("the sample is wrong").to_string()
    };
    let wrong = message(Sample { truth: Some(&other), ..good });
    assert!(wrong.contains("truth of street.png is 8 x 7"), "{wrong}");
    let wrong = message(Sample { prediction: &other, ..good });
    assert!(wrong.contains("prediction for street.png"), "{wrong}");
    let (nothing, no_labels) = (RgbImage::new(0, 6), GrayImage::new(0, 6));
    let wrong = message(Sample { image: &nothing, prediction: &no_labels, ..good });
    assert!(wrong.contains("no pixels"), "{wrong}");
    let unknown = GrayImage::from_pixel(8, 6, Luma([9]));
    let wrong = message(Sample { prediction: &unknown, ..good });
    assert!(wrong.contains("label 9"), "{wrong}");
    assert!(contact_sheet(&[], &classes, PanelStyle::default()).is_err());
    let many = vec![good; 1000];
    let error = contact_sheet(&many, &classes, PanelStyle::default()).expect_err("too many");
    assert!(matches!(error, ReportError::TooLarge { .. }), "{error}");
    assert!(Curves::new("", vec![]).is_err());
}

#[test]
fn samples_with_and_without_a_truth_share_a_sheet() {
    let classes = classes(150, "a class with quite a long name indeed, number ", Some(255));
    let (image, map) = (photo(31, 77), labels(31, 77, 150, 0));
    let with =
        Sample { name: "a", image: &image, truth: Some(&map), prediction: &map, scores: &[("mIoU", 1.0)] };
    let samples = [with, Sample { truth: None, ..with }];
    let sheet = contact_sheet(&samples, &classes, PanelStyle::default()).expect("a sheet");
    let folder = tempfile::tempdir().expect("a temporary folder");
    save_png(&sheet, &folder.path().join("sheet.png")).expect("a written sheet");
}
