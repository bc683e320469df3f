"""Runs the files of the example `check_files` in onnxruntime and compares with what dapple computed.

    cargo run --release -p dapple-onnx --example check_files -- FOLDER
    python crates/dapple-onnx/tests/check_onnx.py FOLDER      (numpy, onnx, onnxruntime, safetensors; torch if there)

The model's description is checked with onnx's own checker and shape inference. Differences are relative: the largest
one over the largest value of the output. The exported weights are also loaded into the PyTorch definitions that
dapple-nets is tested with (`tests/golden`, `tests/parity`: torchvision, segmentation_models_pytorch, transformers), where
there is one of this network: all names must agree, and the outputs are compared likewise.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from safetensors.numpy import load_file

LIMIT = 1e-4
# Of the mean difference of quantized models.
INT8_LIMIT = 0.02
# As in check_files.rs.
NARROW, CLASSES = 8, 3
NETS = Path(__file__).parents[2] / "dapple-nets/tests"


def difference(expected, found):
    assert expected.shape == found.shape, f"{expected.shape} expected, {found.shape} found"
    return float(np.abs(expected - found).max() / max(np.abs(expected).max(), 1e-6))


def cases(folder):
    """For each case its tensors by name."""
    grouped = {}
    for name, value in load_file(folder / "cases.safetensors").items():
        case, name = name.split(".", 1)
        grouped.setdefault(case, {})[name] = value
    return [grouped[case] for case in sorted(grouped)]


def session(path):
    onnx.checker.check_model(str(path), full_check=True)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(path):
    """The largest difference over all cases and outputs of a model, and how many images' sizes were tried."""
    model = session(path)
    names = [output.name for output in model.get_outputs()]
    worst, tried = 0.0, 0
    for case in cases(path.parent):
        found = model.run(names, {"input": case["input"]})
        worst = max([worst] + [difference(case[name], value) for name, value in zip(names, found)])
        tried += 1
    return worst, tried


def compare_int8(path):
    """The mean difference of the quantized model's output from rounded numbers, as a share of the largest value. Where a sum
    lies between two integers, runtimes round to either; of bytes that they multiply without VNNI, some saturate."""
    model = session(path)
    name = model.get_outputs()[0].name
    differences = []
    for case in cases(path.parent):
        (found,) = model.run([name], {"input": case["input"]})
        differences.append(float(np.abs(case["int8"] - found).mean() / np.abs(case["int8"]).max()))
    return max(differences)


def load_module(path):
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.parent.name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def torch_definitions():
    """The PyTorch definitions of width NARROW and CLASSES classes by the networks' names."""
    try:
        golden, parity = load_module(NETS / "golden/make.py"), load_module(NETS / "parity/make.py")
    except ImportError as error:
        print(f"no comparison with PyTorch: {error}")
        return {}
    assert parity.CLASSES == CLASSES
    definitions = {}
    for name, config, _, make in parity.cases(64 // NARROW):
        # Those with further settings are not the registry's networks as they are.
        if config["width"] == NARROW and set(config) <= {"name", "width", "dropout", "drop_path"}:
            try:
                definitions[name] = make()
            except ImportError as error:
                print(f"no comparison of {name} with PyTorch: {error}")
    return definitions | {
        "unet": golden.UNet(CLASSES, NARROW),
        "unet-bilinear": golden.UNet(CLASSES, NARROW, bilinear=True),
        "u2net": golden.U2Net(1, NARROW),
        "u2net-lite": golden.U2Net(1, NARROW, lite=True),
        "segnet": golden.SegNet(CLASSES, NARROW),
    }


def compare_torch(folder, module):
    """The largest difference of the PyTorch definition's primary output, with the exported weights."""
    import torch

    weights = load_file(folder / "weights.safetensors")
    # transformers translates names when it writes files.
    rename = getattr(module, "published_name", str)
    names = {k: rename(k.removeprefix("inner.")) for k, v in module.state_dict().items() if v.is_floating_point()}
    assert set(names.values()) == set(weights), set(names.values()) ^ set(weights)
    module.load_state_dict({k: torch.from_numpy(weights[name]) for k, name in names.items()}, strict=False)
    module.eval()

    def primary(image):
        with torch.no_grad():
            y = module(torch.from_numpy(image))
        return (next(iter(y.values())) if isinstance(y, dict) else y[0] if isinstance(y, list) else y).numpy()

    name = session(folder / "logits.onnx").get_outputs()[0].name
    differences = []
    for case in cases(folder):
        try:
            differences.append(difference(case[name], primary(case["input"])))
        except RuntimeError as error:
            # segmentation_models_pytorch asks for multiples of the stride where dapple pads.
            if "Wrong input shape" not in str(error):
                raise
    return max(differences)


def main():
    folder, failures = Path(sys.argv[1]), 0
    print(f"onnx {onnx.__version__}, onnxruntime {ort.__version__}\n")
    forms = ["logits", "newest", "all", "probabilities"]
    print(f"{'network':34} " + " ".join(f"{form:>13}" for form in [*forms, "torch", "int8"]))
    definitions = torch_definitions()
    for path in sorted((folder / "networks").iterdir()):
        module = definitions.get(path.name)
        row = [compare(path / f"{form}.onnx")[0] for form in forms] + [module and compare_torch(path, module)]
        failures += sum(value is not None and not value <= LIMIT for value in row)
        row.append(compare_int8(path / "int8.onnx"))
        failures += not row[-1] <= INT8_LIMIT
        print(f"{path.name:34} " + " ".join(f"{'-' if v is None else f'{v:.1e}':>13}" for v in row), flush=True)

    for kind in ["operation", "network"]:
        worst, graphs, sizes = 0.0, 0, 0
        for path in sorted((folder / "graphs").glob(f"{kind}*")):
            try:
                value, tried = compare(path / "all.onnx")
            except Exception as error:
                value, tried = float("inf"), 0
                print(f"{path.name}: {error}")
            if not value <= LIMIT:
                failures += 1
                print(f"{path.name}: {value:.1e}\n{(path / 'description.txt').read_text()}")
            worst, graphs, sizes = max(worst, value), graphs + 1, sizes + tried
        print(f"\nrandom graphs of {kind}s: {graphs}, run at {sizes} sizes, largest difference {worst:.1e}")
    if failures:
        sys.exit(f"{failures} differ by more than {LIMIT:g}")
    print(f"\nall within {LIMIT:g}")


if __name__ == "__main__":
    main()
