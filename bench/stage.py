"""What the measurements of `predict` and `serve` share: the program, the peers' packages, photographs and a model."""

import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Width and height of photographs as cameras and phones give them, shared and shrunk.
SIZES = [(1280, 960), (1920, 1080), (1080, 1350), (2048, 1365), (1600, 1200), (1365, 2048), (3264, 2448)]
SIDE = 320


def enter(name, packages):
    """Goes on in a virtual environment outside of the repository that has these packages."""
    venv = Path(os.environ.get("DAPPLE_BENCH_VENV", Path.home() / ".cache/dapple-bench")) / name
    python = venv / "bin/python"
    if Path(sys.prefix).resolve() == venv.resolve():
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    marker = venv / "installed.txt"
    if not marker.exists() or marker.read_text() != "\n".join(packages):
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        marker.write_text("\n".join(packages))
    os.execv(str(python), [str(python), *sys.argv])


def tool(name):
    """A program of the virtual environment."""
    return str(Path(sys.prefix) / "bin" / name)


def program(given):
    """The program that is given, or a release build."""
    if given:
        return str(given.resolve())
    subprocess.run(["cargo", "build", "--locked", "--release", "-p", "dapple"], check=True, cwd=ROOT)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/dapple")


def painted(width, height, seed):
    """A picture that is as hard to decode as a photograph, and the mask of its disc."""
    import numpy
    from PIL import Image

    random_numbers = numpy.random.default_rng(seed)
    coarse = random_numbers.integers(0, 256, (12, 16, 3), dtype=numpy.uint8)
    image = numpy.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    y, x = numpy.mgrid[:height, :width]
    middle = random_numbers.uniform(0.35, 0.65, 2)
    disc = numpy.hypot(x / width - middle[0], y / height - middle[1]) < random_numbers.uniform(0.15, 0.3)
    image[disc] = 0.4 * image[disc] + 0.6 * random_numbers.integers(0, 256, 3)
    image += random_numbers.normal(0, 6, image.shape)
    return Image.fromarray(image.clip(0, 255).astype(numpy.uint8)), Image.fromarray(disc)


def photographs(folder, count, source):
    """JPEG files of typical sizes: scaled from those of a folder, or painted."""
    from PIL import Image, ImageOps

    folder.mkdir(parents=True)
    endings = {".jpg", ".jpeg", ".png"}
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in endings) if source else []
    if source and not found:
        sys.exit(f"{source}: no JPEG or PNG files")
    random.Random(0).shuffle(found)
    for i in range(count):
        size = SIZES[i % len(SIZES)]
        if found:
            photo = ImageOps.fit(Image.open(found[i % len(found)]).convert("RGB"), size, Image.Resampling.BICUBIC)
            photo = ImageOps.mirror(photo) if i // len(found) % 2 else photo
        else:
            photo, _ = painted(*size, i)
        photo.save(folder / f"photo{i:05}.jpg", quality=90)


def model(dapple, given, scratch):
    """The run or model file that is given, or a U²-Net-lite trained for a minute: speed does not depend on the weights."""
    if given:
        return given.resolve()
    for part in ["images", "masks"]:
        (scratch / "data" / part).mkdir(parents=True)
    for i in range(6):
        image, mask = painted(SIDE, SIDE, i)
        image.save(scratch / f"data/images/{i}.png")
        mask.save(scratch / f"data/masks/{i}.png")
    train = f"train --data data --model u2net-lite --size {SIDE} --epochs 10 --batch 2 --out run --quiet"
    subprocess.run([dapple, *train.split()], check=True, cwd=scratch)
    return scratch / "run"


def machine(threads):
    """One line on where this was measured."""
    name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    return f"{name}, {threads} threads, commit {commit.strip()}"
