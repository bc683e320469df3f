"""Times Boundary IoU and the confusion matrix against their definitions in NumPy and OpenCV, one thread each.

    pip install numpy scipy opencv-python-headless
    python benches/speed.py

Both score the same maps: regions of smooth noise, the prediction being the truth with its outlines moved. The
definition binarises each class, pads, erodes with a 3 x 3 square and counts, as the paper's code does; the counts
must agree before times are printed. The two take turns, so that what else the machine does slows both; times are
medians, of processor time for Python.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

cv2.setNumThreads(1)
CRATE = Path(__file__).parent.parent
ROUNDS = 5
SQUARE = np.ones((3, 3), np.uint8)


def label_maps(rng, height, width, classes):
    """Truth and prediction: the strongest of some smooth fields, before and after a little noise."""
    fields = min(classes, 12)
    labels = rng.permutation(classes)[:fields].astype(np.uint8)
    base, noise = np.zeros((2, fields, height, width), np.float32)
    for field in range(fields):
        base[field] = normalised(gaussian_filter(rng.normal(size=(height, width)), height / 12))
        noise[field] = normalised(gaussian_filter(rng.normal(size=(height, width)), height / 40))
    return labels[base.argmax(0)], labels[(base + 0.25 * noise).argmax(0)]


def normalised(field):
    return field / field.std()


def boundary_region(mask, distance):
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return mask - cv2.erode(padded, SQUARE, iterations=distance)[1:-1, 1:-1]


def boundary_counts(prediction, truth, classes, distance):
    counts = []
    scored = truth != 255
    for label in range(classes):
        a = boundary_region((prediction == label).astype(np.uint8), distance) & scored
        b = boundary_region((truth == label).astype(np.uint8), distance) & scored
        counts.append((np.count_nonzero(a & b), np.count_nonzero(a), np.count_nonzero(b)))
    return counts


def confusion(prediction, truth, classes):
    scored = truth != 255
    joint = truth[scored].astype(np.int64) * classes + prediction[scored]
    return np.bincount(joint, minlength=classes * classes)


def microseconds(work):
    """Processor time of one call, of as many as take a quarter of a second."""
    calls, start = 0, time.process_time()
    while calls == 0 or time.process_time() - start < 0.25:
        work()
        calls += 1
    return (time.process_time() - start) / calls * 1e6


def main():
    command = ["cargo", "build", "--quiet", "--release", "--example", "boundary_speed", "--message-format=json"]
    built = subprocess.run(command, cwd=CRATE, check=True, capture_output=True, text=True).stdout
    program = next(part for part in built.split('"') if part.endswith("/boundary_speed"))
    rng = np.random.default_rng(0)
    print(f"{'size':>11} {'classes':>7} | {'Boundary IoU, µs':^28} | {'confusion matrix, µs':^28}")
    print(f"{'':>19} | {'NumPy+OpenCV':>12} {'dapple':>8} {'ratio':>6} | {'NumPy':>12} {'dapple':>8} {'ratio':>6}")
    for height, width in [(224, 224), (512, 512), (1024, 2048)]:
        distance = max(1, round(0.02 * np.sqrt(height**2 + width**2)))
        for classes in [2, 19, 150]:
            truth, prediction = label_maps(rng, height, width, classes)
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(folder) / "prediction", Path(folder) / "truth"]
                for path, labels in zip(paths, [prediction, truth]):
                    path.write_bytes(labels.tobytes())
                arguments = list(map(str, [program, *paths, height, width, classes]))
                expected = boundary_counts(prediction, truth, classes, distance)
                times = []
                for _ in range(ROUNDS):
                    output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
                    ours, counts = output.split("\n", 1)
                    assert [tuple(map(int, line.split())) for line in counts.splitlines()] == expected
                    a = microseconds(lambda: boundary_counts(prediction, truth, classes, distance))
                    b = microseconds(lambda: confusion(prediction, truth, classes))
                    times.append((a, b, *map(float, ours.split())))
            a, b, boundary, matrix = np.median(times, axis=0)
            print(
                f"{width:>5} x {height:<4}{classes:>7} | {a:>12.0f} {boundary:>8.1f} {a / boundary:>6.0f}"
                f" | {b:>12.0f} {matrix:>8.1f} {b / matrix:>6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
