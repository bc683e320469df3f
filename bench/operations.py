"""Times single operations, forward and backward, in dapple and in PyTorch, and prints a table for BENCHMARKS.md.

    bench/run operations [--threads N] [--rounds N]

dapple's side is crates/dapple-cpu/examples/operations.rs. PyTorch runs each operation contiguous and channels_last; the
better of the two counts, direction by direction.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
OURS = ROOT / "target/release/examples/operations"


def theirs(threads):
    """Best times of all operations in this process, by name."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import time

    import torch
    from torch.nn import functional as F

    torch.set_num_threads(threads)

    def best(work, runs=15):
        work()
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times) * 1e3

    def conv(out, kernel, stride=1, dilation=1, groups=1):
        def make(channels):
            w = torch.randn(out, channels // groups, kernel, kernel, requires_grad=True)
            padding = kernel // 2 * dilation
            return [w], lambda x: F.conv2d(x, w, None, stride, padding, dilation, groups)
        return make

    def transposed(out):
        def make(channels):
            w, b = torch.randn(channels, out, 2, 2, requires_grad=True), torch.randn(out, requires_grad=True)
            return [w, b], lambda x: F.conv_transpose2d(x, w, b, 2)
        return make

    def module(layer, function=None):
        return lambda channels: (list(layer.parameters()), function or layer)

    def plain(function):
        return lambda channels: ([], function)

    def normed(channels):
        layer = torch.nn.BatchNorm2d(channels)
        return list(layer.parameters()), lambda x: F.relu(layer(x))

    def attention(heads, keys=None):
        def work(x):
            s = x if keys is None else F.adaptive_avg_pool2d(x, keys)
            split = lambda y: y.flatten(2).unflatten(1, (heads, -1)).transpose(2, 3)
            return F.scaled_dot_product_attention(split(x), split(s), split(s))
        return plain(work)

    layer_norm = torch.nn.LayerNorm(96)
    work = {
        "3x3, 64 > 64": conv(64, 3), "3x3, 128 > 64": conv(64, 3), "3x3, 128 > 128": conv(128, 3),
        "3x3, 256 > 256": conv(256, 3), "3x3, 512 > 512": conv(512, 3), "3x3, 1024 > 1024": conv(1024, 3),
        "3x3, 64 > 16": conv(16, 3), "3x3, 16 > 16": conv(16, 3), "3x3, 16 > 64": conv(64, 3),
        "3x3 dilated by 2, 16 > 16": conv(16, 3, dilation=2), "3x3 stride 2, 64 > 128": conv(128, 3, 2),
        "1x1, 256 > 64": conv(64, 1), "1x1, 64 > 256": conv(256, 1), "1x1, 512 > 2048": conv(2048, 1),
        "7x7 stride 2, 3 > 64": conv(64, 7, 2),
        "transposed 2x2, 128 > 64": transposed(64), "transposed 2x2, 1024 > 512": transposed(512),
        "depthwise 3x3": conv(32, 3, groups=32), "depthwise 3x3 stride 2": conv(96, 3, 2, groups=96),
        "depthwise 5x5": conv(240, 5, groups=240), "depthwise 7x7": conv(96, 7, groups=96),
        "batch norm and ReLU": normed,
        "layer norm": module(layer_norm, lambda x: layer_norm(x.permute(0, 2, 3, 1))),
        "GELU": plain(F.gelu), "hard swish": plain(F.hardswish),
        "max pooling 2x2": plain(lambda x: F.max_pool2d(x, 2, return_indices=True)[0]),
        "bilinear to twice the size":
            plain(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)),
        "concatenation, 64 + 64": plain(lambda x: torch.cat([x, x], 1)),
        "dropout": plain(lambda x: F.dropout(x, 0.5)),
        "attention, 256 keys": attention(1, 16), "attention, 1024 keys, 6 heads": attention(6),
    }
    times = {}
    for entry in json.load(sys.stdin):
        name, (n, h, w, c) = entry["name"], entry["map"]
        results = []
        if name == "Adam":
            p = torch.randn(c, requires_grad=True)
            p.grad = torch.randn(c)
            for fused in [False, True]:
                results.append((best(torch.optim.Adam([p], 1e-4, fused=fused).step), 0.0))
        elif name.startswith("cross-entropy"):
            labels = torch.randint(c, (n, h, w))
            factor = torch.ones(c, 1, 1, requires_grad=True)
            for form in [torch.contiguous_format, torch.channels_last]:
                x = torch.randn(n, c, h, w).contiguous(memory_format=form)
                results.append((best(lambda: F.cross_entropy(x * factor, labels).backward()), 0.0))
        else:
            for form in [torch.contiguous_format, torch.channels_last]:
                x = torch.randn(n, c, h, w).contiguous(memory_format=form).requires_grad_()
                if name == "max unpooling 2x2":
                    small, indices = F.max_pool2d(x.detach(), 2, return_indices=True)
                    x = small.detach().requires_grad_()
                    parameters, run = [], lambda x: F.max_unpool2d(x, indices, 2)
                else:
                    parameters, run = work[name](c)
                with torch.no_grad():
                    forward = best(lambda: run(x))
                y = run(x)
                g = torch.randn_like(y)
                backward = best(lambda: torch.autograd.grad(y, [x, *parameters], g, retain_graph=True))
                results.append((forward, backward))
        times[name] = [min(r[0] for r in results), min(r[1] for r in results)]
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="PyTorch's side, called by the other one")
    args = parser.parse_args()
    if args.peer:
        print(json.dumps(theirs(args.threads)))
        return
    ours, peer = {}, {}
    for _ in range(args.rounds):
        text = subprocess.run([OURS, str(args.threads)], check=True, capture_output=True, text=True).stdout
        entries = json.loads(text)
        for entry in entries:
            ours.setdefault(entry["name"], []).append([entry["forward"], entry["backward"]])
        command = [sys.executable, __file__, "--peer", "--threads", str(args.threads)]
        text = subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout
        for name, times in json.loads(text).items():
            peer.setdefault(name, []).append(times)

    def least(times, way):
        return min(t[way] for t in times)

    rows = []
    for entry in entries:
        name, (n, h, w, c) = entry["name"], entry["map"]
        where = f"{c:,} values" if name == "Adam" else f"{n} x {h} x {w} x {c}"
        cells = []
        for way in [0, 1]:
            mine, other = least(ours[name], way), least(peer[name], way)
            cells.append(f"{mine:.2f} / {other:.2f} | {mine / other:.2f}" if other else "|")
        rows.append(f"| {name} | {where} | {cells[0]} | {cells[1]} |")
    from document import write_section

    write_section("operations", f"""## Single operations

Made by `bench/run operations --rounds {args.rounds}`: the best of {args.rounds} x 15 passes, {args.threads} threads, time in ms of
dapple / PyTorch (the better of contiguous and channels_last), and their quotient. Backward computes the gradients of the feature map and
of the weights. Operations that dapple's next kernel applies while reading (the scale of batch norm, a concatenation) are timed here with a
copy that stores the result, which a network does not need. Cross-entropy is forward and backward together.

| operation | feature map | forward, ms | quotient | backward, ms | quotient |
|---|---|---|---|---|---|
""" + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
