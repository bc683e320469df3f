//! The list of networks.

use super::entry::NetworkEntry;
use super::{on_encoders, whole};
use crate::config::ConfigError;
use dapple_base::nearest;
use std::sync::LazyLock;

/// All networks: whole ones first, then each decoder on its encoders.
pub fn networks() -> &'static [NetworkEntry] {
    static ALL: LazyLock<Vec<NetworkEntry>> =
        LazyLock::new(|| whole::entries().chain(on_encoders::entries()).collect());
    &ALL
}

/// The network of that name.
///
/// # Errors
/// [`ConfigError::UnknownNetwork`], which proposes the most similar name.
pub fn find(name: &str) -> Result<&'static NetworkEntry, ConfigError> {
    networks().iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names = || networks().iter().map(|entry| entry.name.as_str());
        ConfigError::UnknownNetwork {
            name: name.to_owned(),
            nearest: nearest(name, names()),
            known: families(),
        }
    })
}

/// The names of all networks, each decoder once, with ENCODER for the name of its encoder.
fn families() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in networks() {
        let name = match entry.encoder {
            Some(_) => format!("{}-ENCODER", entry.family),
            None => entry.name.clone(),
        };
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}
