"""Translations on disk: found again by what was translated, and by nothing else.

Every line of `translations.jsonl` is strict JSON in ASCII: the hash of (translator, source, target, sentence), and the
translation. A line that a crash has torn is passed over, and its sentence translated anew.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from tauten.errors import RunError

NAME = "translations.jsonl"


def key(translator: str, source: str, target: str, sentence: str) -> str:
    """The hash of what is translated, by whom, and how (32 hexadecimal digits)."""
    return blake2b(json.dumps([translator, source, target, sentence]).encode(), digest_size=16).hexdigest()


class Cache:
    """Translations by key; in memory, and in a folder's file where a folder is given.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> Cache(folder).add({"ab": "una película"})
    >>> Cache(folder).known
    {'ab': 'una película'}

    Raises:
        RunError: the folder can't be read or written.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.known: dict[str, str] = {}
        self._path = Path(folder) / NAME if folder is not None else None
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        except OSError as error:
            raise self._refused(error) from error
        for line in lines:
            self.known.update(_entry(line))

    def add(self, translations: Mapping[str, str]) -> None:
        """Keep translations by their keys; on the disk they are written as whole lines, behind what is there."""
        self.known.update(translations)
        if self._path is None:
            return
        lines = "".join(json.dumps({"key": k, "text": text}) + "\n" for k, text in translations.items())
        try:
            with self._path.open("ab+") as file:
                # A torn last line would swallow the first of these.
                if file.tell() and (file.seek(-1, 2), file.read(1))[1] != b"\n":
                    file.write(b"\n")
                file.write(lines.encode())
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> RunError:
        return RunError(f"translations can't be kept in {self._path} ({error.strerror}); name a folder to write to")


def _entry(line: bytes) -> dict[str, str]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    match entry:
        case {"key": str(found), "text": str(text)}:
            return {found: text}
    return {}
