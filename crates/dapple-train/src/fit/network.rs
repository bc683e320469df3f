//! The network as a training sees it.

use dapple_graph::{Graph, GraphError, Network, Shape};
use dapple_nets::NetConfig;

use crate::config::train_config::TrainConfig;

/// The network of a configuration, with the encoder's batch norms frozen if the settings say so. Its parameters are those of the
/// network, so that states and files do not differ.
#[derive(Clone, Debug)]
pub(crate) struct TrainingNetwork {
    network: NetConfig,
    /// Name prefix of the batch norms that keep their statistics.
    frozen: Option<&'static str>,
}

impl TrainingNetwork {
    /// The network of these settings.
    pub fn of(config: &TrainConfig) -> Self {
        let prefix = || config.network.entry().ok()?.encoder_prefix;
        let frozen = config.freeze_norms.then(prefix).flatten();
        Self { network: config.network.clone(), frozen }
    }
}

impl Network for TrainingNetwork {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let mut graph = self.network.build(input)?;
        if let Some(prefix) = self.frozen {
            graph.freeze_batch_norms(prefix);
        }
        Ok(graph)
    }

    fn example_input(&self) -> Shape {
        self.network.example_input()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::Op;

    /// Names of the batch norms that are frozen, and of the others.
    fn norms(freeze: bool) -> (Vec<String>, Vec<String>) {
        let mut config =
            TrainConfig::for_network("unet-resnet18", 2, "data".as_ref()).expect("a known network");
        config.freeze_norms = freeze;
        let graph = TrainingNetwork::of(&config).build(Shape::new(1, 64, 64, 3)).expect("the size fits");
        let (mut frozen, mut learning) = (Vec::new(), Vec::new());
        for node in graph.nodes() {
            if let Op::BatchNorm { norm, .. } = node.op {
                if norm.frozen { &mut frozen } else { &mut learning }.push(node.name.clone());
            }
        }
        (frozen, learning)
    }

    #[test]
    fn the_encoders_batch_norms_are_frozen_and_no_others() {
        let (frozen, learning) = norms(true);
        assert!(frozen.len() == 20 && frozen.iter().all(|name| name.starts_with("encoder.")), "{frozen:?}");
        assert!(
            !learning.is_empty() && learning.iter().all(|name| name.starts_with("decoder.")),
            "{learning:?}"
        );
        assert_eq!(norms(false).0, Vec::<String>::new());
    }
}
