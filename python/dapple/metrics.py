"""Metrics on arrays: the numbers of ``dapple score``, in one call or image by image.

Label maps are arrays ``[height, width]`` of any type of whole numbers or of truth values, probabilities are floating-point
numbers from 0 to 1 (or ``uint8`` and ``uint16``, whose largest value stands for 1). Anything with ``__array__`` or DLPack is
taken, such as tensors of PyTorch, JAX and CuPy. The prediction comes first, the truth second.

Counts are summed over all images before they are scored; means over the images stand under ``per_image``. A score that is
undefined, such as the IoU of a class that is in neither map, is ``None``, and means leave it out. ``METRICS.md`` has the
conventions.

>>> import numpy
>>> from dapple import metrics
>>> truth = numpy.array([[0, 0, 1], [0, 1, 1]])
>>> prediction = numpy.array([[0, 1, 1], [0, 1, 1]])
>>> scores = metrics.score(prediction, truth)
>>> round(scores.dataset.miou, 4), scores.classes[1].iou
(0.7083, 0.75)
"""

from __future__ import annotations

import json
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from . import _native
from ._arrays import array_of, check_size, labels_of, mask_of, probabilities_of
from ._errors import InputError
from ._numbers import label, real, whole
from ._record import Record

__all__ = [
    "BOUNDARY_RATIO",
    "Calibration",
    "Evaluator",
    "Foreground",
    "SurfaceDistances",
    "bf",
    "boundary_iou",
    "boundary_region",
    "calibration",
    "iou",
    "miou",
    "salient",
    "score",
    "scorer",
    "surface_distances",
]

#: Width of boundary regions as a share of the image's diagonal (Cheng et al., "Boundary IoU", CVPR 2021).
BOUNDARY_RATIO = 0.02

#: The classes of a label map: their names, or how many there are.
Classes = Union[int, Sequence[str]]


class Evaluator:
    """Collects the scores of a data set, image by image; one may be used by several threads.

    >>> import numpy
    >>> from dapple.metrics import Evaluator
    >>> evaluator = Evaluator(["background", "horse"])
    >>> evaluator.update(numpy.array([[0, 1], [1, 1]]), numpy.array([[0, 0], [1, 1]]))
    >>> evaluator.update(numpy.array([[0, 0], [0, 1]]), numpy.array([[0, 0], [0, 1]]))
    >>> evaluator.compute().classes[1].iou
    0.75
    >>> evaluator.confusion().tolist()
    [[4, 1], [0, 3]]
    """

    def __init__(
        self, classes: Classes, *, ignore: Optional[int] = None, boundary_ratio: float = BOUNDARY_RATIO
    ) -> None:
        """``classes`` are names or a number, ``ignore`` is the label of pixels that do not count, ``boundary_ratio`` the width of
        boundary regions as a share of the diagonal."""
        self._arguments = (_names(classes), _label(ignore), real("boundary_ratio", boundary_ratio))
        self.reset()

    def reset(self) -> None:
        """Forgets all images."""
        self._native = _native.Evaluator(*self._arguments)
        self._images = 0

    def update(self, prediction: Any, truth: Any, name: Optional[str] = None) -> None:
        """Adds an image: two label maps ``[height, width]`` of one size, or several along a first axis. ``name`` is its name in
        messages and in ``images_detail``."""
        for found, true in _pairs(prediction, truth):
            self._images += 1
            self._native.add(f"image {self._images}" if name is None else name, found, true)

    def merge(self, other: "Evaluator") -> None:
        """Adds the images of another evaluator of the same classes, after its own."""
        self._native.merge(other._native)
        self._images += other._images

    def compute(self) -> Record:
        """The scores of all images: ``dataset``, ``classes``, ``per_image``, ``policies`` and ``images_detail``, as ``dapple score
        --json`` writes them. They are a dict whose keys are attributes too."""
        return _record(self._native.scores())

    def confusion(self) -> np.ndarray:
        """Pixels by true class and predicted class, ``[classes, classes]`` of ``uint64``."""
        return self._native.confusion()


class Foreground:
    """Collects foreground probabilities with their true masks: salient-object measures, precision and recall.

    >>> import numpy
    >>> from dapple.metrics import Foreground
    >>> foreground = Foreground()
    >>> foreground.update(numpy.array([[0.9, 0.2], [0.8, 0.1]]), numpy.array([[1, 0], [1, 0]]))
    >>> scores = foreground.compute()
    >>> round(scores.mae, 3), scores.average_precision
    (0.15, 1.0)
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all images."""
        self._native = _native.Foreground()
        self._images = 0

    def update(self, prediction: Any, truth: Any, name: Optional[str] = None) -> None:
        """Adds an image: probabilities and a mask (0 and 1, or 0 and 255) of ``[height, width]``, or several along a first
        axis."""
        for found, true in _several(prediction, truth):
            self._images += 1
            found, true = probabilities_of(found, "prediction"), mask_of(true, "truth")
            self._native.add(f"image {self._images}" if name is None else name, found, true)

    def merge(self, other: "Foreground") -> None:
        """Adds the images of another, after its own."""
        self._native.merge(other._native)
        self._images += other._images

    def compute(self) -> Record:
        """The means over the images: ``mae``, ``max_f_of_mean_precision_recall``, ``max_f_of_mean_f``, ``mean_f``,
        ``adaptive_f``, ``s_measure``, ``max_e``, ``mean_e``, ``adaptive_e``, ``weighted_f``, ``relaxed_boundary_f``; and
        ``average_precision`` over all pixels; ``images_detail`` has the measures of each image."""
        scores = _record(self._native.scores())
        scores["average_precision"] = self._native.average_precision()
        scores["images_detail"] = json.loads(self._native.images(), object_hook=Record)
        return scores

    def curve(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The precision-recall curve: thresholds, precisions and recalls, so that recall grows; empty without foreground."""
        points = np.array(self._native.curve(), dtype=np.float64).reshape(-1, 3)
        return points[:, 0], points[:, 1], points[:, 2]


class Calibration:
    """Collects confidences: whether a confidence of 80 % is right in 80 % of the cases (Guo et al., ICML 2017).

    >>> import numpy
    >>> from dapple.metrics import Calibration
    >>> calibration = Calibration(bins=10)
    >>> calibration.update(numpy.array([[0.25, 0.75], [0.25, 0.75]]), numpy.array([0, 1]))
    >>> calibration.compute().expected_error
    0.25
    """

    def __init__(self, bins: int = 15) -> None:
        self._bins = whole("bins", bins)
        if not 1 <= self._bins <= 1 << 20:
            raise InputError(f"the number of calibration bins is {bins}, but must be 1 or more (15 is usual)")
        self.reset()

    def reset(self) -> None:
        """Forgets all pixels."""
        self._native = _native.Calibration(self._bins)

    def update(self, probabilities: Any, truth: Any, *, ignore: Optional[int] = None) -> None:
        """Adds pixels: the probabilities of the classes ``[..., classes]``, and the true labels ``[...]``. Pixels whose truth is
        ``ignore`` do not count."""
        values = np.asarray(array_of(probabilities, "prediction"))
        labels = array_of(truth, "truth")
        check_size(values, "prediction")
        if values.dtype.kind != "f" or values.ndim < 1 or values.shape[:-1] != labels.shape:
            raise InputError(
                f"the prediction has the shape {values.shape} and the type {values.dtype}, the truth the shape {labels.shape}; "
                "give probabilities with a last axis of classes, and labels without it"
            )
        if labels.dtype.kind not in "biu":
            raise InputError(f"the truth has the type {labels.dtype}; give labels as whole numbers")
        counts = np.ones(labels.shape, dtype=bool) if ignore is None else labels != ignore
        values, labels = values[counts].astype(np.float32, copy=False), labels[counts]
        correct = values.argmax(axis=-1) == labels if labels.size else np.zeros(0, dtype=bool)
        confidence = values.max(axis=-1) if labels.size else np.zeros(0, dtype=np.float32)
        self._native.add(np.ascontiguousarray(confidence), np.ascontiguousarray(correct))

    def merge(self, other: "Calibration") -> None:
        """Adds the pixels of another with as many bins."""
        self._native.merge(other._native)

    def compute(self) -> Record:
        """``expected_error`` (the mean over the pixels of the gap between accuracy and confidence of their bin),
        ``maximum_error`` (the largest gap) and ``bins``, each with ``low``, ``high``, ``pixels``, ``accuracy`` and
        ``confidence``."""
        names = ("low", "high", "pixels", "accuracy", "confidence")
        bins = [Record(zip(names, bar)) for bar in self._native.bins()]
        errors = {"expected_error": self._native.expected_error(), "maximum_error": self._native.maximum_error()}
        return Record(errors, bins=bins)


class SurfaceDistances(NamedTuple):
    """Distances between the contours of two masks, in pixels."""

    #: The largest distance of any contour pixel to the other contour (Hausdorff).
    hausdorff: float
    #: The larger of the 95th percentiles of the distances from either contour to the other.
    hausdorff_95: float
    #: The mean of the distances of all contour pixels to the other contour.
    average: float


def score(
    prediction: Any,
    truth: Any,
    classes: Optional[Classes] = None,
    *,
    ignore: Optional[int] = None,
    boundary_ratio: float = BOUNDARY_RATIO,
) -> Record:
    """All scores of label maps, as :meth:`Evaluator.compute` gives them.

    ``prediction`` and ``truth`` are ``[height, width]``, several along a first axis, or lists of maps of any sizes. ``classes``
    are names or a number; without, as many as the labels of the truth make, two at least.
    """
    pairs = list(_pairs(prediction, truth))
    if classes is None:
        used = (true[true != ignore] if ignore is not None else true for _, true in pairs)
        most = max((int(labels.max()) for labels in used if labels.size), default=0)
        classes = max(most + 1, 2)
    evaluator = Evaluator(classes, ignore=ignore, boundary_ratio=boundary_ratio)
    for found, true in pairs:
        evaluator.update(found, true)
    return evaluator.compute()


def iou(prediction: Any, truth: Any, classes: Optional[Classes] = None, *, ignore: Optional[int] = None) -> List[Optional[float]]:
    """Intersection over union of each class, ``None`` for a class that is in neither map."""
    return [entry.iou for entry in score(prediction, truth, classes, ignore=ignore).classes]


def miou(prediction: Any, truth: Any, classes: Optional[Classes] = None, *, ignore: Optional[int] = None) -> Optional[float]:
    """Mean over the classes of the intersection over union, of counts summed over all images.

    >>> from dapple.metrics import miou
    >>> round(miou([[0, 1], [1, 1]], [[0, 1], [0, 1]]), 4)
    0.5833
    """
    return score(prediction, truth, classes, ignore=ignore).dataset.miou


def boundary_iou(
    prediction: Any,
    truth: Any,
    classes: Optional[Classes] = None,
    *,
    ignore: Optional[int] = None,
    boundary_ratio: float = BOUNDARY_RATIO,
) -> List[Optional[float]]:
    """Boundary IoU of each class (Cheng et al., CVPR 2021), ``None`` for a class that is in neither map."""
    scores = score(prediction, truth, classes, ignore=ignore, boundary_ratio=boundary_ratio)
    return [entry.boundary_iou for entry in scores.classes]


def bf(prediction: Any, truth: Any, classes: Optional[Classes] = None, *, ignore: Optional[int] = None) -> Optional[float]:
    """Boundary F1 (Csurka et al., BMVC 2013): the mean over the classes labelled in an image, then over the images."""
    return score(prediction, truth, classes, ignore=ignore).per_image.bf


def boundary_region(labels: Any, boundary_ratio: float = BOUNDARY_RATIO) -> np.ndarray:
    """The pixels in the boundary region of their own class, ``[height, width]`` of ``bool``; what Boundary IoU looks at."""
    boundary_ratio = real("boundary_ratio", boundary_ratio)
    if not 0.0 <= boundary_ratio < float("inf"):
        raise InputError(
            f"boundary ratio is {boundary_ratio}, but must be a fraction of the image diagonal, 0 or more (0.02 is usual)"
        )
    return _native.boundary_region(labels_of(labels, "label map"), boundary_ratio)


def surface_distances(prediction: Any, truth: Any) -> Optional[SurfaceDistances]:
    """Distances between the contours of two masks ``[height, width]``, of truth values or of 0 and 1 or 255. ``None`` where one
    of them is empty.

    >>> from dapple.metrics import surface_distances
    >>> surface_distances([[1, 0, 0, 0]], [[0, 1, 0, 1]]).hausdorff
    3.0
    """
    found = _native.surface_distances(mask_of(prediction, "prediction"), mask_of(truth, "truth"))
    return None if found is None else SurfaceDistances(*found)


def salient(prediction: Any, truth: Any) -> Record:
    """The salient-object measures of probabilities and masks, as :meth:`Foreground.compute` gives them."""
    foreground = Foreground()
    foreground.update(prediction, truth)
    return foreground.compute()


def calibration(probabilities: Any, truth: Any, *, bins: int = 15, ignore: Optional[int] = None) -> Record:
    """The calibration of probabilities ``[..., classes]`` for labels ``[...]``, as :meth:`Calibration.compute` gives it."""
    collected = Calibration(bins)
    collected.update(probabilities, truth, ignore=ignore)
    return collected.compute()


def scorer(metric: str = "miou", **settings: Any) -> Callable[[Any, Any, Any], float]:
    """A scorer for scikit-learn (``scoring=`` of ``cross_val_score`` and ``GridSearchCV``): the estimator's ``predict`` returns
    label maps, and ``y`` are the true ones.

    ``metric`` is a name under ``dataset`` or ``per_image`` of the scores: ``"miou"``, ``"boundary_miou"``, ``"bf"``,
    ``"pixel_accuracy"``, ``"dice"`` and so on; ``settings`` are those of :func:`score`. An undefined score is NaN.
    """

    def call(estimator: Any, images: Any, truth: Any) -> float:
        scores = score(estimator.predict(images), truth, **settings)
        for part in (scores.dataset, scores.per_image):
            if metric in part:
                value = part[metric]
                return float("nan") if value is None else float(value)
        raise InputError(f"there is no score `{metric}`; there are {', '.join([*scores.dataset, *scores.per_image])}")

    return call


def _names(classes: Classes) -> List[str]:
    if isinstance(classes, str):
        raise InputError(f"classes {classes!r}: give a list of names, or a number")
    if isinstance(classes, (int, np.integer)):
        if not 1 <= classes <= 256:
            raise InputError(f"{classes} classes were asked for; label maps of eight bits have 1 to 256")
        return _native.class_names(int(classes))
    return [str(name) for name in classes]


def _label(ignore: Optional[int]) -> Optional[int]:
    return None if ignore is None else label("ignore", ignore)


def _pairs(prediction: Any, truth: Any) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Each pair as contiguous label maps."""
    for found, true in _several(prediction, truth):
        yield labels_of(found, "prediction"), labels_of(true, "truth")


def _several(prediction: Any, truth: Any) -> Iterator[Tuple[Any, Any]]:
    """The pairs of two maps, of two batches, or of two lists of maps."""
    found, true = _maps(prediction, "prediction"), _maps(truth, "truth")
    if len(found) != len(true):
        raise InputError(f"there are {len(found)} predictions and {len(true)} truths; give one truth a prediction")
    return zip(found, true)


def _maps(value: Any, name: str) -> List[Any]:
    if isinstance(value, np.ndarray) and value.dtype == object:
        # Maps of several sizes, as scikit-learn and Ray hand them on.
        return list(value)
    if isinstance(value, (list, tuple)) and len(value) > 0:
        if any(hasattr(value[0], way) for way in ("__array__", "__array_interface__", "__dlpack__")):
            return list(value)
    array = array_of(value, name)
    if array.ndim == 3 and array.shape[2] != 1 or array.ndim == 4:
        return list(array)
    return [array]


def _record(text: str) -> Record:
    return Record(json.loads(text, object_hook=Record))
