//! Environment variables, which only the program reads; the libraries take explicit settings.

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use dapple::device::EngineOptions;
use dapple::graph::{EngineError, InputError};
use dapple::weights::{HubSettings, HubToken, ProxySettings, StoreSettings, WeightsError};

/// Proxy variables in their order; empty and invalid ones are skipped.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Options of engines: `DAPPLE_SIMD` (`avx512`, `avx2` or `portable`) and `DAPPLE_CONV` (`winograd` or `plain`) choose kernels of
/// the CPU engine, for tests and comparisons; the others are the defaults.
///
/// # Errors
/// If a variable names something that this machine does not have.
pub fn engine_options() -> Result<EngineOptions, EngineError> {
    let simd = parsed("DAPPLE_SIMD")?;
    let convolution = parsed("DAPPLE_CONV")?.unwrap_or_default();
    Ok(EngineOptions { simd, convolution, ..EngineOptions::default() })
}

/// The value of a variable, if it is set.
fn parsed<T: FromStr<Err = InputError>>(name: &str) -> Result<Option<T>, EngineError> {
    let Ok(value) = env::var(name) else { return Ok(None) };
    value.parse().map(Some).map_err(|error| InputError::Setting(format!("{name}: {error}")).into())
}

/// The key that requests to `dapple serve` must carry, from `DAPPLE_API_KEY`.
pub fn api_key() -> Option<String> {
    env::var("DAPPLE_API_KEY").ok()
}

/// Whether a variable is set.
#[cfg(all(feature = "torch", unix))]
pub fn is_set(name: &str) -> bool {
    env::var_os(name).is_some()
}

/// Settings of the store of weights, from `DAPPLE_CACHE`, `DAPPLE_OFFLINE`, `DAPPLE_WEIGHTS_MIRROR`, `SSL_CERT_FILE` and the
/// proxy variables; those of the Hugging Face hub from `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE`.
///
/// # Errors
/// [`WeightsError::NoFolder`] if neither `DAPPLE_CACHE` nor the user's home folder is known.
pub fn store_settings() -> Result<StoreSettings, WeightsError> {
    store_settings_from(&|name| env::var(name).ok(), &|name| env::var_os(name).map(PathBuf::from))
}

/// The same from any variables, as text and as paths.
fn store_settings_from(
    text: &dyn Fn(&str) -> Option<String>,
    path: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<StoreSettings, WeightsError> {
    let path = |name| path(name).filter(|path| !path.as_os_str().is_empty());
    let settings = match path("DAPPLE_CACHE") {
        Some(folder) => StoreSettings::new(folder.join("weights")),
        None => StoreSettings::in_user_cache()?,
    };
    let bypass = text("NO_PROXY").or_else(|| text("no_proxy")).unwrap_or_default();
    let bypass: Vec<String> = bypass.split(',').map(str::to_owned).collect();
    let proxy = |name: &&str| ProxySettings::new(text(name)?, bypass.clone()).ok();
    let is_on = |name: &str| {
        text(name)
            .is_some_and(|value| !["", "0", "false", "no", "off"].contains(&value.to_lowercase().as_str()))
    };
    let endpoint = text("HF_ENDPOINT").filter(|endpoint| !endpoint.is_empty());
    let hub = HubSettings {
        endpoint: endpoint.unwrap_or_else(|| HubSettings::default().endpoint),
        token: text("HF_TOKEN").and_then(|token| HubToken::new(&token)),
        offline: is_on("HF_HUB_OFFLINE"),
    };
    Ok(StoreSettings {
        offline: is_on("DAPPLE_OFFLINE"),
        mirror: text("DAPPLE_WEIGHTS_MIRROR").filter(|mirror| !mirror.is_empty()),
        certificates: path("SSL_CERT_FILE"),
        proxy: PROXIES.iter().find_map(proxy),
        hub,
        ..settings
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> StoreSettings {
        let text = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        store_settings_from(&text, &|name| text(name).map(PathBuf::from)).expect("there is a folder")
    }

    #[test]
    fn every_variable_has_its_setting() {
        let expected = StoreSettings {
            offline: true,
            mirror: Some("https://mirror.example/".to_owned()),
            certificates: Some("authorities.pem".into()),
            proxy: ProxySettings::new("proxy.example:3128", vec!["a.example".into(), ".b.example".into()])
                .ok(),
            hub: HubSettings {
                endpoint: "https://hub.example".to_owned(),
                token: HubToken::new("hf_secret"),
                offline: true,
            },
            ..StoreSettings::new(PathBuf::from("mine").join("weights"))
        };
        let variables = [
            ("DAPPLE_CACHE", "mine"),
            ("DAPPLE_OFFLINE", "1"),
            ("DAPPLE_WEIGHTS_MIRROR", "https://mirror.example/"),
            ("SSL_CERT_FILE", "authorities.pem"),
            ("ALL_PROXY", "unknown://proxy.example"),
            ("HTTPS_PROXY", "proxy.example:3128"),
            ("NO_PROXY", "a.example,.b.example"),
            ("HF_ENDPOINT", "https://hub.example"),
            ("HF_TOKEN", "hf_secret"),
            ("HF_HUB_OFFLINE", "ON"),
        ];
        assert_eq!(settings(&variables), expected);
    }

    #[test]
    fn empty_variables_count_as_absent() {
        let variables = [
            ("DAPPLE_CACHE", "mine"),
            ("DAPPLE_OFFLINE", "0"),
            ("DAPPLE_WEIGHTS_MIRROR", ""),
            ("SSL_CERT_FILE", ""),
            ("HTTPS_PROXY", ""),
            ("HF_ENDPOINT", ""),
            ("HF_TOKEN", ""),
            ("HF_HUB_OFFLINE", "0"),
        ];
        assert_eq!(settings(&variables), StoreSettings::new(PathBuf::from("mine").join("weights")));
    }
}
