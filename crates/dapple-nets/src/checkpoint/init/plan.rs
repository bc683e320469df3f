//! The plan of an initialization: which tensor goes to which parameter.

use super::report::{InitReport, SHOWN, Unmatched};
use crate::checkpoint::named_tensor::NamedTensor;
use crate::checkpoint::naming::{Naming, Source, Translator};
use crate::registry::NetworkEntry;
use dapple_base::nearest;
use dapple_graph::{ParamSpec, State};
use std::collections::HashMap;

/// Index of the head that a parameter belongs to.
fn head_of(network: &NetworkEntry, name: &str) -> Option<usize> {
    network.heads.iter().position(|prefix| name.starts_with(prefix))
}

/// A parameter that takes its values from a tensor.
pub(super) struct Take<'a> {
    pub index: usize,
    pub entry: &'a NamedTensor,
    /// Index of the part of the tensor.
    pub part: usize,
    /// Offset to add to the values.
    pub shift: f32,
    /// Whether three colours are adapted to another number of channels.
    pub adapted: bool,
}

/// All assignments, made before anything is changed.
pub(super) struct Plan<'a> {
    pub takes: Vec<Take<'a>>,
    pub report: InitReport,
}

impl<'a> Plan<'a> {
    pub fn new(
        network: &NetworkEntry,
        state: &State,
        needed: &[bool],
        naming: Naming,
        translator: &Translator,
        entries: &[(String, &'a NamedTensor)],
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
                    // Parts of a published encoder that the network leaves out.
                    None if !needed[index] => {}
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
        // A head is initialized as a whole or not at all.
        let is_kept = |name: &str| head_of(network, name).is_some_and(|head| kept[head]);
        takes.retain(|take| !is_kept(&state.specs[take.index].name));
        let names = state.specs.iter().map(|spec| &spec.name);
        let head_kept = names.filter(|name| is_kept(name)).cloned().collect();
        let unused = entries.iter().zip(&used).filter(|(_, used)| !**used);
        let unused: Vec<String> = unused.map(|((name, _), _)| name.clone()).collect();
        let loaded = takes.iter().map(|take| state.specs[take.index].name.clone()).collect();
        let unexpected = unmatched(&unused, &missing);
        let missing = unmatched(&missing, &unused);
        let (prefix, also_fits) = (String::new(), None);
        let report = InitReport {
            naming,
            prefix,
            also_fits,
            dilates_otherwise: false,
            loaded,
            head_kept,
            adapted_input,
            missing,
            unexpected,
            mismatched,
        };
        Self { takes, report }
    }

    /// Whether enough of the parameters that the network uses are in the file, or why not.
    pub fn is_enough(&self, network: &NetworkEntry, state: &State, used: &[bool]) -> Result<(), String> {
        let InitReport { naming, missing, mismatched, .. } = &self.report;
        let of_encoder = matches!(
            naming,
            Naming::Encoder
                | Naming::Timm
                | Naming::Numbered
                | Naming::Dotted
                | Naming::Torchvision
                | Naming::PlainVgg
        );
        if of_encoder {
            let lacking = missing.len() + mismatched.len();
            return if lacking == 0 {
                Ok(())
            } else {
                Err(format!("{lacking} parameters of the encoder are missing or of another shape"))
            };
        }
        let counts = |index: usize| used[index] && head_of(network, &state.specs[index].name).is_none();
        let body = (0..state.specs.len()).filter(|&index| counts(index)).count();
        let fitting = self.takes.iter().filter(|take| counts(take.index)).count();
        if 2 * fitting < body {
            return Err(format!("only {fitting} of its {body} parameters outside the head are in the file"));
        }
        Ok(())
    }
}

/// Whether a tensor, or its part, has the shape of the parameter. Linear layers have two axes or four; in those that are
/// convolutions over a whole feature map here, the axes after the first are joined. Layer scales have one axis or three.
fn fits(spec: &ParamSpec, source: &Source, entry: &NamedTensor) -> bool {
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

/// Adapts weights `[out, 3, kernel]` to `[out, channels, kernel]`.
pub(super) fn adapt_colours(values: &[f32], kernel: usize, target: &mut [f32]) {
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
