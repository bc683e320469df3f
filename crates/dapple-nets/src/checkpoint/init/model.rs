//! Initial values from a model of this program, whose classes are known by name.

use super::class_axes::{chosen, class_axes};
use super::report::{InitError, InitReport, SHOWN};
use super::state_dict::init_from;
use crate::checkpoint::model::ModelFile;
use crate::checkpoint::named_tensor::NamedTensor;
use crate::config::{Activation, NetConfig};
use dapple_graph::State;
use std::fmt;

/// How a head came to its initial values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadReport {
    /// Class by class: those whose rows were taken over, and those whose rows are new.
    ByName {
        /// Classes that the model knows.
        kept: Vec<String>,
        /// Classes that it does not know.
        new: Vec<String>,
    },
    /// As a whole, in the order of the labels, because the classes of the data or of the model have no names.
    InOrder,
    /// New, because the classes have no names and their numbers differ: here and there.
    OtherCount(usize, usize),
    /// New, because its function from logits to probabilities differs: here and there.
    OtherActivation(Activation, Activation),
}

/// Initializes the parameters of a network from a model as [`init_from`] does, its head class by class: the rows of classes
/// that the model has under the same name are taken over, those of others keep their initial values. Case, hyphens and
/// underscores do not count where a name stays unique without them. `names` are those of the network's classes; without
/// them, and of a model without names, a head for as many classes is taken over as it is.
///
/// # Errors
/// As [`init_from`].
pub fn init_from_model(
    state: &mut State,
    config: &NetConfig,
    names: Option<&[String]>,
    model: &ModelFile,
) -> Result<(InitReport, HeadReport), InitError> {
    let there = &model.card.network;
    let (of, head) = logits(config, names, model);
    let mut entries = Vec::with_capacity(model.state.specs.len());
    let axes = class_axes(config).unwrap_or_default();
    let mut new = Vec::new();
    for (index, spec) in model.state.specs.iter().enumerate() {
        let (mut shape, mut values) = (spec.shape.clone(), model.state.slice(index).to_vec());
        let here = state.specs.iter().position(|here| here.name == spec.name);
        let following = axes.get(&spec.name).filter(|axes| axes.iter().any(|&axis| axis > 0));
        if let (Some(here), Some(axes)) = (here, following) {
            let mut filled = state.slice(here).to_vec();
            shape.clone_from(&state.specs[here].shape);
            chosen(&mut filled, &shape, (&values, &spec.shape), axes, &of, there.logits());
            values = filled;
            if of.iter().all(Option::is_none) {
                new.push(spec.name.clone());
            }
        }
        entries.push(NamedTensor { name: spec.name.clone(), shape, values });
    }
    let mut report = init_from(state, config, &entries)?;
    report.loaded.retain(|name| !new.contains(name));
    report.head_kept.extend(new);
    Ok((report, head))
}

/// For each logit of the network, that of the same class in the model.
fn logits(
    config: &NetConfig,
    names: Option<&[String]>,
    model: &ModelFile,
) -> (Vec<Option<usize>>, HeadReport) {
    let there = &model.card.network;
    let new = vec![None; config.logits()];
    if config.activation != there.activation {
        return (new, HeadReport::OtherActivation(config.activation, there.activation));
    }
    let of_model: Vec<&str> = model.card.classes.iter().map(|class| class.name.as_str()).collect();
    let Some(names) = names.filter(|_| !is_numbered(&of_model)) else {
        return match config.classes == there.classes {
            true => ((0..config.logits()).map(Some).collect(), HeadReport::InOrder),
            false => (new, HeadReport::OtherCount(config.classes, there.classes)),
        };
    };
    // A single logit is that of the second class.
    let with_logit = |config: &NetConfig| config.classes - config.logits();
    let names: Vec<&str> = names.iter().map(String::as_str).skip(with_logit(config)).collect();
    let of_model = &of_model[with_logit(there)..];
    let of: Vec<Option<usize>> = names.iter().map(|name| same(name, &names, of_model)).collect();
    let part = |is_kept: bool| {
        let fitting = names.iter().zip(&of).filter(|(_, of)| of.is_some() == is_kept);
        fitting.map(|(name, _)| (*name).to_owned()).collect()
    };
    let head = HeadReport::ByName { kept: part(true), new: part(false) };
    (of, head)
}

/// Whether classes have no names but their numbers.
fn is_numbered(names: &[&str]) -> bool {
    names.iter().enumerate().all(|(label, name)| *name == format!("class {label}"))
}

/// The place of a name among those there: the same, or the only one that differs in case and separators alone.
fn same(name: &str, here: &[&str], there: &[&str]) -> Option<usize> {
    if let Some(place) = there.iter().position(|other| *other == name) {
        return Some(place);
    }
    let folded = |name: &str| name.trim().to_lowercase().replace(['-', '_'], " ");
    let alike = |names: &[&str]| -> Vec<usize> {
        (0..names.len()).filter(|&place| folded(names[place]) == folded(name)).collect()
    };
    match (&alike(here)[..], &alike(there)[..]) {
        ([_], &[place]) => Some(place),
        _ => None,
    }
}

impl fmt::Display for HeadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| {
            let more = if names.len() > SHOWN {
                format!(" and {} more", names.len() - SHOWN)
            } else {
                String::new()
            };
            names[..names.len().min(SHOWN)].join(", ") + &more
        };
        let word = |activation: &Activation| match activation {
            Activation::Softmax => "softmax",
            Activation::Sigmoid => "sigmoid",
        };
        match self {
            Self::ByName { kept, new } if new.is_empty() => {
                write!(f, "head: taken over by the names of the classes: {}", list(kept))
            }
            Self::ByName { kept, new } if kept.is_empty() => {
                write!(f, "head: new, because the weights know none of the classes {}", list(new))
            }
            Self::ByName { kept, new } => {
                write!(f, "head: taken over for the classes {}; new for {}", list(kept), list(new))
            }
            Self::InOrder => f.write_str(
                "head: taken over in the order of the labels, because the classes have no names to match",
            ),
            Self::OtherCount(here, there) => {
                write!(f, "head: new, for {here} classes instead of {there}, which have no names to match")
            }
            Self::OtherActivation(here, there) => {
                write!(f, "head: new, for {} instead of {}", word(here), word(there))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_but_for_case_and_separators_where_that_is_unique() {
        let there = ["sky", "Sign_Symbol", "car", "CAR"];
        assert_eq!(same("sign symbol", &["sign symbol"], &there), Some(1));
        assert_eq!(same("car", &["car"], &there), Some(2));
        assert_eq!(same("Car", &["Car"], &there), None, "it could be either");
        assert_eq!(same("Sky", &["Sky", "SKY"], &there), None, "two classes cannot be one");
        assert_eq!(same("tree", &["tree"], &there), None);
    }
}
