"""What the tests share: a model, an image, a folder of data and a run, each made once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ["DAPPLE_OFFLINE"] = "1"

import dapple  # noqa: E402

#: A training of seconds.
SHORT = dict(model="unet", width=4, size=64, epochs=2, batch=4, recipe="plain", device="cpu", threads=2)


def picture(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """An image of waves and noise, ``[height, width, 3]`` of ``uint8``."""
    y, x = np.mgrid[:height, :width]
    waves = [110 + 60 * np.sin(0.11 * x + c) + 40 * np.cos(0.07 * y - c) for c in range(3)]
    noise = np.random.default_rng(seed).integers(0, 30, (height, width, 3))
    return np.clip(np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)


def write_pairs(folder: Path, count: int = 12, side: int = 64) -> Path:
    """Discs of one colour on waves, with masks of 0 and 1."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    draw = np.random.default_rng(3)
    y, x = np.mgrid[:side, :side]
    for number in range(count):
        centre, radius = draw.integers(side // 4, 3 * side // 4, 2), draw.integers(side // 8, side // 4)
        disc = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
        image = picture(side, side, number)
        image[disc] = (230, 40, 60)
        Image.fromarray(image).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(disc.astype(np.uint8)).save(folder / "masks" / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def segmenter() -> dapple.Segmenter:
    return dapple.load("horse", device="cpu", threads=2)


@pytest.fixture
def image() -> np.ndarray:
    return picture()


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data") / "discs")


@pytest.fixture(scope="session")
def run(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> dapple.Run:
    return dapple.train(discs, tmp_path_factory.mktemp("runs") / "discs", progress=False, **SHORT)
