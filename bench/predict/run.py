#!/usr/bin/env python3
"""Images a second, start-up time and memory of `dapple predict` beside rembg 2.0 with the same U²-Net-lite weights.

    python3 bench/predict/run.py [--images FOLDER] [--count 1000] [--rounds 3] [--threads N]

rembg and onnxruntime are installed into $DAPPLE_BENCH_VENV, by default ~/.cache/dapple-bench. The weights go to rembg as
`dapple export --onnx` writes them, for its session `u2net_custom`. Photographs are those of the folder, scaled to typical
sizes, or painted ones. The programs take turns and have the whole command measured, start-up included: a folder of
photographs to a folder of results, on as many threads. Of several rounds the medians count. Results go to
bench/predict/RESULTS.md (`--write`).
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import stage  # noqa: E402

# What is made of each photograph: dapple's arguments and rembg's.
LOOKS = {
    "cut-out": (["--kind", "cutout", "--refine", "off"], []),
    "soft mask": (["--kind", "probability"], ["-om"]),
}


def run(command, environment):
    """Seconds, peak memory in MiB, and what was said."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        said.seek(0)
        text = said.read()
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{text}")
    return seconds, usage.ru_maxrss / 1024, text


class Bench:
    def __init__(self, dapple, model, scratch, threads):
        self.dapple, self.model, self.scratch, self.threads = dapple, model, scratch, threads
        # rembg takes models from its own folder only.
        home = {"U2NET_HOME": str(scratch), "REMBG_HOME": str(scratch)}
        self.environment = {**os.environ, **home, "OMP_NUM_THREADS": str(threads)}
        onnx = scratch / "model.onnx"
        subprocess.run(
            [dapple, "export", "--model", str(model), "--onnx", str(onnx), "--probabilities"], check=True
        )
        self.session = ["-m", "u2net_custom", "-x", json.dumps({"model_path": str(onnx)})]

    def out(self):
        shutil.rmtree(self.scratch / "out", ignore_errors=True)
        return self.scratch / "out"

    def ours(self, photos, arguments):
        command = [self.dapple, "predict", "--model", str(self.model), str(photos), "--out", str(self.out())]
        return run([*command, "--threads", str(self.threads), *arguments], self.environment)

    def theirs(self, photos, arguments):
        out = self.out()
        if photos.is_dir():
            command = [stage.tool("rembg"), "p", *self.session, *arguments, str(photos), str(out)]
        else:
            out.mkdir()
            command = [stage.tool("rembg"), "i", *self.session, *arguments, str(photos), str(out / "one.png")]
        return run(command, self.environment)

    def difference(self, photo):
        """The mean difference of the soft masks, 0 to 1. rembg stretches its own to the whole range; so is ours."""
        import numpy
        from PIL import Image

        read = lambda path: numpy.asarray(Image.open(path).convert("L")).astype(float)  # noqa: E731
        self.ours(photo, LOOKS["soft mask"][0])
        ours = read(next((self.scratch / "out").glob("*-probability.png")))
        self.theirs(photo, LOOKS["soft mask"][1])
        theirs = read(self.scratch / "out/one.png")
        ours = (ours - ours.min()) / max(numpy.ptp(ours), 1) * 255
        return float(abs(ours - theirs).mean() / 255)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of photographs; painted ones without it")
    parser.add_argument("--count", type=int, default=1000, help="photographs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--model", type=Path, help="run or model file of a U²-Net-lite; one is trained without it")
    parser.add_argument("--program", type=Path, help="a dapple that is built; a release build is made without it")
    parser.add_argument("--write", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    arguments = parser.parse_args()
    stage.enter("predict", ["rembg[cpu,cli]==2.0.*", "numpy", "pillow"])
    from importlib.metadata import version

    dapple = stage.program(arguments.program)
    with tempfile.TemporaryDirectory(prefix="dapple-bench-") as folder:
        scratch = Path(folder)
        photos = scratch / "photos"
        stage.photographs(photos, arguments.count, arguments.images)
        bench = Bench(dapple, stage.model(dapple, arguments.model, scratch), scratch, arguments.threads)
        first = sorted(photos.iterdir())[0]
        difference = bench.difference(first)
        rows = []
        for look, (ours, theirs) in LOOKS.items():
            runs = {"dapple": [], "rembg": []}
            busy = []
            for _ in range(arguments.rounds):
                runs["dapple"].append(bench.ours(photos, ours))
                busy.append(int(re.search(r"the network busy (\d+) %", runs["dapple"][-1][2])[1]))
                runs["rembg"].append(bench.theirs(photos, theirs))
            rate = {who: statistics.median(arguments.count / r[0] for r in all) for who, all in runs.items()}
            memory = {who: max(r[1] for r in all) for who, all in runs.items()}
            rows.append(
                f"| {look}, images/s | {rate['dapple']:.2f} | {rate['rembg']:.2f} | "
                f"**{rate['dapple'] / rate['rembg']:.2f}** | 2 |"
            )
            rows.append(f"| {look}, network busy, % | {statistics.median(busy):.0f} | | | 95 |")
            rows.append(f"| {look}, peak memory, MiB | {memory['dapple']:.0f} | {memory['rembg']:.0f} | | |")
        start = {"dapple": [], "rembg": []}
        for _ in range(max(arguments.rounds, 3)):
            start["dapple"].append(bench.ours(first, LOOKS["cut-out"][0])[0])
            start["rembg"].append(bench.theirs(first, LOOKS["cut-out"][1])[0])
        ours, theirs = (statistics.median(start[who]) for who in ["dapple", "rembg"])
        rows.append(f"| one photograph, s | {ours:.2f} | {theirs:.2f} | **{theirs / ours:.1f}** | 10 |")
    text = f"""# `dapple predict` beside rembg

Made by `bench/predict/run.py --count {arguments.count} --rounds {arguments.rounds}` on {time.strftime("%Y-%m-%d")}:
{stage.machine(arguments.threads)}, rembg {version("rembg")}, onnxruntime {version("onnxruntime")}.
U²-Net-lite at {stage.SIDE} x {stage.SIDE}, the same weights in both, {arguments.count} JPEG photographs of 1.2 to 8 million pixels.
Soft masks of the first one, both stretched to the whole range, differ by {difference:.4f} on average.

| | dapple | rembg | ratio | goal |
|---|---|---|---|---|
""" + "\n".join(rows) + "\n"
    arguments.write.write_text(text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
