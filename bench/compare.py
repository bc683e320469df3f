"""Runs dapple and its peers alternately on the same inputs and weights and writes the networks' section of BENCHMARKS.md.

    bench/run networks [--quick] [--only unet,segnet] [--rounds N]

`bench/run` makes the virtual environment, builds dapple and calls this. Rows measured before, by a run with `--only`, are
kept in target/bench.json and written again, so that the table can be made in parts.
"""

import argparse
import datetime
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from document import write_section

HERE = Path(__file__).parent
ROOT = HERE.parent
DAPPLE = ROOT / "target/release/dapple"
KEPT = ROOT / "target/bench.json"
TORCH = ["torch", "torch-channels-last", "torch-compile"]
RUNTIMES = ["torch", "torch-channels-last", "onnxruntime", "openvino"]
# Network, batch, size, training, target ratio.
WORK = [
    ("unet", 4, 224, True, 2.2),
    ("segnet", 2, 224, True, 2.2),
    ("u2net", 2, 224, True, 2.0),
    ("u2net-lite", 4, 224, True, 2.0),
] + [(name, 1, size, False, 1.6) for name in ["unet", "segnet", "u2net", "u2net-lite"] for size in [224, 320]]
# PyTorch's ONNX exporter cannot express unpooling with indices.
NO_ONNX = {"segnet"}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    return json.loads(done.stdout[done.stdout.index("{"):])


def measure(work, threads, rounds, runs, compile_too):
    name, batch, size, train, _ = work
    peers = list(TORCH if train else RUNTIMES)
    if not compile_too and "torch-compile" in peers:
        peers.remove("torch-compile")
    if name in NO_ONNX:
        peers = [p for p in peers if p.startswith("torch")]
    with tempfile.TemporaryDirectory() as folder:
        weights, dump = f"{folder}/weights.safetensors", f"{folder}/dump.safetensors"
        common = ["--batch", str(batch), "--size", str(size), "--threads", str(threads), "--runs", str(runs)]
        common += ["--train"] if train else []
        peer = [sys.executable, str(HERE / "peer.py"), name]
        subprocess.run([*peer, "--backend", "torch", "--save-weights", weights], check=True)
        ours = [str(DAPPLE), "bench", name, "--device", "cpu", *common, "--init", weights, "--dump", dump, "--json", "-"]
        taken = {"dapple": []} | {p: [] for p in peers}
        for _ in range(rounds):
            for who in taken:
                theirs = [*peer, "--backend", who, *common, "--weights", weights, "--input", dump]
                result = run(ours if who == "dapple" else theirs)
                if result:
                    taken[who].append(result)
                    print(f"{name} {'train' if train else 'infer'} {batch} x {size} {who}: "
                          f"{result['median_s'] * 1e3:.0f} ms", flush=True)
    return {who: results for who, results in taken.items() if results}


def median(results, key):
    return statistics.median(r[key] for r in results)


def row(work, taken):
    name, batch, size, train, target = work
    ours = median(taken["dapple"], "median_s")
    peers = {who: median(results, "median_s") for who, results in taken.items() if who != "dapple"}
    best = min(peers, key=peers.get)
    # The ratio is taken round by round, so that it holds when the machine's speed drifts.
    pairs = zip(taken[best], taken["dapple"])
    ratio = statistics.median(theirs["median_s"] / mine["median_s"] for theirs, mine in pairs)
    memory = median(taken["dapple"], "peak_rss_mb"), median(taken[best], "peak_rss_mb")
    difference = max(r["difference"] for who, results in taken.items() if who != "dapple" for r in results)
    what = f"{name}, {'training step' if train else 'inference'}, batch {batch}, {size} x {size}"
    others = ", ".join(f"{who} {seconds * 1e3:.0f}" for who, seconds in peers.items())
    return (f"| {what} | {ours * 1e3:.0f} | {others} | **{ratio:.2f}** | {target} "
            f"| {memory[0]:.0f} / {memory[1]:.0f} | {difference:.1e} |")


def cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def versions():
    import importlib.metadata

    names = ["torch", "onnxruntime", "openvino"]
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round of few runs, without torch.compile")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="networks to measure, separated by commas")
    parser.add_argument("--work", choices=["train", "infer"], help="measure training steps or inference only")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rounds, runs = (1, 3) if args.quick else (args.rounds, 5)
    only = args.only.split(",") if args.only else None
    partly = only is not None or args.work is not None
    kept = json.loads(KEPT.read_text()) if partly and KEPT.exists() else {}
    for work in WORK:
        name, batch, size, train, _ = work
        if (only is None or name in only) and args.work in [None, "train" if train else "infer"]:
            key = f"{name} {batch} {size} {train}"
            kept[key] = row(work, measure(work, args.threads, rounds, runs, not args.quick))
            KEPT.write_text(json.dumps(kept))
    rows = [kept[key] for w in WORK if (key := f"{w[0]} {w[1]} {w[2]} {w[3]}") in kept]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    command = "bench/run networks" + (" --quick" if args.quick else f" --rounds {rounds}")
    text = f"""## Whole networks

Made by `{command}` on {datetime.date.today()}, commit {commit.strip()}: {cpu()}, {args.threads} threads,
{versions()}. Medians of {rounds} alternating rounds of {runs} runs each, each program in its own process,
with the same weights and inputs. The ratio is the best peer's time divided by ours, round by round; memory is the peak of the process (ours /
the best peer's). The difference is the largest one between our output (in training: the first two losses) and any peer's, relative to
the largest value.

| work | dapple, ms | peers, ms | ratio | goal | memory, MB | difference |
|---|---|---|---|---|---|---|
""" + "\n".join(rows) + """

A training step is forward, loss, backward and Adam. PyTorch cannot export SegNet's unpooling to ONNX, so onnxruntime and OpenVINO
have no figure for it; where two values of a pooling window are equal within rounding, its outputs differ by more than rounding.
`dapple bench NAME --train --layers` shows where the time goes.
"""
    write_section("networks", text)


if __name__ == "__main__":
    main()
