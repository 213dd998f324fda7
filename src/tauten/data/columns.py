"""What a column holds, and its values in the two forms the rest of Tauten reads: numbers and labels.

A column arrives in many dress: integers, booleans, nullable or categorical types, objects, both string types of pandas.
Here they become either float64 with NaN where missing, or an object array of `str` with None where missing,
so that a label means the same whatever the file's other rows made of the column's type.
"""

import hashlib
import json
import reprlib
from collections.abc import Sequence
from numbers import Number
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_complex_dtype, is_numeric_dtype

from tauten.errors import DataError

Kind = Literal["number", "category"]
Column = pd.Series  # of anything: what it holds is the question this module answers

_NUMBERS = ("boolean", "integer", "floating", "mixed-integer-float", "decimal")
_SCALARS = (str, bool, Number, np.generic)


def kind(column: "Column[Any]") -> Kind | None:
    """How a column is read: as numbers (booleans are 0 and 1), as labels, or not at all (dates, lists).

    A column of objects without a single value counts as labels.

    >>> kind(pd.Series([True, None, False], dtype=object)), kind(pd.Series(["a", 1]))
    ('number', 'category')
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if is_bool_dtype(column.dtype) or is_numeric_dtype(column.dtype):
        return None if is_complex_dtype(column.dtype) else "number"
    content = infer_dtype(column, skipna=True)
    if content in _NUMBERS:
        return "number"
    if content in ("string", "empty"):
        return "category"
    if content in ("mixed", "mixed-integer") and all(isinstance(value, _SCALARS) for value in column.dropna()):
        return "category"
    return None


def numbers(column: "Column[Any]", what: str) -> npt.NDArray[np.float64]:
    """The column as (n,) float64, NaN where missing; `what` names it in messages, as in "column 'age'".

    Raises DataError where it holds text, anything else that is no number, or an infinite value.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    present = column.notna()
    if kind(column) != "number" and present.any():
        odd = (i for i, value in enumerate(column) if present.iloc[i] and not isinstance(value, Number | np.bool_))
        row = next(odd, int(present.argmax()))
        raise DataError(
            f"{what} holds {reprlib.repr(column.iloc[row])} in data row {row + 1} where numbers were expected: "
            "write every value as a number, or leave missing ones empty"
        )
    values = column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise DataError(
            f"{what} holds {counted(infinite.size, 'infinite value')}, first in data row {infinite[0] + 1}, "
            "where finite numbers were expected: drop those rows, or leave the value empty"
        )
    return values


def counted(count: int, noun: str) -> str:
    """The count with its noun: "1 row", "2 rows"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[Any] | pd.Index) -> str:
    """Names for a message, the first eight of them."""
    shown = ", ".join(repr(str(name)) for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def labels(column: "Column[Any]") -> npt.NDArray[np.object_]:
    """The column as (n,) strings, None where missing; whole numbers print as "3" whatever their type.

    >>> labels(pd.Series([3.0, None, 2.5])).tolist()
    ['3', None, '2.5']
    """
    codes, values = pd.factorize(column)
    names = np.array([*map(_label, values), None], dtype=object)
    return names[codes]


def _label(value: object) -> str:
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value)


def usable(frame: pd.DataFrame, warnings: list[str]) -> pd.DataFrame:
    """The columns that can carry information, as float64 or as objects (`str`, None).

    `warnings` receives a sentence for each reason why columns were dropped. Raises DataError for infinite values.
    """
    kept: dict[str, pd.Series[Any]] = {}
    dropped: dict[str, list[str]] = {}
    for name in frame:
        column, key = frame[name], str(name)
        held = kind(column)
        distinct = 0 if held is None else column.nunique(dropna=False)
        if column.isna().all():
            dropped.setdefault("without any value", []).append(key)
        elif held is None:
            dropped.setdefault("of dates or other values that are neither numbers nor labels", []).append(key)
        elif distinct == 1:
            dropped.setdefault("with the same value in every row", []).append(key)
        elif held == "number":
            kept[key] = pd.Series(numbers(column, f"column {key!r}"))
        elif distinct > max(50, len(column) / 2):
            dropped.setdefault("of free text or identifiers (text is not supported yet)", []).append(key)
        else:
            kept[key] = pd.Series(labels(column), dtype=object)
    for why, names in dropped.items():
        warnings.append(f"dropped {counted(len(names), 'column')} {why}: {listed(names)}")
    return pd.DataFrame(kept, index=frame.index)


def column_bytes(column: "Column[Any]") -> bytes:
    """The column's contents as bytes, the same in every process and on every machine."""
    if kind(column) == "number":
        return _canonical(numbers(column, f"column {column.name!r}")).astype("<f8").tobytes()
    return json.dumps(labels(column).tolist()).encode()


def value_hashes(column: "Column[Any]") -> npt.NDArray[np.uint64]:
    """A hash (n,) of every value of a column, of its content and the column's name alone."""
    if kind(column) == "number":
        words = _canonical(numbers(column, f"column {column.name!r}")).view(np.uint64)
    else:
        codes, names = pd.factorize(labels(column))
        words = np.array([*map(_text_hash, names), 0], dtype=np.uint64)[codes]
    return mix(words ^ np.uint64(_text_hash(str(column.name))))


def _canonical(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """One bit pattern for each value: +0 for −0, and one NaN."""
    return np.where(np.isnan(values), np.nan, values + 0.0)


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def mix(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter 64-bit words one to one (the SplitMix64 step: Steele, Lea and Flood 2014).

    >>> hex(mix(np.zeros(1, np.uint64))[0])
    '0xe220a8397b1dcdaf'
    """
    z = words + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)
