"""Runs the files of the example `check_files` in onnxruntime and compares with what dapple computed.

    cargo run --release -p dapple-onnx --example check_files -- FOLDER
    python crates/dapple-onnx/tests/check_onnx.py FOLDER      (numpy, onnx, onnxruntime, safetensors; torch if there)

The model's description is checked with onnx's own checker and shape inference. Differences are relative: the largest
one over the largest value of the output. Weights are also loaded into the PyTorch definitions of
`crates/dapple-nets/tests/golden/make.py`, strictly by name, where there is one, and compared likewise.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from safetensors.numpy import load_file

LIMIT = 1e-4
GOLDEN = Path(__file__).parents[2] / "dapple-nets/tests/golden/make.py"


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


def torch_definition(name, weights):
    """The PyTorch module of a network, of the width and the classes that these weights have; None without one."""
    try:
        import torch  # noqa: F401
    except ImportError:
        return None
    spec = importlib.util.spec_from_file_location("golden", GOLDEN)
    golden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)

    def of(key):
        return weights[key].shape[0]

    makers = {
        "unet": lambda: golden.UNet(of("outc.conv.bias"), of("inc.double_conv.0.weight")),
        "unet-bilinear": lambda: golden.UNet(of("outc.conv.bias"), of("inc.double_conv.0.weight"), bilinear=True),
        "u2net": lambda: golden.U2Net(of("outconv.bias"), of("stage1.rebnconvin.conv_s1.bias")),
        "u2net-lite": lambda: golden.U2Net(of("outconv.bias"), of("stage1.rebnconvin.conv_s1.bias"), lite=True),
        "segnet": lambda: golden.SegNet(of("head.conv.bias"), of("encoder.features.0.bias")),
    }
    return makers[name]() if name in makers else None


def compare_torch(folder):
    """The largest difference of the PyTorch definition's primary output, or None without one."""
    weights = load_file(folder / "weights.safetensors")
    module = torch_definition(folder.name, weights)
    if module is None:
        return None
    import torch

    module.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()}, strict=True)
    module.eval()
    primary = session(folder / "logits.onnx").get_outputs()[0].name
    with torch.no_grad():
        pairs = [(case[primary], module(torch.from_numpy(case["input"]))[0].numpy()) for case in cases(folder)]
    return max(difference(expected, found) for expected, found in pairs)


def main():
    folder, failures = Path(sys.argv[1]), 0
    print(f"onnx {onnx.__version__}, onnxruntime {ort.__version__}\n")
    forms = ["logits", "newest", "all", "probabilities"]
    print(f"{'network':22} " + " ".join(f"{form:>13}" for form in [*forms, "torch"]))
    for path in sorted((folder / "networks").iterdir()):
        row = [compare(path / f"{form}.onnx")[0] for form in forms] + [compare_torch(path)]
        failures += sum(value is not None and not value <= LIMIT for value in row)
        print(f"{path.name:22} " + " ".join(f"{'-' if v is None else f'{v:.1e}':>13}" for v in row), flush=True)

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
