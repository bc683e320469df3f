"""Settings that are numbers, from whatever Python, NumPy and PyTorch call a number."""

from __future__ import annotations

import operator
from typing import Any, Tuple

import numpy as np

from ._errors import InputError

#: The longest side of an input or a result.
LONGEST = 1 << 14


def whole(name: str, value: Any) -> int:
    """A whole number that is not negative. Nothing is rounded: 3.0 will do, 3.5 will not."""
    number = int(value) if isinstance(value, (float, np.floating)) and float(value).is_integer() else value
    try:
        number = operator.index(number)
    except TypeError:
        raise InputError(f"{name} {value!r}: give a whole number that is not negative") from None
    if not 0 <= number < 1 << 63:
        raise InputError(f"{name} {number}: give a whole number that is not negative")
    return number


def label(name: str, value: Any) -> int:
    """A label of a map of eight bits."""
    number = whole(name, value)
    if number > 255:
        raise InputError(f"{name} {number}: labels are 0 to 255")
    return number


def real(name: str, value: Any) -> float:
    """A number."""
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        raise InputError(f"{name} {value!r}: give a number") from None


def sides(value: Any, others: str = "") -> Tuple[int, int]:
    """Height and width, or one side for both; ``others`` are further words that the setting takes, for messages."""
    wrong = InputError(f"size {value!r}: give a side, or height and width, of 1 to {LONGEST} pixels{others}")
    if isinstance(value, (str, bytes)):
        raise wrong
    try:
        pair = tuple(value)
    except TypeError:
        pair = (value, value)
    if len(pair) != 2:
        raise wrong
    try:
        height, width = (whole("size", side) for side in pair)
    except InputError:
        raise wrong from None
    if not (1 <= height <= LONGEST and 1 <= width <= LONGEST):
        raise wrong
    return height, width
