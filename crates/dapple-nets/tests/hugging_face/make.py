"""Writes tiny networks of the library transformers, with their logits, as the tests read them; and checks folders that
`dapple export --hub` wrote.

    python make.py                    writes segformer/, segformer-moments/ and upernet/ beside this script
    python make.py check FOLDER…      loads each folder strictly, with transformers or segmentation_models_pytorch
    python make.py exhaustive DIR     writes folders of all published sizes to DIR, and compares `dapple export --hub` and the
                                      logits of `dapple export --onnx` (onnxruntime) with the libraries; DAPPLE names the program

Versions: transformers 5.24.0, segmentation-models-pytorch 0.6.0, torch CPU.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent


def randomized(model, seed):
    """Random values everywhere, also in norms, so that a mistake in any of them shows."""
    generator = torch.Generator().manual_seed(seed)
    state = model.state_dict()
    for name, value in state.items():
        if not value.is_floating_point():
            continue
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            value.copy_(1 + 0.2 * noise.abs())
        elif value.dim() <= 1 and name.endswith("weight"):
            value.copy_(1 + 0.2 * noise)
        elif name.endswith("layer_scale_parameter"):
            value.copy_(1 + 0.2 * noise)
        elif value.dim() > 1:
            value.copy_(noise / value[0].numel() ** 0.5)
        else:
            value.copy_(0.1 * noise)
    model.load_state_dict(state)
    return model.eval()


def photo(height, width):
    """A picture of bytes [height, width, 3], a function of the place alone."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((y * 7 + x * 5 + c * 83 + (y * x) % 31 * 3) % 256).astype(np.uint8)


STRIDE = 4
"""Of the logits, those of every so many rows and columns are kept."""


def logits(model, pixels):
    """Logits [h / STRIDE, w / STRIDE, classes] of the map at the size of the input, in double precision."""
    with torch.no_grad():
        out = model.double()(pixel_values=torch.from_numpy(pixels)[None]).logits
    size = pixels.shape[1:]
    out = torch.nn.functional.interpolate(out, size=size, mode="bilinear", align_corners=False)
    return out[0, :, ::STRIDE, ::STRIDE].permute(1, 2, 0).float().contiguous()


def write(name, model, processor, size):
    folder = HERE / name
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    image = photo(*size)
    pixels = processor(images=image, return_tensors="np")["pixel_values"][0].astype(np.float64)
    save_file({"logits": logits(model, pixels)}, folder / "logits.safetensors")


def segformer(labels, **settings):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    names = {index: f"thing {index}" for index in range(labels)}
    config = SegformerConfig(
        id2label=names, label2id={name: index for index, name in names.items()}, **settings
    )
    return SegformerForSemanticSegmentation(config)


def upernet(labels, depths, hidden, **settings):
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = ConvNextConfig(depths=depths, hidden_sizes=hidden, out_features=stages)
    return UperNetForSemanticSegmentation(UperNetConfig(backbone_config=backbone, num_labels=labels, **settings))


def fixtures():
    from transformers import SegformerImageProcessor

    size = {"height": 64, "width": 96}
    sizes = dict(
        hidden_sizes=[4, 8, 12, 16],
        depths=[1, 2, 1, 1],
        num_attention_heads=[1, 2, 3, 2],
        sr_ratios=[4, 2, 2, 1],
        mlp_ratios=[2, 3, 4, 2],
        decoder_hidden_size=12,
    )
    write("segformer", randomized(segformer(5, **sizes), 1), SegformerImageProcessor(size=size), (64, 96))
    listing(HERE / "segformer")
    other = SegformerImageProcessor(size=size, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.25])
    write("segformer-moments", randomized(segformer(1, **sizes), 2), other, (64, 96))
    small = dict(hidden_size=8, pool_scales=[1, 2, 3, 6], auxiliary_in_channels=12, auxiliary_channels=4)
    model = randomized(upernet(3, [1, 1, 2, 1], [4, 8, 12, 16], **small), 3)
    write("upernet", model, SegformerImageProcessor(size=size), (64, 96))


def listing(folder):
    """The hub's answer about a repository with the files of a folder, in short."""
    siblings = []
    for name in ["config.json", "preprocessor_config.json", "model.safetensors"]:
        content = (folder / name).read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry = {"rfilename": name, "size": len(content), "blobId": blob}
        if name.endswith(".safetensors"):
            entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        siblings.append(entry)
    answer = {"sha": "0123456789abcdef" * 2 + "01234567", "cardData": {"license": "apache-2.0"}, "siblings": siblings}
    (folder / "listing.json").write_text(json.dumps(answer, indent=1) + "\n")


def check(folder):
    """Loads a folder strictly and returns the model."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    if "_model_class" in config:
        import segmentation_models_pytorch as smp

        model = smp.from_pretrained(folder, strict=True)
    else:
        from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

        model, info = AutoModelForSemanticSegmentation.from_pretrained(folder, output_loading_info=True)
        wrong = {key: value for key, value in info.items() if value}
        assert not wrong, f"{folder}: {wrong}"
        processor = AutoImageProcessor.from_pretrained(folder)
        assert processor.do_resize and processor.do_normalize, folder
        assert list(model.config.id2label.values()), folder
    print(f"{folder}: {type(model).__name__}, strict")
    return model.eval()


def largest(model, pixels, out):
    with torch.no_grad():
        there = model(torch.from_numpy(pixels)[None])
    there = getattr(there, "logits", there)
    there = torch.nn.functional.interpolate(there, size=pixels.shape[1:], mode="bilinear", align_corners=False)
    return float(np.abs(there[0].numpy() - out[0]).max() / np.abs(out).max())


def exhaustive(folder):
    import onnxruntime
    import segmentation_models_pytorch as smp
    from transformers import SegformerImageProcessor

    dapple = os.environ.get("DAPPLE", "dapple")
    folder = pathlib.Path(folder)
    wide = dict(hidden_sizes=[64, 128, 320, 512])
    models = {
        "b0": segformer(150),
        "b1": segformer(19, **wide),
        "b2": segformer(19, depths=[3, 4, 6, 3], decoder_hidden_size=768, **wide),
        "b3": segformer(19, depths=[3, 4, 18, 3], decoder_hidden_size=768, **wide),
        "b4": segformer(19, depths=[3, 8, 27, 3], decoder_hidden_size=768, **wide),
        "b5": segformer(19, depths=[3, 6, 40, 3], decoder_hidden_size=768, **wide),
        "upernet-tiny": upernet(150, [3, 3, 9, 3], [96, 192, 384, 768], auxiliary_in_channels=384),
        "upernet-small": upernet(150, [3, 3, 27, 3], [96, 192, 384, 768], auxiliary_in_channels=384),
        "smp-unet": smp.Unet("resnet18", encoder_weights=None, classes=4),
        "smp-unet-mit": smp.Unet("mit_b0", encoder_weights=None, classes=4),
        "smp-fpn": smp.FPN("timm-efficientnet-b0", encoder_weights=None, classes=4),
        "smp-deeplab": smp.DeepLabV3Plus("resnet34", encoder_weights=None, classes=4),
        "smp-upernet": smp.UPerNet("tu-convnext_tiny", encoder_weights=None, classes=4),
        "smp-segformer": smp.Segformer("mit_b1", encoder_weights=None, classes=1),
        "smp-linknet": smp.Linknet("resnet18", encoder_weights=None, classes=2),
        "smp-pspnet": smp.PSPNet("resnet18", encoder_weights=None, classes=2),
    }
    pixels = np.random.default_rng(0).standard_normal((3, 128, 160)).astype(np.float32)
    for seed, (name, model) in enumerate(models.items()):
        place, back, graph = folder / name, folder / f"{name}-back", folder / f"{name}.onnx"
        randomized(model, seed).save_pretrained(place)
        if not name.startswith("smp-"):
            SegformerImageProcessor(size={"height": 128, "width": 160}).save_pretrained(place)
        # The preparation stays outside of the network, whose values are compared.
        size = ["--input-size", "128x160"]
        subprocess.run([dapple, "export", place, *size, "--onnx", graph, "--force"], check=True)
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        out = session.run(None, {"input": pixels[None]})[0]
        print(f"{name}: {largest(model, pixels, out):.1e} of the largest value")
        made = subprocess.run([dapple, "export", place, *size, "--hub", back, "--force"])
        if made.returncode == 0:
            print(f"{name}, there and back: {largest(check(back), pixels, out):.1e}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            fixtures()
        case ["check", *folders]:
            for place in folders:
                check(place)
        case ["exhaustive", place]:
            exhaustive(place)
        case _:
            sys.exit(__doc__)
