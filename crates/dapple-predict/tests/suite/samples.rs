//! Samples of networks with dropout.

use crate::common::{model, picture, predictor, segmenter};
use dapple_base::StopFlag;
use dapple_data::Raster;
use dapple_graph::{DropoutState, Shape, Tensor};
use dapple_nets::checkpoint::{ModelFile, Normalization};
use dapple_predict::source::PhotoRows;
use dapple_predict::{PredictError, PredictSettings, Predictor, Wants, WorkingSize};

fn bayesian(classes: usize) -> ModelFile {
    model("bayesian-segnet-basic", classes, Normalization::Unit, 5)
}

fn sampled(samples: usize, seed: u64) -> PredictSettings {
    PredictSettings { samples: Some(samples), seed, size: WorkingSize::Image, ..PredictSettings::default() }
}

fn in_one_tile(predictor: &Predictor, image: &Raster, class: usize) -> Result<Vec<f32>, PredictError> {
    let (mut map, classes) = (Vec::new(), predictor.classes().names.len());
    let wants = Wants { probabilities: true, uncertainty: false };
    let each = &mut |row: &dapple_predict::ImageRow<'_>| {
        map.extend(row.values.probabilities.iter().skip(class).step_by(classes));
        Ok(())
    };
    predictor.predict_tiles(
        &mut PhotoRows::new(&image.clone().into()),
        (96, 32),
        wants,
        &StopFlag::new(),
        each,
    )?;
    Ok(map)
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_mean_of_samples_by_hand() {
    let image = picture(64, 64);
    for classes in [2, 3] {
        // Drawn one by one.
        let segmenter = segmenter(bayesian(classes));
        let data = segmenter.input().prepare(image.clone()).expect("a picture");
        let input = Tensor::new(Shape::new(1, 64, 64, 3), data);
        let mut mean = vec![0.0; 64 * 64];
        for passes in 0..6 {
            let logits = segmenter.sample(&input, 1, DropoutState { seed: 8, passes }).expect("logits");
            let one = segmenter.image_logits(logits, 64, 64).probability(1);
            mean.iter_mut().zip(one).for_each(|(m, p)| *m += p / 6.0);
        }
        let predictor = predictor(bayesian(classes), sampled(6, 8));
        let found = predictor.predict(&image).expect("a prediction");
        assert!(worst(&found.probability(1), &mean) < 1e-5);
        // A tile that holds the whole image is the image.
        assert!(worst(&in_one_tile(&predictor, &image, 1).expect("a prediction"), &mean) < 1e-5);
    }
}

#[test]
fn a_seed_gives_the_same_samples() {
    let image = picture(70, 50);
    let of = |settings| predictor(bayesian(3), settings).predict(&image).expect("a prediction");
    let once = of(sampled(4, 1));
    assert_eq!(once, of(sampled(4, 1)));
    assert!(worst(&once.uncertainty(), &of(sampled(4, 2)).uncertainty()) > 1e-4);
    let certain = of(PredictSettings { size: WorkingSize::Image, ..PredictSettings::default() });
    assert!(worst(&once.probability(0), &certain.probability(0)) > 1e-4);
    assert!(once.uncertainty().iter().all(|u| (0.0..=1.0).contains(u)));

    // In whatever company, and in whatever order.
    let predictor = predictor(bayesian(3), sampled(4, 1));
    let prepared = [picture(64, 32), image.clone()].map(|image| predictor.prepare(&image).expect("prepared"));
    assert_eq!(predictor.run_batch(prepared.into()).expect("predictions")[1], once);
    let wide = picture(200, 120);
    let [a, b] = [(); 2].map(|()| in_one_tile(&predictor, &wide, 1).expect("a prediction"));
    assert_eq!((a.len(), worst(&a, &b)), (200 * 120, 0.0));
}

#[test]
fn a_network_without_dropout_has_no_samples() {
    let of = |name: &str, samples| {
        let models = vec![segmenter(bayesian(2)), segmenter(model(name, 2, Normalization::Unit, 1))];
        let settings = PredictSettings { samples, ..PredictSettings::default() };
        Predictor::new(models, settings).err().map(|error| error.to_string())
    };
    let error = of("unet", Some(3)).expect("no dropout");
    assert!(error.contains("model 2 (unet)") && error.contains("dropout"), "{error}");
    assert_eq!(of("unet", None), None);
    assert!(of("bayesian-segnet-basic", Some(0)).is_some_and(|error| error.contains("1 to 1000")));
}
