"""Trainings and runs."""

from __future__ import annotations

import json
import os
import sys
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Sequence, Union

import numpy as np

from . import _native
from ._errors import InputError

if TYPE_CHECKING:
    from ._segmenter import Segmenter

Path = Union[str, "os.PathLike[str]"]

#: Switches of the command, for which ``False`` is to leave them out.
_SWITCHES = ("force", "offline", "skip_bad")


class Event(SimpleNamespace):
    """Something that happened in a training; ``kind`` says what, and with it which other attributes there are.

    =============  ==================================================================================================
    ``run``        ``text``, the folder
    ``warning``    ``text``
    ``started``    ``network``, ``parameters``, ``device``, ``train_images``, ``val_images``, ``height``, ``width``,
                   ``epochs_done``, ``batches_done``, ``epochs``
    ``note``       ``text``
    ``batch``      ``epoch`` and ``batch`` (from 1), ``epochs``, ``batches``, ``images``, ``loss`` (the epoch's mean so far)
    ``scored``     ``epoch``, ``done``, ``images``
    ``epoch``      ``epoch``, ``epochs``, ``best``, ``record`` (a row of :attr:`Run.metrics`)
    =============  ==================================================================================================

    ``line`` is the text that ``dapple train`` prints of it, or ``None``.
    """


class Run:
    """A training in its folder, finished or not.

    >>> import dapple
    >>> dapple.Run("no/such/folder")
    Traceback (most recent call last):
        ...
    dapple.InputError: no/such/folder: no run is there (config.toml is missing)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = os.fspath(folder)
        if not os.path.isfile(os.path.join(self.folder, "config.toml")):
            raise InputError(f"{self.folder}: no run is there (config.toml is missing)")

    def __fspath__(self) -> str:
        return self.folder

    @property
    def records(self) -> List[Dict[str, Any]]:
        """The rows of ``metrics.jsonl``, one an epoch."""
        path = os.path.join(self.folder, "metrics.jsonl")
        try:
            with open(path, encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.strip()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: {error}") from error

    @property
    def metrics(self) -> Dict[str, np.ndarray]:
        """The columns of ``metrics.csv``: for each an array ``[epochs]``, of ``float64`` with NaN where nothing was measured
        (``epoch`` of ``int64``, ``weights`` of words)."""
        rows = self.records
        return {name: _column(name, [row.get(name) for row in rows]) for name in _names(rows)}

    @property
    def best_epoch(self) -> Optional[int]:
        """The epoch whose weights ``best.safetensors`` has; ``None`` as long as nothing was scored. Equal scores go to the lower
        loss, then to the earlier epoch."""
        scored = [row for row in self.records if row.get("val_score") is not None]
        if not scored:
            return None
        return int(max(scored, key=lambda row: (row["val_score"], -_loss(row), -row["epoch"]))["epoch"])

    @property
    def config(self) -> str:
        """The text of ``config.toml``: all settings with their reasons."""
        with open(os.path.join(self.folder, "config.toml"), encoding="utf-8") as file:
            return file.read()

    def load(self, **settings: Any) -> "Segmenter":
        """The best model, as :func:`dapple.load` loads it with these settings."""
        from ._segmenter import load

        return load(self, **settings)

    def to_pandas(self) -> Any:
        """The metrics as a ``pandas.DataFrame``; pandas has to be installed."""
        try:
            import pandas
        except ImportError as error:
            raise InputError("pandas is not installed: pip install pandas, or take Run.metrics") from error
        return pandas.DataFrame(self.metrics)

    def __repr__(self) -> str:
        return f"Run({self.folder!r}, {len(self.records)} epochs)"

    def _repr_html_(self) -> Optional[str]:
        curves = os.path.join(self.folder, "curves.svg")
        if not os.path.isfile(curves):
            return None
        with open(curves, encoding="utf-8") as file:
            return file.read()


def train(
    data: Optional[Path] = None,
    out: Optional[Path] = None,
    *,
    callbacks: Union[None, Callable[[Event], Any], Iterable[Callable[[Event], Any]]] = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Trains a model on a folder of images and masks, as ``dapple train`` does, and returns its run.

    ``settings`` are the options of that command with ``_`` for ``-``: ``model="unet"``, ``epochs=30``, ``size=(256, 320)``,
    ``time_budget="30m"``, ``device="cpu"``, ``init="horse"``, ``force=True``; ``dapple train --help`` lists them. Without any,
    data and machine choose. ``train(resume="runs/horses")`` goes on with a run.

    Each of ``callbacks`` is called with every :class:`dapple.Event`; one that returns ``False`` ends the training after the
    batch, as Ctrl-C (``KeyboardInterrupt``) and an exception in a callback do. The state is then saved, and the run can be
    resumed. With ``progress``, the lines of ``dapple train`` are printed. Warnings about the data are ``UserWarning``.

    Raises :class:`dapple.InputError` for data or settings that cannot be used, before anything is written.

    >>> import dapple
    >>> dapple.train("no/such/folder")
    Traceback (most recent call last):
        ...
    dapple.InputError: no/such/folder...
    """
    watchers = _callables(callbacks)
    folders: List[str] = []

    def tell(fields: Dict[str, Any]) -> bool:
        fields.setdefault("line", None)
        if "record" in fields:
            fields["record"] = json.loads(fields["record"])
        event = Event(**fields)
        if event.kind == "run":
            folders.append(event.text)
        elif event.kind == "warning":
            warnings.warn(event.text, UserWarning, stacklevel=3)
        if progress and event.line:
            print(event.line, flush=True)
        goes_on = True
        for watcher in watchers:
            answer = watcher(event)
            ends = answer is False or (isinstance(answer, np.bool_) and not answer)
            goes_on = goes_on and not ends
        return goes_on

    try:
        folder, _ = _native.train(_arguments(data, out, settings), tell)
    except KeyboardInterrupt:
        if progress and folders:
            print(f"interrupted; go on with dapple.train(resume={folders[0]!r})", file=sys.stderr)
        raise
    return Run(folder)


def _callables(callbacks: Any) -> List[Callable[[Event], Any]]:
    if callbacks is None:
        return []
    watchers = list(callbacks) if isinstance(callbacks, Iterable) and not callable(callbacks) else [callbacks]
    for watcher in watchers:
        if not callable(watcher):
            raise InputError(f"callbacks: {watcher!r} cannot be called")
    return watchers


def _arguments(data: Optional[Path], out: Optional[Path], settings: Dict[str, Any]) -> List[str]:
    given = {"data": data, "out": out, **settings}
    flags = (_flag(name, value) for name, value in given.items() if value is not None)
    return [flag for flag in flags if flag is not None]


def _flag(name: str, value: Any) -> Optional[str]:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, np.bool_):
        value = bool(value)
    if value is True:
        return flag
    if value is False:
        if name in _SWITCHES:
            return None
        raise InputError(f"{name}=False: leave it out, or set it in a config.toml (config=...)")
    return f"{flag}={_text(name, value)}"


def _text(name: str, value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Sequence):
        sides = name in ("size", "crop") and len(value) == 2
        return ("x" if sides else ",").join(_text(name, part) for part in value)
    raise InputError(f"{name} is {value!r}, of the type {type(value).__name__}; give text, a number, a path, or several of them")


def _names(rows: List[Dict[str, Any]]) -> List[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _column(name: str, values: List[Any]) -> np.ndarray:
    if name == "epoch":
        return np.array(values, dtype=np.int64)
    if any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else value for value in values])
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _loss(row: Dict[str, Any]) -> float:
    name = "average_val_loss" if row.get("weights") == "average" else "val_loss"
    loss = row.get(name)
    return float("inf") if loss is None else float(loss)
