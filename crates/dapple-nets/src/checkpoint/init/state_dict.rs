//! Initial values from a state dict.

use super::plan::{Plan, adapt_colours};
use super::report::{InitError, InitReport};
use crate::checkpoint::named_tensor::NamedTensor;
use crate::checkpoint::naming::{Naming, Translator, is_hugging_face, is_on_mit, is_on_timm, is_translated};
use crate::config::NetConfig;
use crate::registry::NetworkEntry;
use dapple_graph::State;
use std::collections::HashSet;

/// Prefixes that training scripts add to the keys.
const PREFIXES: [&str; 6] = ["module.", "model.", "net.", "network.", "state_dict.", "model_state_dict."];

/// Initializes the parameters of a network from a state dict.
///
/// Prefixes such as `module.` and counts of batches are dropped. The naming scheme ([`Naming`]) is the one with the most
/// matching names. If the first convolution of the state dict takes three colours but the network another number of
/// channels, its weights are adapted: summed for one channel, so that it responds as to a grey image in all three colours;
/// otherwise repeated in turn and scaled by `3 / channels`. A head of another shape (for other classes) keeps its initial
/// values as a whole.
///
/// # Errors
/// If less than half of the parameters outside the heads fit, or if weights of an encoder alone are not complete. The
/// state is then unchanged.
pub fn init_from(
    state: &mut State,
    config: &NetConfig,
    entries: &[NamedTensor],
) -> Result<InitReport, InitError> {
    let entries: Vec<(String, &NamedTensor)> = entries
        .iter()
        .map(|entry| (strip_prefixes(&entry.name).to_owned(), entry))
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .collect();
    let refuse = |why: String, report: InitReport| {
        let (network, width) = (config.name.clone(), config.width);
        InitError { network, width, why, report: Box::new(report) }
    };
    let network = match config.entry() {
        Ok(network) => network,
        Err(error) => return Err(refuse(error.to_string(), InitReport::empty())),
    };
    let (naming, translator) = recognize(network, state, &entries);
    let plan = Plan::new(network, state, naming, &translator, &entries);
    if let Err(why) = plan.is_enough(network, state) {
        return Err(refuse(why, plan.report));
    }
    for take in &plan.takes {
        let target = state.slice_mut(take.index);
        if take.adapted {
            let [_, _, h, w] = take.entry.shape[..] else { unreachable!("adapted weights have four axes") };
            adapt_colours(&take.entry.values, h * w, target);
        } else {
            let len = target.len();
            target.copy_from_slice(&take.entry.values[take.part * len..(take.part + 1) * len]);
            target.iter_mut().for_each(|value| *value += take.shift);
        }
    }
    Ok(plan.report)
}

fn strip_prefixes(mut name: &str) -> &str {
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    name
}

/// The naming scheme with the most matching names; the network's own among equals.
fn recognize<'n>(
    network: &'n NetworkEntry,
    state: &State,
    entries: &[(String, &NamedTensor)],
) -> (Naming, Translator<'n>) {
    let names: HashSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let candidates = [
        Naming::Own,
        Naming::Published,
        Naming::Modules,
        Naming::Encoder,
        Naming::HuggingFace,
        Naming::Timm,
        Naming::TimmEncoder,
        Naming::TimmUniversal,
        Naming::PlainVgg,
    ];
    let usable = candidates.into_iter().filter(|naming| match naming {
        Naming::Own => true,
        Naming::Published => is_translated(network),
        Naming::Modules => is_hugging_face(network),
        Naming::Encoder => network.encoder_prefix.is_some(),
        Naming::HuggingFace => is_on_mit(network),
        Naming::Timm | Naming::TimmEncoder | Naming::TimmUniversal => is_on_timm(network),
        // Plain VGG has no statistics.
        Naming::PlainVgg => !names.iter().any(|name| name.ends_with("running_mean")),
    });
    let counted = usable.map(|naming| {
        let translator = Translator::new(network, naming, state);
        let sources = state.specs.iter().filter_map(|spec| translator.source(spec));
        (sources.filter(|source| names.contains(source.name.as_str())).count(), naming, translator)
    });
    // The first among equals.
    let best = counted.reduce(|best, next| if next.0 > best.0 { next } else { best });
    match best {
        Some((_, naming, translator)) => (naming, translator),
        None => (Naming::Own, Translator::new(network, Naming::Own, state)),
    }
}
