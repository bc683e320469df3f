"""Random changes of an image with its mask."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np

from . import _native
from ._arrays import image_of, labels_of
from ._errors import InputError
from ._numbers import label, sides, whole

#: Draws are counted below this number.
_DRAWS = 1 << 63


class Augment:
    """The random changes of ``dapple train`` for one image with its mask, for trainings in other frameworks.

    ``preset`` is ``"none"``, ``"flip"``, ``"light"``, ``"medium"`` or ``"strong"``; ``changes`` are settings of
    ``dapple train``'s table ``augment`` that differ from it, such as ``rotate=20`` or ``flip_vertical=0.5``. What mixes several
    samples (CutMix, mosaic) is left out. ``size`` is the size of the result, a side or height and width, to which both are
    resized; by default that of each image. ``ignore`` is the label of pixels that do not count.

    A call draws new changes each time. With ``draw=number`` it draws those of that number: the same seed and number make the
    same changes on every machine, in every process and with any number of threads. Without, calls are counted; in workers of a
    PyTorch ``DataLoader`` each worker counts from a start of its own, which PyTorch's seed decides.

    >>> import dapple, numpy
    >>> augment = dapple.Augment("medium", size=32, seed=1)
    >>> image, mask = numpy.zeros((48, 64, 3), numpy.uint8), numpy.zeros((48, 64), numpy.uint8)
    >>> changed, labels = augment(image, mask)
    >>> changed.shape, labels.shape
    ((32, 32, 3), (32, 32))
    >>> again = [augment(image, mask, draw=7)[0] for _ in range(2)]
    >>> bool((again[0] == again[1]).all())
    True
    """

    def __init__(
        self,
        preset: str = "medium",
        *,
        size: Union[None, int, Tuple[int, int]] = None,
        seed: int = 0,
        ignore: Optional[int] = None,
        **changes: Any,
    ) -> None:
        both = None if size is None else sides(size)
        ignore = None if ignore is None else label("ignore", ignore)
        seed = whole("seed", seed)
        try:
            text = json.dumps(changes, allow_nan=False, default=_plain)
        except (TypeError, ValueError) as error:
            raise InputError(f"the changes {', '.join(changes)} are no settings: {error}") from None
        self._arguments = (preset, both, seed, ignore, changes)
        self._changes = _native.Augmentation(preset, text, both, seed, ignore)
        self._calls = itertools.count()
        self._lock = threading.Lock()

    @property
    def settings(self) -> Dict[str, Any]:
        """All settings, by the names that ``config.toml`` has in its table ``augment``."""
        return json.loads(self._changes.settings())

    def __call__(self, image: Any, mask: Any, *, draw: Optional[int] = None) -> Tuple[np.ndarray, np.ndarray]:
        """Changes an image ``[height, width]`` or ``[height, width, channels]`` of ``uint8`` and its labels ``[height, width]``.

        Returns new arrays: the image with as many axes as before, and the labels as ``uint8``. Raises
        :class:`dapple.InputError` for arrays that do not fit each other, and images of other types.
        """
        pixels, _ = image_of(image)
        if pixels.dtype != np.uint8:
            raise InputError(f"the image has the type {pixels.dtype}; augmentation is for uint8: (255 * image).astype('uint8')")
        labels = labels_of(mask, "mask")
        draw = self._next() if draw is None else whole("draw", draw)
        changed, changed_labels = self._changes.apply(pixels, labels, draw)
        # A grey image of two axes stays one, whether it is an array or an image of Pillow.
        is_flat = changed.shape[2] == 1 and getattr(image, "ndim", 2) == 2
        return (changed[:, :, 0] if is_flat else changed), changed_labels

    def _next(self) -> int:
        with self._lock:
            number = next(self._calls)
        # Workers are copies of one process, and would all make the same changes.
        torch = sys.modules.get("torch.utils.data")
        worker = torch.get_worker_info() if torch is not None else None
        return number if worker is None else (worker.seed * 0x9E3779B97F4A7C15 + number) % _DRAWS

    def __reduce__(self) -> Tuple[Any, ...]:
        return (_again, self._arguments)

    def __repr__(self) -> str:
        preset, size, seed, _, changes = self._arguments
        words = [repr(preset), *(f"{name}={value!r}" for name, value in changes.items())]
        words += [f"size={size}"] if size is not None else []
        return f"Augment({', '.join(words)}, seed={seed})"


def _plain(value: Any) -> Any:
    """Numbers of NumPy as JSON knows them."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is of the type {type(value).__name__}")


def _again(preset: str, size: Any, seed: int, ignore: Optional[int], changes: Dict[str, Any]) -> Augment:
    return Augment(preset, size=size, seed=seed, ignore=ignore, **changes)
