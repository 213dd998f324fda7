"""Parquet files of encoded images: a column of bytes, or of {bytes, path} as Hugging Face writes it, beside labels."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tauten.data.columns import listed
from tauten.data.pictures import Pixels, decoded
from tauten.data.read import suggestion
from tauten.errors import DataError

LABELS = ("label", "labels", "target", "class", "y")
"""Columns taken for the labels where none is named."""


def holds_encoded(path: Path) -> bool:
    """Whether it is a Parquet file with a column of bytes."""
    return path.suffix == ".parquet" and path.is_file() and bool(_columns(path)[0])


class Encoded(NamedTuple):
    """Pictures (H, W, C), where each stands, their labels, and the columns that were left out."""

    pictures: list[Pixels]
    names: list[str]
    labels: "pd.Series[Any]"
    rest: list[str]


def encoded(path: Path, target: str | None = None) -> Encoded:
    """A file's pictures and their labels, from the column `target` or one that looks like it.

    Whole numbers are replaced by the names of classes that Hugging Face keeps in the file. DataError for no or several
    columns of images, for no column of labels, and for what can't be decoded.
    """
    _, others = _columns(path)
    label = target or next((name for name in LABELS if name in others), others[0] if len(others) == 1 else None)
    if label not in others:
        known = listed(others) if others else "no column"
        asked = f"no column {target!r} of labels" if target else "no column label"
        guess = suggestion(target, others) if target else ""
        raise DataError(
            f"{path} has {asked} and {known} beside the images: name the labels by target (--target){guess}"
        )
    own = _table(path, label)
    values: pd.Series[Any] = own.column(label).to_pandas()
    names = _class_names(own.schema, label)
    if names and values.dtype.kind in "iu" and values.between(0, len(names) - 1).all():
        values = values.map(dict(enumerate(names)))
    return Encoded(*encoded_alone(path), values.rename(label), [name for name in others if name != label])


def encoded_alone(path: Path) -> tuple[list[Pixels], list[str]]:
    """Pictures (H, W, C) and where each stands; errors as of `encoded`."""
    found, others = _columns(path)
    if len(found) != 1:
        have = f"columns of bytes {listed(found)}" if found else f"no column of bytes and {listed(others)}"
        raise DataError(f"{path} has {have}: expected one column of encoded images, so drop or write it")
    column = _table(path, found[0]).column(found[0]).to_pylist()
    pictures, names = [], []
    for row, value in enumerate(column, 1):
        name = f"{found[0]} in row {row} of {path}"
        content = value.get("bytes") if isinstance(value, dict) else value
        if content is None:
            raise DataError(f"{name} holds no bytes: expected an encoded picture, so write it or drop the row")
        pictures.append(decoded(content, name))
        names.append(name)
    return pictures, names


def _columns(path: Path) -> tuple[list[str], list[str]]:
    """The names of columns of bytes, and of all others; none where the file can't be read."""
    if find_spec("pyarrow") is None:
        return [], []
    import pyarrow
    from pyarrow import parquet, types

    try:
        schema = parquet.read_schema(path)
    except (OSError, pyarrow.ArrowException):
        return [], []
    held = {}
    for column in schema:
        kind = column.type
        if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        held[column.name] = types.is_binary(kind) or types.is_large_binary(kind)
    return [name for name, bytes_ in held.items() if bytes_], [name for name, bytes_ in held.items() if not bytes_]


def _table(path: Path, column: str) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(path, columns=[column])
    except (OSError, pyarrow.ArrowException) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(f"{path} can't be read ({first}): expected a parquet file, so fetch it again") from error


def _class_names(schema: Any, label: str) -> list[str]:
    try:
        about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = about["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    return [str(name) for name in names] if isinstance(names, list) and len(set(map(str, names))) == len(names) else []
