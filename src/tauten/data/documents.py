"""Folders of .txt files: a text each, with the folder's name for its class, or without."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from tauten.errors import DataError

ENDING = ".txt"


def holds_texts(source: str | Path) -> bool:
    """Whether a path is a folder that `texts_in` reads: whose folders hold .txt files."""
    path = Path(source)
    return path.is_dir() and any(_files(folder.iterdir()) for folder in path.iterdir() if folder.is_dir())


def texts_in(source: str | Path) -> pd.DataFrame:
    """The columns `text` and `class` of a folder that holds a folder of .txt files for each class, in UTF-8.

    Raises DataError for a file that is no UTF-8 text.
    """
    folders = sorted(folder for folder in Path(source).iterdir() if folder.is_dir())
    files = [file for folder in folders for file in _files(folder.iterdir())]
    return pd.DataFrame({"text": [_text(file) for file in files], "class": [file.parent.name for file in files]})


def texts_alone(source: str | Path) -> tuple[list[str], list[str]]:
    """The names of all .txt files in a folder and its folders, in order, and their texts; also of one such file.

    Raises DataError where there is none, and for a file that is no UTF-8 text.
    """
    path = Path(source)
    files = _files(path.rglob("*")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{str(path)!r} holds no {ENDING} files: expected a folder of them, or a table's file")
    return [str(file.relative_to(path)) if file != path else file.name for file in files], [_text(f) for f in files]


def _files(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() == ENDING and not path.name.startswith("."))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text (byte {error.start + 1}): save it in UTF-8") from error
    except OSError as error:
        raise DataError(f"{file} can't be read ({error.strerror}): expected a readable file") from error
