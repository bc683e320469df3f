"""Reads ONNX files of other programs with dapple and compares with onnxruntime.

    python bench/onnx/run.py FOLDER [--dapple PROGRAM] [--runs 5] [--threads 2] [--only PART-OF-NAME] [FILE.onnx ...]

Files are exported into FOLDER once, by both of PyTorch's exporters, from what is installed: torchvision's segmentation networks,
segmentation_models_pytorch's decoders on a few encoders, Hugging Face's SegFormer (transformers). Further files are taken as they are.
Each is timed by `dapple bench FILE --dump`, which writes its input and logits; onnxruntime gets the same input. Weights are
random: nothing is downloaded.

The table has, for each file: whether it was read (if not, the first line of the reason), the largest difference relative to the
largest value, and the time of onnxruntime over that of dapple (above 1, dapple is faster).
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from safetensors.numpy import load_file

LIMIT = 1e-4
CLASSES = 5


def networks():
    """Name, side of the image, and a function that makes the module, of everything that is installed."""
    found = []
    try:
        from torchvision.models import segmentation as tv

        for name in ["fcn_resnet50", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"]:
            make = lambda name=name: getattr(tv, name)(weights=None, weights_backbone=None, num_classes=CLASSES)
            found.append((f"torchvision-{name}", 256, make))
    except ImportError as error:
        print(f"no networks of torchvision: {error}")
    try:
        import segmentation_models_pytorch as smp

        for decoder in ["Unet", "UnetPlusPlus", "Linknet", "FPN", "PSPNet", "DeepLabV3Plus", "PAN", "MAnet", "UPerNet"]:
            make = lambda decoder=decoder: getattr(smp, decoder)("resnet34", encoder_weights=None, classes=CLASSES)
            found.append((f"smp-{decoder.lower()}-resnet34", 256, make))
        for encoder in ["efficientnet-b0", "mobilenet_v2", "timm-mobilenetv3_large_100", "mit_b0", "vgg16_bn"]:
            make = lambda encoder=encoder: smp.Unet(encoder, encoder_weights=None, classes=CLASSES)
            found.append((f"smp-unet-{encoder}", 256, make))
        found.append(("smp-segformer-mit_b0", 256, lambda: smp.Segformer("mit_b0", encoder_weights=None, classes=CLASSES)))
    except ImportError as error:
        print(f"no networks of segmentation_models_pytorch: {error}")
    try:
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        found.append(
            ("transformers-segformer-b0", 256, lambda: SegformerForSemanticSegmentation(SegformerConfig(num_labels=CLASSES)))
        )
    except ImportError as error:
        print(f"no networks of transformers: {error}")
    return found


def export(module, side, path, dynamo):
    """Writes the module's first output."""
    import torch

    class First(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, image):
            y = self.inner(image)
            return y["out"] if isinstance(y, dict) and "out" in y else y.logits if hasattr(y, "logits") else y

    torch.manual_seed(0)
    image = torch.rand(1, 3, side, side)
    first = First().eval()
    if dynamo:
        torch.onnx.export(first, (image,), str(path), dynamo=True, external_data=False, verbose=False)
    else:
        sides = {0: "batch", 2: "height", 3: "width"}
        torch.onnx.export(
            first, image, str(path), dynamo=False, opset_version=17, input_names=["image"], dynamic_axes={"image": sides}
        )


def written(folder, only):
    """The exported files with their sides."""
    for name, side, make in networks():
        for kind, dynamo in [("script", False), ("dynamo", True)]:
            path = folder / f"{name}-{kind}.onnx"
            if only not in path.name:
                continue
            if not path.exists():
                try:
                    export(make(), side, path, dynamo)
                except Exception as error:
                    print(f"{path.name}: not exported: {str(error).splitlines()[0]}", flush=True)
                    continue
            yield path, side


def side_of(path):
    """The side of a file's image, if it has one; the first input of an odd shape is tried as it is."""
    dims = onnx.load(str(path), load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    sides = [dim.dim_value for dim in dims if dim.dim_value > 4]
    return sides[0] if sides else 256


def run_dapple(program, path, side, arguments):
    dump = path.with_suffix(".safetensors")
    command = [program, "bench", str(path), "--size", str(side), "--runs", str(arguments.runs), "--device", "cpu"]
    command += ["--threads", str(arguments.threads), "--dump", str(dump), "--json", "-"]
    said = subprocess.run(command, capture_output=True, text=True)
    if said.returncode != 0:
        return None, said.stderr
    tensors = load_file(dump)
    dump.unlink()
    return (json.loads(said.stdout)["median_s"], tensors["input"], tensors["output"]), None


def run_onnxruntime(path, image, arguments):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = arguments.threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    is_last = first.shape[3] in (1, 3, 4) and first.shape[1] not in (1, 3, 4)
    value = image if is_last else np.ascontiguousarray(image.transpose(0, 3, 1, 2))
    feed = {first.name: value}
    output = session.get_outputs()[0].name
    result, times = session.run([output], feed)[0], []
    for _ in range(arguments.runs):
        start = time.perf_counter()
        session.run([output], feed)
        times.append(time.perf_counter() - start)
    return float(np.median(times)), result


def as_written(path, logits, result):
    """Our logits as the file's own output: with the function that dapple leaves out, in the file's order of axes."""
    last = onnx.load(str(path), load_external_data=False).graph.node[-1].op_type
    if last == "Sigmoid":
        logits = 1 / (1 + np.exp(-logits.astype(np.float64)))
    elif last == "Softmax":
        shares = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
        logits = shares / shares.sum(axis=-1, keepdims=True)
    return logits if logits.shape == result.shape else logits.transpose(0, 3, 1, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--dapple", default="dapple")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    files = list(written(arguments.folder, arguments.only)) + [(path, side_of(path)) for path in arguments.files]
    print(f"onnx {onnx.__version__}, onnxruntime {ort.__version__}\n")
    print(f"| {'file':50} | {'read':5} | {'difference':>10} | {'time ratio':>10} |")
    print(f"|{'-' * 52}|{'-' * 7}|{'-' * 12}|{'-' * 12}|")
    failures = 0
    for path, side in files:
        found, why = run_dapple(arguments.dapple, path, side, arguments)
        if found is None:
            failures += 1
            print(f"| {path.name:50} | no    | {'-':>10} | {'-':>10} |\n{why}", flush=True)
            continue
        seconds, image, logits = found
        theirs, result = run_onnxruntime(path, image, arguments)
        ours = as_written(path, logits, result)
        difference = float(np.abs(ours - result).max() / max(np.abs(result).max(), 1e-6))
        failures += not difference <= LIMIT
        print(f"| {path.name:50} | yes   | {difference:10.1e} | {theirs / seconds:10.2f} |", flush=True)
    if failures:
        sys.exit(f"{failures} of {len(files)} files are not read, or differ by more than {LIMIT:g}")
    print(f"\nall {len(files)} within {LIMIT:g}")


if __name__ == "__main__":
    main()
