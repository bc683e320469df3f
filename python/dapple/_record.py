"""Dicts whose keys are attributes."""

from __future__ import annotations

from typing import Any, Dict


class Record(Dict[str, Any]):
    """A dict whose keys are attributes too: ``scores["dataset"]["miou"]`` is ``scores.dataset.miou``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no `{name}`; there are {', '.join(map(str, self))}") from None

    def __dir__(self) -> Any:
        return [*super().__dir__(), *self]
