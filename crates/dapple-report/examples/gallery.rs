//! Draws one picture of every kind from made-up data, to be looked at after a change to this crate:
//! `cargo run -p dapple-report --example gallery -- FOLDER`.

use std::error::Error;
use std::path::PathBuf;

use dapple_data::Classes;
use dapple_report::{
    Best, Curves, GrayImage, OverlayStyle, Palette, Panel, PanelStyle, RgbImage, Sample, Series, StripSample,
    StripStyle, contact_sheet, overlay, panels, probability_map, save_png, strips,
};
use image::{Luma, Rgb};

const WIDTH: u32 = 300;
const HEIGHT: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name the folder to write into")?);
    std::fs::create_dir_all(&folder)?;
    curves()?.save(&folder)?;

    let names = ["sky", "sun", "hill", "lake with a very long name"].map(String::from).to_vec();
    let colours = vec![[86, 180, 233], [240, 228, 66], [0, 158, 115], [0, 114, 178]];
    let classes = Palette::new(Classes { names, colours }, Some(255))?;
    let (photo, truth, prediction) = (photograph(), landscape(0.0, true), landscape(9.0, false));
    let scores = [("IoU", 0.874), ("BIoU", 0.612)];
    let sample = Sample {
        name: "landscape.png",
        image: &photo,
        truth: Some(&truth),
        prediction: &prediction,
        scores: &scores,
    };
    let save = |image: &RgbImage, name: &str| save_png(image, &folder.join(name));
    save(&panels(&sample, &classes, PanelStyle::default())?, "panels.png")?;
    let small = PanelStyle { side: 220, ..PanelStyle::default() };
    save(&contact_sheet(&[sample, Sample { truth: None, ..sample }], &classes, small)?, "contact_sheet.png")?;
    save(&overlay(&photo, &prediction, &classes, OverlayStyle::default())?, "overlay.png")?;

    let probabilities = soft(&prediction, classes.count());
    let masks = StripSample { sample, probabilities: None };
    let greys = StripSample { probabilities: Some(&probabilities), ..masks };
    save(&strips(&[masks, greys], &classes, StripStyle::default())?, "strips.png")?;
    let hill: Vec<_> = probabilities.iter().skip(2).step_by(classes.count()).copied().collect();
    save_png(&probability_map(WIDTH, HEIGHT, &hill)?, &folder.join("probability.png"))?;
    Ok(())
}

fn curves() -> Result<Curves, Box<dyn Error>> {
    let course = |from: f64, to: f64, wobble: f64| {
        (0..30).map(move |epoch| {
            let epoch = f64::from(epoch);
            Some(to + (from - to) * (-epoch / 5.0).exp() + 0.01 * (epoch * wobble).sin())
        })
    };
    let measured_rarely = course(0.1, 0.7, 1.7).enumerate().map(|(k, value)| value.filter(|_| k % 4 != 2));
    let pair = |train, val, best| {
        vec![Series::from_epochs("train", train), Series::from_epochs("val", val).marking(best)]
    };
    Ok(Curves::new(
        "A made-up run",
        vec![
            Panel::new("Loss", pair(course(0.7, 0.1, 1.1), course(0.6, 0.2, 2.3), Best::Lowest)),
            Panel::share(
                "Pixel accuracy",
                pair(course(0.7, 0.97, 1.9), course(0.7, 0.95, 2.9), Best::Highest),
            ),
            Panel::share("Mean IoU", pair(course(0.4, 0.92, 2.1), course(0.4, 0.88, 1.3), Best::Highest)),
            Panel::share(
                "Boundary IoU",
                vec![Series::from_epochs("val", measured_rarely).marking(Best::Highest)],
            ),
        ],
    )?)
}

/// Sky, a sun, hills and a lake; moved sideways by `shift` pixels.
fn landscape(shift: f64, with_ignored: bool) -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let (across, down) = (f64::from(x) + shift, f64::from(y));
        let ridge = 110.0 - 25.0 * (across / 40.0).sin() - 10.0 * (across / 17.0).cos();
        Luma([match () {
            () if with_ignored && (120..180).contains(&x) && y > 185 => 255,
            () if down > 150.0 + 8.0 * (across / 60.0).sin() => 3,
            () if down > ridge => 2,
            () if (across - 220.0).hypot(down - 45.0) < 24.0 => 1,
            () => 0,
        }])
    })
}

fn photograph() -> RgbImage {
    let labels = landscape(0.0, false);
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let light = (y * 60 / HEIGHT + (x * 7 + y * 13) % 23) as u8;
        let [red, green, blue] = [[150, 180, 190], [190, 170, 90], [60, 90, 40], [40, 70, 110]]
            [usize::from(labels.get_pixel(x, y).0[0])];
        Rgb([red + light / 2, green + light / 2, blue + light / 2])
    })
}

/// Probabilities `[height, width, class]` that blur the labels' borders.
fn soft(labels: &GrayImage, classes: usize) -> Vec<f32> {
    let plane = |class: usize| {
        let mask = GrayImage::from_fn(WIDTH, HEIGHT, |x, y| {
            Luma([if usize::from(labels.get_pixel(x, y).0[0]) == class { 255 } else { 0 }])
        });
        image::imageops::blur(&mask, 4.0).into_raw()
    };
    let planes: Vec<_> = (0..classes).map(plane).collect();
    let pixels = 0..(WIDTH * HEIGHT) as usize;
    pixels.flat_map(|pixel| planes.iter().map(move |plane| f32::from(plane[pixel]) / 255.0)).collect()
}
