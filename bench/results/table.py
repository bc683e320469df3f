#!/usr/bin/env python3
"""Rows of RESULTS.md from the folders of runs.

    bench/results/table.py "NAME=RUN,RUN,..." ... [--flip]

Each argument is a row: runs of one setting with several seeds, whose scores are given as mean ± deviation (of the sample).
Scores are read from best.json (validation images, at the network's size); with --flip they are measured with mirrored
images too, by `dapple eval --flip horizontal` on the data that the run names. Time and memory come from run.json, parameters
and multiply-adds of an image from `dapple models`.
Needs Python's standard library and `dapple` on the PATH (or in DAPPLE)."""

import json
import os
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

DAPPLE = os.environ.get("DAPPLE", "dapple")


def scores(run: Path, config: dict, flip: bool) -> dict:
    if not flip:
        return json.loads((run / "best.json").read_text())
    command = [DAPPLE, "eval", "--model", str(run), "--data", config["data"]["dir"], "--flip", "horizontal"]
    out = subprocess.run([*command, "--json", "-"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def figures(found: dict) -> dict:
    """The figures that the literature of such data reports."""
    data, image = found["dataset"], found["per_image"]
    if image.get("foreground_iou") is not None:
        return {"IoU": image["foreground_iou"], "Boundary IoU": image["foreground_boundary_iou"]}
    return {
        "global": data["pixel_accuracy"],
        "class average": data["mean_accuracy"],
        "mIoU": data["miou"],
        "Boundary mIoU": data["boundary_miou"],
        "BF": image.get("bf"),
    }


def seconds(run: dict) -> float:
    return sum((session["ended"] or session["started"]) - session["started"] for session in run["sessions"])


def spread(values: list) -> str:
    values = [value for value in values if value is not None]
    if not values:
        return ""
    mean = f"{statistics.fmean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.3f}"


def row(argument: str, flip: bool) -> tuple[list, list]:
    name, runs = argument.split("=", 1)
    runs = [Path(run) for run in runs.split(",")]
    configs = [tomllib.loads((run / "config.toml").read_text()) for run in runs]
    facts = [json.loads((run / "run.json").read_text()) for run in runs]
    found = [figures(scores(run, config, flip)) for run, config in zip(runs, configs)]
    config, size = configs[0], configs[0]["input"]
    network = config["network"]
    command = [DAPPLE, "models", network["name"], "--width", str(network["width"]), "--classes", str(network["classes"])]
    command += ["--size", f"{size['height']}x{size['width']}", "--json"]
    [model] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    minutes = statistics.fmean(seconds(fact) for fact in facts) / 60
    memory = max(session["peak_memory"] or 0 for fact in facts for session in fact["sessions"]) / 2**20
    cells = [
        name,
        f"{size['height']} x {size['width']}",
        f"{model['parameters'] / 1e6:.2f} M",
        f"{model['multiply_adds'] / 1e9:.1f} G",
        f"{minutes:.0f} min",
        f"{memory:.0f} MiB",
        *(spread([figure[key] for figure in found]) for key in found[0]),
    ]
    return list(found[0]), cells


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--flip"]
    if not arguments:
        sys.exit(__doc__)
    head = None
    for argument in arguments:
        keys, cells = row(argument, "--flip" in sys.argv)
        if head is None:
            head = ["network", "input", "parameters", "multiply-adds", "time", "memory", *keys]
            print("| " + " | ".join(head) + " |")
            print("|" + "---|" * len(head))
        print("| " + " | ".join(cells) + " |")


main()
