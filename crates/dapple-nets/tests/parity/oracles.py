"""The published definitions that dapple's networks are compared with, whole or narrow.

From torchvision, segmentation_models_pytorch (smp) and transformers unmodified; decoders of smp on encoders of
torchvision where smp has them from elsewhere; the rest from the papers, below.
"""

import re
import tempfile
from collections import OrderedDict
from functools import partial
from math import gcd

import segmentation_models_pytorch as smp
import torch
import torchvision.models as tv
from segmentation_models_pytorch.base import SegmentationHead
from safetensors.torch import load_file
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import nn
from torch.nn import functional as F
from torchvision.models import efficientnet, mobilenetv3
from torchvision.models.segmentation.lraspp import LRASPP


def narrow(model, factor, keep_groups=False):
    """Divides all channels but the image's and the classes' by a factor, in place; of grouped convolutions also the groups,
    unless they are kept."""

    def cut(channels):
        return channels if channels == 3 else max(1, channels // factor)

    def empty(*shape):
        return nn.Parameter(torch.empty(*shape))

    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            m.groups = m.groups if m.groups == 1 or keep_groups else cut(m.groups)
            m.in_channels, m.out_channels = cut(m.in_channels), cut(m.out_channels)
            channels = (m.out_channels, m.in_channels // m.groups)
            if isinstance(m, nn.ConvTranspose2d):
                channels = (m.in_channels, m.out_channels // m.groups)
            m.weight = empty(*channels, *m.kernel_size)
            m.bias = None if m.bias is None else empty(m.out_channels)
        elif isinstance(m, nn.Linear):
            m.in_features, m.out_features = cut(m.in_features), cut(m.out_features)
            m.weight, m.bias = empty(m.out_features, m.in_features), empty(m.out_features)
        elif isinstance(m, nn.BatchNorm2d):
            m.num_features = cut(m.num_features)
            m.weight, m.bias = empty(m.num_features), empty(m.num_features)
            m.running_mean, m.running_var = torch.empty(m.num_features), torch.empty(m.num_features)
        elif isinstance(m, nn.LayerNorm):
            m.normalized_shape = (cut(m.normalized_shape[0]),)
            m.weight, m.bias = empty(*m.normalized_shape), empty(*m.normalized_shape)
        elif isinstance(m, nn.GroupNorm):
            m.num_channels = cut(m.num_channels)
            m.num_groups = gcd(m.num_groups, m.num_channels)
            m.weight, m.bias = empty(m.num_channels), empty(m.num_channels)
        elif isinstance(getattr(m, "layer_scale", None), nn.Parameter):
            m.layer_scale = empty(cut(m.layer_scale.shape[0]), 1, 1)
        elif hasattr(m, "num_heads") and hasattr(m, "scale"):
            m.dim = cut(m.dim)
            m.scale = (m.dim // m.num_heads) ** -0.5
    return model


def without_dropout(model):
    for m in model.modules():
        if isinstance(m, (nn.Dropout, nn.Dropout2d)) or type(m).__name__ == "StochasticDepth":
            m.p = 0.0
        elif hasattr(m, "drop_prob"):
            m.drop_prob = 0.0
    return model


class Encoder(nn.Module):
    """The layers of one of torchvision's classification networks, with the indices of the maps; `half`: whether the first
    is at stride 2."""

    def __init__(self, features, taps, channels, half=True):
        super().__init__()
        self.features, self.taps, self.half = features, taps, half
        self.out_channels = [3] + ([] if half else [0]) + channels

    def forward(self, x):
        maps = [x] if self.half else [x, x.new_empty(x.shape[0], 0, x.shape[2] // 2, x.shape[3] // 2)]
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                maps.append(x)
        return maps


class SmpUnet(nn.Module):
    """smp's U-Net on such an encoder."""

    def __init__(self, encoder, classes, factor):
        super().__init__()
        self.encoder = encoder
        channels = [c // factor for c in (256, 128, 64, 32, 16)]
        self.decoder = UnetDecoder(encoder.out_channels, channels)
        self.segmentation_head = SegmentationHead(channels[-1], classes)

    def forward(self, x):
        return self.segmentation_head(self.decoder(self.encoder(x)))


def mobilenet_features(mult, dilated=False, size="large"):
    setting, last = mobilenetv3._mobilenet_v3_conf(f"mobilenet_v3_{size}", width_mult=mult, dilated=dilated)
    return mobilenetv3.MobileNetV3(setting, last).features


def unet_on_mobilenet(classes, factor):
    features = mobilenet_features(1 / factor)
    taps = [1, 3, 6, 12, 16]
    channels = [features[i].out_channels for i in taps]
    return SmpUnet(Encoder(features, taps, channels), classes, factor)


class MobileNetV3Small(Encoder):
    """Its map at stride 2 is the first layer's."""

    def __init__(self, factor):
        features = mobilenet_features(1 / factor, size="small")
        taps = [0, 1, 3, 8, 12]
        super().__init__(features, taps, [features[i].out_channels for i in taps])


def unet_on_efficientnet(size, classes, factor):
    width, depth = [(1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4)][size]
    setting, last = efficientnet._efficientnet_conf(
        f"efficientnet_b{size}", width_mult=width / factor, depth_mult=depth
    )
    features = tv.EfficientNet(setting, dropout=0.0, last_channel=last).features[:8]
    taps = [0, 2, 3, 5, 7]
    channels = [features[0].out_channels] + [features[i][-1].out_channels for i in taps[1:]]
    return SmpUnet(Encoder(features, taps, channels), classes, factor)


class LiteEncoder(nn.Module):
    """timm's EfficientNet-Lite with TensorFlow's padding, under the names of timm's encoders in smp; `factor` divides the
    first layer's channels too. Momentum as the authors', which timm leaves at its default."""

    def __init__(self, size, factor):
        super().__init__()
        from timm.models import efficientnet as timm_nets

        width, depth = [(1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8)][size]
        stages = ["ds_r1_k3_s1_e1_c16", "ir_r2_k3_s2_e6_c24", "ir_r2_k5_s2_e6_c40", "ir_r3_k3_s2_e6_c80",
                  "ir_r3_k5_s1_e6_c112", "ir_r4_k5_s2_e6_c192", "ir_r1_k3_s1_e6_c320"]
        self.model = timm_nets.EfficientNet(
            block_args=timm_nets.decode_arch_def([[stage] for stage in stages], depth, fix_first_last=True),
            stem_size=32 // factor,
            fix_stem=True,
            round_chs_fn=partial(timm_nets.round_channels, multiplier=width / factor),
            act_layer=nn.ReLU6,
            norm_layer=partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01),
            pad_type="same",
        )
        if factor == 1:
            published = getattr(timm_nets, f"tf_efficientnet_lite{size}")()
            shapes = lambda model: {k: v.shape for k, v in model.state_dict().items()}
            assert shapes(published) == shapes(self.model)
        del self.model.conv_head, self.model.bn2, self.model.classifier, self.model.global_pool
        blocks = self.model.blocks
        last = lambda stage: stage[-1].conv_pwl if hasattr(stage[-1], "conv_pwl") else stage[-1].conv_pw
        self.out_channels = [3, 32 // factor] + [last(blocks[i]).out_channels for i in (1, 2, 4, 6)]

    def forward(self, x):
        maps = [x]
        x = self.model.bn1(self.model.conv_stem(x))
        maps.append(x)
        for index, stage in enumerate(self.model.blocks):
            x = stage(x)
            if index in (1, 2, 4, 6):
                maps.append(x)
        return maps


def unet_on_convnext(size, classes, factor):
    features = getattr(tv, f"convnext_{size}")().features
    encoder = Encoder(features, [1, 3, 5, 7], [96, 192, 384, 768], half=False)
    return narrow(SmpUnet(encoder, classes, 1), factor)


def lraspp(classes, factor):
    features = mobilenet_features(1 / factor, dilated=True)
    backbone = tv._utils.IntermediateLayerGetter(features, {"4": "low", "16": "high"})
    return LRASPP(backbone, features[4].out_channels, features[16].out_channels, classes, 128 // factor)


def smp_model(name, encoder, classes, factor, **settings):
    make = getattr(smp, name)
    return narrow(make(encoder, encoder_weights=None, classes=classes, **settings), factor)


class RelatedPixels(nn.Module):
    """The non-local block (Wang et al. 2018) in place of smp's block of MA-Net's centre."""

    def __init__(self, channels, inner):
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2d(channels, inner, 1) for _ in range(3))
        self.project = nn.Conv2d(inner, channels, 1)
        self.out_conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.out_conv(x + self.project(related(self.query(x), self.key(x), self.value(x))))


def related(query, key, value):
    """For each pixel the values of all pixels, weighted by the softmax of the scaled products with their keys."""
    q, k, v = (part.flatten(2).transpose(1, 2) for part in (query, key, value))
    weights = torch.softmax(q @ k.transpose(1, 2) / q.shape[2] ** 0.5, dim=2)
    return (weights @ v).transpose(1, 2).reshape(value.shape)


def manet(encoder, classes, factor):
    model = smp.MAnet(encoder, encoder_weights=None, classes=classes)
    model.decoder.center = RelatedPixels(model.encoder.out_channels[-1], 64)
    return narrow(model, factor)


def torchvision_model(name, classes, factor):
    make = getattr(tv.segmentation, name)
    return narrow(make(weights=None, weights_backbone=None, num_classes=classes, aux_loss=True), factor)


class HuggingFace(nn.Module):
    """transformers' SegFormer, its logits at the image's size."""

    def __init__(self, size, classes, factor):
        super().__init__()
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        width = (32 if size == 0 else 64) // factor
        config = SegformerConfig(
            depths=[3, 4, 6, 3] if size == 2 else [2, 2, 2, 2],
            hidden_sizes=[width * f for f in (1, 2, 5, 8)],
            decoder_hidden_size=(768 if size == 2 else 256) // factor,
            num_labels=classes,
            drop_path_rate=0.0,
        )
        self.inner = SegformerForSemanticSegmentation(config)
        self.check_names()

    @staticmethod
    def published_name(key):
        """The name in published files of a module's parameter."""
        stage = r"segformer\.stages\.(\d+)\."
        key = re.sub(stage + r"patch_embeddings\.", r"segformer.encoder.patch_embeddings.\1.", key)
        key = re.sub(stage + r"blocks\.(\d+)\.", r"segformer.encoder.block.\1.\2.", key)
        key = re.sub(stage + r"layer_norm\.", r"segformer.encoder.layer_norm.\1.", key)
        for here, there in [
            ("q_proj", "self.query"), ("k_proj", "self.key"), ("v_proj", "self.value"), ("o_proj", "output.dense"),
            ("sequence_reduction.sequence_reduction", "self.sr"), ("sequence_reduction.layer_norm", "self.layer_norm"),
        ]:
            key = key.replace(f"attention.{here}.", f"attention.{there}.")
        for here, there in [
            ("layernorm_before", "layer_norm_1"), ("layernorm_after", "layer_norm_2"), ("mlp.fc", "mlp.dense"),
            ("linear_projections", "linear_c"),
        ]:
            key = key.replace(here, there)
        return key

    def check_names(self):
        """The names are those of the files that the library writes."""
        with tempfile.TemporaryDirectory() as folder:
            self.inner.save_pretrained(folder)
            files = {k for k in load_file(f"{folder}/model.safetensors")}
        assert files == {self.published_name(k) for k in self.inner.state_dict()}

    def forward(self, x):
        logits = self.inner(pixel_values=x).logits
        return F.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)


# From the papers.


def vgg16(width, norm):
    """The convolutional layers of VGG16 as a list of stages without their poolings, numbered as in torchvision."""
    layers, channels = [], 3
    for convolutions, factor in [(2, 1), (2, 2), (3, 4), (3, 8), (3, 8)]:
        for _ in range(convolutions):
            layers.append(nn.Conv2d(channels, factor * width, 3, padding=1))
            layers += [nn.BatchNorm2d(factor * width)] if norm else []
            layers.append(nn.ReLU())
            channels = factor * width
        layers.append(nn.MaxPool2d(2, 2, return_indices=norm))
    return nn.Sequential(*layers)


class Features(nn.Module):
    def __init__(self, width, norm):
        super().__init__()
        self.features = vgg16(width, norm)


def padded(x, multiple=32):
    """Zeros around the image, and what to cut off again."""
    h, w = x.shape[2:]
    dy, dx = -h % multiple, -w % multiple
    top, left = dy // 2, dx // 2
    return F.pad(x, [left, dx - left, top, dy - top]), (slice(top, top + h), slice(left, left + w))


class FcnVgg(nn.Module):
    """Long et al. 2015 with aligned maps."""

    def __init__(self, stride, classes, width):
        super().__init__()
        self.stride = stride
        self.encoder = Features(width, norm=False)
        self.fc6 = nn.Conv2d(8 * width, 64 * width, 7, padding=3)
        self.fc7 = nn.Conv2d(64 * width, 64 * width, 1)
        self.score_fr = nn.Conv2d(64 * width, classes, 1)

        def up(factor):
            return nn.ConvTranspose2d(classes, classes, 2 * factor, factor, padding=factor // 2, bias=False)

        if stride <= 16:
            self.score_pool4 = nn.Conv2d(8 * width, classes, 1)
            self.upscore2 = up(2)
        if stride == 8:
            self.score_pool3 = nn.Conv2d(4 * width, classes, 1)
            self.upscore_pool4 = up(2)
        self.last = "upscore" if stride == 32 else f"upscore{stride}"
        setattr(self, self.last, up(stride))

    def forward(self, image):
        x, window = padded(image)
        pools = []
        for layer in self.encoder.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                pools.append(x)
        x = F.relu(self.fc7(F.relu(self.fc6(x))))
        x = self.score_fr(x)
        if self.stride <= 16:
            x = self.upscore2(x) + self.score_pool4(pools[3])
        if self.stride == 8:
            x = self.upscore_pool4(x) + self.score_pool3(pools[2])
        x = getattr(self, self.last)(x)
        return x[:, :, window[0], window[1]]


class DeconvNet(nn.Module):
    """Noh et al. 2015, figure 2."""

    def __init__(self, classes, width):
        super().__init__()
        self.encoder = Features(width, norm=True)

        def block(conv):
            return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())

        self.fc6 = block(nn.Conv2d(8 * width, 64 * width, 7))
        self.fc7 = block(nn.Conv2d(64 * width, 64 * width, 1))
        self.deconv_fc6 = block(nn.ConvTranspose2d(64 * width, 8 * width, 7))
        self.stages, channels = {}, 8
        for stage, factors in zip((5, 4, 3, 2, 1), ([8, 8, 8], [8, 8, 4], [4, 4, 2], [2, 1], [1, 1])):
            self.stages[stage] = []
            for i, factor in enumerate(factors, 1):
                conv = nn.ConvTranspose2d(channels * width, factor * width, 3, padding=1)
                setattr(self, f"deconv{stage}_{i}", block(conv))
                self.stages[stage].append(f"deconv{stage}_{i}")
                channels = factor
        self.score = nn.Conv2d(width, classes, 1)

    def forward(self, image):
        x, window = padded(image)
        kept = []
        for layer in self.encoder.features:
            if isinstance(layer, nn.MaxPool2d):
                x, indices = layer(x)
                kept.append(indices)
            else:
                x = layer(x)
        x = self.deconv_fc6(self.fc7(self.fc6(x)))
        for stage, names in self.stages.items():
            x = F.max_unpool2d(x, kept[stage - 1], 2, 2)
            for name in names:
                x = getattr(self, name)(x)
        return self.score(x)[:, :, window[0], window[1]]


class SegNetBasic(nn.Module):
    """Badrinarayanan et al. 2017, section 3.1."""

    def __init__(self, classes, width):
        super().__init__()
        self.encoder, self.decoder = nn.ModuleDict(), nn.ModuleDict()
        for i in (1, 2, 3, 4):
            self.encoder[f"conv{i}"] = nn.Conv2d(3 if i == 1 else width, width, 7, padding=3, bias=False)
            self.encoder[f"bn{i}"] = nn.BatchNorm2d(width)
            self.decoder[f"conv{i}"] = nn.Conv2d(width, width, 7, padding=3, bias=False)
            self.decoder[f"bn{i}"] = nn.BatchNorm2d(width)
        self.head = nn.ModuleDict({"conv": nn.Conv2d(width, classes, 1)})

    def forward(self, x):
        kept = []
        for i in (1, 2, 3, 4):
            x = F.relu(self.encoder[f"bn{i}"](self.encoder[f"conv{i}"](x)))
            size = x.shape
            x, indices = F.max_pool2d(x, 2, 2, return_indices=True)
            kept.append((indices, size))
        for i in (4, 3, 2, 1):
            indices, size = kept.pop()
            x = F.max_unpool2d(x, indices, 2, 2, output_size=size)
            x = self.decoder[f"bn{i}"](self.decoder[f"conv{i}"](x))
        return self.head["conv"](x)


class FastScnn(nn.Module):
    """Poudel et al. 2019, table 1."""

    def __init__(self, classes, width):
        super().__init__()

        def c(channels):
            return channels * width // 32

        def unit(cin, cout, kernel=1, stride=1, dilation=1, groups=1, relu=True):
            padding = kernel // 2 * dilation
            conv = nn.Conv2d(cin, cout, kernel, stride, padding, dilation, groups, bias=False)
            return nn.Sequential(conv, nn.BatchNorm2d(cout), *([nn.ReLU()] if relu else []))

        def named(**layers):
            return nn.Sequential(OrderedDict(layers))

        def separable(cin, cout, stride=1):
            return named(depthwise=unit(cin, cin, 3, stride, groups=cin), pointwise=unit(cin, cout))

        def bottleneck(cin, cout, stride):
            e = 6 * cin
            layers = dict(expand=unit(cin, e), depthwise=unit(e, e, 3, stride, groups=e))
            return named(**layers, project=unit(e, cout, relu=False))

        self.downsample = named(
            conv=unit(3, c(32), 3, 2), dsconv1=separable(c(32), c(48), 2), dsconv2=separable(c(48), c(64), 2)
        )
        self.features, cin = nn.ModuleDict(), c(64)
        for stage, (cout, blocks, stride) in enumerate([(64, 3, 2), (96, 3, 2), (128, 3, 1)], 1):
            layers = []
            for block in range(blocks):
                layers.append(bottleneck(cin, c(cout), stride if block == 0 else 1))
                cin = c(cout)
            self.features[f"bottleneck{stage}"] = nn.Sequential(*layers)
        pyramid = {str(i): unit(cin, cin // 4) for i in range(4)}
        self.features["pyramid"] = nn.ModuleDict({**pyramid, "out": unit(2 * cin, cin)})
        self.fusion = nn.ModuleDict({
            "coarse": named(depthwise=unit(cin, cin, 3, 1, 4, cin), conv=biased(cin, c(128))),
            "fine": biased(c(64), c(128)),
        })
        self.classifier = named(
            dsconv1=separable(c(128), c(128)), dsconv2=separable(c(128), c(128)), conv=nn.Conv2d(c(128), classes, 1)
        )

    def forward(self, image):
        def up(x, like):
            return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)

        fine = x = self.downsample(image)
        for stage in (1, 2, 3):
            for block in self.features[f"bottleneck{stage}"]:
                y = block(x)
                x = x + y if x.shape == y.shape else y
        pyramid = self.features["pyramid"]
        parts = [up(pyramid[str(i)](F.adaptive_avg_pool2d(x, size)), x) for i, size in enumerate((1, 2, 3, 6))]
        x = pyramid["out"](torch.cat([x, *parts], 1))
        x = F.relu(self.fusion["coarse"](up(x, fine)) + self.fusion["fine"](fine))
        return up(self.classifier(x), image)


def biased(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 1), nn.BatchNorm2d(cout))


class DdrNet(nn.Module):
    """DDRNet-23-slim: Hong et al. 2021, figures 3 to 5, tables 1 and 2; names of the authors' checkpoints. Maps of the first
    branch take the second one's size."""

    def __init__(self, classes, width):
        super().__init__()
        w = width

        def conv(cin, cout, kernel=3, stride=1, bias=False):
            return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=bias)

        def chain(*layers):
            """Batch norm behind each convolution, ReLU between."""
            parts = [part for layer in layers for part in (layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU())]
            return nn.Sequential(*parts[:-1])

        def basic(cin, cout, stride=1):
            first = DdrBlock([conv(cin, cout, 3, stride), conv(cout, cout)], stride, relu=True)
            return nn.Sequential(first, DdrBlock([conv(cout, cout), conv(cout, cout)], 1))

        def bottleneck(cin, inner, stride):
            convs = [conv(cin, inner, 1), conv(inner, inner, 3, stride), conv(inner, 2 * inner, 1)]
            return nn.Sequential(DdrBlock(convs, stride))

        def before(layer, pool=()):
            return nn.Sequential(*pool, nn.BatchNorm2d(layer.in_channels), nn.ReLU(), layer)

        def head(cin):
            return nn.ModuleDict({
                "bn1": nn.BatchNorm2d(cin), "conv1": conv(cin, 2 * w),
                "bn2": nn.BatchNorm2d(2 * w), "conv2": nn.Conv2d(2 * w, classes, 1),
            })

        self.conv1 = nn.Sequential(*chain(conv(3, w, 3, 2, True), conv(w, w, 3, 2, True)), nn.ReLU())
        self.layer1, self.layer2 = basic(w, w), basic(w, 2 * w, 2)
        self.layer3, self.layer4 = basic(2 * w, 4 * w, 2), basic(4 * w, 8 * w, 2)
        self.layer3_, self.layer4_ = basic(2 * w, 2 * w), basic(2 * w, 2 * w)
        self.layer5, self.layer5_ = bottleneck(8 * w, 8 * w, 2), bottleneck(2 * w, 2 * w, 1)
        self.down3 = chain(conv(2 * w, 4 * w, 3, 2))
        self.down4 = chain(conv(2 * w, 4 * w, 3, 2), conv(4 * w, 8 * w, 3, 2))
        self.compression3, self.compression4 = chain(conv(4 * w, 2 * w, 1)), chain(conv(8 * w, 2 * w, 1))
        cin, branch, cout = 16 * w, 4 * w, 4 * w
        pools = [nn.AvgPool2d(k, s, k // 2) for k, s in ((5, 2), (9, 4), (17, 8))] + [nn.AdaptiveAvgPool2d(1)]
        self.spp = nn.ModuleDict({"scale0": before(conv(cin, branch, 1))})
        for i, pool in enumerate(pools, 1):
            self.spp[f"scale{i}"] = before(conv(cin, branch, 1), [pool])
            self.spp[f"process{i}"] = before(conv(branch, branch))
        self.spp["compression"] = before(conv(5 * branch, cout, 1))
        self.spp["shortcut"] = before(conv(cin, cout, 1))
        self.seghead_extra, self.final_layer = head(2 * w), head(4 * w)

    def forward(self, image):
        def up(x, like):
            return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)

        def logits(head, x):
            x = head["conv1"](F.relu(head["bn1"](x)))
            return up(head["conv2"](F.relu(head["bn2"](x))), image)

        x = F.relu(self.layer2(F.relu(self.layer1(self.conv1(image)))))
        low, high = self.layer3(x), self.layer3_(x)
        low, high = low + self.down3(F.relu(high)), high + up(self.compression3(F.relu(low)), high)
        early = high
        low, high = self.layer4(F.relu(low)), self.layer4_(F.relu(high))
        low, high = low + self.down4(F.relu(high)), high + up(self.compression4(F.relu(low)), high)
        low, high = self.layer5(F.relu(low)), self.layer5_(F.relu(high))
        parts = [self.spp["scale0"](low)]
        for i in (1, 2, 3, 4):
            parts.append(self.spp[f"process{i}"](up(self.spp[f"scale{i}"](low), low) + parts[-1]))
        low = self.spp["compression"](torch.cat(parts, 1)) + self.spp["shortcut"](low)
        return {"out": logits(self.final_layer, up(low, high) + high), "aux": logits(self.seghead_extra, early)}


class DdrBlock(nn.Module):
    """A residual block; the last of a stage ends without ReLU."""

    def __init__(self, convs, stride, relu=False):
        super().__init__()
        self.count, self.relu = len(convs), relu
        for i, layer in enumerate(convs, 1):
            self.add_module(f"conv{i}", layer)
            self.add_module(f"bn{i}", nn.BatchNorm2d(layer.out_channels))
        cin, cout = convs[0].in_channels, convs[-1].out_channels
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.count else y
        y = y + (self.downsample(x) if hasattr(self, "downsample") else x)
        return F.relu(y) if self.relu else y


class PidNet(nn.Module):
    """PIDNet: Xu et al. 2023, figures 4 to 7, tables 1 and 2, and the loss of section 3.4; names of the authors' checkpoints.
    Maps of the branch I take the size of P, and the auxiliary heads read what the ReLUs in place leave."""

    # Of labels that change at every pixel, all pixels are boundaries.
    label_block = 16

    def __init__(self, size, classes, width):
        super().__init__()
        w, large = width, size == "l"
        few, many = (3, 4) if large else (2, 3)
        scales = {"s": 3 * w, "m": 3 * w // 2, "l": 7 * w // 4}[size]
        inner = 2 * w if size == "m" else 4 * w
        self.large = large

        def conv(cin, cout, kernel=3, stride=1, groups=1):
            return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)

        def normed(layer):
            return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels))

        def before(layer, pool=()):
            return nn.Sequential(*pool, nn.BatchNorm2d(layer.in_channels), nn.ReLU(), layer)

        def block(cin, cout, stride=1, relu=False):
            return DdrBlock([conv(cin, cout, 3, stride), conv(cout, cout)], stride, relu)

        def stage(cin, cout, stride, count):
            blocks = [block(cin if i == 0 else cout, cout, stride if i == 0 else 1, i < count - 1) for i in range(count)]
            return nn.Sequential(*blocks)

        def wide(cin, inner, stride=1):
            return DdrBlock([conv(cin, inner, 1), conv(inner, inner, 3, stride), conv(inner, 2 * inner, 1)], stride)

        def head(cin, inner, cout):
            return nn.ModuleDict({
                "bn1": nn.BatchNorm2d(cin), "conv1": conv(cin, inner),
                "bn2": nn.BatchNorm2d(inner), "conv2": nn.Conv2d(inner, cout, 1),
            })

        stem = [nn.Conv2d(3, w, 3, 2, 1), nn.BatchNorm2d(w), nn.ReLU(), nn.Conv2d(w, w, 3, 2, 1), nn.BatchNorm2d(w), nn.ReLU()]
        self.conv1 = nn.Sequential(*stem)
        self.layer1, self.layer2 = stage(w, w, 1, few), stage(w, 2 * w, 2, few)
        self.layer3, self.layer4 = stage(2 * w, 4 * w, 2, many), stage(4 * w, 8 * w, 2, many)
        self.layer5 = nn.Sequential(wide(8 * w, 8 * w, 2), wide(16 * w, 8 * w))
        self.layer3_, self.layer4_ = stage(2 * w, 2 * w, 1, few), stage(2 * w, 2 * w, 1, few)
        self.layer5_, self.layer5_d = nn.Sequential(wide(2 * w, 2 * w)), nn.Sequential(wide(2 * w, 2 * w))
        self.layer3_d = block(2 * w, 2 * w if large else w)
        self.layer4_d = block(2 * w, 2 * w) if large else nn.Sequential(wide(w, w))
        self.diff3 = normed(conv(4 * w, 2 * w if large else w))
        self.diff4 = normed(conv(8 * w, 2 * w))
        self.compression3, self.compression4 = normed(conv(4 * w, 2 * w, 1)), normed(conv(8 * w, 2 * w, 1))
        for name in ("pag3", "pag4"):
            self.add_module(name, nn.ModuleDict({"f_x": normed(conv(2 * w, w, 1)), "f_y": normed(conv(2 * w, w, 1))}))
        pools = [nn.AvgPool2d(k, s, k // 2) for k, s in ((5, 2), (9, 4), (17, 8))] + [nn.AdaptiveAvgPool2d(1)]
        self.spp = nn.ModuleDict({"scale0": before(conv(16 * w, scales, 1))})
        for i, pool in enumerate(pools, 1):
            self.spp[f"scale{i}"] = before(conv(16 * w, scales, 1), [pool])
            if large:
                self.spp[f"process{i}"] = before(conv(scales, scales))
        if not large:
            self.spp["scale_process"] = before(conv(4 * scales, 4 * scales, groups=4))
        self.spp["compression"] = before(conv(5 * scales, 4 * w, 1))
        self.spp["shortcut"] = before(conv(16 * w, 4 * w, 1))
        parts = {"conv": before(conv(4 * w, 4 * w))} if large else {}
        parts |= {} if large else {name: normed(conv(4 * w, 4 * w, 1)) for name in ("conv_p", "conv_i")}
        self.dfm = nn.ModuleDict(parts)
        self.seghead_p, self.seghead_d = head(2 * w, inner, classes), head(2 * w, w, 1)
        self.final_layer = head(4 * w, inner, classes)

    def forward(self, image):
        def up(x, like, corners=False):
            return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=corners)

        def attend(stage, p, i):
            i, pag = getattr(self, f"compression{stage}")(i), getattr(self, f"pag{stage}")
            gate = torch.sigmoid((pag["f_x"](p) * up(pag["f_y"](i), p)).sum(1, keepdim=True))
            return (1 - gate) * p + gate * up(i, p)

        def logits(head, x):
            x = head["conv1"](F.relu(head["bn1"](x)))
            return up(head["conv2"](F.relu(head["bn2"](x))), image, True)

        x = F.relu(self.layer2(F.relu(self.layer1(self.conv1(image)))))
        i = F.relu(self.layer3(x))
        p = F.relu(attend(3, self.layer3_(x), i))
        d = self.layer3_d(x)
        d = F.relu(d + up(self.diff3(i), d))
        early, i = p, F.relu(self.layer4(i))
        p = F.relu(attend(4, self.layer4_(p), i))
        d = self.layer4_d(d)
        d = F.relu(d + up(self.diff4(i), d))
        edges, i = d, self.layer5(i)
        p, d = self.layer5_(p), torch.sigmoid(self.layer5_d(d))
        parts = [self.spp["scale0"](i)]
        scales = [up(self.spp[f"scale{n}"](i), i) for n in (1, 2, 3, 4)]
        if self.large:
            for n, scale in enumerate(scales, 1):
                parts.append(self.spp[f"process{n}"](scale + parts[-1]))
        else:
            parts.append(self.spp["scale_process"](torch.cat([scale + parts[0] for scale in scales], 1)))
        i = up(self.spp["compression"](torch.cat(parts, 1)) + self.spp["shortcut"](i), p)
        if self.large:
            fused = self.dfm["conv"](d * p + (1 - d) * i)
        else:
            fused = self.dfm["conv_p"]((1 - d) * i + p) + self.dfm["conv_i"](i + d * p)
        out = {"out": logits(self.final_layer, fused), "aux": logits(self.seghead_p, early)}
        return out | {"boundaries": logits(self.seghead_d, edges)}

    @staticmethod
    def loss(outputs, labels):
        """Boundaries are less than three pixels from another class."""
        logits, auxiliary, edges = outputs
        edges, classes = edges[:, 0], labels.double()
        boundary = (F.max_pool2d(classes, 5, 1, 2) != -F.max_pool2d(-classes, 5, 1, 2)).double()
        share = boundary.mean()
        weight = torch.where(boundary == 1, 1 - share, share)
        sure = torch.where(torch.sigmoid(edges) > 0.8, labels, -100)
        # Some pixels are sure, and none is in doubt.
        assert (sure >= 0).any() and (torch.sigmoid(edges) - 0.8).abs().min() > 1e-5
        total = F.cross_entropy(logits, labels) + 0.4 * F.cross_entropy(auxiliary, labels)
        total = total + 20 * F.binary_cross_entropy_with_logits(edges, boundary, weight)
        return total + F.cross_entropy(logits, sure)


# The networks of bisenetv2.rs and the like: plain modules whose names are those of dapple's parameters.


def normed(cin, cout, kernel=1, stride=1, groups=1, relu=True):
    """Convolution without bias, batch norm and perhaps ReLU."""
    conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), *([nn.ReLU()] if relu else []))


def bilinear(x, like):
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class GatherExpand(nn.Module):
    """BiSeNetV2's figure 6."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        wide, self.stride = 6 * cin, stride
        self.gather = normed(cin, cin, 3)
        if stride == 2:
            self.down = normed(cin, wide, 3, 2, groups=cin, relu=False)
            self.expand = normed(wide, wide, 3, groups=wide)
            self.shortcut = nn.Sequential(normed(cin, cin, 3, 2, cin, relu=False), normed(cin, cout, relu=False))
        else:
            self.expand = normed(cin, wide, 3, groups=cin)
        self.project = normed(wide, cout, relu=False)

    def forward(self, x):
        y = self.gather(x)
        y = self.expand(self.down(y) if self.stride == 2 else y)
        return F.relu(self.project(y) + (self.shortcut(x) if self.stride == 2 else x))


class BiSeNetV2(nn.Module):
    """Yu et al. 2021, table 1 and figures 3 to 6."""

    def __init__(self, classes, width):
        super().__init__()
        w, s = width, width // 4
        self.detail, cin = nn.ModuleDict(), 3
        for stage, (cout, layers) in enumerate([(w, 2), (w, 3), (2 * w, 3)], 1):
            convs = [normed(cin if i == 0 else cout, cout, 3, 2 if i == 0 else 1) for i in range(layers)]
            self.detail[f"stage{stage}"], cin = nn.Sequential(*convs), cout
        stem = nn.ModuleDict({"conv": normed(3, s, 3, 2), "fuse": normed(2 * s, s, 3)})
        stem["left"] = nn.Sequential(normed(s, max(1, s // 2)), normed(max(1, s // 2), s, 3, 2))
        self.semantic, cin = nn.ModuleDict({"stem": stem}), s
        for stage, (cout, layers) in enumerate([(w // 2, 2), (w, 2), (2 * w, 4)], 3):
            blocks = [GatherExpand(cin if i == 0 else cout, cout, 2 if i == 0 else 1) for i in range(layers)]
            self.semantic[f"stage{stage}"], cin = nn.Sequential(*blocks), cout
        c = 2 * w
        context = {"norm": nn.BatchNorm2d(c), "mean": normed(c, c), "conv": normed(c, c, 3)}
        self.semantic["context"] = nn.ModuleDict(context)

        def keep():
            return nn.Sequential(normed(c, c, 3, groups=c, relu=False), nn.Conv2d(c, c, 1, bias=False))

        self.aggregation = nn.ModuleDict({
            "detail_keep": keep(), "detail_down": normed(c, c, 3, 2, relu=False),
            "semantic_keep": keep(), "semantic_up": normed(c, c, 3, relu=False), "fuse": normed(c, c, 3),
        })

        def head(cin, inner):
            return nn.ModuleDict({"conv": normed(cin, inner, 3), "classifier": nn.Conv2d(inner, classes, 1)})

        self.head = head(c, 16 * w)
        for name, channels in (("aux2", s), ("aux3", w // 2), ("aux4", w), ("aux5", c)):
            self.add_module(name, head(channels, 2 * w))

    def forward(self, image):
        detail = image
        for stage in self.detail.values():
            detail = stage(detail)
        stem = self.semantic["stem"]
        x = stem["conv"](image)
        x = stem["fuse"](torch.cat([stem["left"](x), F.max_pool2d(x, 3, 2, 1)], 1))
        maps = [x]
        for stage in (3, 4, 5):
            maps.append(self.semantic[f"stage{stage}"](maps[-1]))
        parts, x = self.semantic["context"], maps[-1]
        x = parts["conv"](x + parts["mean"](parts["norm"](x.mean((2, 3), keepdim=True))))
        guide = self.aggregation
        fine = guide["detail_keep"](detail) * torch.sigmoid(bilinear(guide["semantic_up"](x), detail))
        coarse = F.avg_pool2d(guide["detail_down"](detail), 3, 2, 1) * torch.sigmoid(guide["semantic_keep"](x))
        x = guide["fuse"](fine + bilinear(coarse, detail))

        def logits(head, x):
            return bilinear(head["classifier"](head["conv"](x)), image)

        heads = [self.aux2, self.aux3, self.aux4, self.aux5]
        return {"out": logits(self.head, x)} | {i: logits(head, y) for i, (head, y) in enumerate(zip(heads, maps))}


class Named(nn.Module):
    """Convolution without bias, batch norm and ReLU under PaddleSeg's and STDC's names."""

    def __init__(self, cin, cout, kernel=1, stride=1, relu=True):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), relu
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        x = self.bn(self.conv(x))
        return F.relu(x) if self.relu else x


class Stdc(nn.Module):
    """A block of STDC (Fan et al. 2021, figure 3)."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        h, q, e = cout // 2, cout // 4, cout // 8
        self.conv_list = nn.ModuleList([Named(cin, h), Named(h, q, 3), Named(q, e, 3), Named(e, e, 3)])
        self.stride = stride
        if stride == 2:
            self.avd_layer = nn.Sequential(nn.Conv2d(h, h, 3, 2, 1, groups=h, bias=False), nn.BatchNorm2d(h))

    def forward(self, x):
        first = self.conv_list[0](x)
        out, x = [first], first
        if self.stride == 2:
            out, x = [F.avg_pool2d(first, 3, 2, 1)], self.avd_layer(first)
        for layer in self.conv_list[1:]:
            x = layer(x)
            out.append(x)
        return torch.cat(out, 1)


class PpLiteSeg(nn.Module):
    """Peng et al. 2022, with weights of pixels from the sums over channels."""

    def __init__(self, size, classes, width):
        super().__init__()
        w = width
        layers, cin = [Named(3, w, 3, 2), Named(w, 2 * w, 3, 2)], 2 * w
        self.ends = []
        for cout, blocks in zip((8 * w, 16 * w, 32 * w), {"t": (2, 2, 2), "b": (4, 5, 3)}[size]):
            for block in range(blocks):
                layers.append(Stdc(cin, cout, 2 if block == 0 else 1))
                cin = cout
            self.ends.append(len(layers) - 1)
        self.backbone = nn.ModuleDict({"features": nn.Sequential(*layers)})
        stages = nn.ModuleList([Named(cin, 4 * w) for _ in range(3)])
        self.context = nn.ModuleDict({"stages": stages, "conv_out": Named(4 * w, 4 * w, 3)})
        channels, inner = {"t": ([w, 2 * w, 4 * w], w), "b": ([2 * w, 3 * w, 4 * w], 2 * w)}[size]
        self.fusions, self.heads = nn.ModuleList(), nn.ModuleList()
        for fine, coarse, out in zip((8 * w, 16 * w, 32 * w), channels[1:] + [4 * w], channels):
            weight = nn.Sequential(Named(2, 2, 3), Named(2, 1, 3, relu=False))
            parts = {"conv_x": Named(fine, coarse, 3), "conv_xy_atten": weight, "conv_out": Named(coarse, out, 3)}
            self.fusions.append(nn.ModuleDict(parts))
            head = {"conv": Named(out, inner, 3), "classifier": nn.Conv2d(inner, classes, 1, bias=False)}
            self.heads.append(nn.ModuleDict(head))

    def forward(self, image):
        maps, x = [], image
        for index, layer in enumerate(self.backbone["features"]):
            x = layer(x)
            if index in self.ends:
                maps.append(x)
        levels = [stage(F.adaptive_avg_pool2d(x, n)) for n, stage in zip((1, 2, 4), self.context["stages"])]
        x = self.context["conv_out"](sum(bilinear(level, x) for level in levels))
        out = {}
        for index in (2, 1, 0):
            part, head = self.fusions[index], self.heads[index]
            fine = part["conv_x"](maps[index])
            x = bilinear(x, fine)
            sums = torch.cat([fine.sum(1, keepdim=True), x.sum(1, keepdim=True)], 1)
            weight = torch.sigmoid(part["conv_xy_atten"](sums))
            x = part["conv_out"](weight * fine + (1 - weight) * x)
            out[index] = bilinear(head["classifier"](head["conv"](x)), image)
        return {index: out[index] for index in (0, 1, 2)}


class DoubleConv(nn.Module):
    """U-Net's two convolutions."""

    def __init__(self, cin, cout):
        super().__init__()
        self.double_conv = nn.Sequential(*normed(cin, cout, 3), *normed(cout, cout, 3))

    def forward(self, x):
        return self.double_conv(x)


class AttentionUnet(nn.Module):
    """Oktay et al. 2018, figures 1 and 2."""

    def __init__(self, classes, width):
        super().__init__()
        w = width
        self.inc = DoubleConv(3, w)
        for i in range(1, 5):
            cin, cout = w << (i - 1), w << i
            layers = nn.Sequential(nn.MaxPool2d(2), DoubleConv(cin, cout))
            self.add_module(f"down{i}", nn.ModuleDict({"maxpool_conv": layers}))
            below, level = cout, 5 - i
            parts = {"up": nn.ConvTranspose2d(below, cin, 2, 2), "conv": DoubleConv(2 * cin, cin)}
            self.add_module(f"up{level}", nn.ModuleDict(parts))
            if i > 1:
                inner = cin // 2
                self.add_module(f"gate{level}", nn.ModuleDict({
                    "theta": nn.Conv2d(cin, inner, 2, 2, bias=False), "phi": nn.Conv2d(below, inner, 1),
                    "psi": nn.Conv2d(inner, 1, 1), "out": nn.Sequential(nn.Conv2d(cin, cin, 1), nn.BatchNorm2d(cin)),
                }))
        self.outc = nn.ModuleDict({"conv": nn.Conv2d(w, classes, 1)})

    def forward(self, image):
        maps = [self.inc(image)]
        for i in range(1, 5):
            maps.append(getattr(self, f"down{i}")["maxpool_conv"](maps[-1]))
        x = maps.pop()
        for level in range(1, 5):
            skip, up = maps.pop(), getattr(self, f"up{level}")
            if level < 4:
                gate = getattr(self, f"gate{level}")
                weight = torch.sigmoid(gate["psi"](F.relu(gate["theta"](skip) + gate["phi"](x))))
                skip = gate["out"](skip * bilinear(weight, skip))
            x = up["up"](x)
            dy, dx = (skip.shape[i] - x.shape[i] for i in (2, 3))
            x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
            x = up["conv"](torch.cat([skip, x], 1))
        return self.outc["conv"](x)


class Preactivated(nn.Module):
    """ResUNet's unit: norm, ReLU and convolution, twice; the first one begins with its convolution."""

    def __init__(self, cin, cout, stride, first=False):
        super().__init__()
        if not first:
            self.norm1 = nn.BatchNorm2d(cin)
        self.first = first
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(cout), nn.Conv2d(cout, cout, 3, 1, 1)
        self.shortcut = nn.Conv2d(cin, cout, 1, stride)

    def forward(self, x):
        y = self.conv1(x if self.first else F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(y))) + self.shortcut(x)


class ResUnet(nn.Module):
    """Zhang et al. 2018, table 1."""

    def __init__(self, classes, width):
        super().__init__()
        w = width
        self.encoder = nn.ModuleList([Preactivated(3, w, 1, True), Preactivated(w, 2 * w, 2), Preactivated(2 * w, 4 * w, 2)])
        self.bridge = Preactivated(4 * w, 8 * w, 2)
        self.decoder = nn.ModuleList([Preactivated(3 * c, c, 1) for c in (4 * w, 2 * w, w)])
        self.head = nn.Conv2d(w, classes, 1)

    def forward(self, x):
        skips = []
        for unit in self.encoder:
            x = unit(x)
            skips.append(x)
        x = self.bridge(x)
        for unit, skip in zip(self.decoder, reversed(skips)):
            x = unit(torch.cat([F.interpolate(x, size=skip.shape[2:]), skip], 1))
        return self.head(x)


class Unet3Plus(nn.Module):
    """Huang et al. 2020, with the names of the authors' code."""

    def __init__(self, classes, width):
        super().__init__()
        w = width

        def layer(cin, cout):
            return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU())

        for i in range(1, 6):
            cin, cout = 3 if i == 1 else w << (i - 2), w << (i - 1)
            self.add_module(f"conv{i}", nn.ModuleDict({"conv1": layer(cin, cout), "conv2": layer(cout, cout)}))
            self.add_module(f"outconv{i}", nn.Conv2d(cout if i == 5 else 5 * w, classes, 3, padding=1))
        for i in range(1, 5):
            for j in range(1, 6):
                cin = 5 * w if i < j < 5 else w << (j - 1)
                self.add_module(f"{self.part(i, j)}_conv", nn.Conv2d(cin, w, 3, padding=1))
                self.add_module(f"{self.part(i, j)}_bn", nn.BatchNorm2d(w))
            self.add_module(f"conv{i}d_1", nn.Conv2d(5 * w, 5 * w, 3, padding=1))
            self.add_module(f"bn{i}d_1", nn.BatchNorm2d(5 * w))

    @staticmethod
    def part(i, j):
        return f"h{j}_PT_hd{i}" if j < i else f"h{j}_Cat_hd{i}" if j == i else f"hd{j}_UT_hd{i}"

    def forward(self, image):
        maps = {}
        for i in range(1, 6):
            x = image if i == 1 else F.max_pool2d(maps[i - 1], 2)
            convs = getattr(self, f"conv{i}")
            maps[i] = convs["conv2"](convs["conv1"](x))
        decoded = {5: maps[5]}
        for i in (4, 3, 2, 1):
            parts = []
            for j in range(1, 6):
                x = F.max_pool2d(maps[j], 2 ** (i - j)) if j < i else maps[i] if j == i else bilinear(decoded[j], maps[i])
                name = self.part(i, j)
                parts.append(F.relu(getattr(self, f"{name}_bn")(getattr(self, f"{name}_conv")(x))))
            x = getattr(self, f"conv{i}d_1")(torch.cat(parts, 1))
            decoded[i] = F.relu(getattr(self, f"bn{i}d_1")(x))
        return {i: bilinear(getattr(self, f"outconv{i}")(decoded[i]), image) for i in range(1, 6)}


class InstanceNormed(nn.Module):
    """nnU-Net's convolution with instance norm."""

    def __init__(self, cin, cout, kernel=3, stride=1, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=bias)
        self.norm = nn.InstanceNorm2d(cout, affine=True)

    def forward(self, x):
        return self.norm(self.conv(x))


class NnBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1, self.conv2 = InstanceNormed(cin, cout, 3, stride), InstanceNormed(cout, cout)
        pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        project = InstanceNormed(cin, cout, 1, bias=False) if cin != cout else nn.Identity()
        self.skip = nn.Sequential(pool, project)

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.skip(x))


class NnUnet(nn.Module):
    """nnU-Net's residual-encoder U-Net (Isensee et al. 2024) with ReLUs, the image padded to multiples of 32."""

    def __init__(self, classes, width):
        super().__init__()
        channels = [width * f for f in (1, 2, 4, 8, 16, 16)]
        stages, cin = nn.ModuleList(), width
        for level, (cout, blocks) in enumerate(zip(channels, (1, 3, 4, 6, 6, 6))):
            layers = [NnBlock(cin if i == 0 else cout, cout, 2 if level and i == 0 else 1) for i in range(blocks)]
            stages.append(nn.ModuleDict({"blocks": nn.Sequential(*layers)}))
            cin = cout
        stem = nn.ModuleDict({"convs": nn.ModuleList([InstanceNormed(3, width)])})
        self.encoder = nn.ModuleDict({"stem": stem, "stages": stages})
        ups, steps = nn.ModuleList(), nn.ModuleList()
        heads = nn.ModuleDict()
        for step, cout in enumerate(reversed(channels[:-1])):
            ups.append(nn.ConvTranspose2d(cin, cout, 2, 2))
            steps.append(nn.ModuleDict({"convs": nn.ModuleList([InstanceNormed(2 * cout, cout)])}))
            if step:
                heads[str(step)] = nn.Conv2d(cout, classes, 1)
            cin = cout
        self.decoder = nn.ModuleDict({"transpconvs": ups, "stages": steps, "seg_layers": heads})

    def forward(self, image):
        image, window = padded(image)
        x = F.relu(self.encoder["stem"]["convs"][0](image))
        skips = []
        for stage in self.encoder["stages"]:
            x = stage["blocks"](x)
            skips.append(x)
        skips.pop()
        out = []
        for step, (up, stage) in enumerate(zip(self.decoder["transpconvs"], self.decoder["stages"])):
            x = F.relu(stage["convs"][0](torch.cat([up(x), skips.pop()], 1)))
            if step:
                y = bilinear(self.decoder["seg_layers"][str(step)](x), image)
                out.insert(0, y[:, :, window[0], window[1]])
        return dict(enumerate(out))


class Mscan(nn.Module):
    """A block of SegNeXt's encoder (Guo et al. 2022, figure 2, equations 1 and 2)."""

    def __init__(self, channels, widening):
        super().__init__()
        c, wide = channels, widening * channels

        def strip(height, width):
            return nn.Conv2d(c, c, (height, width), padding=(height // 2, width // 2), groups=c)

        unit = {"conv0": strip(5, 5)}
        for i, length in enumerate((7, 11, 21)):
            unit |= {f"conv{i}_1": strip(1, length), f"conv{i}_2": strip(length, 1)}
        unit["conv3"] = nn.Conv2d(c, c, 1)
        self.norm1, self.norm2 = nn.BatchNorm2d(c), nn.BatchNorm2d(c)
        parts = {"proj_1": nn.Conv2d(c, c, 1), "spatial_gating_unit": nn.ModuleDict(unit), "proj_2": nn.Conv2d(c, c, 1)}
        self.attn = nn.ModuleDict(parts)
        depthwise = nn.ModuleDict({"dwconv": nn.Conv2d(wide, wide, 3, padding=1, groups=wide)})
        self.mlp = nn.ModuleDict({"fc1": nn.Conv2d(c, wide, 1), "dwconv": depthwise, "fc2": nn.Conv2d(wide, c, 1)})
        self.layer_scale_1, self.layer_scale_2 = nn.Parameter(torch.ones(c)), nn.Parameter(torch.ones(c))

    def forward(self, x):
        y = self.norm1(x)
        unit, u = self.attn["spatial_gating_unit"], F.gelu(self.attn["proj_1"](y))
        near = unit["conv0"](u)
        strips = [unit[f"conv{i}_2"](unit[f"conv{i}_1"](near)) for i in range(3)]
        y = self.attn["proj_2"](unit["conv3"](near + sum(strips)) * u) + y
        x = x + self.layer_scale_1[:, None, None] * y
        y = F.gelu(self.mlp["dwconv"]["dwconv"](self.mlp["fc1"](self.norm2(x))))
        return x + self.layer_scale_2[:, None, None] * self.mlp["fc2"](y)


class SegNext(nn.Module):
    """Guo et al. 2022 with the non-local attention of its table 7."""

    def __init__(self, size, classes, width):
        super().__init__()
        depths, factor = {"t": ((3, 3, 5, 2), 8), "s": ((2, 2, 4, 2), 4)}[size]
        channels, c = [width * f for f in (1, 2, 5, 8)], factor * width
        self.backbone, cin = nn.ModuleDict(), 3
        for i, (cout, depth, widening) in enumerate(zip(channels, depths, (8, 8, 4, 4)), 1):
            if i == 1:
                half = cout // 2
                layers = [nn.Conv2d(3, half, 3, 2, 1), nn.BatchNorm2d(half), nn.GELU()]
                layers += [nn.Conv2d(half, cout, 3, 2, 1), nn.BatchNorm2d(cout)]
                embed = {"proj": nn.Sequential(*layers)}
            else:
                embed = {"proj": nn.Conv2d(cin, cout, 3, 2, 1), "norm": nn.BatchNorm2d(cout)}
            self.backbone[f"patch_embed{i}"] = nn.ModuleDict(embed)
            self.backbone[f"block{i}"] = nn.Sequential(*(Mscan(cout, widening) for _ in range(depth)))
            self.backbone[f"norm{i}"], cin = nn.LayerNorm(cout), cout

        def layer(cin):
            return nn.Sequential(OrderedDict(conv=nn.Conv2d(cin, c, 1, bias=False), gn=nn.GroupNorm(gcd(32, c), c)))

        attention = {name: nn.Conv2d(c, c // 2, 1) for name in ("query", "key", "value")}
        self.decode_head = nn.ModuleDict({
            "squeeze": layer(sum(channels[1:])), "attention": nn.ModuleDict(attention | {"project": layer(c // 2)}),
            "align": layer(c), "conv_seg": nn.Conv2d(c, classes, 1),
        })

    def forward(self, image):
        maps, x = [], image
        for i in range(1, 5):
            for layer in self.backbone[f"patch_embed{i}"].values():
                x = layer(x)
            x = self.backbone[f"block{i}"](x)
            x = self.backbone[f"norm{i}"](x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            maps.append(x)
        head = self.decode_head
        x = F.relu(head["squeeze"](torch.cat([bilinear(y, maps[1]) for y in maps[1:]], 1)))
        parts = head["attention"]
        y = parts["project"](related(parts["query"](x), parts["key"](x), parts["value"](x)))
        return bilinear(head["conv_seg"](F.relu(head["align"](F.relu(x + y)))), image)
