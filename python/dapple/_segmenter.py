"""Models that are ready to use."""

from __future__ import annotations

import os
import threading
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union, overload

import numpy as np

from . import _native
from ._arrays import image_of, is_pillow
from ._errors import InputError
from ._numbers import real, sides, whole
from ._prediction import Prediction

Path = Union[str, "os.PathLike[str]"]

#: Settings whose predictors are kept; the models are shared by all of them.
_KEPT_SETTINGS = 32

#: Models of a parent process. Their threads are not in this process, so that they are neither used nor ended.
_of_parents: List[Any] = []


def load(
    model: Union[Path, Sequence[Path]],
    *,
    device: str = "auto",
    threads: Optional[int] = None,
    precision: Optional[str] = None,
) -> "Segmenter":
    """Loads a model: the name of a built-in or published one, the folder of a run, a :class:`dapple.Run`, or a file. A list of
    them predicts together: their probabilities are averaged.

    ``device`` is ``"auto"`` (the fastest one available), ``"cpu"`` or another that ``dapple devices`` lists; ``threads`` those
    of the engine (all physical cores; they do not affect the results); ``precision`` ``"fp32"``, or ``"bf16"`` and ``"fp16"``
    where the device has them. Published weights are downloaded on first use, as ``DAPPLE_CACHE``, ``DAPPLE_OFFLINE`` and the
    other variables of the program say.

    Raises :class:`dapple.InputError` for a model that cannot be found or read, or a device that is not there.

    >>> import dapple
    >>> dapple.load("horse", device="cpu", threads=2).classes
    ['background', 'horse']
    >>> dapple.load("hoarse")
    Traceback (most recent call last):
        ...
    dapple.InputError: ...did you mean `horse`?...
    """
    several = not isinstance(model, (str, os.PathLike))
    try:
        paths = [os.fspath(path) for path in (model if several else [model])]  # type: ignore[union-attr, list-item]
    except TypeError:
        raise InputError(f"model {model!r}: give a name, a run, a path, or several of them") from None
    if not paths:
        raise InputError("no model: give at least one")
    if threads is not None:
        threads = whole("threads", threads)
        if not 1 <= threads <= 1024:
            raise InputError(f"threads {threads}: give 1 to 1024")
    return Segmenter(paths, device, threads, precision)


class Segmenter:
    """A model, or several that predict together; see :func:`dapple.load`.

    It may be used by several threads, which take turns with the network, and in processes that are forked or spawned: a copy in
    another process loads the models again when it is first used there.
    """

    def __init__(self, models: List[str], device: str, threads: Optional[int], precision: Optional[str]) -> None:
        self._arguments = (models, device, threads, precision)
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._loaded = _native.Segmenter(*self._arguments)
        self._predictors: Dict[Tuple[Any, ...], _native.Predictor] = {}
        self._process = os.getpid()

    def _here(self) -> _native.Segmenter:
        """The models in this process."""
        if self._process != os.getpid():
            # The lock of the parent may be held by a thread that is not here.
            self._lock = threading.Lock()
            _of_parents.append((self._loaded, self._predictors))
            self._begin()
        return self._loaded

    def __reduce__(self) -> Tuple[Any, ...]:
        return (Segmenter, self._arguments)

    @property
    def classes(self) -> List[str]:
        """The names of the classes, in the order of their labels."""
        return self._loaded.classes()

    @property
    def colours(self) -> np.ndarray:
        """The colours of the classes, ``[classes, 3]`` of ``uint8``, red, green, blue."""
        return np.array([tuple(colour) for colour in self._loaded.colours()], dtype=np.uint8)

    @property
    def notes(self) -> List[str]:
        """Assumptions about weights that another program saved; empty for models of dapple."""
        return self._loaded.notes()

    @property
    def input_shape(self) -> Tuple[int, int, int]:
        """Height, width and channels of the first network's input, to which images are resized."""
        return self._loaded.input()

    def __repr__(self) -> str:
        height, width, channels = self.input_shape
        networks = ", ".join(self._loaded.networks())
        return f"Segmenter({networks}, {height} x {width} x {channels}, classes {', '.join(self.classes)})"

    @overload
    def predict(self, image: List[Any], **settings: Any) -> List[Prediction]: ...

    @overload
    def predict(self, image: Any, **settings: Any) -> Prediction: ...

    def predict(
        self,
        image: Any,
        *,
        flip: Union[None, bool, str] = None,
        tile: Union[str, int] = "auto",
        overlap: Optional[int] = None,
        scales: Sequence[float] = (1.0,),
        size: Union[None, str, int, Tuple[int, int]] = None,
        threshold: Optional[float] = None,
        samples: Optional[int] = None,
        seed: int = 0,
        value_range: Union[None, str, Tuple[float, float]] = None,
    ) -> Union[Prediction, List[Prediction]]:
        """Predicts one image, or several: a list, or an array with a first axis before height, width and channels.

        An image is the path of a file, the bytes of one or an open binary file, an image of Pillow (as it lies in memory,
        without the turning that its EXIF data ask for), or an array ``[height, width]`` or ``[height, width, channels]`` of
        ``uint8``, ``uint16`` or floating-point numbers. Colours are red, green, blue. Floating-point values from 0 to 1 are
        black to white; for others give ``value_range``. Anything with ``__array__`` or DLPack will do.

        ======================  =======================================================================================
        ``flip``                ``"horizontal"`` (or ``True``), ``"vertical"`` or ``"both"``: mirrored images are predicted
                                too, and averaged
        ``tile``                side of tiles into which larger images are cut, or ``"auto"``, ``"scene"``, ``"off"``, as
                                ``dapple predict --tile``; ``overlap`` is that of neighbours in pixels
        ``scales``              multiples of the size to predict at; the mean is taken
        ``size``                the network's input: a side, height and width, ``"image"`` (the image's own), or as trained
        ``threshold``           the probability above which a pixel belongs to a class
        ``samples``, ``seed``   passes with dropout, for models that have it
        ``value_range``         the values that become black and white: two numbers, or as ``dapple predict --value-range``
        ======================  =======================================================================================

        Raises :class:`dapple.InputError` for an image that cannot be read or is of the wrong kind, and settings out of range.

        >>> import dapple, numpy
        >>> segmenter = dapple.load("horse", device="cpu")
        >>> grey = numpy.full((40, 60), 128, numpy.uint8)
        >>> segmenter.predict(grey, flip="horizontal", scales=[0.75, 1.0]).shape
        (40, 60)
        >>> len(segmenter.predict([grey, grey]))
        2
        """
        predictor = self._predictor(flip, tile, overlap, scales, size, threshold, samples, seed, value_range)
        if _are_several(image):
            return [self._one(predictor, one) for one in image]
        return self._one(predictor, image)

    def _one(self, predictor: "_native.Predictor", image: Any) -> Prediction:
        if isinstance(image, (str, os.PathLike)):
            native = predictor.predict_file(os.fspath(image))
        elif isinstance(image, (bytes, bytearray, memoryview)):
            native = predictor.predict_bytes(bytes(image), "the image")
        elif hasattr(image, "read") and not hasattr(image, "__array__") and not is_pillow(image):
            native = predictor.predict_bytes(*_content(image))
        else:
            array, alpha = image_of(image)
            native = predictor.predict(array, alpha, "")
        return Prediction(native, [tuple(colour) for colour in self._loaded.colours()])

    def _predictor(
        self,
        flip: Union[None, bool, str],
        tile: Union[str, int],
        overlap: Optional[int],
        scales: Sequence[float],
        size: Union[None, str, int, Tuple[int, int]],
        threshold: Optional[float],
        samples: Optional[int],
        seed: int,
        value_range: Union[None, str, Tuple[float, float]],
    ) -> "_native.Predictor":
        loaded = self._here()
        height_and_width, at_image_size = _size(size)
        settings = (
            _flips(flip),
            str(tile),
            None if overlap is None else whole("overlap", overlap),
            _scales(scales),
            height_and_width,
            at_image_size,
            None if threshold is None else real("threshold", threshold),
            None if samples is None else whole("samples", samples),
            whole("seed", seed),
            _range(value_range),
        )
        with self._lock:
            predictor = self._predictors.get(settings)
            if predictor is None:
                predictor = loaded.predictor(*settings[:3], list(settings[3]), *settings[4:])
                if len(self._predictors) >= _KEPT_SETTINGS:
                    self._predictors.clear()
                self._predictors[settings] = predictor
            return predictor


def _are_several(image: Any) -> bool:
    if isinstance(image, (list, tuple)):
        # A list of numbers in lists is an image, too, but one that nobody means; arrays are made of arrays.
        return True
    if isinstance(image, np.ndarray) and image.dtype == object:
        return image.ndim == 1
    return getattr(image, "ndim", None) == 4


def _content(file: Any) -> Tuple[bytes, str]:
    try:
        content = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"the image cannot be read: {error}") from error
    if not isinstance(content, bytes):
        raise InputError("the image is a file that is open for text; open it with mode 'rb', or give its path")
    name = getattr(file, "name", None)
    return content, os.path.basename(name) if isinstance(name, str) else "the image"


def _flips(flip: Union[None, bool, str]) -> Tuple[bool, bool]:
    known = {None: (False, False), False: (False, False), "none": (False, False)}
    known.update({True: (True, False), "horizontal": (True, False), "vertical": (False, True), "both": (True, True)})
    try:
        return known[flip]
    except (KeyError, TypeError):
        raise InputError(f"flip {flip!r}: give 'horizontal', 'vertical' or 'both'") from None


def _size(size: Any) -> Tuple[Optional[Tuple[int, int]], bool]:
    if size is None or size == "input":
        return None, False
    if size == "image":
        return None, True
    return sides(size, ", or 'image'"), False


def _scales(scales: Any) -> Tuple[float, ...]:
    try:
        several = list(scales)
    except TypeError:
        raise InputError(f"scales {scales!r}: give several numbers in a list") from None
    return tuple(real("scales", scale) for scale in several)


def _range(value_range: Any) -> Optional[str]:
    if value_range is None or isinstance(value_range, str):
        return value_range
    try:
        low, high = value_range
    except (TypeError, ValueError):
        raise InputError(f"value_range {value_range!r}: give two numbers, or text as `dapple predict --value-range` takes") from None
    return f"{real('value_range', low)!r}..{real('value_range', high)!r}"
