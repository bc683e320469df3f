//! Initial values from somebody else's weights.

use super::Entry;
use super::naming::{
    Naming, Source, Translator, is_hugging_face, is_on_mit, is_on_timm, is_translated, published_shape,
};
use crate::registry::Entry as Network;
use crate::{ConfigError, NetConfig};
use dapple_base::nearest;
use dapple_graph::{ParamSpec, State};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A name without a partner, with the nearest one on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// The name.
    pub name: String,
    /// The nearest name without a partner on the other side.
    pub nearest: Option<String>,
}

/// What was taken over from a state dict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitReport {
    /// Whose names it uses.
    pub naming: Naming,
    /// Parameters that got their values.
    pub loaded: Vec<String>,
    /// Parameters of the head, which keep their initial values because the state dict's head is missing or made
    /// for other classes.
    pub head_kept: Vec<String>,
    /// First convolution, whose weights for three colours were adapted to another number of channels.
    pub adapted_input: Option<String>,
    /// Parameters that the state dict lacks; they keep their initial values.
    pub missing: Vec<Unmatched>,
    /// Entries that were not used.
    pub unexpected: Vec<Unmatched>,
    /// Parameters whose shape differs (name, here, there); they keep their initial values.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
}

/// A state dict that fits a network too little; the network is left as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weights do not fit {network} of width {width}: {why}\n{report}")]
pub struct InitError {
    /// Network.
    pub network: String,
    /// Its width.
    pub width: usize,
    /// What is too little.
    pub why: String,
    /// What would have been taken over.
    pub report: Box<InitReport>,
}

/// What training scripts put in front of the keys.
const PREFIXES: [&str; 6] = ["module.", "model.", "net.", "network.", "state_dict.", "model_state_dict."];

/// Takes over what a state dict has for the parameters of a network.
///
/// Prefixes such as `module.` are dropped, and so are counts of batches. The naming ([`Naming`]) is the one of which most
/// names are there. Where the first convolution there sees three colours and here another number of channels, its weights
/// are adapted: summed for one channel, so that the response is that to a grey image given three times; otherwise the
/// colours are repeated in turn and scaled by `3 / channels`. A head of another shape (for other classes) is left as it
/// is, as a whole.
///
/// # Errors
/// If less than half of the parameters outside the heads fit, or weights for the encoder alone are not complete. The state
/// is unchanged then.
pub fn init_from(state: &mut State, config: &NetConfig, entries: &[Entry]) -> Result<InitReport, InitError> {
    let entries: Vec<(String, &Entry)> = entries
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
    let (naming, translator) = recognise(network, state, &entries);
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

/// A network's weights under the names and with the shapes of its published checkpoints.
///
/// # Errors
/// For a configuration of no network.
pub fn published(config: &NetConfig, state: &State) -> Result<Vec<Entry>, ConfigError> {
    let network = config.entry()?;
    let naming = if is_translated(network) { Naming::Published } else { Naming::Own };
    let translator = Translator::new(network, naming, state);
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (index, spec) in state.specs.iter().enumerate() {
        let Some(source) = translator.source(spec) else { continue };
        let mut shape = published_shape(spec);
        match places.get(&source.name) {
            // Parts stand in their order.
            Some(&at) => entries[at].values.extend(state.slice(index)),
            None => {
                shape[0] *= source.parts;
                places.insert(source.name.clone(), entries.len());
                entries.push(Entry { name: source.name, shape, values: state.slice(index).to_vec() });
            }
        }
    }
    Ok(entries)
}

fn strip_prefixes(mut name: &str) -> &str {
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    name
}

/// The naming of which most names are there, the network's own if none is better.
fn recognise<'n>(
    network: &'n Network,
    state: &State,
    entries: &[(String, &Entry)],
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
    // The first of equals.
    let best = counted.reduce(|best, next| if next.0 > best.0 { next } else { best });
    match best {
        Some((_, naming, translator)) => (naming, translator),
        None => (Naming::Own, Translator::new(network, Naming::Own, state)),
    }
}

/// Which of the network's heads a parameter belongs to.
fn head_of(network: &Network, name: &str) -> Option<usize> {
    network.heads.iter().position(|prefix| name.starts_with(prefix))
}

/// A parameter that gets its values from an entry.
struct Take<'a> {
    index: usize,
    entry: &'a Entry,
    /// Of the entry's parts.
    part: usize,
    /// Added to the values.
    shift: f32,
    /// Whether colours become another number of channels.
    adapted: bool,
}

/// What goes where, before anything is changed.
struct Plan<'a> {
    takes: Vec<Take<'a>>,
    report: InitReport,
}

impl<'a> Plan<'a> {
    fn new(
        network: &Network,
        state: &State,
        naming: Naming,
        translator: &Translator,
        entries: &[(String, &'a Entry)],
    ) -> Self {
        let by_name: HashMap<&str, usize> =
            entries.iter().enumerate().map(|(i, (name, _))| (name.as_str(), i)).collect();
        let mut used = vec![false; entries.len()];
        let (mut takes, mut missing, mut mismatched) = (Vec::new(), Vec::new(), Vec::new());
        let mut kept = vec![false; network.heads.len()];
        let mut adapted_input = None;
        for (index, spec) in state.specs.iter().enumerate() {
            let head = head_of(network, &spec.name);
            let source = translator.source(spec);
            let place = source.as_ref().and_then(|s| Some((s, *by_name.get(s.name.as_str())?)));
            let Some((source, at)) = place else {
                match head {
                    Some(head) => kept[head] = true,
                    None if translator.is_expected(spec) => missing.push(spec.name.clone()),
                    None => {}
                }
                continue;
            };
            used[at] = true;
            let entry = entries[at].1;
            let adapted = index == 0 && adapts_colours(&spec.shape, &entry.shape);
            if fits(spec, source, entry) || (adapted && entry.is_whole()) {
                takes.push(Take { index, entry, part: source.part, shift: source.shift, adapted });
                if adapted {
                    adapted_input = Some(spec.name.clone());
                }
            } else if let Some(head) = head {
                kept[head] = true;
            } else {
                mismatched.push((spec.name.clone(), spec.shape.clone(), entry.shape.clone()));
            }
        }
        // Half a head is none.
        let is_kept = |name: &str| head_of(network, name).is_some_and(|head| kept[head]);
        takes.retain(|take| !is_kept(&state.specs[take.index].name));
        let names = state.specs.iter().map(|spec| &spec.name);
        let head_kept = names.filter(|name| is_kept(name)).cloned().collect();
        let unused = entries.iter().zip(&used).filter(|(_, used)| !**used);
        let unused: Vec<String> = unused.map(|((name, _), _)| name.clone()).collect();
        let loaded = takes.iter().map(|take| state.specs[take.index].name.clone()).collect();
        let unexpected = unmatched(&unused, &missing);
        let missing = unmatched(&missing, &unused);
        let report = InitReport { naming, loaded, head_kept, adapted_input, missing, unexpected, mismatched };
        Self { takes, report }
    }

    fn is_enough(&self, network: &Network, state: &State) -> Result<(), String> {
        let InitReport { naming, missing, mismatched, .. } = &self.report;
        if matches!(naming, Naming::Encoder | Naming::Timm | Naming::PlainVgg) {
            let lacking = missing.len() + mismatched.len();
            return if lacking == 0 {
                Ok(())
            } else {
                Err(format!("{lacking} parameters of the encoder are missing or of another shape"))
            };
        }
        let in_head = |name: &str| head_of(network, name).is_some();
        let body = state.specs.iter().filter(|spec| !in_head(&spec.name)).count();
        let fitting = self.takes.iter().filter(|take| !in_head(&state.specs[take.index].name)).count();
        if 2 * fitting < body {
            return Err(format!("only {fitting} of its {body} parameters outside the head are there"));
        }
        Ok(())
    }
}

/// Whether an entry, or its part, has the parameter's shape. Linear layers have two axes or four; those that became
/// convolutions over a whole map have their axes behind the first joined. Layer scales have one axis or three.
fn fits(spec: &ParamSpec, source: &Source, entry: &Entry) -> bool {
    let mut shape = spec.shape.clone();
    shape[0] *= source.parts;
    let flat = [shape[0], shape[1..].iter().product()];
    let joined = match shape.len() {
        4 => entry.shape == flat,
        3 => entry.shape == shape[..1],
        _ => false,
    };
    entry.is_whole() && (entry.shape == shape || joined)
}

fn adapts_colours(here: &[usize], there: &[usize]) -> bool {
    matches!((here, there), (&[o, c, h, w], &[p, 3, i, v]) if c != 3 && [o, h, w] == [p, i, v])
}

/// `[out, 3, kernel]` to `[out, channels, kernel]`.
fn adapt_colours(values: &[f32], kernel: usize, target: &mut [f32]) {
    let filters = values.len() / (3 * kernel);
    let channels = target.len() / (filters * kernel);
    for (filter, target) in values.chunks_exact(3 * kernel).zip(target.chunks_exact_mut(channels * kernel)) {
        for (i, target) in target.iter_mut().enumerate() {
            let (channel, tap) = (i / kernel, i % kernel);
            *target = match channels {
                1 => filter[tap] + filter[kernel + tap] + filter[2 * kernel + tap],
                _ => filter[channel % 3 * kernel + tap] * (3.0 / channels as f32),
            };
        }
    }
}

/// Names shown of a long list, and so many are compared with the other side.
const SHOWN: usize = 6;

fn unmatched(names: &[String], others: &[String]) -> Vec<Unmatched> {
    let nearest_of = |(i, name): (usize, &String)| Unmatched {
        name: name.clone(),
        nearest: (i < SHOWN)
            .then(|| nearest(name, others.iter().map(String::as_str)))
            .flatten()
            .map(str::to_owned),
    };
    names.iter().enumerate().map(nearest_of).collect()
}

impl InitReport {
    /// Nothing was looked at.
    fn empty() -> Self {
        Self {
            naming: Naming::Own,
            loaded: Vec::new(),
            head_kept: Vec::new(),
            adapted_input: None,
            missing: Vec::new(),
            unexpected: Vec::new(),
            mismatched: Vec::new(),
        }
    }
}

impl fmt::Display for InitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.naming {
            Naming::Own => "of the same network",
            Naming::Published | Naming::Modules => "of the same network under its published names",
            Naming::HuggingFace => "of a SegFormer under Hugging Face's names",
            Naming::Timm => "of timm's classification network, for the encoder",
            Naming::TimmEncoder | Naming::TimmUniversal => "of the same network on timm's encoder",
            Naming::Encoder => "of a classification network, for the encoder",
            Naming::PlainVgg => "of VGG without batch norm, for the encoder",
        };
        write!(f, "{} parameters taken over from weights {origin}", self.loaded.len())?;
        if let Some(name) = &self.adapted_input {
            write!(f, "\n`{name}` adapted from three colours to the image's channels")?;
        }
        if !self.head_kept.is_empty() {
            write!(f, "\nthe head ({} parameters) keeps its initial values", self.head_kept.len())?;
        }
        let named = |unmatched: &Unmatched| match &unmatched.nearest {
            Some(nearest) => format!("`{}` (nearest: `{nearest}`)", unmatched.name),
            None => format!("`{}`", unmatched.name),
        };
        list(f, "missing", self.missing.iter().map(named))?;
        list(f, "not used", self.unexpected.iter().map(named))?;
        let shapes = |(name, here, there): &(String, Vec<usize>, Vec<usize>)| {
            format!("`{name}` ({here:?} here, {there:?} there)")
        };
        list(f, "of another shape", self.mismatched.iter().map(shapes))
    }
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, items: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    let len = items.len();
    if len == 0 {
        return Ok(());
    }
    let shown: Vec<String> = items.take(SHOWN).collect();
    let more = if len > SHOWN { format!(" and {} more", len - SHOWN) } else { String::new() };
    write!(f, "\n{len} {what}: {}{more}", shown.join(", "))
}
