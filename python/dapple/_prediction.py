"""The prediction of one image."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import os
from functools import cached_property
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ._errors import InputError
from ._native import Prediction as _Native
from ._numbers import real, whole

#: The kind of output that the ending of a file's name means.
_KIND_OF_ENDING = {
    ".png": "mask",
    ".tif": "mask",
    ".tiff": "mask",
    ".npy": "probability",
    ".geojson": "contours",
    ".json": "coco",
    ".csv": "areas",
}


class Feature(Dict[str, Any]):
    """One connected region of a class: a GeoJSON feature with a polygon and the properties ``class``, ``label`` and
    ``pixels``."""

    @property
    def __geo_interface__(self) -> Dict[str, Any]:
        return dict(self)


class Polygons(List[Feature]):
    """The regions of a prediction: a list of :class:`Feature`, and a ``FeatureCollection`` for programs that read
    ``__geo_interface__`` (Shapely, GeoPandas, Fiona).

    Coordinates are pixels, x to the right and y down from the upper left corner; those of an image with a place on the ground
    are in its coordinate system, which :attr:`crs` names.
    """

    #: The coordinate system, ``"EPSG:32632"`` for example; ``None`` for pixels and where the file does not say it.
    crs: Optional[str]

    def __init__(self, collection: Dict[str, Any]) -> None:
        super().__init__(Feature(feature) for feature in collection["features"])
        name = collection.get("crs", {}).get("properties", {}).get("name", "")
        code = name.rpartition("::")[2]
        self.crs = f"EPSG:{code}" if code else None

    @property
    def __geo_interface__(self) -> Dict[str, Any]:
        return {"type": "FeatureCollection", "features": [dict(feature) for feature in self]}


class Prediction:
    """The prediction of one image: the mean of all models, flips and scales, at the image's size.

    Arrays are computed when they are first asked for, and are read-only. ``numpy.asarray(prediction)`` gives the labels. In a
    notebook, a prediction shows itself as the mask's colours over the image.

    >>> import dapple, numpy
    >>> image = numpy.full((48, 64, 3), 200, numpy.uint8)
    >>> prediction = dapple.load("horse", device="cpu").predict(image)
    >>> prediction.labels.shape, prediction.labels.dtype
    ((48, 64), dtype('uint8'))
    >>> prediction.probabilities.shape, prediction.entropy.shape
    ((48, 64, 2), (48, 64))
    >>> prediction.classes
    ['background', 'horse']
    """

    def __init__(self, native: _Native, colours: Sequence[Tuple[int, int, int]]) -> None:
        self._native = native
        self._colours = list(colours)

    @property
    def shape(self) -> Tuple[int, int]:
        """Height and width in pixels."""
        return self._native.size()

    @property
    def name(self) -> str:
        """The name of the image's file; empty for an array."""
        return self._native.name()

    @property
    def classes(self) -> List[str]:
        """The names of the classes, in the order of their labels."""
        return self._native.classes()

    @property
    def colours(self) -> np.ndarray:
        """The colours of the classes, ``[classes, 3]`` of ``uint8``, red, green, blue."""
        return np.array(self._colours, dtype=np.uint8)

    @cached_property
    def labels(self) -> np.ndarray:
        """The class of each pixel, ``[height, width]`` of ``uint8``; 255 where the image is transparent or has no data, and
        where several classes fall short of a threshold."""
        return _fixed(self._native.labels())

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The probability of each class, ``[height, width, classes]`` of ``float32``, 0 to 1."""
        return _fixed(self._native.probabilities())

    @cached_property
    def entropy(self) -> np.ndarray:
        """The uncertainty of each pixel, ``[height, width]`` of ``float32``: the entropy of the probabilities over its largest
        value, from 0 (certain) to 1 (all classes equally probable). Gal, "Uncertainty in Deep Learning", 2016, section 3.3.1."""
        return _fixed(self._native.entropy())

    def overlay(self, opacity: float = 0.5) -> np.ndarray:
        """The mask's colours over the image, ``[height, width, 3]`` of ``uint8``.

        ``opacity`` is the weight of the colours, 0 to 1. Raises :class:`dapple.InputError` for another one.
        """
        return self._native.picture("overlay", 3, _choices(opacity=opacity))

    def heatmap(self, opacity: float = 0.5) -> np.ndarray:
        """The uncertainty as colours over the image, from black (sure) over red to yellow: ``[height, width, 3]`` of
        ``uint8``."""
        return self._native.picture("heatmap", 3, _choices(opacity=opacity))

    def cutout(
        self,
        keep: Optional[Sequence[Union[int, str]]] = None,
        background: Union[str, Tuple[int, int, int]] = "transparent",
        refine: str = "guided",
    ) -> np.ndarray:
        """The foreground with soft edges: ``[height, width, 4]`` of ``uint8`` with alpha, or ``[height, width, 3]`` on another
        background.

        ``keep`` are the classes that stay, by name or label (all but the first); ``background`` is ``"transparent"``,
        ``"blur"``, a colour (``"#20a0ff"`` or red, green, blue) or the path of a picture; ``refine`` fits the edges to the
        photograph: ``"guided"``, ``"closed-form"`` (finer, takes seconds to minutes) or ``"off"``.
        """
        choices = _choices(keep=self._labels_of(keep), background=_colour(background), refine=refine)
        return self._native.picture("cutout", 4 if choices["background"] == "transparent" else 3, choices)

    def polygons(self, min_area: int = 1) -> Polygons:
        """The connected regions of the classes as polygons with holes, those of fewer than ``min_area`` pixels left out.

        >>> import dapple, numpy
        >>> image = numpy.full((48, 64, 3), 200, numpy.uint8)
        >>> polygons = dapple.load("horse", device="cpu").predict(image).polygons()
        >>> polygons.__geo_interface__["type"]
        'FeatureCollection'
        """
        return Polygons(json.loads(self._native.file("contours", _choices(min_area=min_area))))

    def areas(self, min_area: int = 1) -> List[Dict[str, Any]]:
        """Pixels and shares of the classes, and the boxes of their connected regions of at least ``min_area`` pixels.

        A dict each, with ``class``, ``label``, ``region`` (``None`` for a class in the whole image), ``pixels``, ``share`` (of
        the pixels that have data), ``box`` (x, y, width, height; ``None`` for a whole class) and ``square_metres`` (``None``
        without a place on the ground). ``pandas.DataFrame(prediction.areas())`` makes a table of them.
        """
        table = self._native.file("areas", _choices(min_area=min_area)).decode()
        names = self.classes
        return [_area(row, names) for row in csv.DictReader(io.StringIO(table, newline=""))]

    def save(
        self,
        path: Union[str, "os.PathLike[str]"],
        kind: Optional[str] = None,
        *,
        opacity: float = 0.5,
        keep: Optional[Sequence[Union[int, str]]] = None,
        background: Union[str, Tuple[int, int, int]] = "transparent",
        refine: str = "guided",
        min_area: int = 1,
    ) -> None:
        """Writes an output as ``dapple predict --kind`` does; the file appears when it is complete.

        ``kind`` is ``mask``, ``labels``, ``overlay``, ``probability``, ``uncertainty``, ``heatmap``, ``cutout``, ``contours``,
        ``coco`` or ``areas``. Without one, the ending of the name says it: .png and .tif (of an image with a place on the
        ground) a mask, .npy probabilities, .geojson contours, .json COCO annotations, .csv areas.
        """
        path = os.fspath(path)
        ending = os.path.splitext(path)[1].lower()
        if kind is None:
            kind = _KIND_OF_ENDING.get(ending)
            if kind is None:
                raise InputError(f"{path}: the ending does not say what to write; give kind='mask', 'overlay' or another one")
        choices = _choices(
            opacity=opacity,
            keep=self._labels_of(keep),
            background=_colour(background),
            refine=refine,
            min_area=min_area,
            npy=ending == ".npy",
        )
        self._native.save(path, kind, choices)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        labels = self.labels if dtype is None else self.labels.astype(dtype, copy=False)
        return labels.copy() if copy else labels

    @property
    def __geo_interface__(self) -> Dict[str, Any]:
        return self.polygons().__geo_interface__

    def __repr__(self) -> str:
        height, width = self.shape
        return f"Prediction({height} x {width}, {', '.join(self.classes)})"

    def _repr_png_(self) -> bytes:
        return self._native.file("overlay", _choices())

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self._repr_png_()).decode()
        height, width = self.shape
        rows = "".join(
            f"<tr><td><span style='background:rgb{_rgb(self._colours, row['label'])};padding:0 .7em'></span></td>"
            f"<td style='text-align:left'>{html.escape(row['class'])}</td><td>{row['share']:.1%}</td></tr>"
            for row in self.areas()
            if row["region"] is None and row["share"] is not None
        )
        return (
            f"<figure style='margin:0'><img style='max-width:100%' alt='the mask over the image' "
            f"src='data:image/png;base64,{picture}'>"
            f"<figcaption>{html.escape(self.name)} {width} x {height}</figcaption></figure><table>{rows}</table>"
        )

    def _labels_of(self, keep: Optional[Sequence[Union[int, str]]]) -> Optional[List[int]]:
        if keep is None:
            return None
        names = self.classes
        try:
            several = [keep] if isinstance(keep, (str, int, np.integer)) else list(keep)
        except TypeError:
            raise InputError(f"keep {keep!r}: give classes by name or label") from None
        return [_label_of(name, names) for name in several]


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _choices(
    *,
    opacity: float = 0.5,
    keep: Optional[List[int]] = None,
    background: str = "transparent",
    refine: str = "guided",
    min_area: int = 1,
    npy: bool = False,
) -> Dict[str, Any]:
    return {
        "opacity": real("opacity", opacity),
        "keep": keep,
        "background": background,
        "refine": refine,
        "min_area": whole("min_area", min_area),
        "npy": npy,
    }


def _colour(background: Any) -> str:
    if isinstance(background, (str, os.PathLike)):
        return os.fspath(background)
    wrong = InputError(f"background {background!r}: a colour is red, green and blue, whole numbers of 0 to 255 each")
    try:
        values = [whole("background", value) for value in background]
    except (InputError, TypeError):
        raise wrong from None
    if len(values) != 3 or max(values) > 255:
        raise wrong
    return "#{:02x}{:02x}{:02x}".format(*values)


def _label_of(name: Union[int, str], names: List[str]) -> int:
    if isinstance(name, str):
        if name not in names:
            raise InputError(f"there is no class `{name}`; the classes are {', '.join(names)}")
        return names.index(name)
    number = whole("class", name)
    if number >= len(names):
        raise InputError(f"there is no class {number}; the classes are 0 to {len(names) - 1}")
    return number


def _area(row: Dict[str, str], names: List[str]) -> Dict[str, Any]:
    def number(cell: str) -> Optional[float]:
        return float(cell) if cell else None

    label = int(row["label"]) if row["label"] else None
    known = label is not None and label < len(names)
    return {
        # Tables guard names that begin like formulas; here they are as they are.
        "class": names[label] if known and label is not None else row["class"],
        "label": label,
        "region": int(row["region"]) if row["region"] else None,
        "pixels": int(row["pixels"]),
        "share": number(row["share"]),
        "box": tuple(int(row[side]) for side in ("x", "y", "width", "height")) if row["x"] else None,
        "square_metres": number(row["square_metres"]),
    }


def _rgb(colours: List[Tuple[int, int, int]], label: Optional[int]) -> Tuple[int, int, int]:
    return tuple(colours[label]) if label is not None and label < len(colours) else (128, 128, 128)  # type: ignore[return-value]
