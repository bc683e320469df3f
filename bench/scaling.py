"""How time goes with threads, batch, image size and memory; prints tables for BENCHMARKS.md.

    bench/run scaling [--rounds N] [--only unet]     threads 1, 2, ...; batches 1 to 16; 128 to 1024 pixels; beside PyTorch
    bench/run memory [--rounds N] [--only unet]      training steps within --memory-limit

PyTorch's time is the better of contiguous and channels_last.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from document import write_section

HERE = Path(__file__).parent
DAPPLE = HERE.parent / "target/release/dapple"
NETWORKS = {
    "scaling": "unet,u2net-lite",
    "memory": "unet,unet-resnet34,unet-efficientnet-b0,unet-mobilenetv3-large,deeplabv3plus-resnet50,fpn-resnet50,"
              "pspnet-resnet50,segformer-b0,segformer-b2,upernet-convnext-tiny,unetplusplus-resnet34,ddrnet-23-slim",
}


def measure(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout[done.stdout.index("{"):])


def compare(name, batch, size, threads, rounds):
    """Seconds of dapple and of PyTorch, and the median ratio of the rounds."""
    common = ["--batch", str(batch), "--size", str(size), "--threads", str(threads), "--runs", "3"]
    peer = [sys.executable, HERE / "peer.py", name, *common, "--backend"]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(measure([DAPPLE, "bench", name, "--device", "cpu", *common, "--json", "-"])["median_s"])
        backends = ["torch", "torch-channels-last"]
        theirs.append(min(measure([*peer, backend])["median_s"] for backend in backends))
    ratio = statistics.median(t / o for o, t in zip(ours, theirs))
    print(f"{name} batch {batch} size {size} threads {threads}: {ratio:.2f}", flush=True)
    return statistics.median(ours), statistics.median(theirs), ratio


def scaling(rounds, networks):
    cores = len(os.sched_getaffinity(0))
    threads = [n for n in [1, 2, 4, 8, 16, 32] if n <= cores]
    points = [("threads", 1, 224, n) for n in threads]
    points += [("batch", n, 224, cores) for n in [1, 2, 4, 8, 16]]
    points += [("pixels", 1, n, cores) for n in [128, 224, 320, 512, 1024]]
    rows, seen = [], {}
    for axis, batch, size, count in points:
        cells = []
        for name in networks:
            key = name, batch, size, count
            seen[key] = seen.get(key) or compare(*key, rounds)
            ours, theirs, ratio = seen[key]
            cells.append(f"{ours / batch * 1e3:.1f} | {theirs / batch * 1e3:.1f} | {ratio:.2f}")
        value = {"threads": count, "batch": batch, "pixels": f"{size} x {size}"}[axis]
        rows.append(f"| {axis} {value} | " + " | ".join(cells) + " |")
    heads = " | ".join(f"{name}, ms an image | PyTorch | ratio" for name in networks)
    write_section("scaling", f"""## Threads, batches and sizes

Made by `bench/run scaling --rounds {rounds} --only {','.join(networks)}`: inference, medians, batch 1 at 224 x 224 with {cores} threads unless
the row says otherwise; PyTorch is the better of contiguous and channels_last, the ratio its time divided by ours.

| | {heads} |
|---|{"---|" * 3 * len(networks)}
""" + "\n".join(rows))


def memory(rounds, networks):
    lines = []
    for name in networks:
        command = [DAPPLE, "bench", name, "--batch", "4", "--size", "256", "--train", "--runs", "3", "--json", "-"]
        free = measure(command)
        planned, smallest, kept = (free[key] for key in ["planned_mb", "smallest_mb", "kept_mb"])
        # Limits on everything, and on what depends on the batch.
        limits = {f"{share} of all": planned * share for share in [0.8, 0.6, 0.4]}
        limits["0.4 of the batch's"] = kept + 0.4 * (planned - kept)
        fitting = {label: limit for label, limit in limits.items() if limit > smallest + 1}
        results = {label: [] for label in ["none", *fitting]}
        for _ in range(rounds):
            results["none"].append(measure(command))
            for label, limit in fitting.items():
                results[label].append(measure([*command, "--memory-limit", f"{int(limit)}MB"]))
        for label in ["none", *limits]:
            if label not in results:
                lines.append(f"| {name} | {label} | refused: {smallest:.0f} at least, {kept:.0f} whatever the batch | | |")
                continue
            planned, peak, seconds = (statistics.median(r[key] for r in results[label])
                                      for key in ["planned_mb", "peak_rss_mb", "median_s"])
            ratio = statistics.median(r["median_s"] / n["median_s"] for r, n in zip(results[label], results["none"]))
            lines.append(f"| {name} | {label} | {planned:.0f} / {peak:.0f} | {seconds * 1e3:.0f} | {ratio:.2f} |")
            print(lines[-1], flush=True)
    write_section("memory", f"""## Training within a memory limit

Made by `bench/run memory --rounds {rounds} --only {','.join(networks)}`: `dapple bench NAME --train --memory-limit SIZE`, batch 4 at
256 x 256, Adam. Feature maps that do not fit are recomputed when they are next read; every bit of the result stays the same. No limit makes
parameters, gradients and the optimizer's memory smaller: what depends on the batch is the rest.

| network | limit | engine's plan / peak of the process, MB | ms | time relative to no limit |
|---|---|---|---|---|
""" + "\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["scaling", "memory"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", help="networks, separated by commas")
    arguments = parser.parse_args()
    networks = (arguments.only or NETWORKS[arguments.what]).split(",")
    {"scaling": scaling, "memory": memory}[arguments.what](arguments.rounds, networks)
