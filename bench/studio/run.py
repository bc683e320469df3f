#!/usr/bin/env python3
"""Strokes and seconds to label photographs: the studio's learner, scikit-image's trainable segmentation, painting alone.

    python3 bench/studio/run.py DATA [--images 10] [--strokes 40] [--target 0.9] [--encoder NAME --weights FILE] [--threads N]

One simulated annotator (crates/dapple-studio/examples/annotator.rs) puts strokes where the proposal is most wrong, with each of the
three as its helper. scikit-image is installed into $DAPPLE_BENCH_VENV, by default ~/.cache/dapple-bench; peer.py asks it. The
rows of all three go to FOLDER/METHOD.csv (`--out`), and a table to standard output: strokes for the first photograph to reach the
target, for the tenth (or the last) one, and for all; seconds of computing a stroke; the mean IoU of the first proposal for each
photograph but the first, which no stroke has touched yet.
"""

import argparse
import csv
import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["scikit-image==0.25.2", "scikit-learn==1.6.1", "pillow==11.1.0"]


def python():
    """The interpreter of an environment that has scikit-image."""
    folder = Path(os.environ.get("DAPPLE_BENCH_VENV", Path.home() / ".cache/dapple-bench")) / "studio"
    interpreter = folder / "bin/python"
    if not interpreter.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return interpreter


def annotate(arguments, method, helper, out):
    command = ["cargo", "run", "--quiet", "--release", "-p", "dapple-studio", "--example", "annotator", "--"]
    command += [arguments.data, "--images", arguments.images, "--strokes", arguments.strokes]
    command += ["--target", arguments.target, "--by", helper]
    if arguments.threads:
        command += ["--threads", arguments.threads]
    if method == "learner" and arguments.weights:
        command += ["--encoder", arguments.encoder, "--weights", arguments.weights]
    said = subprocess.run([str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    (out / f"{method}.csv").write_text(said.stdout)
    return list(csv.DictReader(said.stdout.splitlines()))


def summary(rows, target):
    photographs = sorted({int(row["photograph"]) for row in rows})
    of = lambda photograph: [row for row in rows if int(row["photograph"]) == photograph]
    def strokes(photograph):
        last = of(photograph)[-1]
        mark = "" if float(last["iou"]) >= target else "+"
        return f"{last['strokes']}{mark}"
    all_strokes, seconds = int(rows[-1]["all_strokes"]), float(rows[-1]["seconds"])
    first = [float(of(photograph)[0]["iou"]) for photograph in photographs[1:]]
    later = photographs[min(9, len(photographs) - 1)]
    mean = sum(first) / len(first) if first else float("nan")
    return strokes(photographs[0]), strokes(later), all_strokes, seconds / max(1, len(rows)), mean


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--strokes", type=int, default=40)
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, default=Path("studio-bench"))
    arguments = parser.parse_args()
    arguments.data = arguments.data.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    peer = " ".join(shlex.quote(str(word)) for word in [python(), Path(__file__).with_name("peer.py")])
    helpers = {"learner": "learner", "scikit-image": peer, "painting": "painting"}
    print(f"| helper | strokes, first | strokes, tenth | all strokes | s a stroke | first proposal, IoU |")
    print("|---|---|---|---|---|---|")
    for method, helper in helpers.items():
        first, later, total, seconds, mean = summary(
            annotate(arguments, method, helper, arguments.out), arguments.target
        )
        print(f"| {method} | {first} | {later} | {total} | {seconds:.2f} | {mean:.3f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
