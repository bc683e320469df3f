"""Makes the golden files of this folder.

    python make.py [NAME ...]          (torch, torchvision, segmentation_models_pytorch, transformers, safetensors)
    python make.py --published                 published.json: names, shapes and counts of the published sizes
    python make.py --timm                      timm.json: names and shapes under timm's names, smp.json: checksums of the
                                               names in networks on timm's encoders, published/: outputs of whole networks
    python make.py --full FOLDER [NAME ...]    the published sizes at 224 x 224, for the ignored test in ../parity.rs
    python make.py --encoders                  encoders.json: maps, counts and names of further encoders, and their files in
                                               published/
    python make.py --all-encoders FOLDER [NAME ...]   networks on all of these as published, in FOLDER/published, for the same test

Nothing but results is stored: weights, images and labels are functions of name and index (`hashed`), the same here and in
../parity.rs. For a network in f64, stored in f32:
- eval.I: every STRIDE-th value [n, c, h, w] of output I in evaluation mode;
- after one forward pass in training mode without dropout: loss (cross-entropy, summed over the outputs, or the network's
  own), and for each
  parameter in the order of the names the product of its gradient with a hashed vector, and its norm (grad); likewise
  for the running statistics (running).
The metadata say which configuration and input size it is for.

Made with torch 2.15, torchvision 0.29, segmentation_models_pytorch 0.6, transformers 5.
"""

import json
import sys
import zlib
from pathlib import Path

import encoders
import numpy as np
import torch
from oracles import *
from safetensors.torch import save_file

CLASSES, STRIDE = 3, 7
GAMMA = np.uint64(0x9E3779B97F4A7C15)


def hashed(name, count):
    """Uniform in (-1, 1): SplitMix64 (Steele et al. 2014) from the FNV-1a hash of the name, 24 bits a value."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(start) + GAMMA * (np.arange(count, dtype=np.uint64) + np.uint64(1))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) + 0.5) / 2**23 - 1


def values(name, shape):
    u = hashed(name, int(np.prod(shape)))
    if len(shape) in (2, 4):
        u = u * np.sqrt(6 / np.prod(shape[1:]))
    elif len(shape) == 1 and (name.endswith("weight") or name.endswith("running_var")):
        u = 1 + 0.5 * u
    else:
        u = 0.3 * u
    return torch.from_numpy(u.astype(np.float32).astype(np.float64)).reshape(shape)


def published(model, named):
    """Tensors under their published names."""
    rename = getattr(model, "published_name", str)
    return {rename(k.removeprefix("inner.")): v for k, v in named}


def floats(model):
    return {k: v for k, v in published(model, model.state_dict().items()).items() if v.is_floating_point()}


def outputs(model, x):
    y = model(x)
    return list(y.values()) if isinstance(y, dict) else [y]


def added(outputs, labels):
    return sum(F.cross_entropy(y, labels) for y in outputs)


def summary(named):
    """[product with a hashed vector, norm] of each tensor, by name."""
    rows = []
    for name, value in sorted(named.items()):
        value = value.detach().double().flatten()
        rows.append([value @ torch.from_numpy(hashed("product " + name, value.numel())), value.norm()])
    return torch.tensor(rows)


def golden(folder, name, config, size, model, train=True):
    model = without_dropout(model.double())
    block = getattr(model, "label_block", 1)
    with torch.no_grad():
        for key, value in floats(model).items():
            value.copy_(values(key, value.shape))
    n, h, w = size
    x = torch.from_numpy(2 * hashed("input", n * 3 * h * w)).reshape(n, 3, h, w).float().double()
    model.eval()
    out = {}
    with torch.no_grad():
        for i, y in enumerate(outputs(model, x)):
            out[f"eval.{i}"] = y.flatten()[::STRIDE]
    if train:
        labels = torch.from_numpy(np.floor((hashed("labels", n * h * w) + 1) / 2 * CLASSES)).long().reshape(n, h, w)
        # Squares of one label, that of their first pixel.
        first = [torch.arange(side) // block * block for side in (h, w)]
        labels = labels[:, first[0]][:, :, first[1]]
        model.train()
        loss = getattr(model, "loss", added)(outputs(model, x), labels)
        loss.backward()
        out["loss"] = loss.reshape(1)
        # Some definitions have layers that they do not use.
        gradients = ((k, torch.zeros_like(p) if p.grad is None else p.grad) for k, p in model.named_parameters())
        out["grad"] = summary(published(model, gradients))
        running = {k: v for k, v in floats(model).items() if "running" in k}
        if running:
            out["running"] = summary(running)
    config = {"in_channels": 3, "classes": CLASSES, "activation": "softmax", **config}
    metadata = {"network": json.dumps(config), "input": json.dumps(size), "trains": json.dumps(train)}
    metadata |= {"block": json.dumps(block)} if block > 1 else {}
    save_file({k: v.detach().float().contiguous() for k, v in out.items()}, folder / f"{name}.safetensors", metadata)
    (folder / f"{name}.safetensors").chmod(0o644)
    print(name, sum(p.numel() for p in model.parameters()), flush=True)


def cases(f):
    """Name, configuration, input size and model of each golden file; `f` divides the published channels."""
    odd, even, small, square = [2, 45, 70], [2, 64, 96], [2, 37, 45], [2, 64, 64]
    w64, w32, w16, w96 = 64 // f, 32 // min(f, 4), 16 // min(f, 2), 96 // min(f, 4)
    f32, f16, f96 = min(f, 4), min(f, 2), min(f, 4)
    w64, w32, w16, w96 = 64 // f, 32 // f32, 16 // f16, 96 // f96

    def case(name, width, size, make, **more):
        drops = name.split("-")[0] in DROPS or name.startswith("segformer-b")
        more = {"dropout": 0.0} | more if drops else more
        paths = any(part in name for part in ("efficientnet", "convnext", "mit", "segformer-b", "segnext"))
        more = {"drop_path": 0.0} | more if paths else more
        return name, {"name": name, "width": width, **more}, size, make

    # Encoders, below U-Net.
    for n in (18, 34, 50, 101):
        yield case(f"unet-resnet{n}", w64, odd, lambda: smp_model("Unet", f"resnet{n}", CLASSES, f))
    for n in (11, 13, 16, 19):
        yield case(f"unet-vgg{n}", w64, odd, lambda: smp_model("Unet", f"vgg{n}", CLASSES, f))
        yield case(f"unet-vgg{n}-bn", w64, odd, lambda: smp_model("Unet", f"vgg{n}_bn", CLASSES, f))
    yield case("unet-mobilenetv3-large", w16, odd, lambda: unet_on_mobilenet(CLASSES, f16))
    for n in (0, 1, 2, 3):
        width = 40 // f16 if n == 3 else 32 // f16
        yield case(f"unet-efficientnet-b{n}", width, odd, lambda: unet_on_efficientnet(n, CLASSES, f16))
    for n in range(5):
        make = lambda: SmpUnet(LiteEncoder(n, f16), CLASSES, f16)
        yield case(f"unet-efficientnet-lite{n}", 32 // f16, odd if n % 2 else even, make)
    for size in ("tiny", "small"):
        yield case(f"unet-convnext-{size}", w96, odd, lambda: unet_on_convnext(size, CLASSES, f96))
    for n in (0, 1, 2):
        width, factor = (w32, f32) if n == 0 else (w64, f)
        yield case(f"unet-mit-b{n}", width, odd, lambda: smp_model("Unet", f"mit_b{n}", CLASSES, factor))

    yield from encoders.cases(f, case)

    # Decoders.
    for name, maker in [
        ("unetplusplus", "UnetPlusPlus"), ("linknet", "Linknet"), ("fpn", "FPN"), ("pspnet", "PSPNet"),
        ("deeplabv3plus", "DeepLabV3Plus"), ("upernet", "UPerNet"),
    ]:
        yield case(f"{name}-resnet34", w64, even, lambda: smp_model(maker, "resnet34", CLASSES, f))
    yield case("deeplabv3-smp-resnet18", w64, even, lambda: smp_model("DeepLabV3", "resnet18", CLASSES, f))
    yield case("unetplusplus-vgg16-bn", w64, even, lambda: smp_model("UnetPlusPlus", "vgg16_bn", CLASSES, f))
    # The pyramid needs eight pixels at stride 16.
    yield case("pan-resnet18", w64, [2, 128, 128], lambda: smp_model("PAN", "resnet18", CLASSES, f))
    yield case("manet-resnet18", w64, square, lambda: manet("resnet18", CLASSES, f))
    yield case("segformer-resnet18", w64, square, lambda: smp_model("Segformer", "resnet18", CLASSES, f))
    for name, maker in [("unet", "Unet"), ("unetplusplus", "UnetPlusPlus")]:
        attending = lambda: smp_model(maker, "resnet18", CLASSES, f, decoder_attention_type="scse")
        _, *scse = case(f"{name}-resnet18", w64, square, attending, decoder_attention="scse")
        yield f"{name}-scse-resnet18", *scse
    yield case("upernet-mit-b0", w32, even, lambda: smp_model("UPerNet", "mit_b0", CLASSES, f32))
    yield case("segformer-mit-b0", w32, even, lambda: smp_model("Segformer", "mit_b0", CLASSES, f32))
    stride8 = lambda: smp_model("DeepLabV3Plus", "resnet50", CLASSES, f, encoder_output_stride=8)
    yield case("deeplabv3plus-resnet50", w64, even, stride8, output_stride=8)
    _, *stride16 = case("deeplabv3plus-resnet50", w64, even, lambda: smp_model("DeepLabV3Plus", "resnet50", CLASSES, f))
    yield "deeplabv3plus-resnet50-stride16", *stride16
    for name in ("fcn", "deeplabv3"):
        yield case(f"{name}-resnet50", w64, odd, lambda: torchvision_model(f"{name}_resnet50", CLASSES, f))
    yield case("lraspp-mobilenetv3-large", w16, odd, lambda: lraspp(CLASSES, f16))

    # Whole networks.
    for n in (0, 1, 2):
        width, factor = (w32, f32) if n == 0 else (w64, f)
        yield case(f"segformer-b{n}", width, odd, lambda: HuggingFace(n, CLASSES, factor))
    for stride in (32, 16, 8):
        yield case(f"fcn{stride}s", w64, odd, lambda: FcnVgg(stride, CLASSES, w64))
    yield case("segnet-basic", w64, odd, lambda: SegNetBasic(CLASSES, w64))
    yield case("fast-scnn", w32, odd, lambda: FastScnn(CLASSES, w32))
    yield case("ddrnet-23-slim", w32, odd, lambda: DdrNet(CLASSES, w32))
    for size, width in (("s", w32), ("m", w64), ("l", w64)):
        yield case(f"pidnet-{size}", width, odd, lambda: PidNet(size, CLASSES, width))
    yield case("bisenetv2", w64, small, lambda: BiSeNetV2(CLASSES, w64))
    for size in ("t", "b"):
        yield case(f"pp-liteseg-{size}", w32, small, lambda: PpLiteSeg(size, CLASSES, w32))
    yield case("attention-unet", w64, odd, lambda: AttentionUnet(CLASSES, w64))
    yield case("resunet", w64, odd, lambda: ResUnet(CLASSES, w64))
    yield case("unet3plus", 64 if f == 1 else 4, small, lambda: Unet3Plus(CLASSES, 64 if f == 1 else 4))
    yield case("nnunet-resenc", 32 if f == 1 else 4, small, lambda: NnUnet(CLASSES, 32 if f == 1 else 4))
    yield case("segnext-t", w32, odd, lambda: SegNext("t", CLASSES, w32))
    # The smallest image that fits is large.
    w = 64 if f == 1 else 2
    yield case("deconvnet", w, [2, 230, 224], lambda: DeconvNet(CLASSES, w))


def multiply_adds(model):
    """Of convolutions, linear layers and attention at 224 x 224."""
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        if isinstance(layer, nn.Linear):
            total += layer.weight.numel() * (output.numel() // layer.out_features)
        elif isinstance(layer, nn.ConvTranspose2d):
            total += layer.weight.numel() * inputs[0].shape[2:].numel()
        elif isinstance(layer, nn.Conv2d):
            total += layer.weight.numel() * output.shape[2:].numel()
        else:  # Attention of smp's MiT: queries times keys, and times values.
            _, n, c = inputs[0].shape
            height, width = inputs[1:]
            total += 2 * c * n * (height // layer.sr_ratio) * (width // layer.sr_ratio)

    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)) or hasattr(m, "sr_ratio"):
            m.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 224, 224))
    return total


def published_sizes():
    """Names and shapes of whole networks, and of encoders as the libraries classify images with them."""
    def row(network, classes, model, encoder=False):
        keys = {k: list(v.shape) for k, v in floats(model).items()}
        row = {"network": network, "classes": classes, "encoder": encoder, "keys": keys}
        row["parameters"] = sum(p.numel() for p in model.parameters())
        return row if encoder else row | {"multiply_adds": multiply_adds(model)}

    for name, maker in [
        ("unet", "Unet"), ("unetplusplus", "UnetPlusPlus"), ("linknet", "Linknet"), ("fpn", "FPN"), ("pspnet", "PSPNet"),
        ("deeplabv3plus", "DeepLabV3Plus"), ("upernet", "UPerNet"),
    ]:
        yield row(f"{name}-resnet34", 2, smp_model(maker, "resnet34", 2, 1))
    yield row("segformer-mit-b0", 2, smp_model("Segformer", "mit_b0", 2, 1))
    for name in ("fcn", "deeplabv3"):
        yield row(f"{name}-resnet50", 21, torchvision_model(f"{name}_resnet50", 21, 1))
    yield row("ddrnet-23-slim", 19, DdrNet(19, 32))
    for size, width in (("s", 32), ("m", 64), ("l", 64)):
        yield row(f"pidnet-{size}", 19, PidNet(size, 19, width))
    yield row("lraspp-mobilenetv3-large", 21, tv.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None))
    for ours, theirs in [
        ("resnet18", "resnet18"), ("resnet34", "resnet34"), ("resnet50", "resnet50"), ("resnet101", "resnet101"),
        ("vgg11", "vgg11"), ("vgg11-bn", "vgg11_bn"), ("vgg13", "vgg13"), ("vgg13-bn", "vgg13_bn"),
        ("vgg16", "vgg16"), ("vgg16-bn", "vgg16_bn"), ("vgg19", "vgg19"), ("vgg19-bn", "vgg19_bn"),
        ("mobilenetv3-large", "mobilenet_v3_large"), ("convnext-tiny", "convnext_tiny"), ("convnext-small", "convnext_small"),
        *((f"efficientnet-b{n}", f"efficientnet_b{n}") for n in range(4)),
    ]:
        yield row(f"unet-{ours}", 2, getattr(tv, theirs)(), encoder=True)


def timm_names():
    """Networks that compute what dapple's do, with timm's names: encoders alone as timm classifies images with them, and on
    smp's encoders that begin with timm- and tu-."""
    import timm

    def row(network, naming, model):
        return {"network": network, "naming": naming, "keys": {k: list(v.shape) for k, v in floats(model).items()}}

    names = {f"efficientnet-b{n}": f"efficientnet_b{n}" for n in range(4)}
    names |= {f"efficientnet-lite{n}": f"tf_efficientnet_lite{n}" for n in range(5)}
    names |= {"mobilenetv3-large": "mobilenetv3_large_100"}
    names |= {f"convnext-{size}": f"convnext_{size}" for size in ("tiny", "small")}
    names |= {"mobilenetv2": "mobilenetv2_100", "mobilenetv3-small": "mobilenetv3_small_100"}
    for ours, theirs in names.items():
        yield row(f"unet-{ours}", "Timm", timm.create_model(theirs, pretrained=False))
    yield row("unet-efficientnet-b0", "TimmEncoder", smp.Unet("timm-efficientnet-b0", encoder_weights=None, classes=2))
    # Its map at stride 2 has other channels than dapple's: for decoders that do without.
    yield row("fpn-efficientnet-b0", "TimmUniversal", smp.FPN("tu-efficientnet_b0", encoder_weights=None, classes=2))
    lite = smp.FPN("tu-tf_efficientnet_lite0", encoder_weights=None, classes=2)
    yield row("fpn-efficientnet-lite0", "TimmUniversal", lite)
    for ours, theirs in [("mobilenetv3-large", "mobilenetv3_large_100"), ("convnext-tiny", "convnext_tiny")]:
        yield row(f"unet-{ours}", "TimmUniversal", smp.Unet(f"tu-{theirs}", encoder_weights=None, classes=2))


def smp_names():
    """For each network on one of timm's encoders that smp has: how many tensors it saves, and the
    CRC-32 of their names and shapes."""
    makers = {
        "unet": "Unet", "unetplusplus": "UnetPlusPlus", "linknet": "Linknet", "fpn": "FPN", "pspnet": "PSPNet",
        "deeplabv3-smp": "DeepLabV3", "deeplabv3plus": "DeepLabV3Plus", "upernet": "UPerNet", "segformer": "Segformer",
        "pan": "PAN",
    }
    usual = {f"efficientnet-b{n}": f"timm-efficientnet-b{n}" for n in range(4)}
    usual |= {"mobilenetv3-large": "tu-mobilenetv3_large_100"}
    usual |= {f"convnext-{size}": f"tu-convnext_{size}" for size in ("tiny", "small")}
    lite = {f"efficientnet-lite{n}": f"tu-tf_efficientnet_lite{n}" for n in range(5)}
    for family, maker in makers.items():
        # Their map at stride 2 has other channels there.
        joins = family in ("unet", "unetplusplus", "linknet", "segformer")
        for ours, theirs in (usual if joins else usual | lite).items():
            yield smp_row(f"{family}-{ours}", maker, theirs)
    for network, (maker, theirs) in encoders.SAVED.items():
        yield smp_row(network, maker, theirs)


def smp_row(network, maker, encoder):
    model = getattr(smp, maker)(encoder, encoder_weights=None, classes=2)
    keys = {k: list(v.shape) for k, v in floats(model).items()}
    lines = "".join(f"{k} {keys[k]}\n" for k in sorted(keys))
    return {"network": network, "tensors": len(keys), "crc32": zlib.crc32(lines.encode())}


def published_cases():
    """Networks as published: those whose encoders timm dilates, one whose encoder timm cuts off, and torchvision's DeepLabV3
    on MobileNetV3."""
    even = [1, 64, 96]
    for name, maker, encoder in [
        ("deeplabv3plus-efficientnet-b0", "DeepLabV3Plus", "tu-efficientnet_b0"),
        ("deeplabv3-smp-efficientnet-b0", "DeepLabV3", "tu-efficientnet_b0"),
        ("deeplabv3plus-efficientnet-lite0", "DeepLabV3Plus", "tu-tf_efficientnet_lite0"),
        ("fpn-efficientnet-lite2", "FPN", "tu-tf_efficientnet_lite2"),
        ("deeplabv3plus-mobilenetv3-large", "DeepLabV3Plus", "tu-mobilenetv3_large_100"),
        ("deeplabv3-smp-mobilenetv3-large", "DeepLabV3", "tu-mobilenetv3_large_100"),
        ("pspnet-convnext-tiny", "PSPNet", "tu-convnext_tiny"),
    ]:
        width = {"efficientnet-b0": 32, "mobilenetv3-large": 16, "convnext-tiny": 96}
        width |= {"efficientnet-lite0": 32, "efficientnet-lite2": 32}
        width = next(v for k, v in width.items() if name.endswith(k))
        config = {"name": name, "width": width}
        config |= {"dilation": "later"} if name.startswith("deeplab") else {}
        yield name, config, even, getattr(smp, maker)(encoder, encoder_weights=None, classes=CLASSES)
    make = tv.segmentation.deeplabv3_mobilenet_v3_large
    model = make(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)
    yield "deeplabv3-mobilenetv3-large", {"name": "deeplabv3-mobilenetv3-large", "width": 16}, even, model


DROPS = {"segnext", "fpn", "pspnet", "deeplabv3plus", "fcn", "deeplabv3", "fcn32s", "fcn16s", "fcn8s", "fast"}


def main(arguments):
    torch.set_num_threads(1)
    if arguments == ["--published"]:
        rows = [json.dumps(row, separators=(",", ":")) for row in published_sizes()]
        (Path(__file__).parent / "published.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
        return
    if arguments == ["--timm"]:
        rows = [json.dumps(row, separators=(",", ":")) for row in timm_names()]
        (Path(__file__).parent / "timm.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
        rows = [json.dumps(row, separators=(",", ":")) for row in smp_names()]
        (Path(__file__).parent / "smp.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
        (Path(__file__).parent / "published").mkdir(exist_ok=True)
        for name, config, size, model in [*published_cases(), *encoders.dilated_cases()]:
            golden(Path(__file__).parent / "published", name, config, size, model, train=False)
        return
    if arguments == ["--encoders"]:
        rows = [json.dumps(row, separators=(",", ":")) for row in encoders.encoder_rows()]
        (Path(__file__).parent / "encoders.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
        for name, config, size, model in encoders.dilated_cases():
            golden(Path(__file__).parent / "published", name, config, size, model, train=False)
        return
    if arguments[:1] == ["--all-encoders"]:
        folder = Path(arguments[1]) / "published"
        folder.mkdir(parents=True, exist_ok=True)
        for name, config, size, model in encoders.full_cases(arguments[2:]):
            golden(folder, name, config, size, model, train=False)
        return
    full = arguments[:1] == ["--full"]
    folder = Path(arguments[1]) if full else Path(__file__).parent
    chosen = arguments[2:] if full else arguments
    for name, config, size, make in cases(1 if full else 8):
        if chosen and name not in chosen:
            continue
        size = [1, 224, 224] if full else size
        golden(folder, name, config, size, make(), train=not full)


if __name__ == "__main__":
    main(sys.argv[1:])
