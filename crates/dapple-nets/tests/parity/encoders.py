"""Further encoders, all as segmentation_models_pytorch (smp) has them: its own, timm's as `timm-` and `tu-`.

make.py has the commands. Each row of encoders.json has an encoder's maps (strides and channels), the number of its parameters
and, where the names there are dapple's, the CRC-32 of names and shapes (without ones at the end of a shape, since linear layers
are convolutions here).
"""

import zlib

import segmentation_models_pytorch as smp
from oracles import MobileNetV3Small, SmpUnet, narrow, smp_model

# dapple's names and smp's.
SMP = {
    "resnet152": "resnet152",
    "wide-resnet50-2": "tu-wide_resnet50_2",
    "wide-resnet101-2": "tu-wide_resnet101_2",
    "resnext50-32x4d": "resnext50_32x4d",
    "resnext101-32x8d": "resnext101_32x8d",
    "se-resnet50": "se_resnet50",
    "se-resnet101": "se_resnet101",
    "se-resnet152": "se_resnet152",
    "se-resnext50-32x4d": "se_resnext50_32x4d",
    "se-resnext101-32x4d": "se_resnext101_32x4d",
    "densenet121": "densenet121",
    "densenet161": "densenet161",
    "densenet169": "densenet169",
    "densenet201": "densenet201",
    "mobilenetv2": "mobilenet_v2",
    "mobilenetv3-small": "tu-mobilenetv3_small_100",
    **{f"efficientnet-b{n}": f"timm-efficientnet-b{n}" for n in range(4, 8)},
    **{f"efficientnet-smp-b{n}": f"efficientnet-b{n}" for n in range(8)},
    **{f"tf-efficientnetv2-{n}": f"tu-tf_efficientnetv2_{n}" for n in ("b0", "b1", "b2", "b3", "s", "m")},
    "mobilenetv4-conv-small": "tu-mobilenetv4_conv_small",
    "mobilenetv4-conv-medium": "tu-mobilenetv4_conv_medium",
    **{f"regnety-{n}": f"tu-regnety_{n}" for n in ("002", "004", "006", "008", "016", "032")},
    "hrnet-w18": "tu-hrnet_w18",
    "hrnet-w32": "tu-hrnet_w32",
    "convnext-base": "tu-convnext_base",
    "convnext-large": "tu-convnext_large",
    **{f"mit-b{n}": f"mit_b{n}" for n in range(3, 6)},
}

# Encoders whose parameters have other names there, and one that joins two of dapple's.
TRANSLATED = ("mobilenetv3-", "efficientnet-b", "convnext-", "mit-")

# Layers that smp keeps without using them.
UNUSED = ("_conv_head.", "_bn1.", "conv_head.", "bn2.")

# Networks in which names and shapes are compared, with the encoders' names there.
SAVED = {
    "unet-efficientnet-smp-b0": ("Unet", "efficientnet-b0"),
    "unet-efficientnet-b4": ("Unet", "timm-efficientnet-b4"),
    "unet-mobilenetv3-small": ("Unet", "tu-mobilenetv3_small_100"),
    "pspnet-wide-resnet50-2": ("PSPNet", "tu-wide_resnet50_2"),
    "unet-tf-efficientnetv2-b0": ("Unet", "tu-tf_efficientnetv2_b0"),
    "unet-mobilenetv4-conv-small": ("Unet", "tu-mobilenetv4_conv_small"),
    "pspnet-regnety-004": ("PSPNet", "tu-regnety_004"),
    "unet-hrnet-w18": ("Unet", "tu-hrnet_w18"),
    "unet-mit-b3": ("Unet", "mit_b3"),
    "unet-densenet121": ("Unet", "densenet121"),
    "unet-se-resnext50-32x4d": ("Unet", "se_resnext50_32x4d"),
    "unet-mobilenetv2": ("Unet", "mobilenet_v2"),
}

WIDTHS = {
    "s": 24, "m": 24, "mobilenetv4-conv-small": 32, "mobilenetv4-conv-medium": 32,
    "mobilenetv3-small": 16, "mobilenetv2": 32, "densenet161": 96, "convnext-base": 128, "convnext-large": 192,
    **dict(zip((f"b{n}" for n in range(8)), (32, 32, 32, 40, 48, 48, 56, 64))),
}


def width(ours):
    """Channels of the first stage."""
    if "efficientnet" in ours:
        return WIDTHS[ours.split("-")[-1]]
    return 32 if ours.startswith("regnety") else WIDTHS.get(ours, 64)


def encoder_rows():
    for ours, theirs in SMP.items():
        encoder = smp.encoders.get_encoder(theirs, weights=None)
        values = encoder.state_dict().items()
        inner = "model." if theirs.startswith("tu-") else ""
        keys = {k.removeprefix(inner): list(v.shape) for k, v in values if v.is_floating_point()}
        keys = {k: v for k, v in keys.items() if not k.startswith(UNUSED) or "efficientnet" not in ours}
        count = sum(p.numel() for k, p in encoder.named_parameters() if k.removeprefix(inner) in keys)
        maps = [[2 << i, c] for i, c in enumerate(encoder.out_channels[1:]) if c]
        row = {"encoder": ours, "maps": maps, "parameters": count}
        if not ours.startswith(TRANSLATED):
            lines = sorted(f"{k} {trimmed(v)}\n" for k, v in keys.items())
            row |= {"tensors": len(keys), "crc32": zlib.crc32("".join(lines).encode())}
        yield row


def trimmed(shape):
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def without_last_layer(model):
    del model.encoder._conv_head, model.encoder._bn1
    model.encoder._drop_connect_rate = 0.0
    return model


def with_tensorflows_momentum(factor):
    """timm leaves it at its default."""
    model = smp_model("Unet", "tu-tf_efficientnetv2_b0", 3, factor)
    for m in model.encoder.modules():
        if hasattr(m, "momentum"):
            m.momentum = 0.01
    return model


def cases(f, case):
    """One of each family, for make.py's `cases`: with gradients, below U-Net."""
    odd, even, f16, f32 = [2, 45, 70], [2, 64, 96], min(f, 2), min(f, 4)
    for ours in ("resnext50-32x4d", "se-resnet50", "se-resnext50-32x4d", "densenet121"):
        yield case(f"unet-{ours}", 64 // f, odd, lambda: smp_model("Unet", SMP[ours], 3, f))
    yield case("unet-mobilenetv2", 32 // f32, odd, lambda: smp_model("Unet", "mobilenet_v2", 3, f32))
    yield case("unet-mobilenetv3-small", 16 // f16, odd, lambda: SmpUnet(MobileNetV3Small(f16), 3, f16))
    yield case("unet-hrnet-w18", 64 // f, even, lambda: smp_model("Unet", "tu-hrnet_w18", 3, f))
    yield case("unet-mobilenetv4-conv-small", 32 // f32, odd, lambda: smp_model("Unet", "tu-mobilenetv4_conv_small", 3, f32))
    regnet = lambda: narrow(smp.Unet("tu-regnety_004", encoder_weights=None, classes=3), f32, keep_groups=True)
    yield case("unet-regnety-004", 32 // f32, odd, regnet)
    yield case("unet-tf-efficientnetv2-b0", 32 // f32, odd, lambda: with_tensorflows_momentum(f32))
    smp_b2 = lambda: without_last_layer(smp_model("Unet", "efficientnet-b2", 3, f16))
    yield case("unet-efficientnet-smp-b2", 32 // f16, even, smp_b2)


def dilated_cases():
    """Of those that dilate, for make.py's `published_cases`: narrow, without gradients."""
    even = [1, 64, 96]
    for name, their, factor in [
        ("deeplabv3plus-se-resnext50-32x4d", "se_resnext50_32x4d", 8),
        ("deeplabv3plus-mobilenetv2", "mobilenet_v2", 4),
        ("deeplabv3plus-efficientnet-smp-b0", "efficientnet-b0", 2),
        ("deeplabv3plus-resnet18", "tu-resnet18", 8),
        ("deeplabv3plus-tf-efficientnetv2-b0", "tu-tf_efficientnetv2_b0", 4),
        ("deeplabv3plus-mobilenetv4-conv-medium", "tu-mobilenetv4_conv_medium", 4),
        ("deeplabv3plus-regnety-002", "tu-regnety_002", 4),
    ]:
        model = smp.DeepLabV3Plus(their, encoder_weights=None, classes=3)
        for part in (model.decoder, model.segmentation_head):
            narrow(part, factor)
        narrow(model.encoder, factor, keep_groups="regnet" in their)
        config = {"name": name, "width": width(name.split("-", 1)[1]) // factor}
        config |= {"drop_path": 0.0} if "efficientnet" in name else {}
        config |= {"dilation": "later"} if their.startswith("tu-") else {}
        yield name, config, even, model


def full_cases(names):
    """All of them as published, below U-Net and, if they dilate, below DeepLabV3+."""
    size = [1, 224, 224]
    for ours, theirs in SMP.items():
        for family, maker in (("unet", "Unet"), ("deeplabv3plus", "DeepLabV3Plus")):
            name = f"{family}-{ours}"
            rigid = ours.startswith(("densenet", "mit", "convnext", "hrnet"))
            if (names and name not in names) or (family == "deeplabv3plus" and rigid):
                continue
            model = getattr(smp, maker)(theirs, encoder_weights=None, classes=3)
            config = {"name": name, "width": width(ours)}
            later = family == "deeplabv3plus" and theirs.startswith("tu-")
            yield name, config | ({"dilation": "later"} if later else {}), size, model
