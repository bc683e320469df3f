"""Semantic segmentation: train, measure, show and use networks, in one compiled package.

>>> import dapple, numpy
>>> segmenter = dapple.load("horse", device="cpu")
>>> image = numpy.zeros((60, 80, 3), numpy.uint8)          # or the path of a photograph, or an image of Pillow
>>> prediction = segmenter.predict(image, flip="horizontal")
>>> prediction.labels.shape
(60, 80)
>>> sorted({area["class"] for area in prediction.areas()})
['background', 'horse']

:func:`load` gives a :class:`Segmenter`, whose predictions are arrays, pictures and polygons. :func:`train` trains a model on
a folder of images and masks and gives its :class:`Run`. :mod:`dapple.metrics` scores label maps and probabilities,
:mod:`dapple.data` reads folders in many formats, :class:`Augment` changes an image with its mask for trainings in other
frameworks, :mod:`dapple.ray` predicts over a cluster.

Functions that compute let other Python threads run meanwhile, and may be called by several. The command ``dapple`` is
installed with the package.
"""

from . import data, metrics
from ._augment import Augment
from ._errors import Error, InputError, InternalError
from ._native import version as _version
from ._prediction import Feature, Polygons, Prediction
from ._segmenter import Segmenter, load
from ._training import Event, Run, train

__version__ = _version()

__all__ = [
    "Augment",
    "Error",
    "Event",
    "Feature",
    "InputError",
    "InternalError",
    "Polygons",
    "Prediction",
    "Run",
    "Segmenter",
    "data",
    "load",
    "metrics",
    "train",
]
