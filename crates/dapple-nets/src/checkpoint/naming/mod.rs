//! Names of parameters in published checkpoints.
//!
//! Most networks have the names of their checkpoints. For the others, each parameter is mapped to a tensor of the
//! checkpoint, or to a part of one, so that weights can be read and written:
//!
//! | dapple | checkpoint |
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
//! | layers of EfficientNet, EfficientNet-Lite, MobileNetV2 and V3, and ConvNeXt | timm's (`timm.rs`), alone, or after `encoder.` or `encoder.model.` |
//! | layers of ResNet, ResNeXt, wide ResNet, RegNetY, MobileNetV4, EfficientNetV2 and HRNet | the same after `encoder.model.` |
//! | layers of RegNetY | torchvision's (`torchvision.rs`) |
//! | `norm1`, `conv1` of DenseNet's layers | `norm.1`, `conv.1` in torchvision's files |
//! | layers of EfficientNet-Lite | `_conv_stem`, `_blocks.0._depthwise_conv` and the like (`numbered.rs`) |
//! | `fc6`, `fc7` of FCN | `classifier.0`, `classifier.3` of torchvision's `vgg16` |
//!
//! Hugging Face's SegFormers have another eps in their norms (1e-5, not 1e-6) and upsample with pixel areas aligned, as
//! `segformer-b0` does; in `segformer-mit-b0` the same weights give slightly different outputs.
//!
//! Linear layers `[out, in]` are convolutions `[out, in, 1, 1]` in dapple.

mod numbered;
mod scheme;
mod segformer;
mod timm;
mod torchvision;
mod translator;

pub use scheme::Naming;
pub(super) use segformer::both_names;
pub(super) use timm::is_universal;
pub(super) use translator::{
    Source, Translator, is_hugging_face, is_on_densenet, is_on_lite, is_on_mit, is_on_regnet, is_on_timm,
    is_on_universal, is_translated, published_shape,
};
