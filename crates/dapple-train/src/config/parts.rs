//! Settings of structures of other crates: the network, its input, augmentation and the optimizer.

use super::edits;
use super::kind::{Kind, Range, Word};
use super::setting::{Flag, Group, Setting, number, settings, text, whole, word};

const ACTIVATIONS: &[Word] = &[("softmax", ""), ("sigmoid", "")];
const DILATIONS: &[Word] = &[("stages", ""), ("later", "")];
const ATTENTIONS: &[Word] = &[("scse", "")];
const HEADS: &[Word] = &[("conv3x3", ""), ("dense", "")];
const NORMALIZATIONS: &[Word] = &[
    ("imagenet", "By mean and deviation of ImageNet"),
    ("unit", "To values from 0 to 1"),
    ("u2net", "By the image's maximum, then as imagenet"),
    ("lite", "To values from -1 to 1, as EfficientNet-Lite takes them"),
];
const BORDERS: &[Word] = &[("mirror", ""), ("pad", "")];
const OPTIMIZERS: &[Word] =
    &[("sgd", ""), ("rmsprop", ""), ("adam", ""), ("adamw", ""), ("lion", ""), ("muon", "")];
const DECAYS: &[Word] = &[("weights", ""), ("all", "")];

/// A probability.
const PROBABILITY: Setting = number(Range::from(0.0).to(1.0)).example("0.5");
/// An amount from 0 to `most`.
const fn up_to(most: f64) -> Setting {
    number(Range::from(0.0).to(most))
}
/// A smoothing factor of a moving average.
const SMOOTHING: Setting = number(Range::from(0.0).below(1.0));

settings! {
    const NETWORK("network.", Group::Network) {
        /// Name of the network; `dapple models` lists them.
        name = text("the name of a network")
            .auto()
            .default("chosen by `--recipe auto`")
            .example("\"unet\"")
            .flag(Flag::new("model", "NAME").by_command()),
        /// Channels of the images: 3 for colour, 1 for grey.
        in_channels = whole(1, 64).example("3").flag(
            Flag::new("channels", "N")
                .help("3 for colour, 1 for grey, more for images with more channels [default: 3]")
                .by(edits::channels)
                .also(&["input.channels"]),
        ),
        /// Classes of the data, the background included.
        classes = whole(2, 256).default("found from the masks").example("2").flag(
            Flag::new("classes", "N").help("Classes, the background included [default: found from the masks]"),
        ),
        /// Function from logits to probabilities (softmax: one class a pixel; sigmoid: each class against the rest).
        activation = word(ACTIVATIONS).default("the network's").example("\"sigmoid\""),
        /// Channels of the first stage; all others scale with it.
        width = whole(1, 1024).auto().default("the network's").example("32").flag(
            Flag::new("width", "N").help("Channels of the network's first stage; all others scale with it"),
        ),
        /// Width by which the decoder's channels scale, instead of the encoder's.
        ///
        /// For decoders on an encoder: half of the published width makes a lighter decoder under an encoder that still takes
        /// pretrained weights.
        decoder_width = whole(1, 1024).auto().unset("the network's width").example("16").flag(
            Flag::new("decoder-width", "N").help(
                "Width by which the decoder's channels scale, for networks on an encoder: half of the published width halves them",
            ),
        ),
        /// Attention within the decoder's blocks (scse: squeeze and excitation of channels and of pixels).
        ///
        /// For U-Net and U-Net++ on an encoder, as segmentation_models.pytorch's `decoder_attention_type`.
        decoder_attention = word(ATTENTIONS).unset("none").example("\"scse\"").flag(
            Flag::new("decoder-attention", "KIND").help("Attention within the decoder's blocks, `scse`: for unet and unetplusplus on an encoder"),
        ),
        /// SegNet's head (conv3x3: the paper's).
        head = word(HEADS).unset("the paper's").example("\"dense\""),
        /// Largest stride of the encoder's feature maps: 8 or 16.
        ///
        /// For networks that dilate the stages behind it: deeplabv3plus, deeplabv3, deeplabv3-smp, fcn and lraspp.
        output_stride = whole(1, 64).unset("the published one").example("8").flag(
            Flag::new("output-stride", "N").help(
                "Largest stride of the encoder's feature maps, 8 or 16: for deeplabv3plus, deeplabv3, deeplabv3-smp, fcn and lraspp",
            ),
        ),
        /// Dilation of the first block of a dilated stage (stages: that of its stage; later: that of the stage before, as on
        /// timm's encoders).
        dilation = word(DILATIONS).unset("the published one").example("\"later\""),
        /// Rate of the network's dropout.
        dropout = number(Range::from(0.0).below(1.0)).unset("the published one").example("0.2").flag(
            Flag::new("dropout", "X").help("Rate of the network's dropout, 0 for none [default: the published one]"),
        ),
        /// Largest rate of stochastic depth in the encoder's residual blocks.
        drop_path = number(Range::from(0.0).below(1.0)).unset("the published one").example("0.1").flag(
            Flag::new("drop-path", "X").help(
                "Rate of stochastic depth in the encoder (EfficientNet, ConvNeXt, MiT), 0 for none [default: the published one]",
            ),
        ),
    }
}

settings! {
    const INPUT("input.", Group::Network) {
        /// Height to which images are resized; the aspect ratio is not kept.
        height = whole(1, 1 << 14).auto().example("192").flag(
            Flag::new("size", "N|HxW").help("Size of the network's input").by(edits::input_size).also(&["input.width"]),
        ),
        /// Width to which images are resized.
        width = whole(1, 1 << 14).auto().example("256"),
        /// Channels of the images: 3 for colour, 1 for grey.
        channels = whole(1, 64).example("1"),
        /// Normalization of pixel values (unit: 0 to 1; u2net: by the image's maximum, then as imagenet; lite: -1
        /// to 1, as EfficientNet-Lite takes them).
        normalise = word(NORMALIZATIONS)
            .example("\"unit\"")
            .flag(Flag::new("normalise", "NAME").alias("normalize").help("Normalization of pixel values")),
    }
}

settings! {
    const AUGMENT("augment.", Group::Augmentation) {
        /// Probability of flipping left and right.
        flip_horizontal = PROBABILITY.auto(),
        /// Probability of flipping top and bottom.
        flip_vertical = PROBABILITY.auto(),
        /// Largest zoom: the sides of what is shown are 1 - zoom to 1 of the image's.
        zoom = up_to(0.9).auto().example("0.2"),
        /// Random crop: height and width.
        ///
        /// Of the resized image, as 288 x 288 of 320 x 320; samples have this size then. Not with `small_images`.
        crop = Setting::of(Kind::Size).unset("the whole image").example("[288, 288]"),
        /// Probability of placing zoom and crop around a pixel of a class drawn evenly.
        ///
        /// Rare classes are seen more often. Without effect where the whole image is shown.
        balanced = PROBABILITY.auto(),
        /// Probability of placing zoom and crop around a pixel of a rare class.
        ///
        /// A class is rare that has less than an even share of the pixels of the training images; the rarer, the more often it
        /// is chosen. Before `balanced`, and without effect where the whole image is shown.
        rare = PROBABILITY.auto(),
        /// Largest rotation, either way, in degrees.
        rotate = up_to(180.0).auto().example("15.0"),
        /// Largest change of scale: by 1 / (1 + scale) to 1 + scale.
        scale = up_to(4.0).auto().example("0.25"),
        /// Largest shear, either way, in degrees.
        shear = up_to(45.0).auto().example("5.0"),
        /// Largest shift of the corners, as a share of the sides (a view from the side).
        perspective = up_to(0.2).auto().example("0.05"),
        /// Deviation of smooth displacements, as a share of the shorter side.
        elastic = up_to(0.1).auto().example("0.02"),
        /// Beyond the image's border (pad: with the ignore label).
        border = word(BORDERS).auto().example("\"pad\""),
        /// Largest change of brightness: by a factor of 1 - brightness to 1 + brightness.
        brightness = up_to(0.9).auto().example("0.2"),
        /// Largest change of contrast: by a factor of 1 - contrast to 1 + contrast.
        contrast = up_to(0.9).auto().example("0.2"),
        /// Largest change of saturation: by a factor of 1 - saturation to 1 + saturation.
        saturation = up_to(0.9).auto().example("0.2"),
        /// Largest rotation of the hue, either way, in degrees.
        hue = up_to(180.0).auto().example("10.0"),
        /// Largest gamma correction: by an exponent of 1 / (1 + gamma) to 1 + gamma.
        gamma = up_to(4.0).auto().example("0.2"),
        /// Probability of turning the image grey.
        grey = PROBABILITY.auto(),
        /// Probability of blurring, by a Gaussian of 0.3 to 2 pixels.
        blur = PROBABILITY.auto(),
        /// Probability of adding noise, with a deviation of 2 to 12 of 255.
        noise = PROBABILITY.auto(),
        /// Probability of JPEG artefacts, of quality 25 to 90.
        jpeg = PROBABILITY.auto(),
        /// Probability of covering rectangles; their labels stay.
        ///
        /// DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.
        cutout = PROBABILITY.auto(),
        /// Probability of pasting a rectangle of another sample, labels included.
        ///
        /// Yun et al., "CutMix", ICCV 2019.
        cutmix = PROBABILITY.auto(),
        /// Probability of joining quarters of four samples.
        ///
        /// Bochkovskiy et al., "YOLOv4", 2020, without its shrinking.
        mosaic = PROBABILITY.auto(),
    }
}

settings! {
    const OPTIMIZER("optimizer.", Group::Schedule) {
        /// Name of the optimizer.
        name = word(OPTIMIZERS).example("\"sgd\""),
        /// sgd, rmsprop, muon: momentum.
        momentum = SMOOTHING.default("0.9; 0.95 with muon").example("0.99"),
        /// sgd: momentum in Nesterov's form.
        nesterov = Setting::of(Kind::Switch).default("false").example("true"),
        /// Weight decay.
        weight_decay = number(Range::from(0.0)).example("0.0005"),
        /// Parameters that decay (weights: those of convolutions only).
        decay = word(DECAYS).example("\"all\""),
        /// rmsprop: smoothing of the squared gradient.
        alpha = SMOOTHING.default("0.99").example("0.9"),
        /// adam, adamw, lion: smoothing of the gradient.
        beta1 = SMOOTHING.example("0.95"),
        /// adam, adamw, lion: smoothing of the squared gradient; with lion of the gradient.
        beta2 = SMOOTHING.example("0.99"),
        /// rmsprop, adam, adamw: added to the root of the squared gradient.
        eps = number(Range::above(0.0)).example("1e-6"),
    }
}

/// All of them.
pub(super) const TABLES: [&[Setting]; 4] = [NETWORK, INPUT, AUGMENT, OPTIMIZER];
