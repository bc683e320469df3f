//! Initial values from a state dict.

use super::plan::{Plan, adapt_colours};
use super::prefix::{candidates, unwrapped};
use super::report::{InitError, InitReport};
use crate::checkpoint::named_tensor::NamedTensor;
use crate::checkpoint::naming::{
    Naming, Translator, is_hugging_face, is_on_densenet, is_on_lite, is_on_mit, is_on_regnet, is_on_timm,
    is_on_universal, is_translated,
};
use crate::config::{Dilation, NetConfig};
use crate::registry::NetworkEntry;
use dapple_graph::{Network, Shape, State};
use std::collections::{HashMap, HashSet};

/// Initializes the parameters of a network from a state dict.
///
/// Counts of batches are dropped. The naming scheme ([`Naming`]) and the common prefix of the names (`module.` for example)
/// are those with the most matching names. If the first convolution of the state dict takes three colours but the network
/// another number of channels, its weights are adapted: summed for one channel, so that it responds as to a grey image in
/// all three colours; otherwise repeated in turn and scaled by `3 / channels`. A head of another shape (for other classes)
/// keeps its initial values as a whole.
///
/// # Errors
/// If less than half of the parameters outside the heads fit, if weights of an encoder alone are not complete, and for
/// NaN, infinite weights and negative variances. The state is then unchanged.
pub fn init_from(
    state: &mut State,
    config: &NetConfig,
    entries: &[NamedTensor],
) -> Result<InitReport, InitError> {
    let entries = named(entries);
    let refuse = |why: String, report: InitReport| {
        let (network, width) = (config.name.clone(), config.width);
        InitError { network, width, why, report: Box::new(report) }
    };
    let network = match config.entry() {
        Ok(network) => network,
        Err(error) => return Err(refuse(error.to_string(), InitReport::empty())),
    };
    let graph = match config.build(Shape::new(1, network.smallest, network.smallest, config.in_channels)) {
        Ok(graph) => graph,
        Err(error) => return Err(refuse(error.to_string(), InitReport::empty())),
    };
    let used = graph.used_params();
    let Recognized { naming, translator, prefix, also_fits } = recognize(network, state, &entries);
    let below = |(name, entry): &(String, _)| Some((name.strip_prefix(&prefix)?.to_owned(), *entry));
    let entries: Vec<(String, &NamedTensor)> = entries.iter().filter_map(below).collect();
    let mut plan = Plan::new(network, state, &used, naming, &translator, &entries);
    (plan.report.prefix, plan.report.also_fits) = (prefix, also_fits);
    plan.report.dilates_otherwise = naming == Naming::TimmUniversal
        && !network.output_strides.is_empty()
        && config.dilation != Some(Dilation::Later);
    if let Err(why) = plan.is_enough(network, state, &used) {
        return Err(refuse(why, plan.report));
    }
    let mut filled = state.clone();
    for take in &plan.takes {
        let target = filled.slice_mut(take.index);
        if take.adapted {
            let [_, _, h, w] = take.entry.shape[..] else { unreachable!("adapted weights have four axes") };
            adapt_colours(&take.entry.values, h * w, target);
        } else {
            let len = target.len();
            target.copy_from_slice(&take.entry.values[take.part * len..(take.part + 1) * len]);
            target.iter_mut().for_each(|value| *value += take.shift);
        }
    }
    match filled.find_unsound(&graph) {
        Some(unsound) => Err(refuse(format!("`{}`: {unsound}", unsound.parameter), plan.report)),
        None => {
            *state = filled;
            Ok(plan.report)
        }
    }
}

/// The tensors under their names without the parts that wrappers add; counts of batches are left out.
pub(super) fn named(entries: &[NamedTensor]) -> Vec<(String, &NamedTensor)> {
    let named = entries.iter().map(|entry| (unwrapped(&entry.name).into_owned(), entry));
    named.filter(|(name, _)| !name.ends_with("num_batches_tracked")).collect()
}

/// The place and the scheme of a network's parameters in a state dict.
pub(super) struct Recognized<'n> {
    pub naming: Naming,
    pub translator: Translator<'n>,
    pub prefix: String,
    /// Another prefix with as many matching names.
    pub also_fits: Option<String>,
}

/// The prefix and the naming scheme with the most matching names; no prefix and the network's own scheme among equals.
pub(super) fn recognize<'n>(
    network: &'n NetworkEntry,
    state: &State,
    entries: &[(String, &NamedTensor)],
) -> Recognized<'n> {
    let names: HashSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let all = [
        Naming::Own,
        Naming::Published,
        Naming::Modules,
        Naming::Encoder,
        Naming::HuggingFace,
        Naming::Timm,
        Naming::TimmEncoder,
        Naming::TimmUniversal,
        Naming::Numbered,
        Naming::Dotted,
        Naming::Torchvision,
        Naming::PlainVgg,
    ];
    let usable = all.into_iter().filter(|naming| match naming {
        Naming::Own => true,
        Naming::Published => is_translated(network),
        Naming::Modules => is_hugging_face(network),
        Naming::Encoder => network.encoder_prefix.is_some(),
        Naming::HuggingFace => is_on_mit(network),
        // Its `timm-tf_efficientnet_lite0` pads otherwise than the published network.
        Naming::TimmEncoder => is_on_timm(network) && !is_on_lite(network),
        Naming::Timm => is_on_timm(network),
        Naming::TimmUniversal => is_on_universal(network),
        Naming::Dotted => is_on_densenet(network),
        Naming::Torchvision => is_on_regnet(network),
        Naming::Numbered => is_on_lite(network),
        // Plain VGG has no statistics.
        Naming::PlainVgg => !names.iter().any(|name| name.ends_with("running_mean")),
    });
    // How many parameters want each name.
    let schemes: Vec<(Naming, HashMap<String, usize>)> = usable
        .map(|naming| {
            let translator = Translator::new(network, naming, state);
            let mut wanted = HashMap::new();
            for source in state.specs.iter().filter_map(|spec| translator.source(spec)) {
                *wanted.entry(source.name).or_insert(0) += 1;
            }
            (naming, wanted)
        })
        .collect();
    let (mut best, mut also_fits) = ((0, "", Naming::Own), None);
    for prefix in candidates(entries.iter().map(|(name, _)| name.as_str())) {
        for (naming, wanted) in &schemes {
            let there = names.iter().filter_map(|name| wanted.get(name.strip_prefix(prefix)?));
            let count: usize = there.sum();
            if count > best.0 {
                (best, also_fits) = ((count, prefix, *naming), None);
            } else if count > 0 && (count, *naming) == (best.0, best.2) && prefix != best.1 {
                also_fits.get_or_insert(prefix.to_owned());
            }
        }
    }
    let (_, prefix, naming) = best;
    let translator = Translator::new(network, naming, state);
    Recognized { naming, translator, prefix: prefix.to_owned(), also_fits }
}
