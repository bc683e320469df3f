"""Why single precision misses some gradients by more than roundings: counts the ReLUs and pooled maxima that fall to the other
side, in PyTorch's float32 against its float64, on the narrow networks of make.py.

    OMP_NUM_THREADS=1 python flips.py NAME ...

Prints for each network the largest difference of a parameter's gradient (norm over norm), how many values fell to the
other side, and the difference with float64's sides forced upon float32. Made with torch 2.15.
"""

import copy
import sys

import torch
from make import *
from oracles import *

pool_with_indices = F.max_pool2d_with_indices


class Sides:
    """Which side each ReLU and each pooled maximum took, in the order in which they are computed."""

    def __init__(self):
        self.kept, self.force, self.recording = [], False, True

    def restart(self, force):
        self.force, self.recording, self.next, self.other, self.total = force, False, 0, 0, 0

    def take(self, side):
        """The side to go by."""
        if self.recording:
            self.kept.append(side)
            return side
        kept, self.next = self.kept[self.next], self.next + 1
        self.other += int((side != kept).sum())
        self.total += kept.numel()
        return kept if self.force else side


SIDES = Sides()


def relu(x, inplace=False):
    return x * SIDES.take(x.detach() > 0).to(x.dtype)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    _, indices = pool_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode)
    indices = SIDES.take(indices)
    y = x.flatten(2).gather(2, indices.flatten(2)).reshape(indices.shape)
    return (y, indices) if return_indices else y


def gradients(model, x, labels):
    model.train()
    sum(F.cross_entropy(y, labels) for y in outputs(model, x)).backward()
    return {k: p.grad.double() for k, p in model.named_parameters() if p.grad is not None}


def differences(model, size):
    model = without_dropout(model.double())
    with torch.no_grad():
        for key, value in floats(model).items():
            value.copy_(values(key, value.shape))
    n, h, w = size
    x = torch.from_numpy(2 * hashed("input", n * 3 * h * w)).reshape(n, 3, h, w).float().double()
    labels = torch.from_numpy(np.floor((hashed("labels", n * h * w) + 1) / 2 * CLASSES)).long().reshape(n, h, w)
    SIDES.__init__()
    expected = gradients(copy.deepcopy(model), x, labels)
    largest = max(g.norm() for g in expected.values())
    for force in (False, True):
        SIDES.restart(force)
        found = gradients(copy.deepcopy(model).float(), x.float(), labels)
        yield max(float((found[k] - g).norm() / max(g.norm(), 1e-3 * largest)) for k, g in expected.items())


def main(names):
    torch.set_num_threads(1)
    F.relu, F.max_pool2d = relu, max_pool2d
    nn.ReLU.forward = lambda self, x: relu(x)
    nn.MaxPool2d.forward = lambda self, x: max_pool2d(
        x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
    )
    for name, _, size, make in cases(8):
        if name in names:
            free, forced = differences(make(), size)
            print(f"{name}: {free:.1e}, {SIDES.other} of {SIDES.total} on the other side; with the same sides {forced:.1e}")


if __name__ == "__main__":
    main(sys.argv[1:])
