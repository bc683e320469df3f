//! Names of parameters in published checkpoints.
//!
//! Most networks have the names of their checkpoints. Where they differ, each parameter here says which entry there it
//! is, or which part of one, so that weights go both ways:
//!
//! | here | there |
//! |---|---|
//! | `attn.k`, `attn.v` of MiT encoders | first and second half of the rows of `attn.kv` |
//! | `encoder.patch_embed1.norm` of `segformer-b0` to `b2` | `segformer.encoder.patch_embeddings.0.layer_norm` |
//! | `encoder.block1.0.attn.q` (`k`, `v`, `sr`, `norm`) | `segformer.encoder.block.0.0.attention.self.query` (`key`, `value`, `sr`, `layer_norm`) |
//! | `encoder.block1.0.attn.proj` | `segformer.encoder.block.0.0.attention.output.dense` |
//! | `encoder.block1.0.norm1`, `mlp.fc1`, `mlp.fc2` | `layer_norm_1`, `mlp.dense1`, `mlp.dense2` of the same block |
//! | `encoder.norm1` | `segformer.encoder.layer_norm.0` |
//! | the same layers in [`Naming::Modules`] | `segformer.stages.0`: `patch_embeddings`, `blocks.0`, `layer_norm` |
//! | an encoder's `PREFIX.NAME` | `NAME` in weights of its classification network |
//! | `encoder.NAME` of any decoder on MiT, and the decoder of `segformer-mit-b0` to `b2` | those of `segformer-b0` to `b2` |
//! | `decoder.mlp_stage.3.linear`, `fuse_stage.0` and `.1`, `segmentation_head.0` | `decode_head.linear_c.0.proj`, `linear_fuse`, `batch_norm`, `classifier` |
//! | layers of EfficientNet, MobileNetV3 and ConvNeXt | timm's ([`super::timm`]), alone, behind `encoder.` or `encoder.model.` |
//! | `fc6`, `fc7` of FCN | `classifier.0`, `classifier.3` of torchvision's `vgg16` |
//!
//! Hugging Face's SegFormers add another eps in their norms (1e-5, not 1e-6) and upsample with pixel areas aligned, as `segformer-b0`
//! does; in `segformer-mit-b0` the same weights give slightly other outputs.
//!
//! Linear layers `[out, in]` are convolutions `[out, in, 1, 1]` here.

use super::timm;
use crate::registry::Entry as Network;
use dapple_graph::{ParamSpec, Role, State};
use std::collections::BTreeMap;

/// Whose names a state dict uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The network's own.
    Own,
    /// Those of the network's published checkpoints where they are not its own: Hugging Face's for `segformer-b0` to
    /// `b2`, joint projections of keys and values for MiT encoders.
    Published,
    /// For `segformer-b0` to `b2`: those of the modules of the library transformers from version 5, which it translates
    /// when it writes files.
    Modules,
    /// Those of the encoder's classification network (torchvision's, MiT's).
    Encoder,
    /// For decoders on MiT: Hugging Face's, of a whole SegFormer or of its encoder alone.
    HuggingFace,
    /// timm's, of an encoder alone.
    Timm,
    /// Those of segmentation_models_pytorch with timm's behind `encoder.`, as its `timm-efficientnet-b0` has them.
    TimmEncoder,
    /// Likewise behind `encoder.model.`, as its encoders that begin with `tu-` have them.
    TimmUniversal,
    /// torchvision's VGG without batch norm, into an encoder with batch norm, which keeps its initial values.
    PlainVgg,
}

/// The place of a parameter in a state dict.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    /// Name of the entry.
    pub name: String,
    /// Which of the entry's `parts` along the first axis.
    pub part: usize,
    /// Parts of the entry.
    pub parts: usize,
    /// Added to the values.
    pub shift: f32,
}

impl Source {
    fn whole(name: String) -> Self {
        Self { name, part: 0, parts: 1, shift: 0.0 }
    }
}

/// Translates a network's parameters into one naming.
pub(super) struct Translator<'a> {
    network: &'a Network,
    naming: Naming,
    /// For [`Naming::PlainVgg`]: index of each convolution here and there.
    vgg: BTreeMap<usize, usize>,
}

impl<'a> Translator<'a> {
    pub fn new(network: &'a Network, naming: Naming, state: &State) -> Self {
        let vgg = if naming == Naming::PlainVgg { vgg_indices(network, state) } else { BTreeMap::new() };
        Self { network, naming, vgg }
    }

    /// Whether a state dict of this naming must have the parameter: one of the encoder alone has nothing else.
    pub fn is_expected(&self, spec: &ParamSpec) -> bool {
        match self.naming {
            Naming::Own
            | Naming::Published
            | Naming::Modules
            | Naming::TimmEncoder
            | Naming::TimmUniversal => true,
            Naming::HuggingFace => self.source(spec).is_some(),
            Naming::Encoder | Naming::Timm => self.of_encoder(&spec.name).is_some(),
            Naming::PlainVgg => self.source(spec).is_some(),
        }
    }

    /// Where the parameter stands, if anywhere.
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
                Some(inner) => Some(joint_projection(inner)),
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
                self.timm_or_own(name, |there| format!("encoder.model.{}", timm::in_feature_list(there)))
            }
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

/// Whether the network's checkpoints have other names than its parameters.
pub(super) fn is_translated(network: &Network) -> bool {
    is_hugging_face(network) || network.encoder.is_some_and(|encoder| encoder.name.starts_with("mit"))
}

/// Whether it is a decoder on MiT with segmentation_models_pytorch's names.
pub(super) fn is_on_mit(network: &Network) -> bool {
    is_translated(network) && !is_hugging_face(network)
}

/// Whether timm's names of its encoder are known.
pub(super) fn is_on_timm(network: &Network) -> bool {
    network.encoder.is_some_and(|encoder| timm::knows(encoder.name))
}

/// Whether it is one of the paper's SegFormers.
pub(super) fn is_hugging_face(network: &Network) -> bool {
    network.family.starts_with("segformer-b")
}

/// The shape of a parameter in published checkpoints: linear layers have two axes.
pub(super) fn published_shape(spec: &ParamSpec) -> Vec<usize> {
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
    let is_linear = spec.role == Role::ConvWeight
        && spec.shape[2..] == [1, 1]
        && LINEAR.iter().any(|suffix| spec.name.ends_with(suffix));
    if is_linear { spec.shape[..2].to_vec() } else { spec.shape.clone() }
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

/// Hugging Face's names of SegFormer's layers. `{}` stands for stage and block.
struct Names {
    /// Of the patch embedding, its norm and the norm behind the blocks.
    stage: [&'static str; 3],
    block: &'static str,
    /// Of the layers of a block ([`LAYERS`]).
    layers: [&'static str; 10],
    /// Of the decoder's linear layers.
    linear: &'static str,
}

/// Layers of a block here.
const LAYERS: [&str; 10] = [
    "norm1",
    "norm2",
    "attn.q",
    "attn.k",
    "attn.v",
    "attn.sr",
    "attn.norm",
    "attn.proj",
    "mlp.fc1",
    "mlp.fc2",
];

/// In files.
const FILES: Names = Names {
    stage: [
        "encoder.patch_embeddings.{}.proj",
        "encoder.patch_embeddings.{}.layer_norm",
        "encoder.layer_norm.{}",
    ],
    block: "encoder.block.{}.{}",
    layers: [
        "layer_norm_1",
        "layer_norm_2",
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.self.sr",
        "attention.self.layer_norm",
        "attention.output.dense",
        "mlp.dense1",
        "mlp.dense2",
    ],
    linear: "linear_c",
};

/// In memory.
const MODULES: Names = Names {
    stage: [
        "stages.{}.patch_embeddings.proj",
        "stages.{}.patch_embeddings.layer_norm",
        "stages.{}.layer_norm",
    ],
    block: "stages.{}.blocks.{}",
    layers: [
        "layernorm_before",
        "layernorm_after",
        "attention.q_proj",
        "attention.k_proj",
        "attention.v_proj",
        "attention.sequence_reduction.sequence_reduction",
        "attention.sequence_reduction.layer_norm",
        "attention.o_proj",
        "mlp.fc1",
        "mlp.fc2",
    ],
    linear: "linear_projections",
};

/// Hugging Face's name of a parameter of SegFormer.
fn hugging_face(name: &str, names: &Names) -> String {
    let translated = || {
        let (layer, part) = name.strip_prefix("encoder.")?.rsplit_once('.')?;
        let inner = if let Some(layer) = layer.strip_prefix("patch_embed") {
            let (stage, layer) = layer.split_once('.')?;
            names.stage[usize::from(layer == "norm")].replacen("{}", &from_zero(stage)?, 1)
        } else if let Some(layer) = layer.strip_prefix("block") {
            let mut parts = layer.splitn(3, '.');
            let (stage, index, layer) = (from_zero(parts.next()?)?, parts.next()?, parts.next()?);
            // The depthwise convolution has one name everywhere.
            let layer =
                LAYERS.iter().position(|own| *own == layer).map_or(layer, |place| names.layers[place]);
            format!("{}.{layer}", names.block.replacen("{}", &stage, 1).replacen("{}", index, 1))
        } else {
            names.stage[2].replacen("{}", &from_zero(layer.strip_prefix("norm")?)?, 1)
        };
        Some(format!("segformer.{inner}.{part}"))
    };
    translated().unwrap_or_else(|| name.replace("linear_c", names.linear))
}

/// Hugging Face's name of a parameter of segmentation_models_pytorch's SegFormer decoder, which counts stages from the last.
fn hugging_face_head(name: &str) -> Option<String> {
    let (layer, part) = name.rsplit_once('.')?;
    let there = match layer {
        "decoder.fuse_stage.0" => "linear_fuse".to_owned(),
        "decoder.fuse_stage.1" => "batch_norm".to_owned(),
        "segmentation_head.0" => "classifier".to_owned(),
        _ => {
            let number = layer.strip_prefix("decoder.mlp_stage.")?.strip_suffix(".linear")?;
            format!("linear_c.{}.proj", 3usize.checked_sub(number.parse().ok()?)?)
        }
    };
    Some(format!("decode_head.{there}.{part}"))
}

/// Stages count from one here.
fn from_zero(stage: &str) -> Option<String> {
    Some(stage.parse::<usize>().ok()?.checked_sub(1)?.to_string())
}

/// Index in torchvision's `features` of each convolution, with batch norm (three layers a convolution) and without (two);
/// a pooling between two convolutions is one layer in both.
fn vgg_indices(network: &Network, state: &State) -> BTreeMap<usize, usize> {
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
