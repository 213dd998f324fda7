"""Published claims, replayed small. One file for each; `experiments()` finds the files."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

Experiment = Callable[..., dict[str, Any]]
"""Called with out, seeds, data, threads and progress; writes into `out` alone and returns what result.json holds."""
_REGISTRY: dict[str, Experiment] = {}


def experiment(name: str) -> Callable[[Experiment], Experiment]:
    """Put a function into the registry under this name."""

    def register(function: Experiment) -> Experiment:
        _REGISTRY[name] = function
        return function

    return register


def experiments() -> dict[str, Experiment]:
    """Every experiment there is, by name.

    >>> "dropout-mnist" in experiments()
    True
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))
