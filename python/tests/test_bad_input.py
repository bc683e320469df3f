"""Bad input gives one exception that says what is wrong."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import dapple
from dapple import metrics

GOOD = np.zeros((32, 32, 3), np.uint8)


def with_nan() -> np.ndarray:
    image = np.zeros((8, 8, 3), np.float32)
    image[2, 5, 1] = np.nan
    return image


def closed_file() -> io.BytesIO:
    file = io.BytesIO(b"")
    file.close()
    return file


def closed_pillow(folder) -> Image.Image:
    path = folder / "photo.png"
    Image.fromarray(GOOD).save(path)
    image = Image.open(path)
    image.close()
    return image


@pytest.mark.parametrize(
    "image, words",
    [
        (np.zeros((8, 8, 3), np.int64), "int64"),
        (np.zeros((8, 8, 3), bool), "bool"),
        (np.zeros((8, 8, 3), complex), "complex"),
        (np.full((8, 8, 3), "x"), "<U1"),
        (np.zeros(8, np.uint8), r"shape \(8,\)"),
        (np.zeros((2, 2, 8, 8, 3), np.uint8), "shape"),
        (np.zeros((0, 8, 3), np.uint8), "no pixel"),
        (np.zeros((3, 480, 640), np.uint8), "channels x height x width"),
        (np.zeros((100, 80, 70), np.uint8), "number of channels"),
        (np.zeros((8, 8, 2), np.uint8), "channels"),
        (np.zeros((8, 8, 4), np.uint8), r"image\[:, :, :3\]"),
        (np.zeros((8, 8, 5), np.uint8), "5 channels"),
        (with_nan(), "row 2, column 5"),
        (np.full((8, 8, 3), np.inf, np.float32), "inf"),
        (np.full((8, 8, 3), 1e300), "inf"),
        (np.full((8, 8, 3), 200.0), "value-range"),
        (np.broadcast_to(np.uint8(0), (1 << 20, 1 << 20, 3)), "GiB"),
        ([[1, 2], [3]], "array|shape|read"),
        (None, "NoneType"),
        (object(), "object"),
        ("no-such-file.png", "no-such-file.png"),
        (b"no picture", "the image"),
        (np.ma.masked_equal(GOOD, 0), "masked values"),
        (closed_file(), "closed"),
        (io.StringIO("text"), "rb"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_images(segmenter, image, words):
    with pytest.raises(dapple.InputError, match=words):
        segmenter.predict(image)


def test_a_closed_image_of_pillow(segmenter, tmp_path):
    with pytest.raises(dapple.InputError, match="the image cannot be read"):
        segmenter.predict(closed_pillow(tmp_path))


def test_damaged_files_are_named(segmenter, tmp_path):
    path = tmp_path / "damaged.png"
    Image.fromarray(GOOD).save(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(dapple.InputError, match="damaged.png"):
        segmenter.predict(path)


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(flip="sideways"), "flip 'sideways'"),
        (dict(tile=7), "64 to 8192"),
        (dict(tile="small"), "small"),
        (dict(overlap=5), "side of the tiles"),
        (dict(scales=[]), "scales"),
        (dict(scales=[99.0]), "0.1 to 10"),
        (dict(size="big"), "size 'big'"),
        (dict(size=0), "size 0"),
        (dict(size=(256.5, 64)), "size"),
        (dict(scales=1.0), "scales 1.0"),
        (dict(scales=["half"]), "scales 'half'"),
        (dict(threshold="high"), "threshold 'high'"),
        (dict(seed=float("nan")), "seed nan"),
        (dict(tile=128, overlap=1.5), "overlap 1.5"),
        (dict(value_range=(0, 1, 2)), "two numbers"),
        (dict(threshold=2.0), "0 to 1"),
        (dict(samples=3), "dropout"),
        (dict(seed=-1), "seed -1"),
        (dict(value_range="dark"), "dark"),
    ],
    ids=str,
)
def test_settings(segmenter, settings, words):
    with pytest.raises(dapple.InputError, match=words):
        segmenter.predict(GOOD, **settings)


def test_models_and_devices():
    with pytest.raises(dapple.InputError, match="did you mean `horse`"):
        dapple.load("hoarse")
    with pytest.raises(dapple.InputError, match="did you mean `cuda`"):
        dapple.load("horse", device="cudda")
    with pytest.raises(dapple.InputError, match="threads 0"):
        dapple.load("horse", threads=0)
    with pytest.raises(dapple.InputError, match="at least one"):
        dapple.load([])
    with pytest.raises(dapple.InputError, match="threads 2.5"):
        dapple.load("horse", threads=2.5)
    with pytest.raises(dapple.InputError, match="model 3"):
        dapple.load(3)
    with pytest.raises(dapple.InputError, match="fp8"):
        dapple.load("horse", precision="fp8")


def test_outputs(segmenter, tmp_path):
    prediction = segmenter.predict(GOOD)
    with pytest.raises(dapple.InputError, match="opacity"):
        prediction.overlay(opacity=3)
    with pytest.raises(dapple.InputError, match="no class `cow`"):
        prediction.cutout(keep=["cow"])
    with pytest.raises(dapple.InputError, match="no class 9"):
        prediction.cutout(keep=[9])
    # Nothing is rounded: 1.5 is no class, and a colour in [0, 1] is not black.
    with pytest.raises(dapple.InputError, match="class 1.5"):
        prediction.cutout(keep=[1.5])
    with pytest.raises(dapple.InputError, match="0 to 255"):
        prediction.cutout(background=(0.5, 0.5, 0.5))
    with pytest.raises(dapple.InputError, match="min_area 2.5"):
        prediction.polygons(min_area=2.5)
    with pytest.raises(dapple.InputError, match="background"):
        prediction.cutout(background="plaid")
    with pytest.raises(dapple.InputError, match="ending"):
        prediction.save(tmp_path / "mask.gif")
    with pytest.raises(dapple.InputError, match="TIFF"):
        prediction.save(tmp_path / "mask.tif")
    with pytest.raises(dapple.Error):
        prediction.save(tmp_path / "no" / "such" / "folder.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "prediction, truth, words",
    [
        (np.zeros((4, 4), int), np.zeros((4, 5), int), "prediction has 16 pixels"),
        (np.full((4, 4), 3), np.zeros((4, 4), int), "label 3 at row 0, column 0"),
        (np.zeros((4, 4)), np.zeros((4, 4), int), "float64"),
        (np.full((4, 4), -1), np.zeros((4, 4), int), "label -1"),
        (np.full((4, 4), 256), np.zeros((4, 4), int), "label 256"),
        (np.zeros((0, 4), int), np.zeros((0, 4), int), "no pixel"),
        ([np.zeros((4, 4), int)], [], "1 predictions and 0 truths|truth"),
    ],
)
def test_label_maps(prediction, truth, words):
    with pytest.raises(dapple.InputError, match=words):
        metrics.score(prediction, truth, 2)


def test_probabilities():
    truth = np.ones((4, 4), bool)
    with pytest.raises(dapple.InputError, match="row 1, column 2"):
        values = np.zeros((4, 4))
        values[1, 2] = 1.5
        metrics.salient(values, truth)
    with pytest.raises(dapple.InputError, match="nan|NaN"):
        metrics.salient(np.full((4, 4), np.nan), truth)
    with pytest.raises(dapple.InputError, match="0 and 1, or 0 and 255"):
        metrics.salient(np.zeros((4, 4)), np.full((4, 4), 7))
    with pytest.raises(dapple.InputError, match="last axis of classes"):
        metrics.calibration(np.zeros((4, 4, 2)), np.zeros((3, 4), int))
    for bins in (0, 10.5):
        with pytest.raises(dapple.InputError, match="bins"):
            metrics.Calibration(bins)
    with pytest.raises(dapple.InputError, match="boundary_ratio"):
        metrics.Evaluator(2, boundary_ratio="wide")


def test_augmentation():
    with pytest.raises(dapple.InputError, match="none, flip, light, medium"):
        dapple.Augment("wild")
    with pytest.raises(dapple.InputError, match="rotate"):
        dapple.Augment("light", rotate=720)
    with pytest.raises(dapple.InputError, match="turn"):
        dapple.Augment("light", turn=1)
    with pytest.raises(dapple.InputError, match="mixes several samples"):
        dapple.Augment("light", mosaic=0.5)
    with pytest.raises(dapple.InputError, match="1 to 16384"):
        dapple.Augment("light", size=(0, 5))
    with pytest.raises(dapple.InputError, match="seed 1.5"):
        dapple.Augment("light", seed=1.5)
    with pytest.raises(dapple.InputError, match="rotate"):
        dapple.Augment("light", rotate=object())
    augment = dapple.Augment("light", size=np.int64(32), rotate=np.float32(20))
    assert augment.settings["rotate"] == 20
    with pytest.raises(dapple.InputError, match="float32"):
        augment(np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), int))
    with pytest.raises(dapple.InputError):
        augment(GOOD, np.zeros((8, 8), int))
    with pytest.raises(dapple.InputError, match="draw -1"):
        augment(GOOD, np.zeros((32, 32), int), draw=-1)


def test_folders(tmp_path, discs):
    for call in (dapple.data.inspect, dapple.data.Dataset, dapple.train):
        with pytest.raises(dapple.InputError, match="nowhere"):
            call(str(tmp_path / "nowhere"))
    with pytest.raises(dapple.InputError, match="no option `colour`"):
        dapple.data.Dataset(discs, colour=3)
    with pytest.raises(dapple.InputError, match="format|formats|folders"):
        dapple.data.Dataset(discs, format="cupboard")
    for options, words in [
        (dict(classes=-1), "2 to 256"),
        (dict(ignore=1.5), "ignore 1.5"),
        (dict(skip_bad="yes"), "skip_bad"),
        (dict(value_range=(0, 1)), "value_range"),
    ]:
        with pytest.raises(dapple.InputError, match=words):
            dapple.data.Dataset(discs, **options)
    with pytest.raises(IndexError):
        dapple.data.Dataset(discs)[99]


def test_trainings(discs, tmp_path):
    out = tmp_path / "run"
    for settings, words in [
        (dict(epochz=3), "epochz"),
        (dict(epochs="many"), "epochs"),
        (dict(model="unett"), "unet"),
        (dict(lr=False), "lr=False"),
        (dict(loss={"a": 1}), "loss"),
        (dict(seeds=3), "one model"),
        (dict(callbacks=3), "callbacks"),
    ]:
        with pytest.raises((dapple.InputError, TypeError), match=words):
            dapple.train(discs, out, progress=False, **settings)
        assert not out.exists(), settings


def test_errors_are_of_the_usual_kinds():
    assert issubclass(dapple.InputError, (dapple.Error, ValueError)) and issubclass(dapple.InputError, ValueError)
    assert issubclass(dapple.InternalError, RuntimeError) and issubclass(dapple.InternalError, dapple.Error)
    assert dapple.InputError.__module__ == "dapple"
