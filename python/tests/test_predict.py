"""Images of every kind in, predictions out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dapple


def test_an_array_a_file_its_bytes_and_pillow_are_one_image(segmenter, image, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(image).save(path)
    wanted = segmenter.predict(image).probabilities
    assert wanted.shape == (96, 128, 2) and wanted.dtype == np.float32
    assert np.allclose(wanted.sum(axis=-1), 1, atol=1e-5)
    with open(path, "rb") as file:
        others = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), file, Image.open(path)]
        for other in others:
            assert np.array_equal(segmenter.predict(other).probabilities, wanted), type(other)


def test_labels_are_the_most_probable_classes(segmenter, image):
    prediction = segmenter.predict(image)
    assert prediction.labels.dtype == np.uint8
    agrees = prediction.labels == prediction.probabilities.argmax(axis=-1)
    assert agrees.mean() > 0.999
    assert np.array_equal(np.asarray(prediction), prediction.labels)
    assert np.asarray(prediction, dtype=np.int64).dtype == np.int64


def test_entropy_is_that_of_the_probabilities(segmenter, image):
    prediction = segmenter.predict(image)
    p = np.clip(prediction.probabilities.astype(np.float64), 1e-12, 1)
    assert np.allclose(prediction.entropy, -(p * np.log2(p)).sum(axis=-1), atol=1e-4)


def test_layouts_in_memory_make_no_difference(segmenter, image):
    wanted = segmenter.predict(image).labels
    wide = np.zeros((96, 256, 3), np.uint8)
    wide[:, ::2] = image
    fixed = image.copy()
    fixed.flags.writeable = False
    for other in [np.asfortranarray(image), wide[:, ::2], image[:, :, ::-1].copy()[:, :, ::-1], fixed]:
        assert np.array_equal(segmenter.predict(other).labels, wanted)
    assert np.array_equal(segmenter.predict(image[::-1]).labels, segmenter.predict(image[::-1].copy()).labels)


def test_types_of_values_mean_the_same_picture(segmenter, image):
    wanted = segmenter.predict(image).probabilities
    for other in [
        image.astype(np.uint16) * 257,
        image.astype(np.float32) / 255,
        image.astype(np.float64) / 255,
        (image.astype(np.uint16) * 257).astype(">u2"),
    ]:
        assert np.allclose(segmenter.predict(other).probabilities, wanted, atol=1e-3), other.dtype
    bytes_as_floats = image.astype(np.float32)
    found = segmenter.predict(bytes_as_floats, value_range=(0, 255))
    assert np.allclose(found.probabilities, wanted, atol=1e-3)


def test_grey_is_colour_of_three_equal_channels(segmenter, image):
    grey = image[:, :, 0]
    wanted = segmenter.predict(np.repeat(grey[:, :, np.newaxis], 3, axis=2)).labels
    assert np.array_equal(segmenter.predict(grey).labels, wanted)
    assert np.array_equal(segmenter.predict(grey[:, :, np.newaxis]).labels, wanted)
    assert np.array_equal(segmenter.predict(Image.fromarray(grey)).labels, wanted)


def test_transparent_pixels_have_no_class(segmenter, image):
    alpha = np.full((96, 128), 255, np.uint8)
    alpha[:20] = 0
    prediction = segmenter.predict(Image.fromarray(np.dstack([image, alpha])))
    assert (prediction.labels[:20] == 255).all() and (prediction.labels[20:] < 2).all()


def test_several_images_are_predicted_one_by_one(segmenter, image):
    batch = np.stack([image, image[::-1]])
    for many in (batch, list(batch), tuple(batch)):
        found = segmenter.predict(many)
        assert [prediction.shape for prediction in found] == [(96, 128)] * 2
        for one, prediction in zip(batch, found):
            assert np.array_equal(segmenter.predict(one).labels, prediction.labels)
    assert segmenter.predict([]) == []


def test_settings_change_the_prediction_as_they_say(segmenter, image):
    plain = segmenter.predict(image).probabilities
    flipped = segmenter.predict(image, flip="horizontal").probabilities
    mirrored = segmenter.predict(image[:, ::-1], flip=True).probabilities[:, ::-1]
    assert np.allclose(flipped, mirrored, atol=1e-4) and not np.array_equal(plain, flipped)
    for settings in [dict(flip="both"), dict(scales=[0.75, 1.0]), dict(size=128), dict(size=(96, 128)), dict(size="image"), dict(tile=64)]:
        found = segmenter.predict(image, **settings)
        assert found.probabilities.shape == (96, 128, 2), settings
        assert found.entropy.min() >= 0 and found.entropy.max() <= 1
    assert segmenter.predict(image, threshold=1.0).labels.max() == 0


def test_tiles_cover_the_whole_image(segmenter):
    from conftest import picture

    large = picture(200, 300)
    tiled = segmenter.predict(large, tile=96, overlap=32)
    assert tiled.labels.shape == (200, 300)
    assert np.allclose(tiled.probabilities.sum(axis=-1), 1, atol=1e-4)
    assert tiled.overlay().shape == (200, 300, 3)


def test_a_run_and_its_folder_are_models(run, image):
    found = [dapple.load(model, device="cpu").predict(image).labels for model in (run, run.folder, Path(run.folder))]
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
    assert np.array_equal(run.load(device="cpu").predict(image).labels, found[0])


def test_models_predict_together(run, image):
    alone = dapple.load(run, device="cpu").predict(image).probabilities
    together = dapple.load([run, run], device="cpu").predict(image).probabilities
    assert np.allclose(alone, together, atol=1e-6)


def test_a_segmenter_describes_itself(segmenter):
    assert segmenter.classes == ["background", "horse"]
    assert segmenter.colours.shape == (2, 3) and segmenter.notes == []
    assert len(segmenter.input_shape) == 3 and "horse" in repr(segmenter)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_the_engine_do_not_change_the_result(segmenter, image, threads):
    other = dapple.load("horse", device="cpu", threads=threads).predict(image)
    assert np.array_equal(other.probabilities, segmenter.predict(image).probabilities)
