"""Folders, and changes of pairs."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from PIL import Image

import dapple


def test_an_inspection_tells_what_is_there(discs):
    found = dapple.data.inspect(discs)
    assert found.pairs == 12 and [entry.name for entry in found.classes][0] == "background"
    assert "12" in found.text and found.problems == []


def test_a_folder_is_a_sequence_of_pairs(discs):
    dataset = dapple.data.Dataset(discs)
    assert len(dataset) == len(dataset.names) == 12 and len(dataset.classes) == 2
    image, labels = dataset[0]
    assert np.array_equal(image, np.asarray(Image.open(discs / "images" / "00.png")))
    assert np.array_equal(labels, np.asarray(Image.open(discs / "masks" / "00.png")))
    assert np.array_equal(dataset[-1][0], dataset[11][0]) and len(list(dataset)) == 12
    assert dataset.colours.shape == (2, 3) and dataset.ignore is None
    assert len(pickle.loads(pickle.dumps(dataset))) == 12


def test_a_conversion_has_the_same_pairs(discs, tmp_path):
    assert dapple.data.convert(discs, tmp_path / "out") == 12
    first, second = dapple.data.Dataset(discs), dapple.data.Dataset(tmp_path / "out")
    assert first.classes == second.classes
    for (image, labels), (other, other_labels) in zip(first, second):
        assert np.array_equal(image, other) and np.array_equal(labels, other_labels)


def pair(height: int = 40, width: int = 60):
    from conftest import picture

    image = picture(height, width)
    mask = (image[:, :, 0] > 110).astype(np.uint8)
    return image, mask


def test_image_and_mask_move_together():
    _, mask = pair()
    # An image that shows its mask: after any movement it still does.
    image = np.repeat((mask * 255)[:, :, np.newaxis], 3, axis=2)
    augment = dapple.Augment("flip", flip_vertical=0.5, seed=5)
    seen = set()
    for draw in range(40):
        changed, labels = augment(image, mask, draw=draw)
        assert np.array_equal(changed[:, :, 0] > 127, labels == 1)
        seen.add(labels.tobytes())
    assert len(seen) == 4


def test_the_same_draw_makes_the_same_change():
    image, mask = pair()
    first, second = (dapple.Augment("strong", seed=3) for _ in range(2))
    for draw in (0, 1, 1 << 40):
        a, b = first(image, mask, draw=draw), second(image, mask, draw=draw)
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
    calls = [first(image, mask)[0].tobytes() for _ in range(4)]
    assert len(set(calls)) == 4
    assert second(image, mask)[0].tobytes() == calls[0]
    copy = pickle.loads(pickle.dumps(first))
    assert np.array_equal(copy(image, mask, draw=9)[0], first(image, mask, draw=9)[0])


def test_no_change_is_a_copy():
    image, mask = pair()
    changed, labels = dapple.Augment("none")(image, mask)
    assert np.array_equal(changed, image) and np.array_equal(labels, mask) and changed is not image


def test_results_have_the_size_and_axes_asked_for():
    image, mask = pair()
    assert [part.shape for part in dapple.Augment("medium", size=(32, 48))(image, mask)] == [(32, 48, 3), (32, 48)]
    assert dapple.Augment("medium")(image[:, :, 0], mask)[0].shape == (40, 60)
    assert dapple.Augment("medium")(image[:, :, :1], mask)[0].shape == (40, 60, 1)
    assert dapple.Augment("medium")(Image.fromarray(image), Image.fromarray(mask))[0].shape == (40, 60, 3)
    six = np.concatenate([image, image], axis=2)
    assert dapple.Augment("flip")(six, mask)[0].shape == (40, 60, 6)


def test_ignored_pixels_stay_ignored():
    image, mask = pair()
    mask[:10] = 255
    augment = dapple.Augment("medium", ignore=255, border="pad")
    labels = np.concatenate([augment(image, mask, draw=draw)[1].ravel() for draw in range(4)])
    assert set(np.unique(labels)) <= {0, 1, 255} and 255 in labels


def test_settings_are_those_of_a_training():
    settings = dapple.Augment("light", rotate=20).settings
    assert settings["rotate"] == 20 and settings["flip_horizontal"] == 0.5 and settings["mosaic"] == 0
    assert "rotate=20" in repr(dapple.Augment("light", rotate=20))


@pytest.mark.skipif(sys.platform != "linux", reason="the workers are forked")
def test_workers_of_a_data_loader_draw_differently():
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, Dataset

    image, mask = pair()
    augment = dapple.Augment("medium")

    class Same(Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            return torch.from_numpy(augment(image, mask)[0])

    def loader(data):
        return DataLoader(data, batch_size=1, num_workers=2, multiprocessing_context="fork")

    def epoch():
        torch.manual_seed(1)
        return [batch.numpy().tobytes() for batch in loader(Same())]

    first = epoch()
    assert len(set(first)) == 8 and first == epoch()
