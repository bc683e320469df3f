"""The command that the package installs."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dapple


def dapple_command() -> str:
    found = shutil.which("dapple", path=sysconfig.get_path("scripts"))
    assert found, "the package installs a command"
    return found


def run(*arguments, **settings) -> subprocess.CompletedProcess:
    return subprocess.run([dapple_command(), *map(str, arguments)], capture_output=True, text=True, **settings)


def test_it_has_the_version_of_the_package():
    assert run("--version").stdout.split() == ["dapple", dapple.__version__]
    module = subprocess.run([sys.executable, "-m", "dapple", "--version"], capture_output=True, text=True)
    assert module.stdout == run("--version").stdout


def test_exit_codes_and_messages_are_those_of_the_program(tmp_path):
    assert run("models").returncode == 0
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "photo.png")
    wrong = run("predict", "hoarse", tmp_path / "photo.png", "--out", tmp_path / "masks")
    assert wrong.returncode == 2 and "did you mean `horse`" in wrong.stderr
    usage = run("train", "--epochz", "3")
    assert usage.returncode == 2 and "--epochs" in usage.stderr
    with pytest.raises(dapple.InputError) as raised:
        dapple.load("hoarse")
    assert str(raised.value) in wrong.stderr


def test_it_predicts_as_the_module_does(segmenter, image, tmp_path):
    Image.fromarray(image).save(tmp_path / "photo.png")
    made = run("predict", "horse", "photo.png", "--out", "masks", "--device", "cpu", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert np.array_equal(np.asarray(Image.open(tmp_path / "masks" / "photo.png")), segmenter.predict(image).labels)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent otherwise there")
def test_ctrl_c_ends_a_training_with_its_state_saved(discs, tmp_path):
    out = tmp_path / "run"
    options = ["--recipe", "plain", "--model", "unet", "--width", "4", "--size", "64", "--epochs", "500", "--device", "cpu"]
    training = subprocess.Popen(
        [dapple_command(), "train", str(discs), "--out", str(out), *options], stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    # A row of figures comes with the first epoch.
    rows = lambda: (out / "metrics.csv").read_text().count("\n") if (out / "metrics.csv").exists() else 0
    while rows() < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    training.send_signal(signal.SIGINT)
    said, _ = training.communicate(timeout=120)
    assert training.returncode == 0 and "interrupted" in said
    assert dapple.Run(out).metrics["epoch"].size >= 1


def test_a_lost_reader_ends_a_listing_quietly():
    listing = subprocess.Popen([dapple_command(), "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    listing.stdout.close()
    assert listing.wait(60) == 0 and listing.stderr.read() == b""
    listing.stderr.close()


def test_it_is_beside_the_interpreter():
    assert Path(dapple_command()).parent == Path(sysconfig.get_path("scripts"))
