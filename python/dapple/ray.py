"""Predictions over a cluster, with Ray Data.

    >>> import ray.data, dapple.ray                                        # doctest: +SKIP
    >>> images = ray.data.read_images("photos", include_paths=True)        # doctest: +SKIP
    >>> labels = images.map_batches(                                       # doctest: +SKIP
    ...     dapple.ray.Predictor,
    ...     fn_constructor_kwargs={"model": "horse", "outputs": ["labels"]},
    ...     concurrency=4,
    ...     batch_size=16,
    ... )

Ray is not needed to import this module: it is Ray that calls the class.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence

import numpy as np

from ._errors import InputError
from ._segmenter import load

#: The arrays of a prediction that can be added to a batch.
OUTPUTS = ("labels", "probabilities", "entropy")


class Predictor:
    """For ``ray.data.Dataset.map_batches``: loads a model once in each actor, and adds the predictions to each batch.

    ``column`` is the column of images, arrays ``[height, width, channels]``. ``outputs`` name the columns that are added:
    ``labels`` (``[height, width]`` of ``uint8``), ``probabilities``, ``entropy``. ``device``, ``threads`` and ``precision``
    are those of :func:`dapple.load`, all others of :meth:`dapple.Segmenter.predict`. Give each actor the threads that Ray gives
    it processors: ``threads=2`` with ``num_cpus=2``, and leave Ray at least one for reading and writing.
    """

    def __init__(
        self,
        model: Any,
        *,
        column: str = "image",
        outputs: Sequence[str] = ("labels",),
        device: str = "auto",
        threads: Any = None,
        precision: Any = None,
        **settings: Any,
    ) -> None:
        unknown = [name for name in outputs if name not in OUTPUTS]
        if unknown or not outputs:
            raise InputError(f"outputs {list(outputs)}: give some of {', '.join(OUTPUTS)}")
        self._segmenter = load(model, device=device, threads=threads, precision=precision)
        self._column = column
        self._outputs = list(outputs)
        self._settings = settings

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        """The batch with the predictions of its images."""
        if self._column not in batch:
            raise InputError(f"the batch has no column `{self._column}`; its columns are {', '.join(batch)}")
        predictions = self._segmenter.predict(list(batch[self._column]), **self._settings)
        made = {name: _column([getattr(prediction, name) for prediction in predictions]) for name in self._outputs}
        return {**batch, **made}


def _column(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """One array where all have one shape, an array of arrays otherwise."""
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    column = np.empty(len(arrays), dtype=object)
    for at, array in enumerate(arrays):
        column[at] = array
    return column
