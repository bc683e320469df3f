"""Times one network in one of dapple's peers, in a process of its own, and prints one JSON object.

    python peer.py NETWORK --backend torch|torch-channels-last|torch-compile|onnxruntime|openvino
                   [--batch N] [--size N] [--train] [--threads N] [--runs N] [--weights FILE] [--input FILE]
                   [--device cpu|cuda:N] [--precision fp32|bf16|fp16]

The networks are the PyTorch definitions that dapple's golden tests compare with. A training step is forward, loss,
backward and Adam, as in `dapple bench --train`. `--input` is the file that `dapple bench --dump` wrote: its input is
used, and the largest difference between its output (or losses) and ours, as a share of the largest value, is reported
as "difference".

On a card, torch.compile runs in channels-last memory too, bf16 and fp16 are PyTorch's autocast (with its GradScaler for
fp16), and cuDNN tries its algorithms first.
"""

import argparse
import importlib.util
import io
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("network")
parser.add_argument("--backend", required=True)
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--train", action="store_true")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--weights")
parser.add_argument("--save-weights")
parser.add_argument("--input")
parser.add_argument("--device", default="cpu")
parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32")
args = parser.parse_args()
# Before the libraries are loaded: they read it once.
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(args.threads)
CARD = args.device.startswith("cuda")
LOW = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[args.precision]
if CARD:
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
GOLDEN = Path(__file__).parent.parent / "crates/dapple-nets/tests/golden/make.py"


def definitions():
    spec = importlib.util.spec_from_file_location("make", GOLDEN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(name):
    make = definitions()
    torch.manual_seed(0)
    return {
        "unet": lambda: make.UNet(2),
        "unet-bilinear": lambda: make.UNet(2, bilinear=True),
        "u2net": lambda: make.U2Net(1),
        "u2net-lite": lambda: make.U2Net(1, lite=True),
        "segnet": lambda: make.SegNet(2),
    }[name]()


def outputs(y):
    return list(y) if isinstance(y, (list, tuple)) else [y]


def loss_of(logits, labels):
    """The sum over the outputs, as dapple takes it."""
    if logits[0].shape[1] == 1:
        return sum(F.binary_cross_entropy_with_logits(z[:, 0], labels.float()) for z in logits)
    return sum(F.cross_entropy(z, labels) for z in logits)


def autocast():
    return torch.autocast(args.device.split(":")[0], LOW, enabled=LOW is not None)


def finished(value):
    """Waits for the card."""
    if CARD:
        torch.cuda.synchronize(args.device)
    return value


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main():
    model = network(args.network)
    if args.weights:
        model.load_state_dict(load_file(args.weights))
    if args.save_weights:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, args.save_weights)
        return
    dump = load_file(args.input) if args.input else {}
    n, s = args.batch, args.size
    x = dump["input"].permute(0, 3, 1, 2).contiguous() if dump else torch.rand(n, 3, s, s)
    rows, columns = torch.arange(s)[:, None] // 16, torch.arange(s)[None, :] // 16
    labels = ((rows + columns) % 2).expand(n, s, s).contiguous()

    model, x, labels = model.to(args.device), x.to(args.device), labels.to(args.device)
    if args.backend == "torch-channels-last" or (CARD and args.backend == "torch-compile"):
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    results = []
    if args.train:
        model.train()
        optimizer = torch.optim.Adam(model.parameters(), 1e-4)
        forward = torch.compile(model) if args.backend == "torch-compile" else model
        scaler = torch.amp.GradScaler(args.device.split(":")[0], enabled=args.precision == "fp16")

        def work():
            optimizer.zero_grad()
            with autocast():
                logits = outputs(forward(x))
            loss = loss_of([z.float() for z in logits], labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            results.append(finished(loss.item()))

    else:
        model.eval()
        run = inference(model, x)

        def work():
            results[:] = [run()]

    with torch.set_grad_enabled(args.train):
        work()
        times = []
        for _ in range(args.runs):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)

    difference = None
    if dump:
        ours = dump["losses" if args.train else "output"]
        if args.train:
            # Later steps amplify rounding; the first losses say whether the same is computed.
            ours, theirs = ours[:2], torch.tensor(results[:2])
        else:
            ours, theirs = ours.permute(0, 3, 1, 2), torch.as_tensor(results[0]).float().cpu()
        difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(json.dumps({
        "backend": args.backend,
        "median_s": statistics.median(times),
        "images_per_s": n / statistics.median(times),
        "peak_rss_mb": peak_mb(),
        "difference": difference,
    }))


class First(torch.nn.Module):
    """Only the output that inference wants."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return outputs(self.model(x))[0]


def once(model, x):
    """One pass, to its end; on a card, as dapple's, with the output on the host."""
    with autocast():
        y = model(x)
    return finished(y.float().cpu() if CARD else y)


def inference(model, x):
    first = First(model)
    if args.backend in ("torch", "torch-channels-last"):
        return lambda: once(first, x)
    if args.backend == "torch-compile":
        compiled = torch.compile(first)
        return lambda: once(compiled, x)
    with torch.no_grad():
        path = f"/tmp/dapple-bench-{os.getpid()}.onnx"
        torch.onnx.export(first, (x,), path, opset_version=18, dynamo=False, input_names=["x"], output_names=["y"])
    try:
        if args.backend == "onnxruntime":
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = args.threads
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            data = {"x": x.numpy()}
            return lambda: session.run(None, data)[0]
        if args.backend == "openvino":
            import openvino

            core = openvino.Core()
            settings = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32"}
            compiled = core.compile_model(path, "CPU", settings)
            data = x.numpy()
            return lambda: compiled(data)[0]
    finally:
        os.remove(path)
    sys.exit(f"unknown backend {args.backend}")


if __name__ == "__main__":
    main()
