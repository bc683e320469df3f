//! The networks by name: those that are whole, and each decoder on each encoder that fits, `DECODER-ENCODER`.

use crate::decoders::{self, Decoder, EncoderDecoder, PaperSegFormer, Settings};
use crate::encoders::{ENCODERS, Encoder};
use crate::nearest::nearest;
use crate::{
    Activation, ConfigError, DeconvNet, FastScnn, FcnVgg, NetConfig, SegNet, SegNetBasic, U2Net, U2NetSize,
    UNet, UpSampling,
};
use dapple_graph::Network;
use std::sync::LazyLock;

/// A network that can be asked for by name.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What configurations and command lines say.
    pub name: String,
    /// The name without the encoder's.
    pub family: &'static str,
    /// The encoder, where there is a choice.
    pub encoder: Option<&'static Encoder>,
    /// What reports say.
    pub title: String,
    /// Paper and variant.
    pub source: &'static str,
    /// Smallest height and width of an input.
    pub smallest: usize,
    /// Base channels of the published network.
    pub width: usize,
    /// The width must be a multiple of this, 1 or 4.
    pub width_step: usize,
    /// What turns the logits into probabilities unless the configuration says otherwise.
    pub activation: Activation,
    /// Whether [`NetConfig::head`] applies.
    pub has_head: bool,
    /// Whether [`NetConfig::dropout`] applies.
    pub has_dropout: bool,
    /// What [`NetConfig::output_stride`] may be, the published one first; empty where it does not apply.
    pub output_strides: &'static [usize],
    /// What the names of those layers start with whose shapes depend on the number of classes. Each is taken over from
    /// other weights as a whole or not at all.
    pub heads: &'static [&'static str],
    /// Weights of the outputs in the loss where they are not equal: auxiliary heads count less.
    pub output_weights: &'static [f32],
    /// What the names of the encoder's parameters start with, where weights of its classification network fit.
    pub encoder_prefix: Option<&'static str>,
    make: Make,
}

/// How a network is made from its configuration.
#[derive(Clone, Copy, Debug)]
enum Make {
    Whole(fn(&NetConfig) -> Box<dyn Network>),
    Decoder(Decoder, &'static Encoder),
}

impl Entry {
    /// The network of a configuration.
    pub(crate) fn make(&self, config: &NetConfig) -> Box<dyn Network> {
        let (decoder, encoder) = match self.make {
            Make::Whole(make) => return make(config),
            Make::Decoder(decoder, encoder) => (decoder, encoder),
        };
        let settings = Settings {
            logits: config.logits(),
            encoder,
            width: config.width,
            stride: config.output_stride.or(self.output_strides.first().copied()).unwrap_or(32),
            dropout: config.dropout,
        };
        Box::new(EncoderDecoder { decoder, settings })
    }
}

const RONNEBERGER: &str = "Ronneberger et al., MICCAI 2015, arXiv:1505.04597";
const QIN: &str = "Qin et al., Pattern Recognition 2020, arXiv:2005.09007";
const LONG: &str = "Long et al., CVPR 2015, arXiv:1411.4038";
const BADRINARAYANAN: &str = "Badrinarayanan et al., PAMI 2017, arXiv:1511.00561";
const KENDALL: &str = "Kendall et al., BMVC 2017, arXiv:1511.02680";
const XIE: &str = "Xie et al., NeurIPS 2021, arXiv:2105.15203";

/// In front of the encoder's parameters of whole networks.
const ENCODER: &str = "encoder.";

/// What whole networks differ in.
#[derive(Clone, Copy)]
struct Whole {
    name: &'static str,
    title: &'static str,
    source: &'static str,
    smallest: usize,
    heads: &'static [&'static str],
    make: fn(&NetConfig) -> Box<dyn Network>,
}

impl Whole {
    fn entry(self) -> Entry {
        Entry {
            name: self.name.to_owned(),
            family: self.name,
            encoder: None,
            title: self.title.to_owned(),
            source: self.source,
            smallest: self.smallest,
            width: 64,
            width_step: 1,
            activation: Activation::Softmax,
            has_head: false,
            has_dropout: false,
            output_strides: &[],
            heads: self.heads,
            output_weights: &[],
            encoder_prefix: None,
            make: Make::Whole(self.make),
        }
    }
}

fn unets() -> [Entry; 2] {
    let unet = Whole {
        name: "unet",
        title: "U-Net",
        source: RONNEBERGER,
        smallest: UNet::SMALLEST,
        heads: &["outc."],
        make: |c| Box::new(UNet { width: c.width, logits: c.logits(), up: UpSampling::Transposed }),
    };
    let bilinear = Whole {
        name: "unet-bilinear",
        title: "U-Net, bilinear upsampling",
        make: |c| Box::new(UNet { width: c.width, logits: c.logits(), up: UpSampling::Bilinear }),
        ..unet
    };
    [unet.entry(), bilinear.entry()]
}

fn u2nets() -> [Entry; 2] {
    let full = Whole {
        name: "u2net",
        title: "U²-Net",
        source: QIN,
        smallest: 1,
        heads: &["outconv.", "side1.", "side2.", "side3.", "side4.", "side5.", "side6."],
        make: |c| Box::new(U2Net { size: U2NetSize::Full, width: c.width, logits: c.logits() }),
    };
    let lite = Whole {
        name: "u2net-lite",
        title: "U²-Net lite",
        make: |c| Box::new(U2Net { size: U2NetSize::Lite, width: c.width, logits: c.logits() }),
        ..full
    };
    [full, lite].map(|whole| Entry { width_step: 4, activation: Activation::Sigmoid, ..whole.entry() })
}

/// Rate of the Bayesian networks' dropout.
const BAYESIAN: f32 = 0.5;

fn segnets() -> [Entry; 4] {
    let segnet = Whole {
        name: "segnet",
        title: "SegNet",
        source: BADRINARAYANAN,
        smallest: SegNet::SMALLEST,
        heads: &["head."],
        make: |c| {
            let head = c.head.unwrap_or_default();
            Box::new(SegNet { width: c.width, logits: c.logits(), head, dropout: None })
        },
    };
    let basic = Whole {
        name: "segnet-basic",
        title: "SegNet-Basic",
        smallest: SegNetBasic::SMALLEST,
        make: |c| Box::new(SegNetBasic { width: c.width, logits: c.logits(), dropout: None }),
        ..segnet
    };
    let bayesian = Whole {
        name: "bayesian-segnet",
        title: "Bayesian SegNet",
        source: KENDALL,
        make: |c| {
            let dropout = Some(c.dropout.unwrap_or(BAYESIAN));
            let head = c.head.unwrap_or_default();
            Box::new(SegNet { width: c.width, logits: c.logits(), head, dropout })
        },
        ..segnet
    };
    let bayesian_basic = Whole {
        name: "bayesian-segnet-basic",
        title: "Bayesian SegNet-Basic",
        source: KENDALL,
        make: |c| {
            let dropout = Some(c.dropout.unwrap_or(BAYESIAN));
            Box::new(SegNetBasic { width: c.width, logits: c.logits(), dropout })
        },
        ..basic
    };
    let encoder_prefix = Some(ENCODER);
    [
        Entry { has_head: true, encoder_prefix, ..segnet.entry() },
        basic.entry(),
        Entry { has_head: true, has_dropout: true, encoder_prefix, ..bayesian.entry() },
        Entry { has_dropout: true, ..bayesian_basic.entry() },
    ]
}

fn fcns() -> [Entry; 4] {
    const HEADS: &[&str] = &["score_fr.", "score_pool4.", "score_pool3.", "upscore"];
    fn make(stride: usize, c: &NetConfig) -> Box<dyn Network> {
        Box::new(FcnVgg { stride, width: c.width, logits: c.logits(), dropout: c.dropout.unwrap_or(0.5) })
    }
    let whole = |name, title, make| {
        let whole = Whole { name, title, source: LONG, smallest: FcnVgg::SMALLEST, heads: HEADS, make };
        Entry { has_dropout: true, encoder_prefix: Some(ENCODER), ..whole.entry() }
    };
    let deconvnet = Whole {
        name: "deconvnet",
        title: "DeconvNet",
        source: "Noh et al., ICCV 2015, arXiv:1505.04366",
        smallest: DeconvNet::SMALLEST,
        heads: &["score."],
        make: |c| Box::new(DeconvNet { width: c.width, logits: c.logits() }),
    };
    [
        whole("fcn32s", "FCN-32s on VGG16", |c| make(32, c)),
        whole("fcn16s", "FCN-16s on VGG16", |c| make(16, c)),
        whole("fcn8s", "FCN-8s on VGG16", |c| make(8, c)),
        Entry { encoder_prefix: Some(ENCODER), ..deconvnet.entry() },
    ]
}

fn segformers() -> [Entry; 3] {
    fn make(size: u8, c: &NetConfig) -> Box<dyn Network> {
        Box::new(PaperSegFormer { size, width: c.width, logits: c.logits(), dropout: c.dropout })
    }
    let whole = |name, title, width, make| {
        let heads = &["decode_head.classifier."];
        let whole = Whole { name, title, source: XIE, smallest: decoders::SMALLEST, heads, make };
        Entry { width, has_dropout: true, encoder_prefix: Some(ENCODER), ..whole.entry() }
    };
    [
        whole("segformer-b0", "SegFormer-B0", 32, |c| make(0, c)),
        whole("segformer-b1", "SegFormer-B1", 64, |c| make(1, c)),
        whole("segformer-b2", "SegFormer-B2", 64, |c| make(2, c)),
    ]
}

fn fast_scnn() -> Entry {
    let whole = Whole {
        name: "fast-scnn",
        title: "Fast-SCNN",
        source: "Poudel et al., BMVC 2019, arXiv:1902.04502",
        smallest: FastScnn::SMALLEST,
        heads: &["classifier.conv."],
        make: |c| {
            let dropout = c.dropout.unwrap_or(0.1);
            Box::new(FastScnn { width: c.width, logits: c.logits(), dropout })
        },
    };
    Entry { width: 32, width_step: 4, has_dropout: true, ..whole.entry() }
}

/// A decoder with what the registry says about it.
struct OnEncoders {
    decoder: Decoder,
    title: &'static str,
    source: &'static str,
    heads: &'static [&'static str],
    has_dropout: bool,
    output_weights: &'static [f32],
}

/// Of torchvision's trainings.
const WITH_AUXILIARY: &[f32] = &[1.0, 0.5];
const SMP_HEAD: &[&str] = &["segmentation_head."];
const TORCHVISION_HEADS: &[&str] = &["classifier.4.", "aux_classifier.4."];

/// All decoders.
const DECODERS: [OnEncoders; 11] = {
    const fn smp(
        decoder: Decoder,
        title: &'static str,
        source: &'static str,
        has_dropout: bool,
    ) -> OnEncoders {
        OnEncoders { decoder, title, source, heads: SMP_HEAD, has_dropout, output_weights: &[] }
    }
    [
        smp(decoders::UNET, "U-Net", RONNEBERGER, false),
        smp(decoders::UNETPLUSPLUS, "U-Net++", "Zhou et al., TMI 2020, arXiv:1912.05074", false),
        smp(decoders::LINKNET, "LinkNet", "Chaurasia and Culurciello, VCIP 2017, arXiv:1707.03718", false),
        smp(decoders::FPN, "FPN", "Kirillov et al., CVPR 2019, arXiv:1901.02446", true),
        smp(decoders::PSPNET, "PSPNet", "Zhao et al., CVPR 2017, arXiv:1612.01105", true),
        smp(decoders::DEEPLABV3PLUS, "DeepLabV3+", "Chen et al., ECCV 2018, arXiv:1802.02611", true),
        smp(decoders::UPERNET, "UPerNet", "Xiao et al., ECCV 2018, arXiv:1807.10221", false),
        smp(decoders::SEGFORMER, "SegFormer", XIE, false),
        OnEncoders {
            decoder: decoders::FCN,
            title: "FCN",
            source: LONG,
            heads: TORCHVISION_HEADS,
            has_dropout: true,
            output_weights: WITH_AUXILIARY,
        },
        OnEncoders {
            decoder: decoders::DEEPLABV3,
            title: "DeepLabV3",
            source: "Chen et al., 2017, arXiv:1706.05587",
            heads: TORCHVISION_HEADS,
            has_dropout: true,
            output_weights: WITH_AUXILIARY,
        },
        OnEncoders {
            decoder: decoders::LRASPP,
            title: "Lite R-ASPP",
            source: "Howard et al., ICCV 2019, arXiv:1905.02244",
            heads: &["classifier.low_classifier.", "classifier.high_classifier."],
            has_dropout: false,
            output_weights: &[],
        },
    ]
};

impl OnEncoders {
    fn entry(&self, encoder: &'static Encoder) -> Entry {
        Entry {
            name: format!("{}-{}", self.decoder.name, encoder.name),
            family: self.decoder.name,
            encoder: Some(encoder),
            title: format!("{} on {}", self.title, encoder.title),
            source: self.source,
            smallest: decoders::SMALLEST,
            width: encoder.width,
            width_step: 4,
            activation: Activation::Softmax,
            has_head: false,
            has_dropout: self.has_dropout,
            output_strides: self.decoder.strides,
            heads: self.heads,
            output_weights: self.output_weights,
            encoder_prefix: Some(self.decoder.prefix),
            make: Make::Decoder(self.decoder, encoder),
        }
    }
}

/// All networks: the whole ones first, then each decoder on its encoders.
pub fn networks() -> &'static [Entry] {
    static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let mut all = Vec::new();
        all.extend(unets());
        all.extend(u2nets());
        all.extend(segnets());
        all.extend(fcns());
        all.extend(segformers());
        all.push(fast_scnn());
        for decoder in &DECODERS {
            let fitting = ENCODERS.iter().filter(|encoder| (decoder.decoder.fits)(encoder));
            all.extend(fitting.map(|encoder| decoder.entry(encoder)));
        }
        all
    });
    &ALL
}

/// The network of that name.
///
/// # Errors
/// If there is none; the message proposes the nearest name.
pub fn find(name: &str) -> Result<&'static Entry, ConfigError> {
    networks().iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names = || networks().iter().map(|entry| entry.name.as_str());
        ConfigError::UnknownNetwork { name: name.to_owned(), nearest: nearest(name, names()) }
    })
}
