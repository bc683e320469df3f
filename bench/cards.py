"""Runs dapple on a CUDA card and PyTorch on the same one alternately and writes the cards' section of BENCHMARKS.md.

    bench/run cards [--device cuda:0] [--rounds N] [--only unet,segnet] [--precision fp32,bf16]

Needs a card and the PyTorch that dapple is built with (docs/guide, "Graphics cards"): both then use the same libtorch, cuDNN and
driver. Same weights and inputs; each program in a process of its own. PyTorch runs plain, in channels-last memory, and
compiled by torch.compile, in bf16 and fp16 under its autocast; TF32 is off in both.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from document import write_section

HERE = Path(__file__).parent
ROOT = HERE.parent
DAPPLE = ROOT / "target/release/dapple"
BACKENDS = ["torch", "torch-channels-last", "torch-compile"]
# Network, batch, size, training.
WORK = [
    ("unet", 16, 224, True),
    ("segnet", 16, 224, True),
    ("u2net", 8, 224, True),
    ("unet", 16, 224, False),
    ("segnet", 16, 224, False),
    ("u2net", 16, 224, False),
]
# Neither may use it: `NVIDIA_TF32_OVERRIDE` is what both obey.
ENVIRONMENT = os.environ | {"NVIDIA_TF32_OVERRIDE": "0"}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    return json.loads(done.stdout[done.stdout.index("{"):])


def row(work, precision, device, rounds):
    name, batch, size, train = work
    common = ["--batch", str(batch), "--size", str(size), "--runs", "20", "--precision", precision, "--device", device]
    common += ["--train"] if train else []
    peer = [sys.executable, str(HERE / "peer.py"), name]
    with tempfile.TemporaryDirectory() as folder:
        weights, dump = f"{folder}/weights.safetensors", f"{folder}/dump.safetensors"
        subprocess.run([*peer, "--backend", "torch", "--save-weights", weights], check=True)
        ours = [str(DAPPLE), "bench", name, *common, "--init", weights, "--dump", dump, "--json", "-"]
        taken = {"dapple": []} | {backend: [] for backend in BACKENDS}
        for _ in range(rounds):
            for who in taken:
                theirs = [*peer, "--backend", who, *common, "--weights", weights, "--input", dump]
                result = run(ours if who == "dapple" else theirs)
                if result:
                    taken[who].append(result)
    if not taken["dapple"]:
        sys.exit(f"dapple failed on {name}")
    times = {who: statistics.median(r["median_s"] for r in results) for who, results in taken.items() if results}
    best = min((who for who in times if who != "dapple"), key=times.get)
    ratio = statistics.median(t["median_s"] / o["median_s"] for t, o in zip(taken[best], taken["dapple"]))
    difference = max(r["difference"] for who, results in taken.items() if who != "dapple" for r in results)
    what = f"{name}, {'training step' if train else 'inference'}, batch {batch}, {size} x {size}, {precision}"
    others = ", ".join(f"{who} {seconds * 1e3:.1f}" for who, seconds in times.items() if who != "dapple")
    return f"| {what} | {times['dapple'] * 1e3:.1f} | {others} | **{ratio:.2f}** | {difference:.1e} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="networks to measure, separated by commas")
    parser.add_argument("--precision", default="fp32,bf16")
    args = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA card here")
    rows = []
    for work in WORK:
        if args.only is None or work[0] in args.only.split(","):
            for precision in args.precision.split(","):
                rows.append(row(work, precision, args.device, args.rounds))
                print(rows[-1], flush=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    text = f"""## A CUDA card

Made by `bench/run cards --rounds {args.rounds}` on {datetime.date.today()}, commit {commit.strip()}:
{torch.cuda.get_device_name(args.device)}, torch {torch.__version__}. Medians of {args.rounds} alternating rounds of 20 runs each, each program in its own process,
with the same weights and inputs. The ratio is the best peer's time divided by ours, round by round;
the difference is the largest one between our output (in training: the first two losses) and any peer's, relative to the largest
value.

| work | dapple, ms | PyTorch, ms | ratio | difference |
|---|---|---|---|---|
""" + "\n".join(rows)
    write_section("cards", text)


if __name__ == "__main__":
    main()
