"""Metrics equal their definitions, `dapple score`, and each other by one call and by parts."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from dapple import metrics


def maps(count: int = 3, classes: int = 3, side: int = 40):
    draw = np.random.default_rng(1)
    truths = [np.kron(draw.integers(0, classes, (4, 5)), np.ones((side // 4, side // 5), int)) for _ in range(count)]
    predictions = [np.where(draw.random(truth.shape) < 0.9, truth, (truth + 1) % classes) for truth in truths]
    return predictions, truths


def test_mean_iou_is_that_of_the_definition():
    predictions, truths = maps()
    found, true = np.concatenate(predictions), np.concatenate(truths)
    ious = [((found == c) & (true == c)).sum() / ((found == c) | (true == c)).sum() for c in range(3)]
    assert metrics.iou(predictions, truths, 3) == pytest.approx(ious, abs=1e-12)
    assert metrics.miou(predictions, truths) == pytest.approx(np.mean(ious), abs=1e-12)


def test_boundary_iou_is_that_of_regions():
    predictions, truths = maps(count=1)
    found, true = predictions[0], truths[0]
    inside, wanted = metrics.boundary_region(found), metrics.boundary_region(true)
    ious = [
        ((found == c) & inside & (true == c) & wanted).sum() / (((found == c) & inside) | ((true == c) & wanted)).sum()
        for c in range(3)
    ]
    assert metrics.boundary_iou(found, true, 3) == pytest.approx(ious, abs=1e-12)


def test_parts_and_threads_make_the_same_scores():
    predictions, truths = maps(count=6)
    whole = metrics.score(predictions, truths, ["a", "b", "c"])
    first, second = (metrics.Evaluator(["a", "b", "c"]) for _ in range(2))
    first.update(np.stack(predictions[:4]), np.stack(truths[:4]))
    second.update(predictions[4], truths[4])
    second.update(predictions[5], truths[5])
    first.merge(second)
    assert first.compute().dataset == whole.dataset and first.compute().per_image == whole.per_image
    assert first.confusion().sum() == sum(truth.size for truth in truths)
    shared = metrics.Evaluator(["a", "b", "c"])
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(shared.update, predictions, truths))
    assert shared.compute().dataset == whole.dataset
    first.merge(first)
    assert first.compute().images == 12
    first.reset()
    assert first.compute().images == 0


def test_ignored_pixels_do_not_count():
    predictions, truths = maps(count=1)
    truth = truths[0].copy()
    truth[:20] = 255
    kept = metrics.score(predictions[0][20:], truth[20:], 3).dataset.miou
    assert metrics.score(predictions[0], truth, 3, ignore=255).dataset.miou == kept
    assert metrics.score(predictions[0], truth, ignore=255).dataset.miou == kept


def test_any_type_of_labels_and_any_layout_score_the_same():
    predictions, truths = maps(count=1)
    wanted = metrics.score(predictions[0], truths[0], 3).dataset
    for make in [np.uint8, np.int16, np.uint64, np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2]]:
        change = (lambda a: a.astype(make)) if isinstance(make, type) else make
        assert metrics.score(change(predictions[0]), change(truths[0]), 3).dataset == wanted
    two = metrics.score(predictions[0] > 0, truths[0] > 0).dataset
    assert two == metrics.score((predictions[0] > 0).astype(int), (truths[0] > 0).astype(int)).dataset


class Exporter:
    """Has DLPack and nothing else, as arrays of other libraries do."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack_and_array_are_taken():
    predictions, truths = maps(count=2)
    wanted = metrics.miou(predictions, truths)
    exported = [[Exporter(np.ascontiguousarray(array)) for array in arrays] for arrays in (predictions, truths)]
    assert metrics.miou(*exported) == wanted
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(np.stack(arrays)) for arrays in (predictions, truths)]
    assert metrics.miou(*tensors) == wanted
    logits = torch.zeros(2, 4, 5, requires_grad=True)
    assert metrics.calibration(logits.softmax(-1), torch.zeros(2, 4, dtype=torch.long)).bins[0].pixels >= 0


def test_scores_are_those_of_the_command(tmp_path):
    predictions, truths = maps(count=3, classes=3)
    for name, arrays in [("pred", predictions), ("truth", truths)]:
        (tmp_path / name).mkdir()
        for number, array in enumerate(arrays):
            Image.fromarray(array.astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    command = [sys.executable, "-m", "dapple", "score", "--pred", "pred", "--truth", "truth", "--surface", "--json", "s.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    wanted = json.loads((tmp_path / "s.json").read_text())
    found = metrics.score(predictions, truths)
    for part in ("images", "classes", "dataset", "per_image"):
        assert found[part] == wanted[part], part
    # Surface distances are means over the images of each class.
    for label, entry in enumerate(wanted["surface"]):
        distances = [metrics.surface_distances(p == label, t == label) for p, t in zip(predictions, truths)]
        known = [distance for distance in distances if distance is not None]
        assert entry["hausdorff_95"] == pytest.approx(np.mean([distance.hausdorff_95 for distance in known]), abs=1e-9)
        assert entry["average"] == pytest.approx(np.mean([distance.average for distance in known]), abs=1e-9)


def test_foreground_scores_are_those_of_the_command(tmp_path):
    draw = np.random.default_rng(2)
    truths = [draw.random((30, 40)) < 0.4 for _ in range(3)]
    maps = [np.clip(0.7 * truth + 0.3 * draw.random(truth.shape), 0, 1) for truth in truths]
    grey = [np.round(255 * p).astype(np.uint8) for p in maps]
    for name, arrays in [("pred", grey), ("truth", [255 * truth.astype(np.uint8) for truth in truths])]:
        (tmp_path / name).mkdir()
        for number, array in enumerate(arrays):
            Image.fromarray(array).save(tmp_path / name / f"{number}.png")
    command = [sys.executable, "-m", "dapple", "score", "--pred", "pred", "--truth", "truth", "--probability", "--json", "s.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    text = (tmp_path / "s.json").read_text()
    foreground = metrics.Foreground()
    foreground.update(np.stack(grey), np.stack(truths))
    scores = foreground.compute()
    for name in ("mae", "s_measure", "weighted_f", "max_e", "average_precision"):
        assert json.dumps(scores[name]) in text, name
    assert scores.mae == pytest.approx(np.mean([np.abs(g / 255 - t).mean() for g, t in zip(grey, truths)]), abs=1e-12)
    thresholds, precision, recall = foreground.curve()
    assert (np.diff(thresholds) < 0).all() and (np.diff(recall) >= 0).all() and precision[0] <= 1
    halves = [metrics.Foreground(), metrics.Foreground()]
    halves[0].update(grey[0], truths[0])
    halves[1].update(np.stack(grey[1:]), np.stack(truths[1:]))
    halves[0].merge(halves[1])
    assert halves[0].compute().mae == scores.mae


def test_calibration_is_that_of_the_definition():
    draw = np.random.default_rng(4)
    p = draw.random((50, 60)).astype(np.float32)
    probabilities, truth = np.stack([1 - p, p], axis=-1), draw.random((50, 60)) < p
    found = metrics.calibration(probabilities, truth.astype(int), bins=10)
    confidence, right = probabilities.max(-1), probabilities.argmax(-1) == truth
    bins = np.ceil(confidence * 10).astype(int) - 1
    gaps = [(abs(right[bins == b].mean() - confidence[bins == b].mean()), (bins == b).sum()) for b in range(10) if (bins == b).any()]
    assert found.expected_error == pytest.approx(sum(gap * n for gap, n in gaps) / p.size, abs=1e-6)
    assert found.maximum_error == pytest.approx(max(gap for gap, _ in gaps), abs=1e-6)
    half = metrics.Calibration(10)
    half.update(probabilities[:25], truth[:25].astype(int))
    rest = metrics.Calibration(10)
    rest.update(probabilities[25:], truth[25:].astype(int))
    half.merge(rest)
    assert half.compute() == found
    ignored = truth.astype(int)
    ignored[:] = 255
    assert metrics.calibration(probabilities, ignored, ignore=255).expected_error is None


def test_undefined_scores_are_none():
    empty = np.zeros((8, 8), int)
    scores = metrics.score(empty, empty, 2)
    assert scores.classes[1].iou is None and scores.dataset.miou == 1
    assert metrics.surface_distances(empty, empty) is None
    assert metrics.iou(empty, empty, 2) == [1.0, None]
    assert metrics.bf(empty, empty, 2) is not None


def test_scores_have_their_names_as_attributes():
    scores = metrics.score(np.eye(8, dtype=int), np.eye(8, dtype=int))
    assert scores.dataset.miou == scores["dataset"]["miou"] == 1
    assert [entry.name for entry in scores.classes] == ["background", "foreground"]
    with pytest.raises(AttributeError, match="there are"):
        scores.nothing
