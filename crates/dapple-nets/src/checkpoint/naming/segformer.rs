//! Hugging Face's names of SegFormer's parameters.

/// Hugging Face's names of SegFormer's layers, with `{}` for stage and block.
pub(super) struct Names {
    /// The patch embedding, its norm and the norm after the blocks.
    stage: [&'static str; 3],
    block: &'static str,
    /// The layers of a block, in the order of [`LAYERS`].
    layers: [&'static str; 10],
    /// The decoder's linear layers.
    linear: &'static str,
}

/// dapple's names of the layers of a block.
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

/// The names in files.
pub(super) const FILES: Names = Names {
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

/// The names in memory.
pub(super) const MODULES: Names = Names {
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
pub(super) fn hugging_face(name: &str, names: &Names) -> String {
    let translated = || {
        let (layer, part) = name.strip_prefix("encoder.")?.rsplit_once('.')?;
        let inner = if let Some(layer) = layer.strip_prefix("patch_embed") {
            let (stage, layer) = layer.split_once('.')?;
            names.stage[usize::from(layer == "norm")].replacen("{}", &from_zero(stage)?, 1)
        } else if let Some(layer) = layer.strip_prefix("block") {
            let mut parts = layer.splitn(3, '.');
            let (stage, index, layer) = (from_zero(parts.next()?)?, parts.next()?, parts.next()?);
            // The depthwise convolution has the same name everywhere.
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

/// Hugging Face's names of a parameter of SegFormer: that in files, and that in memory.
pub(in crate::checkpoint) fn both_names(name: &str) -> [String; 2] {
    [hugging_face(name, &FILES), hugging_face(name, &MODULES)]
}

/// Hugging Face's name of a parameter of segmentation_models_pytorch's SegFormer decoder, which counts stages from the last.
pub(super) fn hugging_face_head(name: &str) -> Option<String> {
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

/// The stage counted from zero; dapple counts from one.
fn from_zero(stage: &str) -> Option<String> {
    Some(stage.parse::<usize>().ok()?.checked_sub(1)?.to_string())
}
