"""Writes sizes.csv: the output sizes of PyTorch's convolutions and poolings, or - where PyTorch refuses.

    python make.py

Made with PyTorch 2.15. One line a case: operation, input, kernel, stride, padding, dilation, ceil, output.
"""

import pathlib
import random

import torch
import torch.nn.functional as F


def output_size(function, height, width):
    try:
        y = function(torch.zeros(1, 1, height, width))
    except RuntimeError:
        return "-"
    return f"{y.shape[2]} {y.shape[3]}" if y.numel() else "-"


def main():
    draw = random.Random(1)
    both = lambda low, high: [draw.randint(low, high), draw.randint(low, high)]
    text = lambda pair: f"{pair[0]} {pair[1]}"
    lines = []
    for _ in range(120):
        size, kernel, stride, padding, dilation = both(1, 14), both(1, 5), both(1, 4), both(0, 3), both(1, 3)
        conv = lambda x: F.conv2d(x, torch.zeros(1, 1, *kernel), None, stride, padding, dilation)
        settings = [text(kernel), text(stride), text(padding), text(dilation), "0"]
        lines.append(["conv2d", text(size), *settings, output_size(conv, *size)])
    for _ in range(80):
        size, kernel, stride, padding = both(1, 9), both(1, 5), both(1, 4), both(0, 2)
        conv = lambda x: F.conv_transpose2d(x, torch.zeros(1, 1, *kernel), None, stride, padding)
        settings = [text(kernel), text(stride), text(padding), "1 1", "0"]
        lines.append(["conv_transpose2d", text(size), *settings, output_size(conv, *size)])
    for i in range(240):
        size, kernel, stride, ceil = both(1, 12), both(1, 5), both(1, 4), i % 2 == 1
        # Now and then more than PyTorch allows, half the kernel.
        padding = [draw.randint(0, k // 2 + draw.choice([0, 0, 0, 1])) for k in kernel]
        pool = lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)
        settings = [text(kernel), text(stride), text(padding), "1 1", str(int(ceil))]
        lines.append(["max_pool", text(size), *settings, output_size(pool, *size)])
    path = pathlib.Path(__file__).with_name("sizes.csv")
    path.write_text("".join(",".join(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
