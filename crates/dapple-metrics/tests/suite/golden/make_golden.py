"""Makes the golden files beside it with implementations that are independent of this crate.

    pip install numpy scipy scikit-learn opencv-python-headless pysodmetrics torch torchmetrics
    python make_golden.py

Region scores are scikit-learn's and torchmetrics', boundary regions are eroded with OpenCV as in the Boundary IoU
paper, salient-object scores are py-sod-metrics', calibration is torchmetrics' and distances are SciPy's.
"""

import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import py_sod_metrics
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter
from sklearn import metrics
from torchmetrics.functional.classification import (
    binary_average_precision,
    binary_calibration_error,
    multiclass_accuracy,
    multiclass_jaccard_index,
)

warnings.simplefilter("ignore")
HERE = Path(__file__).parent
CLASSES, IGNORE = 4, 255
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)


def none_if_nan(values):
    return [None if np.isnan(v) else float(v) for v in values]


def blobs(rng, height, width, classes, smoothness=3.0):
    """A label map of smooth regions."""
    fields = rng.normal(size=(classes, height, width))
    return gaussian_filter(fields, (0, smoothness, smoothness)).argmax(0).astype(np.uint8)


def boundary_region(mask, ratio=0.02):
    """The boundary region of a binary mask, by the definition of the Boundary IoU paper."""
    height, width = mask.shape
    distance = max(1, int(round(ratio * np.sqrt(height**2 + width**2))))
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
    return mask & ~eroded[1:-1, 1:-1].astype(bool)


def contour(mask):
    """The mask's pixels with a 4-neighbour that is not set or outside."""
    return mask & ~binary_erosion(mask, CROSS)


def boundary_f1(prediction, truth, scored, theta):
    a, b = contour(prediction) & scored, contour(truth) & scored
    if not b.any():
        return np.nan
    if not a.any():
        return 0.0
    precision = (distance_transform_edt(~b)[a] <= theta).mean()
    recall = (distance_transform_edt(~a)[b] <= theta).mean()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def region_case(rng, height, width, with_ignore, labels):
    truth = np.asarray(labels, np.uint8)[blobs(rng, height, width, len(labels))]
    noisy = np.asarray(labels, np.uint8)[blobs(rng, height, width, len(labels), 1.5)]
    prediction = np.where(gaussian_filter(rng.normal(size=truth.shape), 2) > 0.08, noisy, truth)
    if with_ignore:
        truth = np.where(blobs(rng, height, width, 4) == 0, IGNORE, truth).astype(np.uint8)
    scored = truth != IGNORE
    t, p = truth[scored], prediction[scored]
    everywhere = range(CLASSES)
    absent = [not ((t == c).any() or (p == c).any()) for c in everywhere]

    iou = metrics.jaccard_score(t, p, labels=list(everywhere), average=None, zero_division=0)
    dice = metrics.f1_score(t, p, labels=list(everywhere), average=None, zero_division=0)
    iou, dice = np.where(absent, np.nan, iou), np.where(absent, np.nan, dice)
    tensors = torch.tensor(prediction.astype(int)), torch.tensor(truth.astype(int))
    jaccard = multiclass_jaccard_index(*tensors, CLASSES, average="none", ignore_index=IGNORE).numpy()
    assert np.allclose(jaccard[~np.array(absent)], iou[~np.array(absent)], atol=1e-6)
    accuracy = float(multiclass_accuracy(*tensors, CLASSES, average="micro", ignore_index=IGNORE))
    assert abs(accuracy - metrics.accuracy_score(t, p)) < 1e-6

    boundary = []
    for c in everywhere:
        a, b = boundary_region(prediction == c) & scored, boundary_region(truth == c) & scored
        boundary.append([int((a & b).sum()), int(a.sum()), int(b.sum())])
    theta = 0.0075 * np.sqrt(height**2 + width**2)
    bf = [boundary_f1(prediction == c, truth == c, scored, theta) for c in everywhere]
    return {
        "height": height,
        "width": width,
        "prediction": prediction.ravel().tolist(),
        "truth": truth.ravel().tolist(),
        "confusion": metrics.confusion_matrix(t, p, labels=list(everywhere)).tolist(),
        "iou": none_if_nan(iou),
        "dice": none_if_nan(dice),
        "pixel_accuracy": float(metrics.accuracy_score(t, p)),
        "mean_accuracy": float(metrics.recall_score(t, p, labels=np.unique(t), average="macro")),
        "precision": float(metrics.precision_score(t, p, labels=np.unique(p), average="macro")),
        "frequency_weighted_iou": float(metrics.jaccard_score(t, p, average="weighted")),
        "kappa": float(metrics.cohen_kappa_score(t, p)),
        "boundary": boundary,
        "bf": none_if_nan(bf),
    }


def relaxed_boundary_f(prediction, truth):
    """One-pixel boundaries by OpenCV's erosion, matched within three pixels by SciPy's distance transform."""
    square = np.ones((3, 3), np.uint8)
    a, b = (
        m & ~cv2.erode(m.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0).astype(bool)
        for m in (prediction, truth)
    )
    if not a.any() and not b.any():
        return None
    if not a.any() or not b.any():
        return 0.0
    precision = (distance_transform_edt(~b)[a] <= 3).mean()
    recall = (distance_transform_edt(~a)[b] <= 3).mean()
    return 0.0 if precision * recall == 0 else 1.3 * precision * recall / (0.3 * precision + recall)


def salient_cases(rng):
    """Pairs of an 8-bit map and a binary truth."""
    for height, width in [(24, 31), (40, 17), (33, 33)]:
        field = gaussian_filter(rng.normal(size=(height, width)), 4)
        truth = field > np.quantile(field, 0.7)
        noisy = field / field.std() + 0.6 * rng.normal(size=field.shape)
        yield (255 / (1 + np.exp(-3 * (noisy - 0.5)))).astype(np.uint8), truth
    prediction = rng.integers(0, 256, (12, 20)).astype(np.uint8)
    touching = np.zeros((12, 20), bool)
    touching[7:, 13:] = True
    yield prediction, touching
    yield prediction, np.zeros_like(touching)
    yield prediction, np.ones_like(touching)
    yield np.zeros_like(prediction), touching
    line = np.zeros((5, 40), bool)
    line[2, 11:22] = True
    yield rng.integers(0, 256, (5, 40)).astype(np.uint8), line


def salient(rng):
    sets = [py_sod_metrics.MAE(), py_sod_metrics.Fmeasure(), py_sod_metrics.Smeasure(), py_sod_metrics.Emeasure(),
            py_sod_metrics.WeightedFmeasure()]  # fmt: skip
    mae, f, s, e, weighted = sets
    images = []
    for prediction, truth in salient_cases(rng):
        p = prediction / 255.0
        for metric in sets:
            metric.step(p, truth, normalize=False)
        ap = metrics.average_precision_score(truth.ravel(), p.ravel()) if truth.any() else None
        if truth.any():
            other = float(binary_average_precision(torch.tensor(p.ravel()), torch.tensor(truth.ravel().astype(int))))
            assert abs(other - ap) < 1e-6
        images.append({
            "height": truth.shape[0],
            "width": truth.shape[1],
            "prediction": prediction.ravel().tolist(),
            "truth": truth.ravel().astype(int).tolist(),
            "mae": float(mae.maes[-1]),
            # The package's curves start at the highest threshold.
            "precision": f.precisions[-1][::-16].tolist(),
            "recall": f.recalls[-1][::-16].tolist(),
            "f": f.changeable_fms[-1][::-16].tolist(),
            "adaptive_f": float(f.adaptive_fms[-1]),
            "s_measure": float(s.sms[-1]),
            "e": e.changeable_ems[-1][::-16].tolist(),
            "adaptive_e": float(e.adaptive_ems[-1]),
            "weighted_f": float(weighted.weighted_fms[-1]),
            "relaxed_boundary_f": relaxed_boundary_f(p >= 0.5, truth),
            "average_precision": ap,
        })  # fmt: skip
    f_curve, e_curve = f.get_results()["fm"]["curve"], e.get_results()["em"]["curve"]
    precision, recall = f.get_results()["pr"]["p"], f.get_results()["pr"]["r"]
    return {
        "images": images,
        "max_f_of_mean_precision_recall": float(np.nanmax(1.3 * precision * recall / (0.3 * precision + recall))),
        "max_f_of_mean_f": float(f_curve.max()),
        "mean_f": float(f_curve.mean()),
        "adaptive_f": float(f.get_results()["fm"]["adp"]),
        "s_measure": float(s.get_results()["sm"]),
        "max_e": float(e_curve.max()),
        "mean_e": float(e_curve.mean()),
        "adaptive_e": float(e.get_results()["em"]["adp"]),
        "weighted_f": float(weighted.get_results()["wfm"]),
        "mae": float(mae.get_results()["mae"]),
    }


def surface_case(rng, height, width):
    a, b = (blobs(rng, height, width, 2, 2.5) == 1 for _ in range(2))
    ca, cb = contour(a), contour(b)
    from_a, from_b = distance_transform_edt(~cb)[ca], distance_transform_edt(~ca)[cb]
    return {
        "height": height,
        "width": width,
        "prediction": a.ravel().astype(int).tolist(),
        "truth": b.ravel().astype(int).tolist(),
        "hausdorff": max(from_a.max(), from_b.max()),
        "hausdorff_95": max(np.percentile(from_a, 95), np.percentile(from_b, 95)),
        "average": np.concatenate([from_a, from_b]).mean(),
    }


def distance_case(rng, height, width, density):
    mask = rng.random((height, width)) < density
    mask[height // 2, width // 3] = True
    distance, (rows, columns) = distance_transform_edt(~mask, return_indices=True)
    return {
        "height": height,
        "width": width,
        "mask": mask.ravel().astype(int).tolist(),
        "squared": np.rint(distance**2).astype(int).ravel().tolist(),
        "nearest": (rows * width + columns).ravel().tolist(),
    }


def calibration(rng):
    confidence = rng.random(500).astype(np.float32)
    correct = rng.random(500) < confidence**1.7
    arguments = torch.tensor(confidence), torch.tensor(correct.astype(int)), 15
    return {
        "confidence": [float(c) for c in confidence],
        "correct": correct.astype(int).tolist(),
        "expected_error": float(binary_calibration_error(*arguments, norm="l1")),
        "maximum_error": float(binary_calibration_error(*arguments, norm="max")),
    }


def write(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")


def main():
    rng = np.random.default_rng(20240607)
    write("region.json", [
        region_case(rng, 30, 41, True, [0, 1, 2, 3]),
        region_case(rng, 25, 18, False, [0, 1]),
        region_case(rng, 64, 20, True, [0, 2, 3]),
        region_case(rng, 90, 70, True, [0, 1, 2, 3]),
        region_case(rng, 1, 130, False, [0, 1, 2]),
        region_case(rng, 67, 1, True, [0, 1, 3]),
    ])  # fmt: skip
    write("salient.json", salient(rng))
    write("surface.json", [surface_case(rng, 30, 25), surface_case(rng, 17, 40), surface_case(rng, 1, 50)])
    # The transform itself belongs to dapple-base; its cases are drawn here, in the order in which they always were.
    write("../../../../dapple-base/tests/suite/golden/distance.json", [
        distance_case(rng, 20, 27, 0.02), distance_case(rng, 31, 9, 0.1), distance_case(rng, 7, 45, 0),
    ])  # fmt: skip
    write("calibration.json", calibration(rng))


if __name__ == "__main__":
    main()
