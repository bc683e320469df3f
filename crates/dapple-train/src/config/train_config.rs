//! All settings of a training, as they stand in a run's `config.toml`.

use std::path::PathBuf;

use dapple_base::{ByteSize, TimeSpan};
use dapple_data::{Augment, InputSettings};
use dapple_graph::{Optimizer, Precision};
use dapple_nets::NetConfig;
use serde::{Deserialize, Serialize};

use super::data::{DataConfig, MOST_THREADS};
use super::edits;
use super::kind::{Kind, Range};
use super::loss::LossConfig;
use super::measuring::{self, CheckpointConfig, EvaluationConfig};
use super::schedule::Schedule;
use super::setting::{Flag, Group, Setting, at_least, number, parsed, settings, table, text, whole};
use super::small_images::SmallImages;
use super::unlabelled::UnlabelledConfig;

settings! {
    /// All settings of a training: everything that is needed to repeat it.
    ///
    /// Unknown keys are errors. [`TrainConfig::check`] checks the ranges, [`settings`](crate::settings) lists them.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct TrainConfig: MAIN("", Group::Schedule) {
        /// Recipe that the settings began with; for the reader, without effect.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipe: Option<String> = text("the name of a recipe")
            .unset("settings that no recipe gave")
            .example("\"unet-horse\"")
            .flag(Flag::new("recipe", "NAME").by_command()),
        /// Seed of initial weights, of the order of the images and of augmentation.
        seed: u64 = at_least(0).example("7").flag(
            Flag::new("seed", "N")
                .help("Seed of the division, of initial weights and of the order of images [default: 0]")
                .by(edits::seed)
                .also(&["data.split_seed"]),
        ),
        /// Passes over the training images.
        epochs: usize = at_least(1)
            .auto()
            .example("40")
            .flag(Flag::new("epochs", "N").by(edits::epochs).also(&["time_budget"])),
        /// Images in a batch.
        ///
        /// All training images where there are fewer. Images left over at the end of an epoch wait for the next one.
        batch: usize = at_least(1).auto().example("8").flag(Flag::new("batch", "N")),
        /// Learning rate before the schedule.
        learning_rate: f64 =
            number(Range::above(0.0)).auto().example("0.0003").flag(Flag::new("lr", "X").help("Learning rate")),
        /// Largest gradient norm (Euclidean, over all parameters); a larger gradient is scaled down to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip_norm: Option<f32> = number(Range::above(0.0).to(f64::INFINITY)).unset("no limit").example("1.0").flag(
            Flag::new("clip", "NORM").help("Largest gradient norm, to which larger gradients are scaled; 0 for no limit").by(edits::clip),
        ),
        /// Batches whose gradients are averaged for a step.
        ///
        /// Fewer at the end of an epoch. Batch norms still take the statistics of each batch by itself.
        #[serde(default = "measuring::one", skip_serializing_if = "measuring::is_one")]
        accumulate: usize = at_least(1)
            .auto()
            .example("4")
            .flag(Flag::new("accumulate", "N").help("Average the gradients of this many batches for a step")),
        /// Decay of the moving average (EMA) of the weights; the best model is the better of weights and average.
        ///
        /// The decay grows from 0.2 to this over the first steps: `(1 + step) / (10 + step)`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ema_decay: Option<f64> =
            number(Range::from(0.0).below(1.0)).auto().unset("no average").example("0.999").flag(
                Flag::new("ema", "DECAY")
                    .help("Decay of a moving average (EMA) of the weights, 0.999 for example; 0 for none")
                    .by(edits::ema),
            ),
        /// Epochs without a better score after which the training ends.
        ///
        /// The same score with a lower loss is a better one, and a lower training loss counts while the score is 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patience: Option<usize> = at_least(1)
            .unset("training to the end")
            .example("10")
            .flag(Flag::new("patience", "N").help("End after this many epochs without a better score")),
        /// Time to train for, instead of a number of epochs.
        ///
        /// The schedule of the learning rate follows the clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_budget: Option<TimeSpan> =
            parsed::<TimeSpan>("a span of time such as 1h 30m").auto().unset("a number of epochs").example("\"1h 30m\"").flag(
                Flag::new("time-budget", "SPAN")
                    .help("Train for this long instead of a number of epochs: 30m, 1h 30m …")
                    .conflicts(&["epochs"]),
            ),
        /// Factor of the encoder's learning rate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encoder_rate: Option<f64> = number(Range::above(0.0))
            .auto()
            .unset("the rate of the other parameters (`freeze_encoder` keeps the encoder from learning)")
            .example("0.1")
            .flag(Flag::new("encoder-rate", "X").help("Factor of the encoder's learning rate, 0.1 for example")),
        /// Epochs in which the encoder does not learn; after them a quarter of it more with each epoch.
        ///
        /// The deepest layers come first. The encoder's batch norms still take the statistics of the batch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        freeze_encoder: Option<usize> = at_least(0).unset("an encoder that learns from the start").example("3").flag(
            Flag::new("freeze-encoder", "N")
                .help("Epochs in which the encoder does not learn; then a quarter of it more with each epoch, the deepest first"),
        ),
        /// Whether the encoder's batch norms keep the statistics of the weights that they start from.
        ///
        /// They then normalize with them in training too, which suits pretrained weights and batches of few images. Scale and
        /// shift still learn.
        #[serde(default, skip_serializing_if = "is_off")]
        freeze_norms: bool = Setting::of(Kind::Switch)
            .auto()
            .unset("false")
            .example("true")
            .flag(Flag::new("freeze-norms", "").help("Keep the statistics of the encoder's batch norms")),
        /// Whether batch norms take the statistics of the whole batch where several processes train together (MPI).
        ///
        /// The result is then that of one process, within rounding. Otherwise each process takes those of its images, which needs
        /// fewer messages; running statistics are averaged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sync_norms: Option<bool> = Setting::of(Kind::Switch)
            .unset("true on the processor, whose engine alone can; false on cards")
            .example("false")
            .flag(Flag::new("sync-norms", "BOOL").help(
                "Take the statistics of batch norms over all processes of a training over MPI: true or false [default: true on \
                 the processor]",
            )),
        /// Engine: cpu, cuda, … (`dapple devices` lists them), or auto for the fastest one.
        device: String = text("an engine, or auto")
            .in_group(Group::Machine)
            .example("\"cuda:0\"")
            .flag(Flag::new("device", "NAME").by_command()),
        /// Number format of convolutions and attention: fp32, bf16 or fp16.
        ///
        /// The CPU engine has fp32 only.
        #[serde(default, skip_serializing_if = "is_single")]
        precision: Precision = parsed::<Precision>("fp32, bf16 or fp16")
            .in_group(Group::Machine)
            .unset("fp32")
            .example("\"bf16\"")
            .flag(Flag::new("precision", "NAME").by_command()),
        /// Threads of the engine; without effect on the results.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threads: Option<usize> = whole(1, MOST_THREADS)
            .in_group(Group::Machine)
            .unset("all physical cores")
            .example("8")
            .flag(Flag::new("threads", "N").by_command()),
        /// Memory of the engine; beyond it feature maps are computed again. Without effect on the results.
        ///
        /// Feature maps, parameters and the optimizer's state count. Computing again takes longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory_limit: Option<ByteSize> = parsed::<ByteSize>("a size such as 2GiB")
            .in_group(Group::Machine)
            .unset("no limit")
            .example("\"2GiB\"")
            .flag(Flag::new("memory-limit", "SIZE").by_command()),
        /// Weights to start from: a run, a model, a built-in model, or a file with weights of this network or of its encoder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        init: Option<PathBuf> = text("a run, a file of weights, or a name").in_group(Group::Network).auto().unset("random weights").example("\"vgg16_bn.pth\"").flag(
            Flag::new("init", "RUN|FILE|NAME").help(
                "Weights to start from: a run or a model, whose network is taken; a built-in model (horse); a file of published \
                 weights, safetensors or PyTorch; a folder that segmentation_models_pytorch saved; a name of `dapple weights list`; \
                 or imagenet for those of the network's encoder",
            ),
        ),
        /// The network.
        network: NetConfig = table().in_group(Group::Network),
        /// The data, and how they are divided and read.
        data: DataConfig = table().in_group(Group::Data),
        /// The network's input.
        input: InputSettings = table().in_group(Group::Network),
        /// Random changes of training images.
        augment: Augment = table().in_group(Group::Augmentation).auto().flag(
            Flag::new("augment", "NAME").by(edits::augment).words(edits::AUGMENTATIONS),
        ),
        /// The loss: a sum of terms, taken for each output of the network.
        loss: LossConfig = table().in_group(Group::Loss),
        /// The optimizer.
        optimizer: Optimizer = table().flag(
            Flag::new("optimizer", "NAME").help("Optimizer").by(edits::optimizer).words(edits::OPTIMIZERS).also(&["learning_rate"]),
        ),
        /// The schedule: a factor of the learning rate at each step.
        schedule: Schedule = table().flag(
            Flag::new("schedule", "NAME").help("Learning-rate schedule").by(edits::schedule).words(edits::SCHEDULES),
        ),
        /// Small images at the beginning of the training, which take less time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        small_images: Option<SmallImages> = table().auto().unset("images of one size").flag(
            Flag::new("small-images", "SHARE")
                .help(
                    "Begin with small images, two thirds as high and wide, which take less than half of the time: for this \
                     share of the training, 0.5 for example; 0 for none",
                )
                .by(edits::small_images),
        ),
        /// Images without labels to learn from too, by the predictions of the moving average of the weights.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unlabelled: Option<UnlabelledConfig> = table().in_group(Group::Data).unset("images with labels alone").flag(
            Flag::new("unlabelled", "DIR")
                .help(
                    "Learn from the images of this folder too, which have no masks: by the predictions of the moving average of the \
                     weights; switches `--ema 0.999` on where there is none",
                )
                .by(edits::unlabelled)
                .also(&["ema_decay"]),
        ),
        /// Measuring after an epoch.
        evaluation: EvaluationConfig = table(),
        /// Saving the state, besides at the end of each epoch.
        checkpoint: CheckpointConfig = table(),
    }
    without_key {
        /// Reasons for some settings, by key: comments of the file, without effect.
        #[serde(skip)]
        reasons: Vec<(String, String)>,
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_off(switch: &bool) -> bool {
    !switch
}

fn is_single(precision: &Precision) -> bool {
    *precision == Precision::Fp32
}
