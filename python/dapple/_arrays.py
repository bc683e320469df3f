"""From what people hold in Python to contiguous NumPy arrays of the types that the native module takes."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from ._errors import InputError

#: The most bytes of one array. Larger images are for the command ``dapple predict``, which reads and writes them in rows.
MOST_BYTES = 4 << 30

#: The most channels of an image.
MOST_CHANNELS = 64


def array_of(value: Any, name: str) -> np.ndarray:
    """An array of anything that NumPy, ``__array__`` or DLPack can make one of; it is shared where that is possible.

    Tensors of PyTorch that need gradients are detached, and those on a graphics card are copied from it.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(
            f"{_with_article(name)} has masked values, which no array of numbers says; give what stands for them: .filled(...)"
        )
    try:
        if hasattr(value, "detach") and hasattr(value, "cpu"):
            value = value.detach().cpu()
        if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
            array = np.asarray(value)
        else:
            array = np.from_dlpack(value)
    except (AttributeError, BufferError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{_with_article(name)} cannot be read as an array: {error}") from error
    if array.dtype == object:
        raise InputError(f"{_with_article(name)} is {_kind_of(value)}, which is no array of numbers")
    return array


def image_of(value: Any) -> Tuple[np.ndarray, bool]:
    """An image as a contiguous array ``[height, width, channels]`` of ``uint8``, ``uint16`` or ``float32``, and whether its
    last channel is alpha."""
    alpha = False
    if is_pillow(value):
        value, alpha = _of_pillow(value)
    array = array_of(value, "the image")
    check_size(array, "the image")
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3:
        raise InputError(
            f"the image has the shape {array.shape}; give height x width, height x width x channels, or several images of "
            "the latter kind in a list or along a first axis"
        )
    if array.shape[2] > MOST_CHANNELS:
        if array.shape[0] <= 4:
            raise InputError(
                f"the image has the shape {array.shape}, which looks like channels x height x width; give height x width x "
                "channels: image.transpose(1, 2, 0), for a tensor of PyTorch image.permute(1, 2, 0)"
            )
        raise InputError(
            f"the image has the shape {array.shape}, of which the last is the number of channels, 1 to {MOST_CHANNELS}; "
            "give several grey images as number x height x width x 1"
        )
    return np.ascontiguousarray(_of_image_type(array)), alpha


def labels_of(value: Any, name: str) -> np.ndarray:
    """A label map as a contiguous array ``[height, width]`` of ``uint8``, from any type of whole numbers or truth values."""
    array = array_of(value, name)
    check_size(array, name)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2:
        raise InputError(f"the {name} has the shape {array.shape}; give labels of height x width")
    return np.ascontiguousarray(_as_labels(array, name))


def mask_of(value: Any, name: str) -> np.ndarray:
    """A mask as a contiguous array ``[height, width]`` of ``bool``; numbers are 0 and 1, or 0 and 255."""
    labels = labels_of(value, name)
    return np.ascontiguousarray(_as_truth(labels, name))


def probabilities_of(value: Any, name: str) -> np.ndarray:
    """Probabilities as a contiguous array ``[height, width]`` of ``float32`` from 0 to 1, or of ``uint8`` or ``uint16``, whose
    largest value stands for 1."""
    array = array_of(value, name)
    check_size(array, name)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2:
        raise InputError(f"the {name} has the shape {array.shape}; give probabilities of height x width")
    return np.ascontiguousarray(_of_image_type(array, name))


def is_pillow(value: Any) -> bool:
    """Whether a value is an image of Pillow, which need not be installed."""
    return hasattr(value, "getbands") and hasattr(value, "mode")


def check_size(array: np.ndarray, name: str) -> None:
    """Refuses an empty array, and one that is too large for memory, before anything of it is copied."""
    if array.size == 0:
        raise InputError(f"the shape of {_with_article(name)} is {array.shape}: it has no pixel")
    if array.size * array.itemsize > MOST_BYTES:
        raise InputError(
            f"the shape of {_with_article(name)} is {array.shape}: more than the {MOST_BYTES >> 30} GiB allowed for one "
            "array; cut it, or use the command `dapple predict`, which takes files of any size"
        )


def _with_article(name: str) -> str:
    return name if name.startswith("the ") else f"the {name}"


def _kind_of(value: Any) -> str:
    return f"of the type {type(value).__name__}"


def _of_pillow(image: Any) -> Tuple[Any, bool]:
    """An image of Pillow in a mode that means grey or colour, as it lies in memory: it is not turned by EXIF data."""
    try:
        mode = image.mode
        if mode == "P" or mode == "PA":
            image = image.convert("RGBA" if "transparency" in image.info or mode == "PA" else "RGB")
        elif mode == "1":
            image = image.convert("L")
        elif mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa", "La"):
            image = image.convert("RGBA" if mode == "RGBa" else "LA" if mode == "La" else "RGB")
        return np.asarray(image), image.mode in ("RGBA", "LA")
    except (AttributeError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"the image cannot be read: {error}; open the file again, or give its path") from error


def _of_image_type(array: np.ndarray, name: str = "image") -> np.ndarray:
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and size <= 2:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind == "f":
        # Numbers beyond single precision become infinite, which the image is then refused for.
        with np.errstate(over="ignore"):
            return array.astype(np.float32, copy=False)
    raise InputError(
        f"the {name} has the type {array.dtype}; give uint8 (0 to 255), uint16 (0 to 65535), or float32 (0 to 1)"
    )


def _as_labels(array: np.ndarray, name: str) -> np.ndarray:
    kind = array.dtype.kind
    if kind == "b" or array.dtype == np.uint8:
        return array.view(np.uint8) if kind == "b" and array.flags.c_contiguous else array.astype(np.uint8, copy=False)
    if kind not in "iu":
        raise InputError(
            f"the {name} has the type {array.dtype}; give labels as whole numbers, for instance the argmax of probabilities"
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 255:
        value = low if low < 0 else high
        row, column = (int(at[0]) for at in np.nonzero(array == value))
        raise InputError(
            f"the {name} has label {value} at row {row}, column {column}; labels are 0 to 255, and those to ignore are named "
            "with ignore=255"
        )
    return array.astype(np.uint8)


def _as_truth(labels: np.ndarray, name: str) -> np.ndarray:
    most = int(labels.max())
    if most <= 1:
        return labels.view(np.bool_)
    white = labels == 255
    if bool((white | (labels == 0)).all()):
        return white
    odd: Optional[int] = next((int(v) for v in np.unique(labels) if v not in (0, 255)), None)
    raise InputError(f"the {name} has the value {odd}; a mask has 0 and 1, or 0 and 255")
