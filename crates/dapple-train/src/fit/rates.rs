//! Learning rates of the parameters: a smaller rate for the encoder, a frozen encoder, and its gradual unfreezing.

use dapple_graph::ParamSpec;

use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

/// Parts in which a frozen encoder is unfrozen.
const STAGES: usize = 4;

/// The factor of every parameter's learning rate in an epoch (from 0).
///
/// For `freeze_encoder` epochs the encoder does not learn. From then on a quarter of its layers more learns with each
/// epoch, the deepest first (Howard and Ruder 2018, section 3.3). `encoder_rate` multiplies the rates of the layers that learn.
///
/// # Errors
/// [`TrainError::Config`] if one of the two is set for a network without an encoder of its own.
pub(crate) fn rate_factors(
    config: &TrainConfig,
    specs: &[ParamSpec],
    epoch: usize,
) -> Result<Vec<f32>, TrainError> {
    let (rate, frozen) = (config.encoder_rate.unwrap_or(1.0) as f32, config.freeze_encoder.unwrap_or(0));
    if rate == 1.0 && frozen == 0 {
        return Ok(vec![1.0; specs.len()]);
    }
    let prefix = config.network.entry()?.encoder_prefix.ok_or_else(|| {
        TrainError::Config(format!(
            "network `{}` has no encoder that could be frozen or learn at a rate of its own; leave freeze_encoder and \
             encoder_rate out, or take a network on an encoder, unet-resnet34 for example",
            config.network.name
        ))
    })?;
    let layers = layers(specs, prefix);
    let count = layers.iter().flatten().max().map_or(0, |last| last + 1);
    // Stages of the encoder that learn in this epoch.
    let thawed = if epoch < frozen { 0 } else { (epoch - frozen + 1).min(STAGES) };
    let thawed = if frozen == 0 { STAGES } else { thawed };
    let factor = |layer: &Option<usize>| match layer {
        None => 1.0,
        Some(layer) if layer * STAGES / count.max(1) >= STAGES - thawed => rate,
        Some(_) => 0.0,
    };
    Ok(layers.iter().map(factor).collect())
}

/// The layer of each of the encoder's parameters, counted in their order: what their names have in common up to the
/// first part with a number (`layer1`, `features.3`).
fn layers(specs: &[ParamSpec], prefix: &str) -> Vec<Option<usize>> {
    let mut names: Vec<String> = Vec::new();
    let mut layer = |name: &str| {
        let rest = name.strip_prefix(prefix)?;
        let mut own = Vec::new();
        for part in rest.split('.') {
            own.push(part);
            if part.contains(|c: char| c.is_ascii_digit()) {
                break;
            }
        }
        let own = own.join(".");
        Some(names.iter().position(|known| *known == own).unwrap_or_else(|| {
            names.push(own);
            names.len() - 1
        }))
    };
    specs.iter().map(|spec| layer(&spec.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::{Network, Shape};

    fn factors(change: impl Fn(&mut TrainConfig), epoch: usize) -> Vec<(String, f32)> {
        let mut config =
            TrainConfig::for_network("unet-resnet18", 2, "data".as_ref()).expect("a known network");
        change(&mut config);
        let graph = config.network.build(Shape::new(1, 64, 64, 3)).expect("the size fits");
        let factors = rate_factors(&config, graph.params(), epoch).expect("it has an encoder");
        graph.params().iter().map(|spec| spec.name.clone()).zip(factors).collect()
    }

    #[test]
    fn the_encoder_thaws_from_its_deep_end() {
        let freeze = |config: &mut TrainConfig| config.freeze_encoder = Some(2);
        let learning = |epoch| {
            let all = factors(freeze, epoch);
            assert!(all.iter().all(|(name, factor)| name.starts_with("encoder.") || *factor == 1.0));
            all.iter().filter(|(name, factor)| name.starts_with("encoder.") && *factor > 0.0).count()
        };
        let counts: Vec<usize> = (0..7).map(learning).collect();
        assert_eq!(counts[..2], [0, 0]);
        assert!(counts[2..6].windows(2).all(|pair| pair[0] < pair[1]) && counts[2] > 0, "{counts:?}");
        let encoder = factors(|_| {}, 0).iter().filter(|(name, _)| name.starts_with("encoder.")).count();
        assert_eq!(counts[5..], [encoder, encoder]);
        let third = factors(freeze, 2);
        let of = |name: &str| third.iter().find(|(n, _)| n == name).expect("the network has it").1;
        assert_eq!((of("encoder.conv1.weight"), of("encoder.layer4.1.conv2.weight")), (0.0, 1.0));
    }

    #[test]
    fn the_encoder_has_a_rate_of_its_own() {
        let slow = |config: &mut TrainConfig| config.encoder_rate = Some(0.25);
        for (name, factor) in factors(slow, 0) {
            assert_eq!(factor, if name.starts_with("encoder.") { 0.25 } else { 1.0 }, "{name}");
        }
    }

    #[test]
    fn a_network_without_an_encoder_says_so() {
        let mut config = TrainConfig::for_network("unet", 2, "data".as_ref()).expect("a known network");
        config.freeze_encoder = Some(1);
        let message = rate_factors(&config, &[], 0).expect_err("it has none").to_string();
        assert!(message.contains("unet") && message.contains("freeze_encoder"), "{message}");
    }
}
