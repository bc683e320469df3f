"""Trainings of the binary under test, and what they leave in their folders."""

import json
import os
import pathlib
import random
import re
import struct
import subprocess
import time
import zlib

import numpy as np


def png(path, pixels):
    """Writes 8-bit pixels `[height, width]` or `[height, width, 3]`."""
    height, width = pixels.shape[:2]
    kind = 0 if pixels.ndim == 2 else 2
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def make_data(folder, images, side):
    """Discs on noise, with their masks."""
    draw = np.random.default_rng(1)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:side, :side]
    for number in range(images):
        pixels = draw.integers(0, 120, (side, side, 3), dtype=np.uint8)
        middle, radius = draw.integers(side // 4, 3 * side // 4, 2), draw.integers(side // 8, side // 4)
        inside = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < radius**2
        pixels[inside] += draw.integers(60, 130, 3, dtype=np.uint8)
        png(folder / "images" / f"{number:04}.png", pixels)
        png(folder / "masks" / f"{number:04}.png", inside.astype(np.uint8) * 255)


def call(words, **options):
    """Runs to the end; its standard output."""
    done = subprocess.run(words, capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def records(run):
    """The rows of metrics.jsonl."""
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def weights(path):
    """The tensors of a safetensors file, joined in the order of their names."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    parts = []
    for name in sorted(header):
        if name.startswith("state."):
            begin, end = header[name]["data_offsets"]
            parts.append(np.frombuffer(data[8 + length + begin : 8 + length + end], "<f4"))
    return np.concatenate(parts)


def settings(dapple, data, folder, flags):
    """A config.toml of a training with these flags that saves its state after every batch."""
    begun = subprocess.Popen(
        [dapple, "train", "--data", str(data), "--out", str(folder), "--quiet", *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    config = folder / "config.toml"
    while not config.exists() and begun.poll() is None:
        time.sleep(0.01)
    begun.kill()
    said = begun.communicate()[1].decode()
    if not config.exists():
        raise SystemExit(said)
    text = config.read_text()
    text = re.sub(r"(?m)^batches = .*\n", "", text)
    changed = folder.parent / "config.toml"
    changed.write_text(text.replace("[checkpoint]\n", "[checkpoint]\nbatches = 1\n", 1))
    return changed


def ranks_of(dapple, run):
    """Process numbers of the ranks that train into a folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words and words[0] == os.fsencode(dapple) and os.fsencode(run) in words:
                found.append(int(entry.name))
    return sorted(found)


def kill_loop(dapple, folder, most, rounds, seconds):
    """Kills a rank at random moments, goes on with another number of ranks each time, and compares the end with a training that
    nobody killed. Returns a line for each round."""
    draw = random.Random(7)
    data = folder / "data"
    make_data(data, 48, 64)
    # Steps that are linear in the gradient, so that other orders of sums stay close.
    flags = ["--recipe", "plain", "--model", "unet", "--width", "8", "--size", "64", "--batch", "6", "--epochs", "20"]
    flags += ["--optimizer", "sgd", "--lr", "0.01", "--threads", "1"]
    config = settings(dapple, data, folder / "settings", flags)
    whole, run = folder / "whole", folder / "killed"
    call([dapple, "train", "--config", str(config), "--out", str(whole), "--quiet"])
    kills, lines = 0, []
    for number in range(10 * rounds):
        ranks = draw.randint(1, most)
        begin = ["--resume", str(run)] if (run / "config.toml").exists() else ["--config", str(config), "--out", str(run)]
        words = ["mpirun", "-n", str(ranks), dapple, "train", *begin, "--quiet"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        end = time.monotonic() + draw.uniform(0.1, seconds)
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.01)
        alive = ranks_of(dapple, run) if process.poll() is None and kills < rounds else []
        if alive:
            os.kill(draw.choice(alive), 9)
            kills += 1
        begun = time.monotonic()
        try:
            said, _ = process.communicate(timeout=600 if not alive else 60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise SystemExit(f"round {number}: the other ranks go on without the one that was killed")
        took = time.monotonic() - begun
        last = run / "last.safetensors"
        size = weights(last).size if last.exists() else 0
        lines.append(f"{number},{ranks},{len(alive)},{took:.2f},{len(records(run))},{size}")
        if not alive and process.returncode == 0:
            break
        if not alive and process.returncode != 0:
            raise SystemExit(f"round {number}: {said}")
    distance = np.abs(weights(whole / "last.safetensors") - weights(run / "last.safetensors")).max()
    scores = [records(each)[-1]["train_loss"] for each in (whole, run)]
    return kills, lines, float(distance), scores


def images_per_second(dapple, folder, name, ranks, threads, config):
    """Of the epochs after the first, measuring included."""
    run = folder / name
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    words = [*launcher, dapple, "train", "--config", str(config), "--out", str(run), "--force", "--threads", str(threads), "--quiet"]
    call(words)
    seconds = sorted(row["seconds"] for row in records(run)[1:])
    images = len(json.loads((run / "split.json").read_text())["train"])
    return images / seconds[len(seconds) // 2]


def scaling(dapple, folder, rounds):
    """Images a second of one rank with two threads and of two ranks with one, in turns: [(one, two)]."""
    data = folder / "data"
    make_data(data, 120, 128)
    flags = ["--recipe", "plain", "--model", "unet", "--width", "16", "--size", "128", "--batch", "8", "--epochs", "4"]
    config = settings(dapple, data, folder / "settings", [*flags, "--threads", "1"])
    text = re.sub(r"(?m)^batches = 1\n", "", config.read_text())
    config.write_text(re.sub(r"(?m)^threads = 1\n", "", text, count=1))
    pairs = []
    for _ in range(rounds):
        one = images_per_second(dapple, folder, "one", 1, 2, config)
        two = images_per_second(dapple, folder, "two", 2, 1, config)
        pairs.append((one, two))
    return pairs
