//! Published weights that initialize networks.

use dapple_nets::NetConfig;
use dapple_weights::{CatalogueEntry, find};

/// The published ImageNet weights of the network's encoder, if there are any.
///
/// ```
/// use dapple::nets::NetConfig;
/// use dapple::pretrained::imagenet_entry;
/// assert_eq!(imagenet_entry(&NetConfig::new("segnet", 3, 12)?).map(|entry| entry.name), Some("vgg16_bn"));
/// assert_eq!(imagenet_entry(&NetConfig::new("u2net", 3, 2)?), None);
/// # Ok::<(), dapple::nets::ConfigError>(())
/// ```
pub fn imagenet_entry(config: &NetConfig) -> Option<&'static CatalogueEntry> {
    let network = config.entry().ok()?;
    match (network.encoder, network.family) {
        // The catalogue has torchvision's names.
        (Some(encoder), _) => find(&encoder.name.replace("mobilenetv3", "mobilenet_v3").replace('-', "_")),
        (None, "segnet" | "bayesian-segnet" | "deconvnet") => find("vgg16_bn"),
        (None, "fcn32s" | "fcn16s" | "fcn8s") => find("vgg16"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::imagenet_entry;
    use dapple_nets::{ENCODERS, NetConfig, registry::networks};

    #[test]
    fn every_encoder_of_torchvision_has_its_weights() {
        for encoder in ENCODERS.iter().filter(|encoder| !encoder.name.starts_with("mit")) {
            let network =
                networks().iter().find(|entry| entry.encoder.is_some_and(|e| e.name == encoder.name));
            let network = network.expect("every encoder is in some network");
            let config = NetConfig::new(&network.name, 3, 2).expect("of the registry");
            let entry = imagenet_entry(&config).unwrap_or_else(|| panic!("{} has no weights", encoder.name));
            let letters = |name: &str| name.replace(['-', '_'], "");
            assert_eq!(letters(entry.name), letters(encoder.name));
        }
    }
}
