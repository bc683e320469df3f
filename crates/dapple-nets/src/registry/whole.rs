//! The networks that are built as a whole.

use super::entry::{LONG, Make, NetworkEntry, RONNEBERGER, XIE};
use crate::config::{Activation, NetConfig};
use crate::decoders;
use crate::models::{
    AttentionUNet, BiSeNetV2, DdrNet, DeconvNet, FastScnn, FcnVgg, NnUNet, PaperSegFormer, PidNet,
    PidNetSize, PpLiteSeg, PpLiteSegSize, ResUNet, SegNet, SegNetBasic, SegNext, SegNextSize, U2Net,
    U2NetSize, UNet, UNet3Plus, UpSampling,
};
use dapple_graph::{Network, Target};

const QIN: &str = "Qin et al., Pattern Recognition 2020, arXiv:2005.09007";
const BADRINARAYANAN: &str = "Badrinarayanan et al., PAMI 2017, arXiv:1511.00561";
const KENDALL: &str = "Kendall et al., BMVC 2017, arXiv:1511.02680";

/// Name prefix of the encoder's parameters.
const ENCODER: &str = "encoder.";

/// The data in which these networks differ.
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
    fn entry(self) -> NetworkEntry {
        NetworkEntry {
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
            has_drop_path: false,
            has_decoder_width: false,
            has_decoder_attention: false,
            output_strides: &[],
            heads: self.heads,
            output_weights: &[],
            output_targets: &[],
            boundary_aware: 0.0,
            encoder_prefix: None,
            make: Make::Whole(self.make),
        }
    }
}

/// All networks that are not a decoder on an encoder.
pub(super) fn entries() -> impl Iterator<Item = NetworkEntry> {
    let (unets, u2nets, segnets, fcns) = (unets(), u2nets(), segnets(), fcns());
    let groups = unets.into_iter().chain(u2nets).chain(segnets).chain(fcns).chain(segformers());
    let groups = groups.chain([fast_scnn(), ddrnet()]).chain(pidnets());
    groups.chain(descendants_of_unet()).chain([bisenetv2()]).chain(pp_litesegs()).chain(segnexts())
}

fn unets() -> [NetworkEntry; 2] {
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

fn u2nets() -> [NetworkEntry; 2] {
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
    [full, lite].map(|whole| NetworkEntry { width_step: 4, activation: Activation::Sigmoid, ..whole.entry() })
}

/// Dropout rate of the Bayesian networks.
const BAYESIAN: f32 = 0.5;

fn segnets() -> [NetworkEntry; 4] {
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
        NetworkEntry { has_head: true, encoder_prefix, ..segnet.entry() },
        basic.entry(),
        NetworkEntry { has_head: true, has_dropout: true, encoder_prefix, ..bayesian.entry() },
        NetworkEntry { has_dropout: true, ..bayesian_basic.entry() },
    ]
}

fn fcns() -> [NetworkEntry; 4] {
    const HEADS: &[&str] = &["score_fr.", "score_pool4.", "score_pool3.", "upscore"];
    fn make(stride: usize, c: &NetConfig) -> Box<dyn Network> {
        Box::new(FcnVgg { stride, width: c.width, logits: c.logits(), dropout: c.dropout.unwrap_or(0.5) })
    }
    let whole = |name, title, make| {
        let whole = Whole { name, title, source: LONG, smallest: FcnVgg::SMALLEST, heads: HEADS, make };
        NetworkEntry { has_dropout: true, encoder_prefix: Some(ENCODER), ..whole.entry() }
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
        NetworkEntry { encoder_prefix: Some(ENCODER), ..deconvnet.entry() },
    ]
}

fn segformers() -> [NetworkEntry; 3] {
    fn make(size: u8, c: &NetConfig) -> Box<dyn Network> {
        let (width, logits) = (c.width, c.logits());
        Box::new(PaperSegFormer { size, width, logits, dropout: c.dropout, drop_path: c.drop_path })
    }
    let whole = |name, title, width, make| {
        let heads = &["decode_head.classifier."];
        let whole = Whole { name, title, source: XIE, smallest: decoders::SMALLEST, heads, make };
        let encoder_prefix = Some(ENCODER);
        NetworkEntry { width, has_dropout: true, has_drop_path: true, encoder_prefix, ..whole.entry() }
    };
    [
        whole("segformer-b0", "SegFormer-B0", 32, |c| make(0, c)),
        whole("segformer-b1", "SegFormer-B1", 64, |c| make(1, c)),
        whole("segformer-b2", "SegFormer-B2", 64, |c| make(2, c)),
    ]
}

fn fast_scnn() -> NetworkEntry {
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
    NetworkEntry { width: 32, width_step: 4, has_dropout: true, ..whole.entry() }
}

fn ddrnet() -> NetworkEntry {
    let whole = Whole {
        name: "ddrnet-23-slim",
        title: "DDRNet-23-slim",
        source: "Hong et al., 2021, arXiv:2101.06085",
        smallest: DdrNet::SMALLEST,
        heads: &["final_layer.conv2.", "seghead_extra.conv2."],
        make: |c| Box::new(DdrNet { width: c.width, logits: c.logits() }),
    };
    NetworkEntry { width: 32, output_weights: &[1.0, 0.4], ..whole.entry() }
}

fn pidnets() -> [NetworkEntry; 3] {
    const TARGETS: &[Target] = &[Target::Labels, Target::Labels, Target::Boundaries];
    fn make(size: PidNetSize, c: &NetConfig) -> Box<dyn Network> {
        Box::new(PidNet { size, width: c.width, logits: c.logits() })
    }
    let whole = |name, title, width, make| {
        let heads = &["final_layer.conv2.", "seghead_p.conv2."];
        let source = "Xu et al., CVPR 2023, arXiv:2206.02066";
        let whole = Whole { name, title, source, smallest: PidNet::SMALLEST, heads, make };
        let output_weights = &[1.0, 0.4, 20.0];
        NetworkEntry {
            width,
            width_step: 4,
            output_weights,
            output_targets: TARGETS,
            boundary_aware: 1.0,
            ..whole.entry()
        }
    };
    [
        whole("pidnet-s", "PIDNet-S", 32, |c| make(PidNetSize::S, c)),
        whole("pidnet-m", "PIDNet-M", 64, |c| make(PidNetSize::M, c)),
        whole("pidnet-l", "PIDNet-L", 64, |c| make(PidNetSize::L, c)),
    ]
}

fn descendants_of_unet() -> [NetworkEntry; 4] {
    // Halved from level to level, and 1 in all.
    const HALVED: &[f32] = &[8.0 / 15.0, 4.0 / 15.0, 2.0 / 15.0, 1.0 / 15.0];
    let attention = Whole {
        name: "attention-unet",
        title: "Attention U-Net",
        source: "Oktay et al., MIDL 2018, arXiv:1804.03999",
        smallest: AttentionUNet::SMALLEST,
        heads: &["outc."],
        make: |c| Box::new(AttentionUNet { width: c.width, logits: c.logits() }),
    };
    let residual = Whole {
        name: "resunet",
        title: "ResUNet",
        source: "Zhang et al., GRSL 2018, arXiv:1711.10684",
        smallest: ResUNet::SMALLEST,
        heads: &["head."],
        make: |c| Box::new(ResUNet { width: c.width, logits: c.logits() }),
    };
    let full_scale = Whole {
        name: "unet3plus",
        title: "U-Net 3+",
        source: "Huang et al., ICASSP 2020, arXiv:2004.08790",
        smallest: UNet3Plus::SMALLEST,
        heads: &["outconv"],
        make: |c| Box::new(UNet3Plus { width: c.width, logits: c.logits() }),
    };
    let nnunet = Whole {
        name: "nnunet-resenc",
        title: "nnU-Net, residual encoder",
        source: "Isensee et al., MICCAI 2024, arXiv:2404.09556",
        smallest: NnUNet::SMALLEST,
        heads: &["decoder.seg_layers."],
        make: |c| Box::new(NnUNet { width: c.width, logits: c.logits() }),
    };
    [
        attention.entry(),
        residual.entry(),
        full_scale.entry(),
        NetworkEntry { width: 32, output_weights: HALVED, ..nnunet.entry() },
    ]
}

fn bisenetv2() -> NetworkEntry {
    let whole = Whole {
        name: "bisenetv2",
        title: "BiSeNetV2",
        source: "Yu et al., IJCV 2021, arXiv:2004.02147",
        smallest: BiSeNetV2::SMALLEST,
        heads: &[
            "head.classifier.",
            "aux2.classifier.",
            "aux3.classifier.",
            "aux4.classifier.",
            "aux5.classifier.",
        ],
        make: |c| Box::new(BiSeNetV2 { width: c.width, logits: c.logits() }),
    };
    NetworkEntry { width_step: 4, ..whole.entry() }
}

fn pp_litesegs() -> [NetworkEntry; 2] {
    fn make(size: PpLiteSegSize, c: &NetConfig) -> Box<dyn Network> {
        Box::new(PpLiteSeg { size, width: c.width, logits: c.logits() })
    }
    let whole = |name, title, make| {
        let heads = &["heads.0.classifier.", "heads.1.classifier.", "heads.2.classifier."];
        let source = "Peng et al., 2022, arXiv:2204.02681";
        let whole = Whole { name, title, source, smallest: PpLiteSeg::SMALLEST, heads, make };
        NetworkEntry { width: 32, encoder_prefix: Some("backbone."), ..whole.entry() }
    };
    [
        whole("pp-liteseg-t", "PP-LiteSeg-T", |c| make(PpLiteSegSize::T, c)),
        whole("pp-liteseg-b", "PP-LiteSeg-B", |c| make(PpLiteSegSize::B, c)),
    ]
}

fn segnexts() -> [NetworkEntry; 2] {
    fn make(size: SegNextSize, c: &NetConfig) -> Box<dyn Network> {
        let (dropout, drop_path) = (c.dropout.unwrap_or(0.1), c.drop_path.unwrap_or(SegNext::DROP_PATH));
        Box::new(SegNext { size, width: c.width, logits: c.logits(), dropout, drop_path })
    }
    let whole = |name, title, width, make| {
        let heads = &["decode_head.conv_seg."];
        let source = "Guo et al., NeurIPS 2022, arXiv:2209.08575";
        let whole = Whole { name, title, source, smallest: SegNext::SMALLEST, heads, make };
        let encoder_prefix = Some("backbone.");
        NetworkEntry {
            width,
            width_step: 4,
            has_dropout: true,
            has_drop_path: true,
            encoder_prefix,
            ..whole.entry()
        }
    };
    [
        whole("segnext-t", "SegNeXt-T, non-local", 32, |c| make(SegNextSize::T, c)),
        whole("segnext-s", "SegNeXt-S, non-local", 64, |c| make(SegNextSize::S, c)),
    ]
}
