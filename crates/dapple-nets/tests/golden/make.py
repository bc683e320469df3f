"""Makes the golden files of this folder: PyTorch's view of dapple's networks.

    python make.py          (torch, torchvision and safetensors installed)

- NAME.keys.txt: keys and shapes of the full-size networks' state dicts, for torchvision's VGG16 too.
- counts.json: parameters and multiply-adds (224 x 224) of the full-size networks.
- NAME.safetensors: a narrow network with weights `state.KEY` (f16, so that they are exact in f32) and, computed
  from them in f64 and stored in f32, in PyTorch's layouts:
    input [2, 3, 37, 45], labels [2, 37, 45]; eval.I: the outputs' logits;
    input32, eval32.0: the same for [2, 3, 32, 32] and the first output;
    after one forward pass in training mode: train.I, loss, running (all running statistics one after another in
    the order of the keys) and grad (likewise the gradients of the parameters, of which only every STRIDE-th value is
    kept where there are more than DENSE).
- legacy.pth, zip.pth, protocol4.pth: a small checkpoint in both formats of torch.save and with a newer pickle protocol;
  state.safetensors: what they hold.

The modules follow the papers; their names are those of the published checkpoints.
"""

import json
from collections import OrderedDict
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent
DENSE, STRIDE = 256, 29


# U-Net: Ronneberger et al. 2015 with padding and batch norm.


class DoubleConv(nn.Module):
    def __init__(self, cin, cout, mid=None):
        super().__init__()
        mid = mid or cout
        self.double_conv = nn.Sequential(
            nn.Conv2d(cin, mid, 3, padding=1, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
            nn.Conv2d(mid, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(),
        )

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(cin, cout))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, cin, cout, bilinear):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(cin, cout, cin // 2)
        else:
            self.up = nn.ConvTranspose2d(cin, cin // 2, 2, stride=2)
            self.conv = DoubleConv(cin, cout)

    def forward(self, x, skip):
        x = self.up(x)
        dy, dx = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.conv(torch.cat([skip, x], 1))


class Out(nn.Module):
    def __init__(self, cin, classes):
        super().__init__()
        self.conv = nn.Conv2d(cin, classes, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, classes, width=64, bilinear=False):
        super().__init__()
        w, f = width, 2 if bilinear else 1
        self.inc = DoubleConv(3, w)
        self.down1, self.down2, self.down3 = Down(w, 2 * w), Down(2 * w, 4 * w), Down(4 * w, 8 * w)
        self.down4 = Down(8 * w, 16 * w // f)
        self.up1, self.up2 = Up(16 * w, 8 * w // f, bilinear), Up(8 * w, 4 * w // f, bilinear)
        self.up3, self.up4 = Up(4 * w, 2 * w // f, bilinear), Up(2 * w, w, bilinear)
        self.outc = Out(w, classes)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x = self.down4(x4)
        for up, skip in [(self.up1, x4), (self.up2, x3), (self.up3, x2), (self.up4, x1)]:
            x = up(x, skip)
        return [self.outc(x)]


# U2-Net: Qin et al. 2020, figure 2 and table 1.


class Rebnconv(nn.Module):
    def __init__(self, cin, cout, dilation=1):
        super().__init__()
        self.conv_s1 = nn.Conv2d(cin, cout, 3, padding=dilation, dilation=dilation)
        self.bn_s1 = nn.BatchNorm2d(cout)

    def forward(self, x):
        return F.relu(self.bn_s1(self.conv_s1(x)))


def like(x, y):
    return F.interpolate(x, size=y.shape[2:], mode="bilinear", align_corners=False)


class RSU(nn.Module):
    def __init__(self, height, cin, mid, cout):
        super().__init__()
        self.height = height
        self.rebnconvin = Rebnconv(cin, cout)
        for i in range(1, height + 1):
            layer = Rebnconv(cout if i == 1 else mid, mid, 2 if i == height else 1)
            setattr(self, f"rebnconv{i}", layer)
        for i in range(height - 1, 0, -1):
            setattr(self, f"rebnconv{i}d", Rebnconv(2 * mid, cout if i == 1 else mid))

    def forward(self, x):
        start = self.rebnconvin(x)
        x, skips = start, []
        for i in range(1, self.height):
            if i > 1:
                x = F.max_pool2d(x, 2, 2, ceil_mode=True)
            x = getattr(self, f"rebnconv{i}")(x)
            skips.append(x)
        x = getattr(self, f"rebnconv{self.height}")(x)
        for i in range(self.height - 1, 0, -1):
            x = torch.cat([like(x, skips[i - 1]), skips[i - 1]], 1)
            x = getattr(self, f"rebnconv{i}d")(x)
        return x + start


class RSU4F(nn.Module):
    def __init__(self, cin, mid, cout):
        super().__init__()
        self.rebnconvin = Rebnconv(cin, cout)
        self.rebnconv1, self.rebnconv2 = Rebnconv(cout, mid, 1), Rebnconv(mid, mid, 2)
        self.rebnconv3, self.rebnconv4 = Rebnconv(mid, mid, 4), Rebnconv(mid, mid, 8)
        self.rebnconv3d, self.rebnconv2d = Rebnconv(2 * mid, mid, 4), Rebnconv(2 * mid, mid, 2)
        self.rebnconv1d = Rebnconv(2 * mid, cout, 1)

    def forward(self, x):
        x = self.rebnconvin(x)
        x1 = self.rebnconv1(x)
        x2 = self.rebnconv2(x1)
        x3 = self.rebnconv3(x2)
        y = self.rebnconv3d(torch.cat([self.rebnconv4(x3), x3], 1))
        y = self.rebnconv2d(torch.cat([y, x2], 1))
        return self.rebnconv1d(torch.cat([y, x1], 1)) + x


class U2Net(nn.Module):
    def __init__(self, classes, width=64, lite=False):
        super().__init__()
        table = [
            ("stage1", 7, 32, 64), ("stage2", 6, 32, 128), ("stage3", 5, 64, 256), ("stage4", 4, 128, 512),
            ("stage5", 0, 256, 512), ("stage6", 0, 256, 512), ("stage5d", 0, 256, 512), ("stage4d", 4, 128, 256),
            ("stage3d", 5, 64, 128), ("stage2d", 6, 32, 64), ("stage1d", 7, 16, 64),
        ]
        outs, cin = {}, 3
        for name, height, mid, out in table:
            mid, out = [c * width // 64 for c in ((16, 64) if lite else (mid, out))]
            if name.endswith("d"):
                cin += outs[name[:-1]]
            setattr(self, name, RSU(height, cin, mid, out) if height else RSU4F(cin, mid, out))
            outs[name] = cin = out
        for i in range(1, 7):
            setattr(self, f"side{i}", nn.Conv2d(outs[f"stage{i}d" if i < 6 else "stage6"], classes, 3, padding=1))
        self.outconv = nn.Conv2d(6 * classes, classes, 1)

    def forward(self, image):
        x, skips = image, []
        for i in range(1, 7):
            if i > 1:
                x = F.max_pool2d(x, 2, 2, ceil_mode=True)
            x = getattr(self, f"stage{i}")(x)
            skips.append(x)
        levels = {6: x}
        for i in range(5, 0, -1):
            x = getattr(self, f"stage{i}d")(torch.cat([like(x, skips[i - 1]), skips[i - 1]], 1))
            levels[i] = x
        sides = [like(getattr(self, f"side{i}")(levels[i]), image) for i in range(1, 7)]
        return [self.outconv(torch.cat(sides, 1)), *sides]


# SegNet: Badrinarayanan et al. 2017; the encoder's layers are numbered as in torchvision's vgg16_bn.


class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        layers, cin = [], 3
        for convs, cout in [(2, width), (2, 2 * width), (3, 4 * width), (3, 8 * width), (3, 8 * width)]:
            for _ in range(convs):
                layers += [nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU()]
                cin = cout
            layers.append(nn.MaxPool2d(2, 2, return_indices=True))
        self.features = nn.Sequential(*layers)


class SegNet(nn.Module):
    def __init__(self, classes, width=64, dense=False):
        super().__init__()
        w = width
        self.encoder = Encoder(w)
        table = [
            ("stage5", [8, 8, 8, 8]), ("stage4", [8, 8, 8, 4]), ("stage3", [4, 4, 4, 2]),
            ("stage2", [2, 2, 1]), ("stage1", [1, 1]),
        ]
        self.decoder = nn.ModuleDict()
        for name, factors in table:
            stage = OrderedDict()
            for i, (a, b) in enumerate(zip(factors, factors[1:]), 1):
                stage[f"conv{i}"] = nn.Conv2d(a * w, b * w, 3, padding=1)
                stage[f"bn{i}"] = nn.BatchNorm2d(b * w)
                stage[f"relu{i}"] = nn.ReLU()
            self.decoder[name] = nn.Sequential(stage)
        if dense:
            head = [("conv", nn.Conv2d(w, classes, 1)), ("bn", nn.BatchNorm2d(classes))]
            head += [("dense", nn.Conv2d(classes, classes, 1))]
        else:
            head = [("conv", nn.Conv2d(w, classes, 3, padding=1))]
        self.head = nn.Sequential(OrderedDict(head))

    def forward(self, x):
        kept = []
        for layer in self.encoder.features:
            if isinstance(layer, nn.MaxPool2d):
                size = x.shape
                x, indices = layer(x)
                kept.append((indices, size))
            else:
                x = layer(x)
        for stage in self.decoder.values():
            indices, size = kept.pop()
            x = stage(F.max_unpool2d(x, indices, 2, 2, output_size=size))
        return [self.head(x)]


def weights(model, seed):
    """Seeded values that keep activations in range, with batch norms that are no identities; exact in f16."""
    gen = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if value.dim() == 4:
            fan = value[0].numel() if "up.weight" not in name else value.shape[0]
            value.normal_(0, (2 / fan) ** 0.5, generator=gen)
        elif name.endswith("running_var") or (name.endswith("weight") and value.dim() == 1):
            value.uniform_(0.5, 1.5, generator=gen)
        elif value.is_floating_point():
            value.uniform_(-0.3, 0.3, generator=gen)
    model.load_state_dict({k: v.half().double() for k, v in model.state_dict().items()})
    return gen


def floats(state):
    return {k: v for k, v in state.items() if v.is_floating_point()}


def golden(name, model, classes, seed):
    model = model.double()
    gen = weights(model, seed)
    out = {f"state.{k}": v.half() for k, v in floats(model.state_dict()).items()}
    for tag, h, w in [("", 37, 45), ("32", 32, 32)]:
        x = torch.randn(2, 3, h, w, generator=gen, dtype=torch.double).float().double()
        out[f"input{tag}"] = x
        model.eval()
        with torch.no_grad():
            outputs = model(x) if tag == "" else model(x)[:1]
            out |= {f"eval{tag}.{i}": y for i, y in enumerate(outputs)}
    labels = torch.randint(0, max(classes, 2), (2, 37, 45), generator=gen)
    out["labels"] = labels
    model.train()
    outputs = model(out["input"])
    if classes == 1:
        target = labels.double().unsqueeze(1)
        loss = sum(F.binary_cross_entropy_with_logits(y, target) for y in outputs)
    else:
        loss = sum(F.cross_entropy(y, labels) for y in outputs)
    loss.backward()
    out["loss"] = loss.reshape(1)
    out |= {f"train.{i}": y for i, y in enumerate(outputs)}
    out["running"] = torch.cat([v for k, v in model.state_dict().items() if "running" in k])
    grads = [p.grad.flatten()[:: STRIDE if p.numel() > DENSE else 1] for p in model.parameters()]
    out["grad"] = torch.cat(grads)

    def stored(value):
        return value if value.dtype == torch.half else value.byte() if value.dtype == torch.long else value.float()

    save({k: stored(v.detach()) for k, v in out.items()}, f"{name}.safetensors")


def save(tensors, name):
    save_file({k: v.contiguous() for k, v in tensors.items()}, HERE / name)
    (HERE / name).chmod(0o644)


def keys(name, model):
    lines = []
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            lines.append(f"{key} {'x'.join(map(str, value.shape))}\n")
    (HERE / f"{name}.keys.txt").write_text("".join(lines))


def counts(model):
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        pixels = (inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output).shape[2:].numel()
        total += layer.weight.numel() * pixels

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.register_forward_hook(count)
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, 3, 224, 224))
    return {"parameters": sum(p.numel() for p in model.parameters()), "multiply_adds": total}


def saved_files():
    gen = torch.Generator().manual_seed(9)
    base = torch.randn(4, 6, generator=gen)
    state = OrderedDict(
        [
            ("conv.weight", nn.Parameter(torch.randn(2, 3, 3, 3, generator=gen))),
            ("conv.transposed", base.t()),
            ("conv.column", base[1:, 2]),
            ("half", base.half()),
            ("bfloat16", base.bfloat16()),
            ("double", base.double()),
            ("scalar", torch.tensor(2.5)),
            ("bn.num_batches_tracked", torch.tensor(7)),
        ]
    )
    checkpoint = {"epoch": 3, "best": 0.5, "arch": "toy", "done": False, "state_dict": state, "extra": [None, (1, 2**40)]}
    torch.save(checkpoint, HERE / "zip.pth")
    torch.save(checkpoint, HERE / "protocol4.pth", pickle_protocol=4)
    torch.save(checkpoint, HERE / "legacy.pth", _use_new_zipfile_serialization=False)
    save({k: v.detach().float() for k, v in floats(state).items()}, "state.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    full = {
        "unet": UNet(2), "unet-bilinear": UNet(2, bilinear=True), "u2net": U2Net(1), "u2net-lite": U2Net(1, lite=True),
        "segnet": SegNet(12), "segnet-dense": SegNet(12, dense=True),
    }
    for name, model in full.items():
        keys(name, model)
    keys("vgg16", torchvision.models.vgg16())
    keys("vgg16_bn", torchvision.models.vgg16_bn())
    (HERE / "counts.json").write_text(json.dumps({k: counts(m) for k, m in full.items()}, indent=1) + "\n")
    golden("unet", UNet(3, width=4), 3, seed=1)
    golden("unet-bilinear", UNet(3, width=4, bilinear=True), 3, seed=2)
    golden("u2net", U2Net(1, width=4), 1, seed=3)
    golden("u2net-lite", U2Net(1, width=8, lite=True), 1, seed=4)
    golden("segnet", SegNet(3, width=4), 3, seed=5)
    golden("segnet-dense", SegNet(3, width=4, dense=True), 3, seed=6)
    saved_files()
