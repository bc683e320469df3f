#!/usr/bin/env python3
"""Learning curves: how well a network does with few labelled images, from pretrained and from random weights.

    bench/results/few_labels.py DATA OUT [--images 5,10,20,50,100] [--seeds 3] [--minutes 10] [--threads 2]
        [--weights auto,none] [--unlabelled] [--picture FILE]

The validation images are those of a random division with seed 0, the same for all trainings; the labelled images are drawn from the
others, by seed. Each training is `dapple train --recipe auto --time-budget MINUTES` in OUT/WEIGHTS-IMAGES-SEED, and one that is complete is
not repeated. With --unlabelled, each is also trained with the images of all other training samples, without their masks, in
OUT/WEIGHTS-IMAGES-SEED-unlabelled. Prints a table in Markdown of the means over the validation images at the network's size, as mean ±
deviation over the seeds.
Needs Python's standard library and `dapple` on the PATH (or in DAPPLE); for --picture matplotlib."""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

DAPPLE = os.environ.get("DAPPLE", "dapple")


def arguments() -> argparse.Namespace:
    numbers = lambda text: [int(number) for number in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=numbers, default=[5, 10, 20, 50, 100])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--weights", type=lambda text: text.split(","), default=["auto", "none"])
    parser.add_argument("--unlabelled", action="store_true")
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


def division(data: Path, out: Path) -> dict:
    """The division that `dapple train` makes with seed 0."""
    run = out / "division"
    if not (run / "split.json").exists():
        small = ["--recipe", "plain", "--model", "unet", "--width", "8", "--size", "32", "--epochs", "1"]
        subprocess.run([DAPPLE, "train", "--data", data, *small, "--out", run], check=True, stdout=subprocess.DEVNULL)
    return json.loads((run / "split.json").read_text())


def others(data: Path, names: list[str], folder: Path) -> Path:
    """A folder of the photographs of these samples, without their masks."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {path.stem: path for path in sorted(data.glob("horse/*")) or sorted(data.glob("images/*"))}
    for name in names:
        path = images[Path(name).name]
        if not (folder / path.name).exists():
            shutil.copy(path, folder / path.name)
    return folder


def train(asked: argparse.Namespace, whole: dict, weights: str, images: int, seed: int, unlabelled: bool) -> dict:
    """The scores of a training."""
    run = asked.out / f"{weights}-{images}-{seed}{'-unlabelled' if unlabelled else ''}"
    if not (run / "report.html").exists():
        shutil.rmtree(run, ignore_errors=True)
        labelled = sorted(random.Random(seed).sample(whole["train"], images))
        split = asked.out / f"split-{images}-{seed}.json"
        split.write_text(json.dumps(whole | {"train": labelled}))
        command = [DAPPLE, "train", "--data", asked.data, "--split", split, "--seed", seed, "--weights", weights]
        command += ["--time-budget", f"{round(asked.minutes * 60)}s", "--out", run]
        if asked.threads:
            command += ["--threads", asked.threads]
        if unlabelled:
            rest = [name for name in whole["train"] if name not in labelled]
            command += ["--unlabelled", others(asked.data, rest, asked.out / f"rest-{images}-{seed}")]
        print(*command, file=sys.stderr)
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    found = json.loads((run / "best.json").read_text())["per_image"]
    return {"IoU": found["foreground_iou"], "Boundary IoU": found["foreground_boundary_iou"]}


def spread(values: list[float]) -> str:
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.3f}"


def draw(rows: list[tuple], picture: Path) -> None:
    """IoU over the number of labelled images, a line for each kind of weights."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4))
    for kind in dict.fromkeys(row[0] for row in rows):
        points = [(images, scores["IoU"]) for name, images, scores in rows if name == kind]
        x = [images for images, _ in points]
        middle = [statistics.mean(values) for _, values in points]
        line = axes.plot(x, middle, marker="o", label=kind)[0]
        low, high = ([end(values) for _, values in points] for end in (min, max))
        axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xscale="log", xlabel="labelled images", ylabel="foreground IoU, validation images")
    axes.set_xticks(x, [str(count) for count in x])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(picture, bbox_inches="tight")


def main() -> None:
    asked = arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    whole = division(asked.data, asked.out)
    rows = []
    for images in (min(count, len(whole["train"])) for count in asked.images):
        for weights in asked.weights:
            for unlabelled in [False, True] if asked.unlabelled and images < len(whole["train"]) else [False]:
                each = [train(asked, whole, weights, images, seed, unlabelled) for seed in range(asked.seeds)]
                kind = {"none": "random weights"}.get(weights, "pretrained") + (", and unlabelled images" if unlabelled else "")
                rows.append((kind, images, {name: [scores[name] for scores in each] for name in each[0]}))
    print("| labelled images | weights | IoU | Boundary IoU |\n|---|---|---|---|")
    for kind, images, scores in rows:
        print(f"| {images} | {kind} | {spread(scores['IoU'])} | {spread(scores['Boundary IoU'])} |")
    if asked.picture:
        draw(rows, asked.picture)


if __name__ == "__main__":
    main()
