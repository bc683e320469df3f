"""How time goes with threads, batch, image size and memory; prints tables for BENCHMARKS.md.

    bench/run scaling [--rounds N] [--only unet]     threads 1, 2, ...; batches 1 to 16; 128 to 1024 pixels; beside PyTorch
    bench/run memory [--rounds N]                    training steps within --memory-limit

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
NETWORKS = "unet,u2net-lite"


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


def memory(rounds):
    rows = []
    for name, batch in [("unet", 4), ("u2net", 2), ("u2net-lite", 4)]:
        command = [DAPPLE, "bench", name, "--batch", str(batch), "--train", "--runs", "3", "--json", "-"]
        free = [measure(command) for _ in range(rounds)]
        plain = statistics.median(r["median_s"] for r in free)
        rows.append((name, batch, "none", free, 1.0))
        for share in [0.8, 0.6]:
            limit = int(free[0]["planned_mb"] * share)
            limited = [*command, "--memory-limit", f"{limit}MB"]
            done = [subprocess.run(limited, capture_output=True, text=True) for _ in range(rounds)]
            if any(d.returncode for d in done):
                reason = done[0].stderr.strip().splitlines()[-1]
                print(f"{name} within {limit} MB: {reason}", flush=True)
                rows.append((name, batch, f"{limit} MB", None, reason))
                continue
            results = [json.loads(d.stdout) for d in done]
            rows.append((name, batch, f"{limit} MB", results,
                         statistics.median(r["median_s"] for r in results) / plain))
    lines = []
    for name, batch, limit, results, ratio in rows:
        if results is None:
            lines.append(f"| {name}, batch {batch} | {limit} | refused | | |")
            continue
        planned, peak = (statistics.median(r[k] for r in results) for k in ["planned_mb", "peak_rss_mb"])
        seconds = statistics.median(r["median_s"] for r in results)
        lines.append(f"| {name}, batch {batch} | {limit} | {planned:.0f} / {peak:.0f} "
                     f"| {seconds * 1e3:.0f} | {ratio:.2f} |")
    write_section("memory", f"""## Training within a memory limit

Made by `bench/run memory --rounds {rounds}`: `dapple bench NAME --train --memory-limit SIZE` at 224 x 224. Feature maps that
do not fit are recomputed in the backward pass; every bit of the result stays the same.

| step | limit | engine's plan / peak of the process, MB | ms | time relative to no limit |
|---|---|---|---|---|
""" + "\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["scaling", "memory"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default=NETWORKS, help="networks of scaling, separated by commas")
    arguments = parser.parse_args()
    if arguments.what == "scaling":
        scaling(arguments.rounds, arguments.only.split(","))
    else:
        memory(arguments.rounds)
