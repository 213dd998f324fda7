"""What a search asks of its record, and the record of a search that has no folder to write into."""

import time
from collections.abc import Callable
from typing import Any, Protocol


class Recorder(Protocol):
    """Answers from the world, asked once each; see `tauten.journal.Journal`."""

    @property
    def replaying(self) -> bool: ...

    @property
    def seconds_used(self) -> float: ...

    def once(self, kind: str, compute: Callable[[], object], key: object = None, *, sync: bool = True) -> Any: ...

    def append(self, kind: str, payload: object, key: object = None, *, sync: bool = True) -> None: ...


class Unrecorded:
    """Computes every answer and keeps none; nothing is written."""

    replaying = False

    def __init__(self) -> None:
        self._begin = time.monotonic()

    @property
    def seconds_used(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self._begin

    def once(self, kind: str, compute: Callable[[], object], key: object = None, *, sync: bool = True) -> Any:
        """The answer."""
        return compute()

    def append(self, kind: str, payload: object, key: object = None, *, sync: bool = True) -> None:
        """Nothing to do."""
