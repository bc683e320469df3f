//! Published recipes, for reproduction and comparison.
//!
//! Unless it says so, a recipe keeps the learning rate constant, does not limit the gradient and does not change the
//! training images. Details that the publications leave open are decided here:
//!
//! | recipe | open | decided |
//! |---|---|---|
//! | `unet-horse` | normalization | values 0 to 1 |
//! | `u2net-horse`, `u2net-lite-horse` | normalization | U²-Net's own |
//! | `segnet-camvid` | learning rate, momentum | 0.01, 0.9 |
//! | | normalization | ImageNet's, with which VGG16 was trained |
//! | `segnet-camvid-paper` | epochs | 440 of 91 batches, which are the 40,000 steps |
//! | | normalization | ImageNet's, with which VGG16 was trained |
//! | | class weights where there are not eleven classes | median frequency, as the published ones are |
//! | `u2net` | epochs | 680: the paper's 600,000 steps of 12 on the 10,553 images of DUTS-TR |
//! | | flips | left and right, as in the published code |

use std::path::Path;

use dapple_base::nearest;
use dapple_data::{Augment, Normalization};
use dapple_graph::{LossKind, Optimizer};
use dapple_nets::{Activation, Head};

use crate::config::loss::{ClassWeights, LossConfig};
use crate::config::schedule::Schedule;
use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

/// A published way to train a network.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The name that `--recipe` takes.
    pub name: &'static str,
    /// The networks it is for, its own first.
    pub networks: &'static [&'static str],
    /// Classes of its data, the background included.
    pub classes: usize,
    /// The label it ignores.
    pub ignore: Option<u8>,
    /// One line for lists.
    pub about: &'static str,
    set: fn(&mut TrainConfig),
}

/// Every recipe.
pub const RECIPES: [Recipe; 6] = [
    Recipe {
        name: "unet-horse",
        networks: &["unet", "unet-bilinear"],
        classes: 2,
        ignore: None,
        about: "U-Net on the Weizmann horses: 30 epochs, batch 5, RMSprop 1e-5, cross-entropy",
        set: unet_horse,
    },
    Recipe {
        name: "u2net-horse",
        networks: &["u2net"],
        classes: 2,
        ignore: None,
        about: "U²-Net on the Weizmann horses: 25 epochs, batch 1, Adam 1e-3, seven binary cross-entropies",
        set: u2net_horse,
    },
    Recipe {
        name: "u2net-lite-horse",
        networks: &["u2net-lite"],
        classes: 2,
        ignore: None,
        about: "U²-Net lite on the Weizmann horses: 25 epochs, batch 1, Adam 1e-3, seven binary cross-entropies",
        set: u2net_horse,
    },
    Recipe {
        name: "segnet-camvid",
        networks: &["segnet"],
        classes: 12,
        ignore: None,
        about: "SegNet on CamVid, 12 classes at 224 x 224: 200 epochs, batch 12, SGD; give --init VGG16 weights",
        set: segnet_camvid,
    },
    Recipe {
        name: "segnet-camvid-paper",
        networks: &["segnet"],
        classes: 11,
        ignore: Some(11),
        about: "SegNet's paper on CamVid, 11 classes at 360 x 480: 40,000 steps, batch 4, SGD 1e-3, class weights",
        set: segnet_camvid_paper,
    },
    Recipe {
        name: "u2net",
        networks: &["u2net", "u2net-lite"],
        classes: 2,
        ignore: None,
        about: "U²-Net's paper on DUTS: 320 x 320, random crops of 288, flips, batch 12, Adam 1e-3",
        set: u2net_paper,
    },
];

/// The recipe of that name.
///
/// # Errors
/// [`TrainError::Config`] with the nearest name and all names.
pub fn find(name: &str) -> Result<&'static Recipe, TrainError> {
    RECIPES.iter().find(|recipe| recipe.name == name).ok_or_else(|| {
        let names = RECIPES.map(|recipe| recipe.name);
        let hint = nearest(name, names).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        TrainError::Config(format!(
            "there is no recipe `{name}`{hint}; the recipes are auto, plain, {}",
            names.join(", ")
        ))
    })
}

impl Recipe {
    /// The network to train: `wanted`, or its own.
    ///
    /// # Errors
    /// [`TrainError::Config`] for a network that it is not for.
    pub fn network<'a>(&self, wanted: Option<&'a str>) -> Result<&'a str, TrainError> {
        match wanted {
            None => Ok(self.networks[0]),
            Some(network) if self.networks.contains(&network) => Ok(network),
            Some(network) => Err(TrainError::Config(format!(
                "recipe `{}` is for {}, not for `{network}`; leave one of the two out",
                self.name,
                self.networks.join(" and ")
            ))),
        }
    }

    /// The settings for its own network and the data in `dir`.
    ///
    /// # Errors
    /// As [`Recipe::config_for`].
    pub fn config(&self, dir: &Path) -> Result<TrainConfig, TrainError> {
        self.config_for(self.networks[0], self.classes, dir)
    }

    /// The settings for one of its networks and another number of classes.
    ///
    /// # Errors
    /// [`TrainError::Config`] for a network that it is not for, or where its class weights do not fit.
    pub fn config_for(&self, network: &str, classes: usize, dir: &Path) -> Result<TrainConfig, TrainError> {
        let mut config = TrainConfig::for_network(self.network(Some(network))?, classes, dir)?;
        config.recipe = Some(self.name.to_owned());
        config.data.ignore = self.ignore;
        config.augment = Augment::none();
        config.schedule = Schedule::Constant;
        config.clip_norm = None;
        (self.set)(&mut config);
        Ok(config)
    }
}

fn unet_horse(config: &mut TrainConfig) {
    config.epochs = 30;
    config.batch = 5;
    config.learning_rate = 1e-5;
    config.optimizer = Optimizer::rmsprop(0.9);
    config.loss = LossConfig::sum_of(&[LossKind::CrossEntropy]);
    config.input.normalization = Normalization::Unit;
}

fn u2net_horse(config: &mut TrainConfig) {
    config.epochs = 25;
    config.batch = 1;
    config.optimizer = Optimizer::adam();
    config.loss = LossConfig::sum_of(&[LossKind::BinaryCrossEntropy]);
    config.network.activation = Activation::Sigmoid;
    config.input.normalization = Normalization::U2Net;
}

fn segnet_camvid(config: &mut TrainConfig) {
    config.epochs = 200;
    config.batch = 12;
    config.learning_rate = 0.01;
    config.optimizer = Optimizer::sgd(0.9, 0.0);
    config.loss = LossConfig::sum_of(&[LossKind::CrossEntropy]);
    config.network.head = Some(Head::Dense);
}

fn segnet_camvid_paper(config: &mut TrainConfig) {
    const PUBLISHED: [f32; 11] =
        [0.2595, 0.1826, 4.564, 0.1417, 0.9051, 0.3826, 9.6446, 1.8418, 0.6823, 6.2478, 7.3614];
    config.epochs = 440;
    config.learning_rate = 1e-3;
    config.optimizer = Optimizer::sgd(0.9, 5e-4);
    config.loss = LossConfig::sum_of(&[LossKind::CrossEntropy]);
    config.loss.class_weights = if config.network.classes == PUBLISHED.len() {
        ClassWeights::Given(PUBLISHED.to_vec())
    } else {
        ClassWeights::MedianFrequency
    };
    config.network.head = Some(Head::Conv3x3);
    (config.input.height, config.input.width) = (360, 480);
}

fn u2net_paper(config: &mut TrainConfig) {
    config.epochs = 680;
    config.batch = 12;
    config.optimizer = Optimizer::adam();
    config.loss = LossConfig::sum_of(&[LossKind::BinaryCrossEntropy]);
    config.network.activation = Activation::Sigmoid;
    config.input.normalization = Normalization::U2Net;
    (config.input.height, config.input.width) = (320, 320);
    config.augment = Augment { crop: Some([288, 288]), flip_horizontal: 0.5, ..Augment::none() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_valid_and_survive_their_file() {
        for recipe in RECIPES {
            for network in recipe.networks {
                let config = recipe
                    .config_for(network, recipe.classes, "data".as_ref())
                    .expect("a recipe's own network");
                config.check().unwrap_or_else(|e| panic!("{}: {e}", recipe.name));
                assert_eq!(
                    TrainConfig::from_toml(&config.to_toml()).as_ref(),
                    Ok(&config),
                    "{}",
                    recipe.name
                );
            }
        }
    }

    #[test]
    fn names_and_networks_are_checked() {
        let message = find("unet-hors").expect_err("no such recipe").to_string();
        assert!(message.contains("did you mean `unet-horse`"), "{message}");
        let recipe = find("segnet-camvid").expect("a recipe");
        let message =
            recipe.config_for("unet", 12, "data".as_ref()).expect_err("another network").to_string();
        assert!(message.contains("is for segnet"), "{message}");
    }

    #[test]
    fn the_dense_head_has_the_published_size() {
        use dapple_graph::{Network, Shape};
        let config = find("segnet-camvid").and_then(|r| r.config("data".as_ref())).expect("a recipe");
        let graph = config.network.build(Shape::new(1, 224, 224, 3)).expect("224 x 224 fits");
        assert_eq!(graph.trainable_len(), 29_443_968);
    }
}
