//! The naming schemes of state dicts.

/// The naming scheme of a state dict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The network's own.
    Own,
    /// That of the network's published checkpoints, if it differs: Hugging Face's for `segformer-b0` to `b2`, joint
    /// projections of keys and values for MiT encoders.
    Published,
    /// For `segformer-b0` to `b2`: that of the modules of the library transformers from version 5, which translates the
    /// names when it writes files.
    Modules,
    /// That of the encoder's classification network (torchvision's, MiT's).
    Encoder,
    /// For decoders on MiT: Hugging Face's, of a whole SegFormer or of its encoder alone.
    HuggingFace,
    /// timm's, of an encoder alone.
    Timm,
    /// That of segmentation_models_pytorch with timm's names after `encoder.`, as in its `timm-efficientnet-b0`.
    TimmEncoder,
    /// Likewise after `encoder.model.`, as in its encoders that begin with `tu-`.
    TimmUniversal,
    /// That of EfficientNet-Lite's first port to PyTorch, of an encoder alone: the blocks are numbered through.
    Numbered,
    /// That of torchvision's files of DenseNet, of an encoder alone: a dot before the numbers of a layer's norms and
    /// convolutions (`norm.1`).
    Dotted,
    /// torchvision's, of an encoder alone that has timm's names here.
    Torchvision,
    /// torchvision's VGG without batch norm, into an encoder with batch norm, which keeps its initial values.
    PlainVgg,
}
