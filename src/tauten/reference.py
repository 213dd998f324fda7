"""What a person names as FILE.py:NAME."""

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tauten.errors import UsageError


def load_reference(reference: str, what: str, example: str, holds: str, error: type[UsageError]) -> Callable[..., Any]:
    """The function that `reference` names, by running its file; `error` where there is none.

    `what` is what it is for, `example` such a reference, `holds` what a function of it does, as messages say it.
    """
    path, _, name = reference.partition(":")
    if not name or not Path(path).is_file():
        raise error(f"{what} {reference!r} can't be found; write FILE.py:FUNCTION, such as {example}.")
    module = _module(Path(path).resolve(), Path(path).stat().st_mtime_ns)
    found: Callable[..., Any] | None = getattr(module, name, None)
    if found is None or not callable(found):
        raise error(f"{path!r} has no function {name!r}; it must hold one that {holds}.")
    return found


@functools.lru_cache
def _module(path: Path, changed: int) -> ModuleType:
    """A file's module, run once for all that is named in it, and again after the file has changed."""
    spec = importlib.util.spec_from_file_location(f"_tauten_file_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
