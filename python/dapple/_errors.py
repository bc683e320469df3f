"""The exceptions of the package. Their messages are those of the ``dapple`` program."""

from __future__ import annotations

__all__ = ["Error", "InputError", "InternalError"]


class Error(Exception):
    """Something failed that is not the fault of the input: a full disk, a lost device."""

    __module__ = "dapple"


class InputError(Error, ValueError):
    """Wrong input: an image, a file, a setting. The message says what is wrong with it and what to do."""

    __module__ = "dapple"


class InternalError(Error, RuntimeError):
    """A bug in dapple. Please report its message."""

    __module__ = "dapple"
