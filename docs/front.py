#!/usr/bin/env python3
"""The picture at the top of the README, docs/front.png: a model trained on the upper half of a photograph, shown on the lower half.

    pip install scikit-image==0.26.0
    docs/front.py [DAPPLE]

The photograph is `skimage.data.coins()`: Greek coins, Brooklyn Museum, no known copyright restrictions. The masks to learn from are made by
a watershed; the picture shows predictions alone. Training (60 epochs) takes a few
minutes.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage import data, filters, morphology, segmentation

DAPPLE = sys.argv[1] if len(sys.argv) > 1 else "dapple"
LEARNED = 155  # rows that the training sees; two of the four rows of coins
PANEL = slice(0, 248)  # columns that are shown
SCALE, GAP, CAPTION = 2, 16, 44


def truth(photo):
    markers = np.zeros_like(photo, dtype=int)
    markers[photo < 30], markers[photo > 150] = 1, 2
    coins = ndimage.binary_fill_holes(segmentation.watershed(filters.sobel(photo), markers) == 2)
    return morphology.remove_small_objects(coins, max_size=199)


def train(folder, photo):
    mask, random, side = truth(photo), np.random.default_rng(0), 96
    for name in ("images", "masks"):
        (folder / "coins" / name).mkdir(parents=True)
    for i in range(48):
        y, x = random.integers(0, LEARNED - side + 1), random.integers(0, photo.shape[1] - side + 1)
        window = np.s_[y : y + side, x : x + side]
        Image.fromarray(photo[window]).convert("RGB").save(folder / f"coins/images/{i:02}.png")
        Image.fromarray(mask[window].astype("u1")).save(folder / f"coins/masks/{i:02}.png")
    arguments = "--recipe plain --augment medium --model unet --width 8 --size 96 --epochs 60"
    subprocess.run([DAPPLE, "train", *arguments.split(), "--data", folder / "coins", "--out", folder / "run"], check=True)


def predict(folder, kind, *more):
    out = folder / kind
    arguments = ["--size", "image", "--flip", "horizontal", "--kind", kind, *more]
    subprocess.run([DAPPLE, "predict", folder / "run", folder / "lower.png", *arguments, "--out", out], check=True)
    return Image.open(next(out.glob("*.png"))).convert("RGB")


def compose(panels):
    font = ImageFont.load_default(26)
    panels = [(caption, image.crop((PANEL.start, 0, PANEL.stop, image.height))) for caption, image in panels]
    width, height = panels[0][1].width * SCALE, panels[0][1].height * SCALE
    page = Image.new("RGB", ((width + GAP) * len(panels) - GAP, height + CAPTION), "white")
    draw = ImageDraw.Draw(page)
    for i, (caption, image) in enumerate(panels):
        way = Image.Resampling.NEAREST if caption == "mask" else Image.Resampling.LANCZOS
        page.paste(image.resize((width, height), way), (i * (width + GAP), 0))
        draw.text((i * (width + GAP) + width / 2, height + CAPTION / 2), caption, "#444444", font, anchor="mm")
    return page


def main():
    photo = data.coins()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder, photo)
        lower = Image.fromarray(photo[LEARNED - 10 :]).convert("RGB")
        lower.save(folder / "lower.png")
        mask = predict(folder, "mask")
        cutout = predict(folder, "cutout", "--background", "#2a9d8f")
    page = compose([("photograph", lower), ("mask", mask), ("cut-out", cutout)])
    page.save(Path(__file__).with_name("front.png"), optimize=True)


if __name__ == "__main__":
    main()
