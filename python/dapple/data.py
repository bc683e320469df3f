"""Folders of images and masks: looking at them, reading them, converting them. The formats are those of ``dapple data``."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np

from . import _native
from ._augment import Augment
from ._errors import InputError
from ._numbers import label, whole
from ._record import Record

__all__ = ["Augment", "Dataset", "convert", "inspect"]

Path = Union[str, "os.PathLike[str]"]


def inspect(folder: Path, **reading: Any) -> Record:
    """What a folder holds and what looks wrong with it: the findings of ``dapple data inspect --json``, as a dict whose keys are
    attributes too, with the report as ``text``.

    ``reading`` is that of :class:`Dataset`. Bad pairs are among the findings.

    Raises :class:`dapple.InputError` for a folder without images and masks.
    """
    findings, text = _native.inspect(os.fspath(folder), _reading({**reading, "skip_bad": True}))
    record = Record(json.loads(findings, object_hook=Record))
    record["text"] = text
    return record


def convert(folder: Path, out: Path, **reading: Any) -> int:
    """Writes a folder as ``images/``, ``masks/`` with class indices and ``classes.toml``, as ``dapple data convert`` does, and
    returns the number of pairs.

    ``reading`` is that of :class:`Dataset`. Pairs that ``skip_bad=True`` leaves out are a ``UserWarning`` each.
    """
    pairs, told = _native.convert(os.fspath(folder), os.fspath(out), _reading(reading))
    for text in told:
        warnings.warn(text, UserWarning, stacklevel=2)
    return pairs


class Dataset:
    """A folder of images and masks in any format that dapple reads, as a sequence of pairs of arrays.

    ``dataset[i]`` is an image ``[height, width, channels]`` and its labels ``[height, width]``, both of ``uint8`` and at their
    own size. It can be copied to other processes, which open the folder again.

    The folder is read by itself; where it can be read in two ways, the message says how to choose: ``format``, ``classes``
    (their number), ``ignore`` (a label), ``mask_orientation``, ``mask_suffix``, ``value_range`` and ``skip_bad`` (leave bad
    pairs out) are the options of ``dapple train``.
    """

    def __init__(self, folder: Path, **reading: Any) -> None:
        self.folder = os.fspath(folder)
        self._options = reading
        self._native = _native.Dataset(self.folder, _reading(reading))

    def __len__(self) -> int:
        return self._native.count()

    def __getitem__(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"pair {index} of {count}")
        return self._native.load(index % count)

    def __iter__(self) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        return (self[index] for index in range(len(self)))

    @property
    def names(self) -> List[str]:
        """The name of each pair."""
        return self._native.names()

    @property
    def classes(self) -> List[str]:
        """The names of the classes, in the order of their labels."""
        return self._native.classes()

    @property
    def colours(self) -> np.ndarray:
        """The colours of the classes, ``[classes, 3]`` of ``uint8``, red, green, blue."""
        return np.array([tuple(colour) for colour in self._native.colours()], dtype=np.uint8)

    @property
    def ignore(self) -> Optional[int]:
        """The label of pixels that do not count."""
        return self._native.ignore()

    @property
    def warnings(self) -> List[str]:
        """Interpretations that one should know of, and the pairs that were left out."""
        return self._native.warnings()

    def __reduce__(self) -> Tuple[Any, ...]:
        return (_opened, (self.folder, self._options))

    def __repr__(self) -> str:
        return f"Dataset({self.folder!r}, {len(self)} pairs, classes {', '.join(self.classes)})"


def _opened(folder: str, options: Dict[str, Any]) -> Dataset:
    return Dataset(folder, **options)


def _reading(options: Dict[str, Any]) -> Dict[str, Any]:
    known: Dict[str, Any] = {
        "format": None,
        "classes": None,
        "ignore": None,
        "mask_orientation": None,
        "mask_suffix": None,
        "skip_bad": False,
        "value_range": None,
    }
    for name in options:
        if name not in known:
            raise InputError(f"there is no option `{name}`; the options are {', '.join(known)}")
    given = {**known, **options}
    if given["classes"] is not None:
        given["classes"] = _classes(given["classes"])
    if given["ignore"] is not None:
        given["ignore"] = label("ignore", given["ignore"])
    if not isinstance(given["skip_bad"], (bool, np.bool_)):
        raise InputError(f"skip_bad {given['skip_bad']!r}: give True or False")
    given["skip_bad"] = bool(given["skip_bad"])
    for name in ("format", "mask_orientation", "mask_suffix", "value_range"):
        if given[name] is not None and not isinstance(given[name], str):
            raise InputError(f"{name} {given[name]!r}: give text, as `dapple train` takes")
    return given


def _classes(classes: Any) -> int:
    wrong = InputError(f"classes {classes!r}: give 2 to 256, background included")
    try:
        number = whole("classes", classes)
    except InputError:
        raise wrong from None
    if not 2 <= number <= 256:
        raise wrong
    return number
