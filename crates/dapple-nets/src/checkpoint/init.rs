//! Initial values from somebody else's weights.

use super::{CheckpointError, ContentError, Entry, read_state_dict};
use crate::NetConfig;
use crate::nearest::nearest;
use dapple_graph::{ParamSpec, Role, State};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// Whose names a state dict uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The network's own, which are those of its published checkpoints.
    Own,
    /// torchvision's `vgg16`, into SegNet's encoder; its batch norms keep their initial values.
    Vgg16,
    /// torchvision's `vgg16_bn`, into SegNet's encoder.
    Vgg16Bn,
}

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
    /// First convolution, whose weights for three colours were summed for grey images.
    pub summed_input: Option<String>,
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

/// Index of each of VGG16's convolutions in torchvision's `features`, without and with batch norm.
const VGG16: [(usize, usize); 13] = [
    (0, 0),
    (2, 3),
    (5, 7),
    (7, 10),
    (10, 14),
    (12, 17),
    (14, 20),
    (17, 24),
    (19, 27),
    (21, 30),
    (24, 34),
    (26, 37),
    (28, 40),
];

/// Takes over the weights of a file as [`init_from`] does. VGG's classifier and optimisers' memories are not
/// read.
///
/// # Errors
/// As [`read_state_dict`] and [`init_from`].
pub fn init_from_file(
    state: &mut State,
    config: &NetConfig,
    path: &Path,
) -> Result<InitReport, CheckpointError> {
    let wanted = |name: &str| !["classifier.", "optimizer"].iter().any(|part| name.contains(part));
    let entries = read_state_dict(path, &wanted)?;
    init_from(state, config, &entries).map_err(|e| ContentError::from(e).of(path))
}

/// Takes over what a state dict has for the parameters of a network.
///
/// Prefixes such as `module.` are dropped, and so are counts of batches. For SegNet, keys of torchvision's `vgg16`
/// and `vgg16_bn` go to the encoder. Where the first convolution there sees three colours and here one grey
/// channel, its weights are summed over the colours: the response is then that to a grey image given three
/// times. A head of another shape (for other classes) is left as it is, as a whole.
///
/// # Errors
/// If less than half of the parameters outside the head fit, or VGG16's encoder is not complete. The state is
/// unchanged then.
pub fn init_from(state: &mut State, config: &NetConfig, entries: &[Entry]) -> Result<InitReport, InitError> {
    let entries: Vec<(String, &Entry)> = entries
        .iter()
        .map(|entry| (strip_prefixes(&entry.name).to_owned(), entry))
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .collect();
    let naming = naming(config, &entries);
    let plan = Plan::new(state, naming, entries);
    if let Err(why) = plan.is_enough(state) {
        let (network, width) = (config.name.clone(), config.width);
        return Err(InitError { network, width, why, report: Box::new(plan.report) });
    }
    for (index, entry, summed) in &plan.takes {
        let target = state.slice_mut(*index);
        if *summed {
            sum_colours(&entry.values, entry.shape[2] * entry.shape[3], target);
        } else {
            target.copy_from_slice(&entry.values);
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

fn naming(config: &NetConfig, entries: &[(String, &Entry)]) -> Naming {
    let any =
        |part: &str| entries.iter().any(|(name, _)| name.starts_with("features.") && name.ends_with(part));
    if config.name != "segnet" || !any(".weight") {
        Naming::Own
    } else if any(".running_mean") {
        Naming::Vgg16Bn
    } else {
        Naming::Vgg16
    }
}

/// The network's name of an entry.
fn own_name(naming: Naming, name: &str) -> String {
    let Some(layer) = name.strip_prefix("features.").filter(|_| naming != Naming::Own) else {
        return name.to_owned();
    };
    let with_norm = || {
        let (index, part) = layer.split_once('.')?;
        let index: usize = index.parse().ok()?;
        let (_, index) = VGG16.into_iter().find(|&(plain, _)| plain == index)?;
        Some(format!("encoder.features.{index}.{part}"))
    };
    match naming {
        Naming::Vgg16 => with_norm().unwrap_or_else(|| name.to_owned()),
        _ => format!("encoder.{name}"),
    }
}

/// Whether a parameter belongs to the layers whose shape depends on the number of classes.
fn is_head(name: &str) -> bool {
    ["outc.", "outconv.", "side", "head."].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a state dict of this naming should have a parameter: VGG16 has the encoder only, its older variant
/// without batch norms.
fn is_expected(naming: Naming, spec: &ParamSpec) -> bool {
    let plain = matches!(spec.role, Role::ConvWeight | Role::Bias);
    match naming {
        Naming::Own => true,
        Naming::Vgg16Bn => spec.name.starts_with("encoder."),
        Naming::Vgg16 => spec.name.starts_with("encoder.") && plain,
    }
}

/// What goes where, before anything is changed.
struct Plan<'a> {
    /// Parameter, its values, and whether they are summed over colours.
    takes: Vec<(usize, &'a Entry, bool)>,
    report: InitReport,
}

impl<'a> Plan<'a> {
    fn new(state: &State, naming: Naming, entries: Vec<(String, &'a Entry)>) -> Self {
        let by_name: HashMap<String, usize> =
            entries.iter().enumerate().map(|(i, (name, _))| (own_name(naming, name), i)).collect();
        let mut used = vec![false; entries.len()];
        let (mut takes, mut missing, mut head_kept) = (Vec::new(), Vec::new(), Vec::new());
        let (mut mismatched, mut summed_input) = (Vec::new(), None);
        for (index, spec) in state.specs.iter().enumerate() {
            let Some(&at) = by_name.get(&spec.name) else {
                if is_head(&spec.name) {
                    head_kept.push(spec.name.clone());
                } else if is_expected(naming, spec) {
                    missing.push(spec.name.clone());
                }
                continue;
            };
            used[at] = true;
            let entry = entries[at].1;
            let summed = index == 0 && sums_colours(&spec.shape, &entry.shape);
            let len: usize = entry.shape.iter().product();
            if (spec.shape == entry.shape || summed) && len == entry.values.len() {
                takes.push((index, entry, summed));
                if summed {
                    summed_input = Some(spec.name.clone());
                }
            } else if is_head(&spec.name) {
                head_kept.push(spec.name.clone());
            } else {
                mismatched.push((spec.name.clone(), spec.shape.clone(), entry.shape.clone()));
            }
        }
        if !head_kept.is_empty() {
            // Half a head is none.
            takes.retain(|&(index, ..)| !is_head(&state.specs[index].name));
            head_kept = state.specs.iter().filter(|s| is_head(&s.name)).map(|s| s.name.clone()).collect();
        }
        let unused = entries.iter().zip(&used).filter(|(_, used)| !**used);
        let unused: Vec<String> = unused.map(|((name, _), _)| name.clone()).collect();
        let loaded = takes.iter().map(|&(index, ..)| state.specs[index].name.clone()).collect();
        let unexpected = unmatched(&unused, &missing);
        let missing = unmatched(&missing, &unused);
        let report = InitReport { naming, loaded, head_kept, summed_input, missing, unexpected, mismatched };
        Self { takes, report }
    }

    fn is_enough(&self, state: &State) -> Result<(), String> {
        let InitReport { naming, missing, mismatched, .. } = &self.report;
        if *naming != Naming::Own {
            let lacking = missing.len() + mismatched.len();
            return if lacking == 0 {
                Ok(())
            } else {
                Err(format!(
                    "{lacking} parameters of VGG16's convolutional layers are missing or of another shape"
                ))
            };
        }
        let body = state.specs.iter().filter(|s| !is_head(&s.name)).count();
        let fitting = self.takes.iter().filter(|&&(index, ..)| !is_head(&state.specs[index].name)).count();
        if 2 * fitting < body {
            return Err(format!("only {fitting} of its {body} parameters outside the head are there"));
        }
        Ok(())
    }
}

fn sums_colours(here: &[usize], there: &[usize]) -> bool {
    matches!((here, there), (&[o, 1, h, w], &[p, 3, i, v]) if [o, h, w] == [p, i, v])
}

/// `[out, 3, kernel]` to `[out, 1, kernel]`.
fn sum_colours(values: &[f32], kernel: usize, target: &mut [f32]) {
    for (filter, target) in values.chunks_exact(3 * kernel).zip(target.chunks_exact_mut(kernel)) {
        for (i, target) in target.iter_mut().enumerate() {
            *target = filter[i] + filter[kernel + i] + filter[2 * kernel + i];
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

impl fmt::Display for InitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.naming {
            Naming::Own => "of the same network",
            Naming::Vgg16 => "of VGG16 without batch norm, for the encoder",
            Naming::Vgg16Bn => "of VGG16 with batch norm, for the encoder",
        };
        write!(f, "{} parameters taken over from weights {origin}", self.loaded.len())?;
        if let Some(name) = &self.summed_input {
            write!(f, "\n`{name}` summed over the colours for grey images")?;
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
