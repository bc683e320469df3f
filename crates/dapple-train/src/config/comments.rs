//! The comments of `config.toml`: one for every key.

/// Table, key, what it means.
const COMMENTS: &[(&str, &str, &str)] = &[
    ("", "recipe", "The recipe that these settings began with; for the reader, without effect."),
    ("", "seed", "Seed of initial values, order of the images and augmentation."),
    ("", "epochs", "Passes over the training images."),
    ("", "batch", "Images in a batch."),
    ("", "learning_rate", "Learning rate before the schedule."),
    ("", "clip_norm", "A longer gradient (norm over all parameters) is scaled down to this length."),
    ("", "accumulate", "Batches whose gradients are averaged for a step."),
    (
        "",
        "ema_decay",
        "Decay of the weights' moving average; the best model is the better of weights and average.",
    ),
    ("", "patience", "End after this many epochs without a better one."),
    ("", "time_budget", "Train for this long, instead of the epochs above; 1h 30m for instance."),
    ("", "encoder_rate", "Factor of the encoder's learning rate."),
    (
        "",
        "freeze_encoder",
        "Epochs in which the encoder does not learn; then a quarter of it more each epoch.",
    ),
    (
        "",
        "device",
        "Engine: cpu, cuda, … (`dapple devices`), or auto for the fastest that is built in and there.",
    ),
    ("", "precision", "What convolutions and attention are computed in: fp32, bf16 or fp16."),
    ("", "threads", "Threads of the engine; without effect on the results."),
    (
        "",
        "memory_limit",
        "Memory of the engine; beyond it maps are computed twice. Without effect on the results.",
    ),
    ("", "init", "Weights to start from."),
    ("network", "name", "`dapple models` lists the names."),
    ("network", "in_channels", "3 for colour, 1 for grey."),
    ("network", "classes", "Classes of the data, the background included."),
    ("network", "activation", "softmax: one class a pixel; sigmoid: each class against the rest."),
    ("network", "width", "Channels of the first stage; all others scale with it."),
    ("network", "head", "SegNet's head: conv3x3 (the paper's) or dense."),
    ("network", "output_stride", "Largest stride of the encoder's maps: 8 or 16."),
    ("network", "dropout", "Rate of the network's dropout."),
    ("network", "drop_path", "Largest rate of stochastic depth in the encoder's residual blocks."),
    ("data", "dir", "The folder of images and masks."),
    ("data", "format", "The format of the folder: folders, lists, voc, coco and so on."),
    ("data", "ignore", "Label of pixels that count neither in the loss nor in the scores."),
    ("data", "coding", "What the values of the mask files mean."),
    (
        "data",
        "train_fraction",
        "Share of the images for training, where the data have no parts of their own.",
    ),
    ("data", "split_seed", "Seed of the division; split.json has the outcome."),
    ("data", "split", "A division made before; it stands above all that says how to divide."),
    ("data", "stratified", "Give training and validation their share of the images of each class."),
    ("data", "group", "Regular expression on names: images with the same first group stay together."),
    ("data", "folds", "Divide into this many folds."),
    ("data", "fold", "The fold to validate with, from 0; without effect without folds."),
    ("data", "skip_bad", "Leave bad pairs out instead of stopping."),
    ("data", "threads", "Background threads that decode images; without effect on the results."),
    (
        "data",
        "cache",
        "Where decoded images are kept over the epochs: none, ram, or disk (a temporary file).",
    ),
    ("data", "cache_mib", "Memory for decoded images with cache = ram; without effect on the results."),
    ("input", "height", "Images are resized to this height, whatever their aspect ratio."),
    ("input", "width", "And to this width."),
    ("input", "channels", "3 for colour, 1 for grey."),
    ("input", "normalise", "imagenet, unit (0 to 1) or u2net (by the image's maximum, then as imagenet)."),
    ("augment", "flip_horizontal", "Probability of exchanging left and right."),
    ("augment", "flip_vertical", "Probability of exchanging top and bottom."),
    ("augment", "zoom", "Windows of 1 - zoom to 1 of each side are shown."),
    ("augment", "crop", "Random crop, height and width."),
    ("augment", "balanced", "Probability of placing zoom and crop around a class drawn evenly."),
    ("augment", "rotate", "Rotation by up to this many degrees, either way."),
    ("augment", "scale", "Things are shown at 1 / (1 + scale) to 1 + scale times their size."),
    ("augment", "shear", "Shear by up to this many degrees, either way."),
    ("augment", "perspective", "Corners are shifted by up to this share of the sides."),
    ("augment", "elastic", "Smooth displacements, as a share of the shorter side."),
    ("augment", "border", "Beyond the border: mirror, or pad (with the ignore label)."),
    ("augment", "brightness", "Factor of 1 - brightness to 1 + brightness."),
    ("augment", "contrast", "Factor of 1 - contrast to 1 + contrast."),
    ("augment", "saturation", "Factor of 1 - saturation to 1 + saturation."),
    ("augment", "hue", "The hue is turned by up to this many degrees, either way."),
    ("augment", "gamma", "Values are raised to a power of 1 / (1 + gamma) to 1 + gamma."),
    ("augment", "grey", "Probability of taking the colour away."),
    ("augment", "blur", "Probability of blurring."),
    ("augment", "noise", "Probability of adding noise."),
    ("augment", "jpeg", "Probability of JPEG artefacts."),
    ("augment", "cutout", "Probability of covering rectangles."),
    ("augment", "cutmix", "Probability of pasting a rectangle of another image."),
    ("augment", "mosaic", "Probability of joining quarters of four images."),
    ("loss", "class_weights", "none, median-frequency (from the training masks), or a list."),
    ("loss", "output_weights", "A factor for each output of the network, 1 where the list ends."),
    (
        "loss.terms",
        "kind",
        "cross-entropy, binary-cross-entropy, dice, focal, tversky, lovasz, boundary or ohem; for every output.",
    ),
    ("loss.terms", "weight", "Its factor."),
    ("loss.terms", "smoothing", "cross-entropy: share of the truth spread over all classes."),
    ("loss.terms", "gamma", "focal: the exponent, 2 if left out."),
    ("loss.terms", "alpha", "tversky: what false positives count, 0.3 if left out."),
    ("loss.terms", "beta", "tversky: what false negatives count, 0.7 if left out."),
    ("loss.terms", "keep", "ohem: share of the pixels that count, 0.25 if left out."),
    ("optimizer", "name", "sgd, rmsprop, adam, adamw, lion or muon."),
    ("optimizer", "momentum", "Momentum."),
    ("optimizer", "nesterov", "Nesterov's form of momentum."),
    ("optimizer", "weight_decay", "Weight decay."),
    ("optimizer", "decay", "Decay of all parameters, or of the convolutions' weights only."),
    ("optimizer", "alpha", "Smoothing of the squared gradient."),
    ("optimizer", "beta1", "Smoothing of the gradient."),
    ("optimizer", "beta2", "Smoothing of the squared gradient."),
    ("optimizer", "eps", "Added to the root."),
    ("schedule", "name", "constant, poly or cosine."),
    ("schedule", "power", "The factor is (1 - step / steps) ^ power."),
    ("schedule", "warm_up", "Share of the steps in which the learning rate rises to its value."),
    ("schedule", "floor", "Factor at the end."),
    (
        "evaluation",
        "train_images",
        "Training images scored after each epoch; as many as for validation if left out.",
    ),
    ("small_images", "share", "Share of the training, at its beginning, in which images are shown smaller."),
    ("small_images", "scale", "Factor of their height and width."),
    (
        "evaluation",
        "every",
        "Epochs from one measurement to the next; the first and the last are measured always.",
    ),
    ("evaluation", "pictures", "Validation images drawn in samples/ and strips/."),
    ("checkpoint", "minutes", "The state is saved after each epoch, and after this many minutes within one."),
    ("checkpoint", "batches", "And after this many batches."),
];

/// Puts its comment above every key, with the reason where there is one.
pub(crate) fn with_comments(toml: &str, reasons: &[(String, String)]) -> String {
    let mut text = String::from(
        "# Everything that is needed to repeat this training: dapple train --config THIS_FILE --out RUN\n",
    );
    let mut table = "";
    for line in toml.lines() {
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
        } else if let Some((key, _)) = line.split_once(" = ")
            && let Some(comment) = comment(table, key)
        {
            text.extend(["# ", comment]);
            let full = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
            if let Some((_, reason)) = reasons.iter().find(|(key, _)| *key == full) {
                text.extend([" Chosen: ", reason, "."]);
            }
            text.push('\n');
        }
        text.extend([line, "\n"]);
    }
    text
}

fn comment(table: &str, key: &str) -> Option<&'static str> {
    COMMENTS.iter().find(|(t, k, _)| (*t, *k) == (table, key)).map(|(_, _, comment)| *comment)
}

#[cfg(test)]
mod tests {
    use crate::recipe;

    #[test]
    fn every_key_of_every_recipe_has_a_comment() {
        for recipe in recipe::RECIPES {
            let config = recipe.config("data".as_ref()).expect("recipes are valid");
            let text = config.to_toml();
            let mut before = "";
            for line in text.lines() {
                // Keys of inline tables and continued lists have no line of their own.
                if line.contains(" = ") && !line.starts_with([' ', '#']) {
                    assert!(before.starts_with("# "), "{}: no comment at {line}", recipe.name);
                }
                before = line;
            }
        }
    }
}
