//! From a `config.json` of transformers to a network.
//!
//! `SegformerForSemanticSegmentation` and, with a ConvNeXt backbone, `UperNetForSemanticSegmentation` are read, with any sizes.
//! All settings without a counterpart here are listed in one error.

use super::settings::{Settings, shown};
use crate::checkpoint::error::{CheckpointError, ContentError};
use crate::config::{Activation, NetConfig};
use crate::encoders::mit::Stages;
use crate::models::{HubSegFormer, HubUperNet};
use crate::registry::networks;
use dapple_base::{json_fault, read_regular};
use dapple_graph::{Graph, GraphError, Network, Shape};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Largest `config.json`; real ones with the names of thousands of classes have some hundred kilobytes.
const LARGEST: u64 = 4 << 20;

/// Channels that a layer may have at most.
const WIDEST: u64 = 1 << 13;

/// The network that a `config.json` of transformers describes.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The class of the library.
    pub architecture: &'static str,
    /// Names of the classes in the order of their labels; empty if they are called by their numbers.
    pub labels: Vec<String>,
    /// Label of pixels that training ignored, if masks of bytes can have it.
    pub ignore: Option<u8>,
    pub(super) network: HubNetwork,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum HubNetwork {
    SegFormer(HubSegFormer),
    UperNet(HubUperNet),
}

impl HubNetwork {
    pub fn network(&self) -> &dyn Network {
        match self {
            Self::SegFormer(network) => network,
            Self::UperNet(network) => network,
        }
    }

    /// Channels of the image, and of the output.
    pub fn ends(&self) -> [usize; 2] {
        match self {
            Self::SegFormer(network) => [network.channels, network.logits],
            Self::UperNet(network) => [network.channels, network.logits],
        }
    }

    /// The same with a layer that prepares the pixels.
    pub fn preparing(&self) -> Self {
        match self {
            Self::SegFormer(network) => Self::SegFormer(HubSegFormer { prepares: true, ..*network }),
            Self::UperNet(network) => Self::UperNet(HubUperNet { prepares: true, ..network.clone() }),
        }
    }
}

impl Network for HubNetwork {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let channels = self.ends()[0];
        if input.c != channels {
            let why = format!("the network takes {channels} channels");
            return Err(GraphError::Invalid { op: "hub", name: "input".into(), shape: input, why });
        }
        self.network().build(input)
    }

    fn example_input(&self) -> Shape {
        self.network().example_input()
    }
}

impl HubConfig {
    /// The network of the `config.json` in a folder. `None` for other paths, and for a description of another library.
    ///
    /// # Errors
    /// If the file cannot be read, and for a network or settings that cannot be built here, all of which the error lists.
    pub fn of_folder(folder: &Path) -> Result<Option<Self>, CheckpointError> {
        let path = folder.join("config.json");
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = read_regular(&path, LARGEST).map_err(CheckpointError::io(&path))?;
        Self::parse(&bytes).map_err(|error| error.of(&path))
    }

    /// The network of the content of a `config.json`.
    ///
    /// # Errors
    /// As [`HubConfig::of_folder`].
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ContentError> {
        let settings: Map<String, Value> = match serde_json::from_slice(bytes) {
            Ok(Value::Object(settings)) => settings,
            Ok(_) => return Err(ContentError::Unreadable("not a JSON object of settings".to_owned())),
            Err(error) => return Err(ContentError::Unreadable(json_fault(&error))),
        };
        let (kind, classes) = (settings.get("model_type"), settings.get("architectures"));
        if settings.contains_key("_model_class") || (kind.is_none() && classes.is_none()) {
            return Ok(None);
        }
        let class = classes.and_then(|classes| classes.get(0)).and_then(Value::as_str);
        let made = match (class, kind.and_then(Value::as_str)) {
            (Some("SegformerForSemanticSegmentation"), _) | (None, Some("segformer")) => segformer(&settings),
            (Some("UperNetForSemanticSegmentation"), _) | (None, Some("upernet")) => upernet(&settings),
            _ => {
                let named = classes.or(kind).map(shown).unwrap_or_default();
                Err(vec![format!(
                    "its architecture is {named}; of transformers' networks, SegformerForSemanticSegmentation is read, and \
                     UperNetForSemanticSegmentation on ConvNeXt"
                )])
            }
        };
        made.map(Some).map_err(ContentError::Settings)
    }

    /// Channels of the image.
    pub fn in_channels(&self) -> usize {
        self.network.ends()[0]
    }

    /// Number of classes; a single logit is that of the foreground of two.
    pub fn classes(&self) -> usize {
        self.network.ends()[1].max(2)
    }

    /// The function from logits to probabilities.
    pub(super) fn activation(&self) -> Activation {
        if self.network.ends()[1] == 1 { Activation::Sigmoid } else { Activation::Softmax }
    }

    /// The network of the registry that is the same, if there is one: it can be trained and kept in a model file.
    pub fn registered(&self) -> Option<NetConfig> {
        let HubNetwork::SegFormer(network) = &self.network else { return None };
        let HubSegFormer { stages, channels, dropout, drop_path, .. } = *network;
        let shape = Shape::new(1, 64, 64, channels);
        let graph = network.build(shape).ok()?;
        let mut candidates = networks().iter().filter(|entry| entry.family.starts_with("segformer-b"));
        candidates.find_map(|entry| {
            let published = NetConfig {
                activation: self.activation(),
                width: stages.channels[0],
                ..NetConfig::new(&entry.name, channels, self.classes()).ok()?
            };
            let same = NetConfig { dropout: Some(dropout), drop_path: Some(drop_path), ..published.clone() };
            let is_same = |config: &NetConfig| config.build(shape).is_ok_and(|built| built == graph);
            [published, same].into_iter().find(is_same)
        })
    }
}

/// Number of logits and the names of the classes.
fn labels(settings: &mut Settings) -> (usize, Vec<String>) {
    let Some(value) = settings.get("id2label") else {
        return (settings.number("num_labels", 1..=256, 2), Vec::new());
    };
    let map = value.as_object();
    let count = map.map_or(0, Map::len);
    let name = |label: usize| map?.get(&label.to_string()).and_then(Value::as_str).map(str::to_owned);
    let names: Option<Vec<String>> = (0..count.min(257)).map(name).collect();
    match names.filter(|names| (1..=256).contains(&names.len())) {
        Some(names) => {
            let count = names.len();
            settings.only("num_labels", &json!(count));
            let is_numbered = names.iter().enumerate().all(|(label, name)| *name == format!("LABEL_{label}"));
            (count, if is_numbered { Vec::new() } else { names })
        }
        None => {
            settings.problems.push(format!(
                "`id2label` is {}, it must have names for the labels 0, 1, 2 and so on, at most 256 of them",
                shown(value)
            ));
            (2, Vec::new())
        }
    }
}

/// The ignored label; others than a byte's are those of no pixel.
fn ignored(settings: &Settings, key: &str) -> Option<u8> {
    settings.get(key).map_or(Some(255), |value| value.as_u64().and_then(|label| u8::try_from(label).ok()))
}

fn segformer(map: &Map<String, Value>) -> Result<HubConfig, Vec<String>> {
    let mut settings = Settings::new(map, "");
    let s = &mut settings;
    let (logits, labels) = labels(s);
    s.only("num_encoder_blocks", &json!(4));
    s.only("patch_sizes", &json!([7, 3, 3, 3]));
    s.only("strides", &json!([4, 2, 2, 2]));
    s.only("hidden_act", &json!("gelu"));
    s.only("reshape_last_stage", &json!(true));
    let stages = Stages {
        channels: s.numbers("hidden_sizes", 1..=WIDEST, [32, 64, 160, 256]),
        heads: s.numbers("num_attention_heads", 1..=256, [1, 2, 5, 8]),
        depths: s.numbers("depths", 1..=128, [2; 4]),
        reductions: s.numbers("sr_ratios", 1..=64, [8, 4, 2, 1]),
        ratios: s.numbers("mlp_ratios", 1..=16, [4; 4]),
    };
    let network = HubSegFormer {
        stages,
        decoder: s.number("decoder_hidden_size", 1..=WIDEST, 256),
        channels: s.number("num_channels", 1..=64, 3),
        logits,
        dropout: s.rate("classifier_dropout_prob", 0.1),
        drop_path: s.rate("drop_path_rate", 0.1),
        prepares: false,
    };
    let ignore = ignored(s, "semantic_loss_ignore_index");
    finish(
        "SegformerForSemanticSegmentation",
        labels,
        ignore,
        HubNetwork::SegFormer(network),
        settings.problems,
    )
}

fn upernet(map: &Map<String, Value>) -> Result<HubConfig, Vec<String>> {
    let mut settings = Settings::new(map, "");
    let (logits, labels) = labels(&mut settings);
    let decoder = settings.number("hidden_size", 1..=WIDEST, 512);
    let pools = match settings.get("pool_scales") {
        None => vec![1, 2, 3, 6],
        Some(value) => {
            let side =
                |side: &Value| side.as_u64().filter(|side| (1..=64).contains(side)).map(|side| side as usize);
            let sides = value.as_array().and_then(|sides| sides.iter().map(side).collect::<Option<Vec<_>>>());
            sides.filter(|sides| (1..=16).contains(&sides.len())).unwrap_or_else(|| {
                let problem = format!(
                    "`pool_scales` is {}, it must be a list of 1 to 16 sides from 1 to 64",
                    shown(value)
                );
                settings.problems.push(problem);
                vec![1]
            })
        }
    };
    let ignore = ignored(&settings, "loss_ignore_index");
    let mut problems = settings.problems;
    let backbone = map.get("backbone_config").and_then(Value::as_object);
    let kind = backbone.and_then(|backbone| backbone.get("model_type"));
    let Some(backbone) = backbone.filter(|_| kind.and_then(Value::as_str) == Some("convnext")) else {
        let kind = kind.map_or("missing".to_owned(), shown);
        problems.push(format!("`backbone_config.model_type` is {kind}, it must be \"convnext\""));
        return Err(problems);
    };
    let mut inner = Settings::new(backbone, "backbone_config.");
    let s = &mut inner;
    s.only("patch_size", &json!(4));
    s.only("num_stages", &json!(4));
    s.only("hidden_act", &json!("gelu"));
    s.only("out_features", &json!(["stage1", "stage2", "stage3", "stage4"]));
    let network = HubUperNet {
        stages: s.numbers("hidden_sizes", 1..=WIDEST, [96, 192, 384, 768]),
        depths: s.numbers("depths", 1..=128, [3, 3, 9, 3]),
        scales: s
            .get("layer_scale_init_value")
            .is_none_or(|value| value.as_f64().is_none_or(|value| value > 0.0)),
        decoder,
        pools,
        channels: s.number("num_channels", 1..=64, 3),
        logits,
        prepares: false,
    };
    problems.extend(inner.problems);
    finish("UperNetForSemanticSegmentation", labels, ignore, HubNetwork::UperNet(network), problems)
}

/// The network, if nothing is wrong with it and it can be built.
fn finish(
    architecture: &'static str,
    labels: Vec<String>,
    ignore: Option<u8>,
    network: HubNetwork,
    mut problems: Vec<String>,
) -> Result<HubConfig, Vec<String>> {
    if problems.is_empty() {
        let [channels, _] = network.ends();
        match network.build(Shape::new(1, 64, 64, channels)) {
            Ok(_) => return Ok(HubConfig { architecture, labels, ignore, network }),
            Err(error) => problems.push(error.to_string()),
        }
    }
    Err(problems)
}
