//! Translation of parameter names.

use super::numbered;
use super::scheme::Naming;
use super::segformer::{FILES, MODULES, hugging_face, hugging_face_head};
use super::{timm, torchvision};
use crate::registry::NetworkEntry;
use dapple_graph::{ParamSpec, Role, State};
use std::collections::BTreeMap;

/// The place of a parameter in a state dict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    /// Name of the tensor.
    pub name: String,
    /// Index of the part along the first axis, below `parts`.
    pub part: usize,
    /// Number of parts of the tensor.
    pub parts: usize,
    /// Offset to add to the values.
    pub shift: f32,
}

impl Source {
    fn whole(name: String) -> Self {
        Self { name, part: 0, parts: 1, shift: 0.0 }
    }
}

/// Translates the parameters of a network into one naming scheme.
pub(crate) struct Translator<'a> {
    network: &'a NetworkEntry,
    naming: Naming,
    /// For [`Naming::PlainVgg`]: from the index of each convolution to its index in the state dict.
    vgg: BTreeMap<usize, usize>,
    /// For [`Naming::Numbered`]: the blocks in their order.
    blocks: Vec<String>,
}

impl<'a> Translator<'a> {
    pub fn new(network: &'a NetworkEntry, naming: Naming, state: &State) -> Self {
        let vgg = if naming == Naming::PlainVgg { vgg_indices(network, state) } else { BTreeMap::new() };
        let blocks = match (naming, network.encoder_prefix) {
            (Naming::Numbered, Some(prefix)) => numbered::blocks(state, prefix),
            _ => Vec::new(),
        };
        Self { network, naming, vgg, blocks }
    }

    /// Whether a state dict of this scheme must have the parameter.
    pub fn is_expected(&self, spec: &ParamSpec) -> bool {
        match self.naming {
            Naming::Own
            | Naming::Published
            | Naming::Modules
            | Naming::TimmEncoder
            | Naming::TimmUniversal => true,
            Naming::HuggingFace => self.source(spec).is_some(),
            Naming::Encoder | Naming::Timm | Naming::Numbered | Naming::Dotted | Naming::Torchvision => {
                self.of_encoder(&spec.name).is_some()
            }
            Naming::PlainVgg => self.source(spec).is_some(),
        }
    }

    /// The place of the parameter, if it has one.
    pub fn source(&self, spec: &ParamSpec) -> Option<Source> {
        let name = spec.name.as_str();
        match self.naming {
            Naming::Own => Some(Source::whole(name.to_owned())),
            Naming::Published if is_hugging_face(self.network) => {
                Some(Source::whole(hugging_face(name, &FILES)))
            }
            Naming::Published => Some(joint_projection(name)),
            Naming::Modules => Some(Source::whole(hugging_face(name, &MODULES))),
            Naming::Encoder => match self.of_encoder(name) {
                // torchvision's segmentation networks take the layers without their common name.
                Some(inner) if inner.starts_with(|c: char| c.is_ascii_digit()) => {
                    Some(Source::whole(format!("features.{inner}")))
                }
                Some(inner) => {
                    let shift =
                        self.network.encoder.map_or(0.0, |encoder| torchvision_shift(encoder.name, inner));
                    Some(Source { shift, ..joint_projection(inner) })
                }
                None => dense_of_vgg(name).map(Source::whole),
            },
            Naming::HuggingFace => match self.of_encoder(name) {
                Some(_) => Some(Source::whole(hugging_face(name, &FILES))),
                None if self.network.family == "segformer" => hugging_face_head(name).map(Source::whole),
                None => None,
            },
            Naming::Timm => self.timm(name, str::to_owned),
            Naming::TimmEncoder => self.timm_or_own(name, |there| format!("encoder.{there}")),
            Naming::TimmUniversal => {
                let encoder = self.network.encoder?.name;
                self.timm_or_own(name, |there| {
                    format!("encoder.model.{}", timm::in_feature_list(encoder, there))
                })
            }
            Naming::Dotted => {
                let dotted =
                    self.of_encoder(name)?.replace(".norm1.", ".norm.1.").replace(".norm2.", ".norm.2.");
                Some(Source::whole(dotted.replace(".conv1.", ".conv.1.").replace(".conv2.", ".conv.2.")))
            }
            Naming::Torchvision => torchvision::name(self.of_encoder(name)?).map(Source::whole),
            Naming::Numbered => numbered::name(self.of_encoder(name)?, &self.blocks).map(Source::whole),
            Naming::PlainVgg => {
                let (index, part) = self.of_encoder(name)?.strip_prefix("features.")?.split_once('.')?;
                let there = self.vgg.get(&index.parse().ok()?)?;
                Some(Source::whole(format!("features.{there}.{part}")))
            }
        }
    }

    /// timm's name of a parameter of the encoder.
    fn timm(&self, name: &str, place: impl Fn(&str) -> String) -> Option<Source> {
        let (encoder, inner) = (self.network.encoder?.name, self.of_encoder(name)?);
        let there = timm::name(encoder, inner)?;
        Some(Source { shift: timm::shift(encoder, inner), ..Source::whole(place(&there)) })
    }

    fn timm_or_own(&self, name: &str, place: impl Fn(&str) -> String) -> Option<Source> {
        match self.of_encoder(name) {
            Some(_) => self.timm(name, place),
            None => Some(Source::whole(name.to_owned())),
        }
    }

    fn of_encoder<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.network.encoder_prefix?)
    }
}

/// Whether the names of the network's checkpoints differ from those of its parameters.
pub(crate) fn is_translated(network: &NetworkEntry) -> bool {
    is_hugging_face(network) || network.encoder.is_some_and(|encoder| encoder.name.starts_with("mit"))
}

/// Whether the network is a decoder on MiT with the names of segmentation_models_pytorch.
pub(crate) fn is_on_mit(network: &NetworkEntry) -> bool {
    is_translated(network) && !is_hugging_face(network)
}

/// Whether timm has names of its own for the layers of the network's encoder.
pub(crate) fn is_on_timm(network: &NetworkEntry) -> bool {
    network.encoder.is_some_and(|encoder| timm::knows(encoder.name))
}

/// Whether segmentation_models_pytorch has the network's encoder from timm, as `tu-...`.
pub(crate) fn is_on_universal(network: &NetworkEntry) -> bool {
    network.encoder.is_some_and(|encoder| timm::is_universal(encoder.name))
}

/// Whether the network is a decoder on DenseNet.
pub(crate) fn is_on_densenet(network: &NetworkEntry) -> bool {
    network.encoder.is_some_and(|encoder| encoder.name.starts_with("densenet"))
}

/// Whether the network is a decoder on RegNetY, of which torchvision's names are known.
pub(crate) fn is_on_regnet(network: &NetworkEntry) -> bool {
    network.encoder.is_some_and(|encoder| torchvision::knows(encoder.name))
}

/// Whether the network is a decoder on EfficientNet-Lite.
pub(crate) fn is_on_lite(network: &NetworkEntry) -> bool {
    network.encoder.is_some_and(|encoder| numbered::knows(encoder.name))
}

/// Whether the network is one of the paper's SegFormers.
pub(crate) fn is_hugging_face(network: &NetworkEntry) -> bool {
    network.family.starts_with("segformer-b")
}

/// The shape of a parameter in published checkpoints: linear layers have two axes.
pub(crate) fn published_shape(spec: &ParamSpec, naming: Naming) -> Vec<usize> {
    // timm's layer scales have one axis, and so have MSCAN's.
    let is_flat = naming == Naming::TimmUniversal || spec.name.starts_with("backbone.");
    if is_flat && spec.role == Role::Factor {
        return spec.shape[..1].to_vec();
    }
    const LINEAR: [&str; 10] = [
        ".attn.q.weight",
        ".attn.k.weight",
        ".attn.v.weight",
        ".attn.proj.weight",
        ".mlp.fc1.weight",
        ".mlp.fc2.weight",
        // ConvNeXt's.
        ".block.3.weight",
        ".block.5.weight",
        // The decoders' of SegFormer.
        ".linear.weight",
        ".proj.weight",
    ];
    // Below `backbone.` all are convolutions in the checkpoints too.
    let is_linear = spec.role == Role::ConvWeight
        && !spec.name.starts_with("backbone.")
        && spec.shape[2..] == [1, 1]
        && LINEAR.iter().any(|suffix| spec.name.ends_with(suffix));
    if is_linear { spec.shape[..2].to_vec() } else { spec.shape.clone() }
}

/// Offset to add to torchvision's values. The batch norms of its EfficientNet-B5 to B7 add 1e-3 to the variance, those here
/// timm's 1e-5: a running variance takes the difference, so that the sum is the same.
fn torchvision_shift(encoder: &str, own: &str) -> f32 {
    let adds_more = ["efficientnet-b5", "efficientnet-b6", "efficientnet-b7"].contains(&encoder);
    if adds_more && own.ends_with(".running_var") { 1e-3 - 1e-5 } else { 0.0 }
}

/// Keys and values of MiT encoders are halves of one projection.
fn joint_projection(name: &str) -> Source {
    for (part, own) in [".attn.k.", ".attn.v."].into_iter().enumerate() {
        if let Some((block, rest)) = name.split_once(own) {
            return Source { part, parts: 2, ..Source::whole(format!("{block}.attn.kv.{rest}")) };
        }
    }
    Source::whole(name.to_owned())
}

/// FCN's first two convolutions are VGG16's fully connected layers.
fn dense_of_vgg(name: &str) -> Option<String> {
    let (layer, part) = name.split_once('.')?;
    match layer {
        "fc6" => Some(format!("classifier.0.{part}")),
        "fc7" => Some(format!("classifier.3.{part}")),
        _ => None,
    }
}

/// Index in torchvision's `features` of each convolution, with batch norm (three layers a convolution) and without (two);
/// a pooling between two convolutions is one layer in both.
fn vgg_indices(network: &NetworkEntry, state: &State) -> BTreeMap<usize, usize> {
    let Some(prefix) = network.encoder_prefix else { return BTreeMap::new() };
    let convolutions = state.specs.iter().filter(|spec| spec.role == Role::ConvWeight);
    let indices = convolutions.filter_map(|spec| {
        let layer = spec.name.strip_prefix(prefix)?.strip_prefix("features.")?;
        layer.strip_suffix(".weight")?.parse::<usize>().ok()
    });
    let (mut there, mut last) = (0, 0);
    indices
        .map(|here| {
            there += match here - last {
                0 => 0,
                gap => gap - 1,
            };
            last = here;
            (here, there)
        })
        .collect()
}
