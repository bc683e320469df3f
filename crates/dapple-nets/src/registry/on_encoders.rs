//! The decoders, each on every encoder that fits.

use super::entry::{LONG, Make, NetworkEntry, RONNEBERGER, XIE};
use crate::config::Activation;
use crate::decoders::{self, Decoder};
use crate::encoders::{ENCODERS, Encoder};

/// A decoder with its registry data.
struct OnEncoders {
    decoder: Decoder,
    title: &'static str,
    source: &'static str,
    heads: &'static [&'static str],
    has_dropout: bool,
    output_weights: &'static [f32],
}

/// Weights of the outputs in torchvision's training.
const WITH_AUXILIARY: &[f32] = &[1.0, 0.5];
const CHEN: &str = "Chen et al., 2017, arXiv:1706.05587";
const SMP_HEAD: &[&str] = &["segmentation_head."];
const TORCHVISION_HEADS: &[&str] = &["classifier.4.", "aux_classifier.4."];

/// All decoders.
const DECODERS: [OnEncoders; 15] = {
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
        smp(
            decoders::MANET,
            "MA-Net",
            "Fan et al., IEEE Access 2020, ieeexplore.ieee.org/document/9201310",
            false,
        ),
        smp(decoders::LINKNET, "LinkNet", "Chaurasia and Culurciello, VCIP 2017, arXiv:1707.03718", false),
        smp(decoders::FPN, "FPN", "Kirillov et al., CVPR 2019, arXiv:1901.02446", true),
        smp(decoders::PSPNET, "PSPNet", "Zhao et al., CVPR 2017, arXiv:1612.01105", true),
        smp(decoders::PAN, "PAN", "Li et al., BMVC 2018, arXiv:1805.10180", false),
        smp(decoders::DEEPLABV3PLUS, "DeepLabV3+", "Chen et al., ECCV 2018, arXiv:1802.02611", true),
        smp(decoders::DEEPLABV3_SMP, "DeepLabV3 (smp)", CHEN, true),
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
            source: CHEN,
            heads: TORCHVISION_HEADS,
            has_dropout: true,
            output_weights: WITH_AUXILIARY,
        },
        OnEncoders {
            decoder: decoders::DEEPLABV3_MOBILENET,
            title: "DeepLabV3",
            source: CHEN,
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

/// Each decoder on the encoders that fit it.
pub(super) fn entries() -> impl Iterator<Item = NetworkEntry> {
    DECODERS.iter().flat_map(|decoder| {
        let fitting = ENCODERS.iter().filter(|encoder| (decoder.decoder.fits)(encoder));
        fitting.map(|encoder| decoder.entry(encoder))
    })
}

impl OnEncoders {
    fn entry(&self, encoder: &'static Encoder) -> NetworkEntry {
        NetworkEntry {
            name: format!("{}-{}", self.decoder.name, encoder.name),
            family: self.decoder.name,
            encoder: Some(encoder),
            title: format!("{} on {}", self.title, encoder.title),
            source: self.source,
            smallest: self.decoder.smallest,
            width: encoder.width,
            width_step: 4,
            has_decoder_width: self.decoder.scales,
            has_decoder_attention: self.decoder.attends,
            activation: Activation::Softmax,
            has_head: false,
            has_dropout: self.has_dropout,
            has_drop_path: encoder.drop_path > 0.0,
            output_strides: self.decoder.strides,
            heads: self.heads,
            output_weights: self.output_weights,
            output_targets: &[],
            boundary_aware: 0.0,
            encoder_prefix: Some(self.decoder.prefix),
            make: Make::Decoder(self.decoder, encoder),
        }
    }
}
