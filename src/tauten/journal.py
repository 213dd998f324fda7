"""The journal of a run: append-only, crash-safe, exact resume by replay.

A search is a deterministic program that now and then asks the world: how did training go, is the time over, what does
the holdout say? Every answer is one line of `journal.jsonl`. To resume, run the program again: the n-th question gets
the n-th recorded answer, and once they are used up, the world is asked again. A question that is not the recorded one
stops the run, since its journal belongs to another program or to other data.

A line is strict JSON in ASCII; its checksum (CRC-32 of all that follows the first comma) comes first:

    {"crc":"70de142d","seq":3,"seconds":1.25,"kind":"scores","key":[7,0],"payload":{"loss":0.25}}

A line is on the disk before the next is begun, so `kill -9` or a power cut can tear the last one only. A torn last line
is cut off on resume and its question asked anew; damage anywhere else is refused.

Numbers come back bit for bit. JSON has no NaN and no infinities: these are written as {"$float":"nan"}, "inf" or "-inf"
in the same form, and payloads may therefore have no keys that begin with "$".
"""

import base64
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from io import FileIO
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tauten.errors import RunError

NAME = "journal.jsonl"
FORMAT = "tauten journal 1"

Clock = Callable[[], float]


class _Event(NamedTuple):
    seq: int
    seconds: float
    kind: str
    key: Any
    payload: Any


class Journal:
    """The answers of the world, in the order in which they were asked for; made by `create` or `resume`.

    `header` is what the run was started with, as JSON gives it back.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with Journal.create(folder, {"seed": 1}) as journal:
    ...     journal.once("roll", lambda: 4)
    4
    >>> with Journal.resume(folder) as journal:
    ...     journal.once("roll", lambda: 6), journal.once("roll", lambda: 5)
    (4, 5)
    """

    def __init__(self, file: FileIO, path: Path, clock: Clock, header: Any, recorded: Iterable[_Event] = ()) -> None:
        self.path = path
        self.header = header
        self._file = file
        self._clock = clock
        self._recorded = deque(recorded)
        self._seq, self._seconds, self._since = 1, 0.0, clock()

    @classmethod
    def create(cls, folder: str | Path, header: Mapping[str, object], *, clock: Clock = time.monotonic) -> Self:
        """Start a journal in `folder`, which is made where it is missing.

        Raises:
            RunError: the folder already holds a journal, or can't be written.
        """
        path = Path(folder) / NAME
        first = _Event(0, 0.0, FORMAT, None, _encoded(header))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = FileIO(path, "x+")
        except OSError as error:
            if path.exists():
                fix = f"take another --out, or `tauten resume {folder}`"
                raise RunError(f"{folder} already holds a run; {fix}") from error
            raise RunError(f"{folder} can't be a run folder ({error.strerror}); take another --out") from error
        _lock(file, path)
        journal = cls(file, path, clock, _decoded(first.payload))
        journal._write(first, sync=True)
        if sys.platform != "win32":
            # A synced file may have no name after a power cut until its folder is synced too.
            handle = os.open(path.parent, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        return journal

    @classmethod
    def resume(cls, folder: str | Path, *, clock: Clock = time.monotonic) -> Self:
        """Open the journal in `folder` for replay, at its start; a torn last line is cut off.

        Raises:
            RunError: there is no journal, another process is writing it, or it is damaged before its last line.
        """
        path = Path(folder) / NAME
        try:
            file = FileIO(path, "r+")
        except OSError as error:
            raise RunError(f"{folder} holds no run to resume ({error.strerror}); give the folder of a run") from error
        _lock(file, path)
        try:
            (header, *events), whole = _read(file.readall(), path)
        except RunError:
            file.close()
            raise
        file.truncate(whole)
        file.seek(whole)
        return cls(file, path, clock, _decoded(header.payload), events)

    @property
    def replaying(self) -> bool:
        """Whether recorded answers are left."""
        return bool(self._recorded)

    @property
    def seconds_used(self) -> float:
        """Seconds of work since the run's start.

        While replaying, the clock stands at the last recalled event, so that rebuilding a run is not charged to its
        budget a second time; afterwards it goes on from there.
        """
        return self._seconds if self.replaying else self._seconds + self._clock() - self._since

    def once(self, kind: str, compute: Callable[[], object], key: object = None, *, sync: bool = True) -> Any:
        """Ask the world: the recorded answer while replaying; else `compute()`, which is recorded.

        Either way the answer comes as JSON gives it back (a tuple as a list), so that a run and its resumption see the
        same values. `kind` and `key` name the question. `compute` may not ask questions of its own; if it raises,
        nothing is recorded. With `sync=False` a line survives a kill, but a power cut only when a later one is synced.

        Raises:
            RunError: the recorded question is another one, or the file can't be written.
            TypeError: the answer is not made of what JSON can hold.
        """
        return self.recall(kind, key) if self.replaying else self._record(kind, compute(), key, sync)

    def append(self, kind: str, payload: object, key: object = None, *, sync: bool = True) -> None:
        """Record what the program itself decided; while replaying, check that it decides the same again.

        Never for what comes from the world or a clock: that is for `once`, whose errors these are too.
        """
        if not self.replaying:
            self._record(kind, payload, key, sync)
            return
        recorded = self._recorded[0]
        self.recall(kind, key)
        if _text(recorded.payload, sort=True) != _text(_encoded(payload), sort=True):
            raise self._foreign(recorded, f"another {kind!r} than this run decides")

    def recall(self, kind: str, key: object = None) -> Any:
        """The next recorded answer, only while `replaying`; RunError if it answers another question."""
        recorded = self._recorded[0]
        there, here = _question(recorded.kind, recorded.key), _question(kind, _encoded(key))
        if there != here:
            raise self._foreign(recorded, f"{there} where this run asks for {here}")
        self._recorded.popleft()
        self._seq, self._seconds, self._since = recorded.seq + 1, recorded.seconds, self._clock()
        return _decoded(recorded.payload)

    def close(self) -> None:
        """Sync, unlock and close the file; a second time is no harm."""
        if not self._file.closed:
            with self._file:
                os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _foreign(self, event: _Event, found: str) -> RunError:
        where, fix = f"line {event.seq + 1} of {self.path}", "resume with those, or take another --out"
        return RunError(f"{where} records {found}: the run was recorded by another version or with other data; {fix}")

    def _record(self, kind: str, payload: object, key: object, sync: bool) -> Any:
        event = _Event(self._seq, self.seconds_used, kind, _encoded(key), _encoded(payload))
        self._write(event, sync)
        self._seq += 1
        return _decoded(event.payload)

    def _write(self, event: _Event, sync: bool) -> None:
        again = f"`tauten resume {self.path.parent}`"
        if self._file.closed:
            raise RunError(f"{self.path} is closed; go on by {again}")
        body = _text(event._asdict())[1:].encode("ascii")
        left = b'{"crc":"%08x",%s\n' % (crc32(body), body)
        try:
            while left:
                left = left[self._file.write(left) :]
            if sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            # What follows a half-written line would turn a torn tail into damage in the middle.
            self._file.close()
            raise RunError(f"{self.path} can't be written ({error.strerror}); free the disk, then {again}") from error


def encode_array(array: NDArray[Any]) -> dict[str, object]:
    """Booleans, integers or floats of at most 64 bits as JSON: little-endian bytes in base64, bit for bit, with shape.

    Raises:
        TypeError: the array holds something else, such as objects or text.

    >>> encode_array(np.array([[1, 2]], np.uint8))
    {'dtype': '|u1', 'shape': [1, 2], 'base64': 'AQI='}
    """
    dtype = array.dtype.newbyteorder("<")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise TypeError(f"the array holds {dtype.name}; expected booleans, integers or floats of at most 64 bits")
    content = base64.b64encode(array.astype(dtype).tobytes()).decode("ascii")
    return {"dtype": dtype.str, "shape": list(array.shape), "base64": content}


def decode_array(value: Mapping[str, Any]) -> NDArray[Any]:
    """The array that `encode_array` wrote, writable; RunError if `value` is not of that form."""
    try:
        dtype, content = np.dtype(value["dtype"]), base64.b64decode(value["base64"], validate=True)
        return np.frombuffer(content, dtype).reshape(value["shape"]).astype(dtype.newbyteorder("="))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"a recorded array can't be read ({error}); expected what `encode_array` writes") from error


def _encoded(value: object) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    if isinstance(value, Mapping):
        # JSON would turn the key 1 into "1" without a word.
        if bad := [key for key in value if not isinstance(key, str) or key.startswith("$")]:
            raise TypeError(f"the key {bad[0]!r} can't be journaled; expected text that doesn't begin with '$'")
        return {key: _encoded(item) for key, item in value.items()}
    raise TypeError(
        f"a {type(value).__name__} can't be journaled; give JSON's own types, or `encode_array` of an array"
    )


def _decoded(encoded: Any) -> Any:
    return json.loads(_text(encoded), object_hook=lambda d: float(d["$float"]) if "$float" in d else d)


def _text(encoded: Any, *, sort: bool = False) -> str:
    return json.dumps(encoded, allow_nan=False, separators=(",", ":"), sort_keys=sort)


def _question(kind: str, key: Any) -> str:
    return repr(kind) if key is None else f"{kind!r} {_text(key, sort=True)}"


def _parse(line: bytes) -> _Event | None:
    head, body = line[:18], line[18:]
    return _Event(**json.loads(b"{" + body)) if head == b'{"crc":"%08x",' % crc32(body) else None


def _read(data: bytes, path: Path) -> tuple[list[_Event], int]:
    """The events of a journal, the header first, and the number of bytes they take: what follows is a torn line."""
    *lines, tail = data.split(b"\n")
    if not tail and lines and _parse(lines[-1]) is None:
        lines.pop()
    if not lines:
        raise RunError(f"{path} was cut off before anything was recorded; delete it and start the run again")
    events = []
    for seq, event in enumerate(map(_parse, lines)):
        if event is None or event.seq != seq:
            fix = ", or delete it and all lines after it, and resume from there" if seq else ""
            raise RunError(f"line {seq + 1} of {path} is damaged; restore the file from a copy{fix}")
        events.append(event)
    if events[0].kind != FORMAT:
        raise RunError(f"{path} is a {events[0].kind!r}, expected {FORMAT!r}; resume it with the version that wrote it")
    return events, sum(len(line) + 1 for line in lines)


def _lock(file: FileIO, path: Path) -> None:
    """Let nobody else write; the system unlocks when the file is closed, by a kill too. Without effect on Windows."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise RunError(f"{path} is being written by another process; let it end, or stop it first") from error
        except OSError:
            return  # some network file systems have no locks; a run there is still a run
