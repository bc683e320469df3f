//! The choice of the ranges and of the layers that stay in single precision.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use dapple_graph::{Engine, Executor, Inference, Quantization, State, Tensor};
use dapple_metrics::Scores;
use dapple_nets::NetConfig;
use dapple_nets::checkpoint::ModelFile;
use serde::Serialize;
use serde_json::json;

use super::observe::{inputs, observe};
use super::range::{Method, Observation};
use crate::decide;
use crate::error::ModelError;
use crate::evaluate::{EvaluationSet, evaluate_inputs};

/// A quantized model with its report.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// The model.
    pub model: ModelFile,
    /// How it was made, and its loss.
    pub report: QuantizationReport,
}

/// How a model was quantized, and its scores before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuantizationReport {
    /// How the ranges of the feature maps were found.
    pub method: Method,
    /// Images that they were measured on.
    pub calibration_images: usize,
    /// Convolutions that compute in integers.
    pub quantized: usize,
    /// Weights of the convolutions that stay in single precision although they could be quantized, the most sensitive first.
    pub kept: Vec<String>,
    /// The largest loss that was allowed.
    pub loss_budget: f64,
    /// The larger of the losses of mean IoU and of mean Boundary IoU.
    pub loss: f64,
    /// The scores of the model as it was.
    pub fp32: Scores,
    /// Those of the quantized model.
    pub int8: Scores,
}

/// Images that methods and layers are compared on.
const COMPARED: usize = 8;
/// Images that the sensitivity of each layer is measured on.
const PROBED: usize = 2;

/// Quantizes a model. The ranges of its feature maps are measured on the images of `calibration`, and the method that keeps the
/// logits closest is taken. Where the loss of mean IoU or of mean Boundary IoU on `measured` is larger than `budget`, the
/// convolutions whose quantization alone moves the logits most stay in single precision, as few of them as suffice. `engine`
/// must be one that computes in integers. `on_step` is told what begins.
///
/// # Errors
/// [`ModelError::Quantization`] for a model that is quantized already or has no convolution that can be, and where no
/// convolution can be quantized within the budget; [`ModelError::Data`] for images that cannot be loaded,
/// [`ModelError::Engine`] from the engine.
pub fn quantize(
    model: &ModelFile,
    engine: &dyn Engine,
    calibration: &EvaluationSet,
    measured: &EvaluationSet,
    budget: f64,
    on_step: &mut dyn FnMut(&str),
) -> Result<Quantized, ModelError> {
    let refused = |why: &str| Err(ModelError::Quantization(why.to_owned()));
    if model.card.network.quantization.is_some() {
        return refused("the model is quantized already; take the one that it was made of");
    }
    on_step("measuring the ranges of the feature maps");
    let seen = observe(&model.card.network, &model.state, engine, calibration)?;
    if seen.is_empty() {
        return refused("the network has no convolution that can be quantized");
    }
    let images = inputs(calibration).take(COMPARED).collect::<Result<Vec<_>, _>>()?;
    let search = Search { model, engine, wanted: logits(model, None, engine, &images)?, images };

    on_step("comparing the methods");
    let mut best: Option<(f64, Method)> = None;
    for method in Method::ALL {
        let error = search.error(&ranges(&seen, method, &[]), search.images.len())?;
        if best.is_none_or(|(least, _)| error < least) {
            best = Some((error, method));
        }
    }
    let (_, method) = best.expect("there are methods");

    on_step("scoring the model as it is");
    let fp32 = scores(&model.card.network, &model.state, engine, measured)?;
    let mut attempt = |kept: &[String]| {
        on_step(&match kept.len() {
            0 => "scoring it with all convolutions in int8".to_owned(),
            1 => "scoring it with 1 convolution in fp32".to_owned(),
            count => format!("scoring it with {count} convolutions in fp32"),
        });
        let quantization = ranges(&seen, method, kept);
        let (network, state) = quantized(model, &quantization);
        let int8 = scores(&network, &state, engine, measured)?;
        Ok::<_, ModelError>(Attempt { loss: loss(&fp32, &int8), int8, kept: kept.to_vec(), quantization })
    };
    let mut found = attempt(&[])?;
    if found.loss > budget {
        let order = search.most_sensitive_first(&seen, method)?;
        // Twice as many each time, then fewer as long as they suffice.
        let (mut too_few, mut count) = (0, 1);
        found = loop {
            if count >= order.len() {
                count = order.len() - 1;
            }
            let now = attempt(&order[..count])?;
            if now.loss <= budget {
                break now;
            }
            if count + 1 >= order.len() {
                return refused(
                    "no convolution can be quantized within the budget; allow a larger loss, or measure it on more images",
                );
            }
            (too_few, count) = (count, count * 2);
        };
        while found.kept.len() - too_few > 1 {
            let count = (found.kept.len() + too_few) / 2;
            let now = attempt(&order[..count])?;
            if now.loss <= budget {
                found = now;
            } else {
                too_few = count;
            }
        }
    }
    let Attempt { loss, int8, kept, quantization } = found;
    let report = QuantizationReport {
        method,
        calibration_images: calibration.len(),
        quantized: quantization.inputs.len(),
        kept,
        loss_budget: budget,
        loss,
        fp32,
        int8,
    };
    let (network, state) = quantized(model, &quantization);
    let mut card = model.card.clone();
    card.network = network;
    let note = json!({
        "method": report.method,
        "calibration_images": report.calibration_images,
        "kept": report.kept,
        "miou": [report.fp32.dataset.miou, report.int8.dataset.miou],
        "boundary_miou": [report.fp32.dataset.boundary_miou, report.int8.dataset.boundary_miou],
    });
    card.extra.insert("quantization".to_owned(), note);
    Ok(Quantized { model: ModelFile { card, state }, report })
}

/// A quantization with its scores.
struct Attempt {
    loss: f64,
    int8: Scores,
    kept: Vec<String>,
    quantization: Quantization,
}

/// The model, and the logits that its quantizations are compared with.
struct Search<'a> {
    model: &'a ModelFile,
    engine: &'a dyn Engine,
    images: Vec<Tensor>,
    wanted: Vec<Tensor>,
}

impl Search<'_> {
    /// The squared error of a quantization's logits on the first images, as a share of the logits' squares.
    fn error(&self, quantization: &Quantization, count: usize) -> Result<f64, ModelError> {
        let count = count.min(self.images.len());
        let found = logits(self.model, Some(quantization), self.engine, &self.images[..count])?;
        let (mut error, mut all) = (0.0, f64::MIN_POSITIVE);
        for (found, wanted) in found.iter().zip(&self.wanted) {
            for (&found, &wanted) in found.data.iter().zip(&wanted.data) {
                error += f64::from(found - wanted).powi(2);
                all += f64::from(wanted).powi(2);
            }
        }
        Ok(error / all)
    }

    /// The weights of the convolutions, those first whose quantization alone moves the logits most.
    fn most_sensitive_first(
        &self,
        seen: &BTreeMap<String, Observation>,
        method: Method,
    ) -> Result<Vec<String>, ModelError> {
        let mut errors = Vec::with_capacity(seen.len());
        for (name, observation) in seen {
            let inputs = BTreeMap::from([(name.clone(), observation.affine(method))]);
            errors.push((self.error(&Quantization { inputs }, PROBED)?, name.clone()));
        }
        errors.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Ok(errors.into_iter().map(|(_, name)| name).collect())
    }
}

/// The quantization of all convolutions but some, by a method.
fn ranges(seen: &BTreeMap<String, Observation>, method: Method, kept: &[String]) -> Quantization {
    let quantized = seen.iter().filter(|(name, _)| !kept.contains(name));
    let inputs = quantized.map(|(name, observation)| (name.clone(), observation.affine(method)));
    Quantization { inputs: inputs.collect() }
}

/// The network and the state of a model with a quantization.
fn quantized(model: &ModelFile, quantization: &Quantization) -> (NetConfig, State) {
    let network = NetConfig { quantization: Some(quantization.clone()), ..model.card.network.clone() };
    (network, quantization.rounded(&model.state))
}

/// The logits of some inputs.
fn logits(
    model: &ModelFile,
    quantization: Option<&Quantization>,
    engine: &dyn Engine,
    images: &[Tensor],
) -> Result<Vec<Tensor>, ModelError> {
    let mut executor = match quantization {
        None => engine.load(Arc::new(model.card.network.clone()), &model.state)?,
        Some(quantization) => {
            let (network, state) = quantized(model, quantization);
            engine.load(Arc::new(network), &state)?
        }
    };
    images.iter().map(|image| first(executor.as_mut(), image)).collect()
}

fn first(executor: &mut dyn Executor, image: &Tensor) -> Result<Tensor, ModelError> {
    Ok(executor.infer(image, Inference::Predict)?.swap_remove(0))
}

/// The scores of a network, without those of each image.
fn scores(
    network: &NetConfig,
    state: &State,
    engine: &dyn Engine,
    set: &EvaluationSet,
) -> Result<Scores, ModelError> {
    let mut executor = engine.load(Arc::new(network.clone()), state)?;
    let predict =
        |image: &Tensor, _: &[u8]| Ok::<_, ModelError>(decide::labels(&first(executor.as_mut(), image)?));
    let scores = evaluate_inputs(predict, set, &mut |_| ControlFlow::Continue(()))?;
    let mut scores = scores.expect("nothing ends the evaluation early");
    scores.images_detail = None;
    Ok(scores)
}

/// The larger of the losses of the two means. A score that is undefined in both loses nothing.
fn loss(before: &Scores, after: &Scores) -> f64 {
    let lost = |before: Option<f64>, after: Option<f64>| match (before, after) {
        (Some(before), Some(after)) => before - after,
        (None, None) => 0.0,
        // A class that one of them alone predicts nowhere.
        _ => f64::INFINITY,
    };
    let miou = lost(before.dataset.miou, after.dataset.miou);
    miou.max(lost(before.dataset.boundary_miou, after.dataset.boundary_miou))
}
