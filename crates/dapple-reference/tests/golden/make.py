"""Writes golden.json: what PyTorch computes in float64 for every operation, loss and optimiser.

    OMP_NUM_THREADS=1 python make.py

Made with PyTorch 2.15, torchvision, segmentation_models_pytorch and SciPy. Inputs, parameters and output gradients are not stored: both sides compute them with
`numbers`. Activations are stored in [n, h, w, c], parameters in PyTorch's order, to 12 significant digits.
"""

import json
import math
import pathlib

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
import torchvision
from scipy.ndimage import distance_transform_edt as edt

torch.set_default_dtype(torch.float64)
# PyTorch's Muon iterates in half precision, which hides differences.
torch.bfloat16 = torch.float64
# And segmentation_models_pytorch makes some targets single.
torch.Tensor.float = torch.Tensor.double


def numbers(shape, salt, levels=1009):
    """Values in (-1, 1), multiples of 2 / levels rounded to 1 / 512; few levels make ties and zeros."""
    count = math.prod(shape)
    values = [((i * 7919 + salt * 104729) % levels - levels // 2) / 512 for i in range(count)]
    return torch.tensor(values).reshape(shape)


def activation(shape, salt, levels=1009):
    """[n, h, w, c] numbers as PyTorch's [n, c, h, w]."""
    return numbers(shape, salt, levels).permute(0, 3, 1, 2).contiguous()


def flat(tensor):
    return [float(f"{v:.12g}") for v in tensor.detach().flatten().tolist()]


def flat_map(tensor):
    return flat(tensor.permute(0, 2, 3, 1))


def f32(value):
    """The settings are stored in f32."""
    return torch.tensor(value, dtype=torch.float32).item()


def record(name, op, shape, settings, function, params=(), levels=1009, **more):
    """One operation: output, and gradients of input and parameters."""
    x = activation(shape, 1, levels).requires_grad_()
    params = [p.requires_grad_() for p in params]
    y = function(x, *params)
    y.backward(activation([y.shape[0], y.shape[2], y.shape[3], y.shape[1]], 2))
    case = {"name": name, "op": op, "input": shape, "levels": levels, **settings}
    case["y"], case["gx"] = flat_map(y), flat_map(x.grad)
    case["gp"] = [v for p in params for v in flat(p.grad)]
    for key, tensors in more.items():
        case[key] = [v for t in tensors for v in flat(t)]
    return case


def convolutions():
    def conv(name, shape, out, kernel, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, bias=True):
        settings = dict(out=out, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
        params = [numbers([out, shape[3] // groups, *kernel], 3)] + ([numbers([out], 4)] if bias else [])
        run = lambda x, w, b=None: F.conv2d(x, w, b, stride, padding, dilation, groups)
        return record(name, "conv2d", shape, {**settings, "bias": bias}, run, params)

    yield conv("3x3", [2, 4, 5, 2], 3, (3, 3), padding=(1, 1))
    yield conv("one pixel", [1, 1, 1, 3], 2, (1, 1), bias=False)
    yield conv("one pixel, 3x3", [1, 1, 1, 2], 2, (3, 3), padding=(1, 1))
    yield conv("stride", [1, 7, 6, 2], 2, (3, 3), stride=(2, 3), padding=(1, 0))
    yield conv("dilation", [1, 7, 8, 1], 2, (3, 2), dilation=(2, 3), padding=(2, 1))
    yield conv("groups", [1, 4, 4, 4], 6, (3, 3), padding=(1, 1), groups=2)
    yield conv("depthwise", [1, 5, 4, 3], 6, (3, 3), padding=(1, 1), groups=3, bias=False)
    yield conv("everything", [2, 9, 8, 4], 2, (3, 2), (2, 1), (2, 3), (2, 3), 2)
    yield conv("padding beyond the kernel", [1, 2, 2, 1], 1, (2, 2), padding=(3, 4))

    def transpose(name, shape, out, kernel, stride, padding=(0, 0), bias=True):
        settings = dict(out=out, kernel=kernel, stride=stride, padding=padding, bias=bias)
        params = [numbers([shape[3], out, *kernel], 3)] + ([numbers([out], 4)] if bias else [])
        run = lambda x, w, b=None: F.conv_transpose2d(x, w, b, stride, padding)
        return record(name, "conv_transpose2d", shape, settings, run, params)

    yield transpose("2x2 stride 2", [2, 3, 2, 3], 2, (2, 2), (2, 2))
    yield transpose("overlap", [1, 3, 3, 2], 2, (4, 3), (2, 1), (1, 1), bias=False)
    yield transpose("gaps", [1, 2, 3, 2], 1, (2, 1), (3, 2))
    yield transpose("one pixel", [1, 1, 1, 3], 2, (3, 3), (1, 1), (1, 1))


def norms():
    shape, c = [2, 3, 4, 3], 3
    for train in (True, False):
        for eps, momentum in ((1e-5, 0.1), (1e-2, 0.5)):
            mean, var = numbers([c], 5), 0.5 + numbers([c], 6).abs()
            params = [numbers([c], 3), numbers([c], 4)]
            run = lambda x, g, b: F.batch_norm(x, mean, var, g, b, train, f32(momentum), f32(eps))
            settings = dict(train=train, eps=eps, momentum=momentum)
            name = f"{'train' if train else 'eval'} {eps}"
            yield record(name, "batch_norm", shape, settings, run, params, statistics=[mean, var])


def pools():
    def pool(name, shape, kernel, stride, padding=(0, 0), ceil=False, levels=1009):
        settings = dict(kernel=kernel, stride=stride, padding=padding, ceil=ceil)
        run = lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)
        return record(name, "max_pool", shape, settings, run, levels=levels)

    yield pool("2x2", [2, 4, 6, 2], (2, 2), (2, 2))
    yield pool("odd, floor", [1, 5, 7, 2], (2, 2), (2, 2))
    yield pool("odd, ceil", [1, 5, 7, 2], (2, 2), (2, 2), ceil=True)
    yield pool("ties", [1, 6, 6, 2], (3, 3), (2, 2), (1, 1), levels=3)
    yield pool("overlap, ceil, padding", [1, 6, 7, 1], (3, 3), (2, 2), (1, 1), ceil=True)
    yield pool("ceil would start in the padding", [1, 3, 3, 1], (2, 2), (2, 2), (1, 1), ceil=True)
    yield pool("ceil, stride beyond the kernel", [1, 6, 7, 1], (2, 1), (3, 4), ceil=True)
    yield pool("kernel larger than the input, ceil", [1, 2, 2, 1], (3, 3), (2, 2), ceil=True)
    yield pool("one pixel", [1, 1, 1, 2], (3, 3), (2, 2), (1, 1))

    def unpool(name, shape, kernel, stride, padding=(0, 0), ceil=False):
        settings = dict(kernel=kernel, stride=stride, padding=padding, ceil=ceil)

        def run(x):
            y, indices = F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil, return_indices=True)
            # Written out, because F.max_unpool2d takes no ceil mode.
            flat = torch.zeros_like(x).flatten(2).scatter(2, indices.flatten(2), (3 * y).flatten(2))
            return flat.reshape(x.shape)

        return record(name, "max_unpool", shape, settings, run)

    yield unpool("2x2", [2, 4, 4, 2], (2, 2), (2, 2))
    yield unpool("ceil", [1, 5, 3, 2], (2, 2), (2, 2), ceil=True)
    yield unpool("padding", [1, 5, 6, 1], (3, 2), (3, 2), (1, 1))


def sampling():
    sizes = [((3, 4), (6, 8)), ((5, 7), (3, 2)), ((4, 3), (7, 10)), ((1, 1), (3, 2)), ((4, 5), (1, 1)), ((3, 3), (3, 3))]
    for source, target in sizes:
        shape = [1, *source, 2]
        for kind, options in {
            "nearest": dict(mode="nearest"),
            "half-pixel": dict(mode="bilinear", align_corners=False),
            "corners": dict(mode="bilinear", align_corners=True),
        }.items():
            run = lambda x: F.interpolate(x, size=target, **options)
            yield record(f"{source} to {target}", "resize", shape, dict(kind=kind, target=target), run)

        def fit(x):
            pads = []
            for i, o in zip(reversed(source), reversed(target)):
                before = (o - i) // 2 if o >= i else -((i - o) // 2)
                pads += [before, o - i - before]
            return F.pad(x, pads)

        yield record(f"{source} to {target}", "fit_to", shape, dict(target=target), fit)
    for kind in ("nearest", "half-pixel", "corners"):
        options = dict(mode="nearest") if kind == "nearest" else dict(mode="bilinear", align_corners=kind == "corners")
        run = lambda x: F.interpolate(x, scale_factor=3, **options)
        yield record("3 times", "upscale", [1, 2, 3, 2], dict(kind=kind, factor=3), run)


def joins():
    yield record("zeros too", "relu", [1, 3, 3, 2], {}, F.relu, levels=7)
    yield record("with its ReLU", "concat", [1, 2, 3, 2], {}, lambda x: torch.cat([x, F.relu(x), x], 1))
    yield record("with its ReLU", "add", [1, 2, 3, 2], {}, lambda x: F.relu(x) + x)


def activations():
    # F.hardsigmoid multiplies with the f32 nearest to 1 / 6 even in f64.
    hard = {"relu6": F.relu6, "hard_sigmoid": lambda x: F.relu6(x + 3) / 6, "hard_swish": F.hardswish}
    smooth = {"sigmoid": torch.sigmoid, "silu": F.silu, "gelu": F.gelu, "negative": torch.neg}
    for op, function in {**hard, **smooth}.items():
        # Eight times the values, so that all branches and tails are met.
        yield record("wide", op, [1, 6, 7, 2], {}, lambda x: function(8 * x))


def channel_operations():
    for eps in (1e-5, 1e-2):
        run = lambda x, g, b: F.layer_norm(x.permute(0, 2, 3, 1), [5], g, b, f32(eps)).permute(0, 3, 1, 2)
        yield record(f"{eps}", "layer_norm", [2, 2, 3, 5], dict(eps=eps), run, [numbers([5], 3), numbers([5], 4)])
    for groups in (1, 3, 6):
        run = lambda x, g, b: F.group_norm(x, groups, g, b, f32(1e-5))
        yield record(f"{groups}", "group_norm", [2, 2, 3, 6], dict(groups=groups), run, [numbers([6], 3), numbers([6], 4)])
    yield record("channels", "scale", [2, 2, 3, 5], {}, lambda x, s: x * s, [numbers([5, 1, 1], 3)])
    for channels in (1, 3):
        run = lambda x: x.sum(1, keepdim=True).expand(-1, channels, -1, -1)
        yield record(f"to {channels}", "channel_sum", [2, 2, 3, 5], dict(channels=channels), run)
    yield record("two maps", "mul", [1, 3, 4, 2], dict(gate=False), lambda x: x * F.relu(x))
    yield record("gate", "mul", [2, 3, 4, 2], dict(gate=True), lambda x: x * F.adaptive_avg_pool2d(x, 1))
    for size, target in [((4, 6), (2, 3)), ((7, 5), (3, 2)), ((10, 11), (6, 4)), ((3, 2), (5, 7)), ((5, 8), (1, 1))]:
        run = lambda x: F.adaptive_avg_pool2d(x, target)
        yield record(f"{size} to {target}", "average_pool", [2, *size, 2], dict(target=target), run)

    def mean_pool(name, shape, kernel, stride, padding=(0, 0)):
        run = lambda x: F.avg_pool2d(x, kernel, stride, padding)
        return record(name, "mean_pool", shape, dict(kernel=kernel, stride=stride, padding=padding), run)

    yield mean_pool("2x2", [2, 4, 6, 2], (2, 2), (2, 2))
    yield mean_pool("odd", [1, 5, 7, 2], (2, 3), (2, 1))
    yield mean_pool("zeros of the padding count", [2, 6, 5, 2], (5, 5), (2, 2), (2, 2))
    yield mean_pool("larger than the map", [1, 3, 4, 1], (9, 17), (4, 8), (4, 8))
    yield mean_pool("gaps", [1, 7, 6, 1], (2, 1), (3, 4), (1, 0))


def attentions():
    def attention(shape, channels, heads, keys):
        def run(x, wq, wk, wv):
            source = x if keys is None else F.adaptive_avg_pool2d(x, keys)
            # [n, c, h, w] to [n, heads, pixels, c / heads].
            split = lambda y: y.flatten(2).unflatten(1, (heads, -1)).transpose(2, 3)
            q, k, v = (split(F.conv2d(y, w)) for y, w in ((x, wq), (source, wk), (source, wv)))
            y = F.scaled_dot_product_attention(q, k, v)
            return y.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:])

        params = [numbers([channels, shape[3], 1, 1], salt) for salt in (3, 4, 5)]
        settings = dict(channels=channels, heads=heads, keys=keys)
        return record(f"{heads} heads, keys {keys}", "attention", shape, settings, run, params)

    yield attention([2, 3, 4, 3], 4, 1, None)
    yield attention([1, 3, 4, 2], 6, 3, None)
    yield attention([2, 5, 4, 3], 8, 2, (2, 3))
    yield attention([1, 1, 1, 3], 2, 2, None)


def losses():
    def dice(z, labels, counted):
        k = z.shape[1]
        p = torch.sigmoid(z) if k == 1 else torch.softmax(z, 1)
        targets = [labels == 1] if k == 1 else [labels == c for c in range(k)]
        scores = []
        for c, target in enumerate(targets):
            if k > 1 and not (target & counted).any():
                continue
            pc, t = p[:, c][counted], target[counted].double()
            scores.append((2 * (pc * t).sum() + 1) / (pc.sum() + t.sum() + 1))
        return 1 - torch.stack(scores).mean()

    def bce(z, labels, counted, weights):
        k = z.shape[1]
        if k == 1:
            weight = None if weights is None else weights[(labels == 1).long()][counted]
            return F.binary_cross_entropy_with_logits(z[:, 0][counted], (labels == 1)[counted].double(), weight)
        z = z.permute(0, 2, 3, 1)[counted]
        return F.binary_cross_entropy_with_logits(z, F.one_hot(labels[counted], k).double(), weights)

    for k in (1, 2, 4):
        for ignore in (None, 255, 0):
            for weighted in (False, True):
                shape = [2, 3, 4, k]
                # Unequal, so that losses which sort have one order.
                jitter = (1e-5 * torch.arange(math.prod(shape)) ** 2).reshape(shape).permute(0, 3, 1, 2)
                z = (4 * activation(shape, 1) + jitter).requires_grad_()
                # Class 3 does not occur, so that Dice leaves it out.
                labels = torch.tensor([(i * i + i // 3) % 3 for i in range(24)])
                labels = labels.clamp(max=max(k - 1, 1))
                if ignore == 255:
                    labels[::5] = 255
                labels = labels.reshape(2, 3, 4)
                counted = torch.ones_like(labels).bool() if ignore is None else labels != ignore
                weights = torch.tensor([0.25 + 0.5 * c for c in range(max(k, 2))]) if weighted else None
                safe = torch.where(counted, labels, torch.zeros_like(labels))
                terms = {"binary-cross-entropy": bce(z, safe, counted, weights), "dice": dice(z, safe, counted)}
                if k > 1:
                    missing = -100 if ignore is None else ignore
                    terms["cross-entropy"] = F.cross_entropy(z, labels, weights, ignore_index=missing)
                more = {}
                if k > 1:
                    more["cross-entropy", ("smoothing", 0.125)] = F.cross_entropy(
                        z, labels, weights, ignore_index=missing, label_smoothing=0.125)
                more |= published(z, labels, counted, weights, ignore)
                terms = {(kind,): value for kind, value in terms.items()} | more
                for (kind, *settings), value in terms.items():
                    (gradient,) = torch.autograd.grad(value, z, retain_graph=True)
                    yield {
                        "kind": kind, "settings": dict(settings), "shape": shape, "labels": labels.flatten().tolist(), "ignore": ignore,
                        "class_weights": None if weights is None else weights.tolist(),
                        "value": float(f"{value.item():.12g}"), "gradient": flat_map(gradient),
                    }


def published(z, labels, counted, weights, ignore):
    """The losses that segmentation_models_pytorch or torchvision have, and autograd of the others' definitions."""
    k = z.shape[1]
    binary = k == 1
    mode = "binary" if binary else "multiclass"
    target = (labels == 1).double() if binary else labels
    rows = z.permute(0, 2, 3, 1)[counted]
    truth = labels[counted]
    if binary:
        nll = F.binary_cross_entropy_with_logits(rows[:, 0], (truth == 1).double(), reduction="none")
        pixel = None if weights is None else weights[(truth == 1).long()].double()
    else:
        nll = F.cross_entropy(rows, truth, reduction="none")
        pixel = None if weights is None else weights[truth].double()
    w = torch.ones_like(nll) if pixel is None else pixel
    terms = {}
    for gamma in (2.0, 1.5):
        focal = w * (1 - torch.exp(-nll)) ** gamma * nll
        terms["focal", ("gamma", gamma)] = focal.mean() if binary else focal.sum() / w.sum()
    if binary and weights is None:
        terms["focal", ("gamma", 3.0)] = torchvision.ops.sigmoid_focal_loss(
            rows[:, 0], (truth == 1).double(), alpha=-1, gamma=3.0, reduction="mean")
    order = torch.sort(nll, descending=True, stable=True).indices[: math.ceil(0.3 * len(nll) - 1e-9)]
    terms["ohem", ("keep", f32(0.3))] = (w[order] * nll[order]).sum() / w[order].sum()
    # Theirs averages over all classes, ours over those that occur.
    occurring = 1 if binary else len(truth.unique())
    if ignore is None or not binary:
        tversky = smp.losses.TverskyLoss(mode, smooth=0.5, eps=0.0, ignore_index=ignore, alpha=f32(0.3), beta=f32(0.7))
        terms["tversky",] = tversky(z, target) * k / occurring
        lovasz = smp.losses.LovaszLoss(mode, per_image=False, ignore_index=ignore)
        terms["lovasz",] = lovasz(z, target)
    p = torch.sigmoid(z) if binary else torch.softmax(z, 1)
    distances = torch.zeros_like(p)
    for n in range(z.shape[0]):
        for c in range(k):
            inside = ((labels[n] == (1 if binary else c)) & counted[n]).numpy()
            if inside.any() and not inside.all():
                outer, inner = edt(~inside), edt(inside)
                distances[n, c] = torch.from_numpy(np.where(inside, 1 - inner, outer))
    terms["boundary",] = (p * distances).sum(1)[counted].mean()
    return terms


def optimisers():
    sgd = lambda m, n, d: (dict(name="sgd", momentum=m, nesterov=n, weight_decay=d),
                           lambda p: torch.optim.SGD(p, 0.1, momentum=f32(m), nesterov=n, weight_decay=f32(d)))
    rms = lambda m, d: (dict(name="rmsprop", alpha=0.99, eps=1e-8, momentum=m, weight_decay=d),
                        lambda p: torch.optim.RMSprop(p, 0.1, f32(0.99), f32(1e-8), f32(d), f32(m)))
    betas = (f32(0.9), f32(0.999))
    adam = lambda d: (dict(name="adam", beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=d),
                      lambda p: torch.optim.Adam(p, 0.1, betas, f32(1e-8), f32(d)))
    adamw = lambda d: (dict(name="adamw", beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=d),
                       lambda p: torch.optim.AdamW(p, 0.1, betas, f32(1e-8), f32(d)))
    # Lion has no published package here: algorithm 2 of the paper.
    class Lion(torch.optim.Optimizer):
        def __init__(self, params, decay):
            super().__init__(params, dict(lr=0.1, weight_decay=f32(decay), betas=(f32(0.9), f32(0.99))))

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                (b1, b2), lr = group["betas"], group["lr"]
                for p in group["params"]:
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    p -= lr * (torch.sign(b1 * m + (1 - b1) * p.grad) + group["weight_decay"] * p)
                    m.copy_(b2 * m + (1 - b2) * p.grad)

    lion = lambda d: (dict(name="lion", beta1=0.9, beta2=0.99, weight_decay=d), lambda p: Lion(p, d))

    class Muon:
        """PyTorch's for the matrix, its AdamW for the bias."""

        def __init__(self, groups, decay):
            decays = [f32(decay), f32(groups[1].get("weight_decay", decay))]
            (self.weight,), bias = groups[0]["params"], groups[1]["params"]
            self.matrix = torch.nn.Parameter(self.weight.detach().flatten(1))
            muon = torch.optim.Muon([self.matrix], 0.1, decays[0], f32(0.95), adjust_lr_fn="match_rms_adamw")
            betas = (f32(0.9), f32(0.95))
            self.optimisers = [muon, torch.optim.AdamW(bias, 0.1, betas, f32(1e-8), decays[1])]
            self.param_groups = [group for o in self.optimisers for group in o.param_groups]

        def step(self):
            self.matrix.grad = self.weight.grad.flatten(1)
            for optimiser in self.optimisers:
                optimiser.step()
            self.weight.data.copy_(self.matrix.detach().reshape(self.weight.shape))

    muon = lambda d: (dict(name="muon", momentum=0.95, weight_decay=d), lambda p: Muon(p, d))
    rules = [lion(0), lion(0.1), muon(0), muon(0.1), sgd(0, False, 0), sgd(0.9, False, 0.01), sgd(0.9, True, 0.01), rms(0, 0), rms(0.9, 0.01),
             adam(0), adam(0.01), adamw(0.1)]
    for settings, make in rules:
        for decay in ("all", "weights"):
            for clip in (None, 1.0, 100.0):
                # A convolution's weight and its bias.
                weight, bias = numbers([2, 3, 1, 1], 3).requires_grad_(), numbers([2], 4).requires_grad_()
                groups = [{"params": [weight]}, {"params": [bias]}]
                if decay == "weights":
                    groups[1]["weight_decay"] = 0.0
                optimiser = make(groups)
                norms = []
                for step in range(4):
                    weight.grad, bias.grad = numbers([2, 3, 1, 1], 10 + step), numbers([2], 20 + step)
                    limit = math.inf if clip is None else clip
                    norms.append(torch.nn.utils.clip_grad_norm_([weight, bias], limit).item())
                    for group in optimiser.param_groups:
                        group["lr"] = 0.1 / (step + 1)
                    optimiser.step()
                yield {"optimizer": {**settings, "decay": decay}, "clip": clip,
                       "norms": [float(f"{v:.12g}") for v in norms], "values": flat(weight) + flat(bias)}


def main():
    operations = [*convolutions(), *norms(), *pools(), *sampling(), *joins(),
                  *activations(), *channel_operations(), *attentions()]
    sections = {"operations": operations, "losses": list(losses()), "optimisers": list(optimisers())}
    lines = []
    for key, cases in sections.items():
        rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        lines.append(f'"{key}": [\n{rows}\n]')
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    pathlib.Path(__file__).with_name("golden.json").write_text(text)


if __name__ == "__main__":
    main()
