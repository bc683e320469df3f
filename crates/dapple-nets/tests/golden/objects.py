"""Makes files of torch.save with more than a state dict in them.

    python objects.py          (torch, numpy and safetensors installed)

- objects.pth, objects4.pth (protocol 4), objects-legacy.pth: the weights of state.safetensors among other objects of a
  training: numpy's scalars and arrays, settings, paths, dates, sets, devices, an object of a class of the script.
- list.pth: `[state_dict, epoch]`. module.pth: a module that was saved whole; module.safetensors has its weights.
- overlapping.pth: a zip archive whose entries lie over each other.
"""

import argparse
import datetime
import enum
import io
import struct
import zipfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path, PosixPath

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

HERE = Path(__file__).parent


class Phase(enum.Enum):
    TRAIN = 1


class Meter:
    def __init__(self):
        self.sum, self.history = np.float64(3.5), [torch.tensor(1.0)]


def others():
    counts = defaultdict(list)
    counts["a"].append(1)
    return {
        "epoch": 3, "loss": np.float32(0.25), "scores": np.arange(6.0).reshape(2, 3), "rng": np.random.RandomState(1).get_state(),
        "args": argparse.Namespace(lr=0.1, out=PosixPath("runs/a")), "path": PosixPath("a/b"), "counts": counts,
        "seen": {1, 2}, "frozen": frozenset("ab"), "device": torch.device("cpu"), "dtype": torch.float16,
        "date": datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), "phase": Phase.TRAIN, "meter": Meter(),
        "counter": Counter("aab"), "complex": 1 + 2j, "bytes": b"\xff\x00", "array": bytearray(b"abc"), "big": 2**100,
        "slice": slice(1, 2), "text": "naïve", "size": torch.Size([2, 3]), "generator": torch.get_rng_state(),
    }


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))
        self.head = nn.Conv2d(2, 1, 1)


def overlapping():
    """The entries of 64 storages all lie over that of the first."""
    names = [f"archive/data/{i}" for i in range(64)]
    file = io.BytesIO()
    torch.save({f"t{i}": torch.full((1000,), 1.0)[:1] for i in range(64)}, file)
    source = zipfile.ZipFile(file)
    data = source.read(next(n for n in source.namelist() if n.endswith("/data/0")))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("archive/data.pkl", source.read(next(n for n in source.namelist() if n.endswith("data.pkl"))))
        target.writestr(names[0], data)
        first = target.getinfo(names[0])
        for name in names[1:]:
            info = zipfile.ZipInfo(name)
            info.header_offset, info.CRC = first.header_offset, first.CRC
            info.compress_size = info.file_size = len(data)
            target.filelist.append(info)
            target.NameToInfo[name] = info
        target._didModify = True
    (HERE / "overlapping.pth").write_bytes(out.getvalue())


def main():
    state = OrderedDict(load_file(HERE / "state.safetensors"))
    checkpoint = {**others(), "state_dict": state}
    torch.save(checkpoint, HERE / "objects.pth")
    torch.save(checkpoint, HERE / "objects4.pth", pickle_protocol=4)
    torch.save(checkpoint, HERE / "objects-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save([state, 7], HERE / "list.pth")
    torch.manual_seed(5)
    module = Toy()
    torch.save(module, HERE / "module.pth")
    save_file({k: v for k, v in module.state_dict().items() if v.is_floating_point()}, HERE / "module.safetensors")
    overlapping()


if __name__ == "__main__":
    main()
