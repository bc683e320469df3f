#!/usr/bin/env python3
"""Times of the Python package: what a call costs beside its network, arrays predicted a second beside onnxruntime with the same
model, and Boundary IoU beside boundary-iou-api and OpenCV.

    python/check && python3 bench/python/run.py --wheel python/dist/dapple-*.whl [--count 1000] [--threads 2]

Peers are installed into $DAPPLE_BENCH_VENV, by default ~/.cache/dapple-bench. The model goes to onnxruntime as `dapple export
--onnx --with-preprocessing --argmax` writes it, so that both take the same arrays and give labels. All take turns on as many
threads; of several rounds the medians count. boundary-iou-api is not on the package index: it is fetched from its repository
(bowenc0221/boundary-iou-api), and left out where that cannot be reached. Results go to bench/python/RESULTS.md (`--write`).
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import stage  # noqa: E402

PACKAGES = ["numpy", "pillow", "onnxruntime", "opencv-python-headless", "pycocotools"]
BOUNDARY = "git+https://github.com/bowenc0221/boundary-iou-api.git"
HERE = Path(__file__).resolve().parent


def seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def in_turns(works, rounds):
    """The median time of each, taken in turns."""
    for work in works.values():
        work()
    times = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return {name: statistics.median(found) for name, found in times.items()}


def overhead(segmenter, rounds):
    """Milliseconds of `predict` on a 512 x 512 array beyond the native call, and of the copy that the native call makes of it."""
    import numpy

    from dapple._arrays import image_of

    image = numpy.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=numpy.uint8)
    wide = numpy.zeros((512, 1024, 3), numpy.uint8)
    wide[:, ::2] = image
    native = segmenter._predictor(None, "auto", None, (1.0,), None, None, None, 0, None)

    def settings():
        segmenter._predictor(None, "auto", None, (1.0,), None, None, None, 0, None)

    found = in_turns(
        {
            "Python's part of a call": lambda: (settings(), image_of(image)),
            "the same, of an array with gaps between its pixels": lambda: (settings(), image_of(wide[:, ::2])),
            "the copy of the array": lambda: image.copy(),
            "the whole call, network included": lambda: native.predict(image, False, ""),
        },
        rounds,
    )
    return [(name, f"{1000 * value:.3f} ms") for name, value in found.items()]


def arrays(segmenter, model, count, threads, folder, rounds):
    """Arrays of 512 x 512 to labels, a second."""
    import numpy
    import onnxruntime

    onnx = folder / "model.onnx"
    command = [stage.tool("dapple"), "export", model, "--onnx", str(onnx), "--with-preprocessing", "--argmax"]
    subprocess.run(command, check=True, capture_output=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    images = numpy.random.default_rng(1).integers(0, 256, (min(count, 32), 512, 512, 3), dtype=numpy.uint8)

    def ours():
        for at in range(count):
            segmenter.predict(images[at % len(images)]).labels

    def peer():
        for at in range(count):
            session.run(None, {"image": images[at % len(images)][None]})

    same = (segmenter.predict(images[0]).labels == session.run(None, {"image": images[:1]})[0][0]).mean()
    found = in_turns({"dapple": ours, f"onnxruntime {onnxruntime.__version__}": peer}, rounds)
    rows = [(name, f"{count / value:.1f} arrays/s") for name, value in found.items()]
    return [*rows, ("pixels with the same label", f"{same:.4%}")]


def boundary(rounds):
    """Boundary IoU of one mask of 1024 x 1024."""
    import cv2
    import numpy

    from dapple import metrics

    y, x = numpy.mgrid[:1024, :1024]
    truth = (numpy.hypot(x - 500, y - 480) < 300 + 40 * numpy.sin(x / 25)).astype(numpy.uint8)
    found = (numpy.hypot(x - 506, y - 476) < 304 + 36 * numpy.sin(x / 25)).astype(numpy.uint8)

    def regions(erode):
        parts = [mask - erode(mask) for mask in (truth, found)]
        return (parts[0] & parts[1]).sum() / (parts[0] | parts[1]).sum()

    def by_opencv():
        width = max(1, round(0.02 * (2 * 1024**2) ** 0.5))
        kernel = numpy.ones((3, 3), numpy.uint8)

        def erode(mask):
            framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
            return cv2.erode(framed, kernel, iterations=width)[1:-1, 1:-1]

        return regions(erode)

    works = {"dapple, with IoU, BF and all others": lambda: metrics.boundary_iou(found, truth, 2)[1], "OpenCV": by_opencv}
    try:
        from boundary_iou.utils.boundary_utils import mask_to_boundary

        def by_api():
            parts = [mask_to_boundary(mask) for mask in (truth, found)]
            return (parts[0] & parts[1]).sum() / (parts[0] | parts[1]).sum()

        works["boundary-iou-api"] = by_api
    except ImportError:
        print("boundary-iou-api is not there; it is left out", file=sys.stderr)
    scores = {name: float(work()) for name, work in works.items()}
    assert max(scores.values()) - min(scores.values()) < 1e-12, scores
    times = in_turns(works, rounds)
    return [(name, f"{1000 * times[name]:.2f} ms, {scores[name]:.6f}") for name in works]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--model", default="horse")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    stage.enter("python", [*PACKAGES, str(arguments.wheel.resolve())])
    try:
        import boundary_iou  # noqa: F401
    except ImportError:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", BOUNDARY], check=False)

    import dapple

    segmenter = dapple.load(arguments.model, device="cpu", threads=arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        tables = [
            ("A call on an array of 512 x 512", overhead(segmenter, 20)),
            (
                f"{arguments.count} arrays of 512 x 512 to labels, `{arguments.model}`, {arguments.threads} threads",
                arrays(segmenter, arguments.model, arguments.count, arguments.threads, Path(folder), arguments.rounds),
            ),
            ("Boundary IoU of two masks of 1024 x 1024", boundary(20)),
        ]
    size = arguments.wheel.stat().st_size / 1e6
    lines = [
        "# The Python package in numbers",
        "",
        f"dapple {dapple.__version__}, Python {platform.python_version()}, {os.cpu_count()} processors ({platform.machine()}). The wheel has "
        f"{size:.1f} MB. Made by `bench/python/run.py`, which says how.",
    ]
    for title, rows in tables:
        lines += ["", f"## {title}", "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.write:
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
