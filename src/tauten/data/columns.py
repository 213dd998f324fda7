"""What a column holds, and its values in the two forms the rest of Tauten reads: numbers and labels.

A column arrives in many dress: integers, booleans, nullable or categorical types, objects, both string types of pandas.
Here they become either float64 with NaN where missing, or an object array of `str` with None where missing,
so that a label means the same whatever the file's other rows made of the column's type. Dates are numbers of days.
"""

import hashlib
import json
import reprlib
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_complex_dtype, is_datetime64_any_dtype, is_numeric_dtype

from tauten.errors import DataError

Kind = Literal["number", "category", "date"]
Column = pd.Series  # of anything: what it holds is the question this module answers

MAX_CATEGORIES = 64
"""Labels of a column that have an input each; the rarer ones share one."""

_NUMBERS = ("boolean", "integer", "floating", "mixed-integer-float", "decimal")
_SCALARS = (str, bool, Real, np.generic)
# Only what can be read in one way: 3/4/2024 is in March or in April.
_DATES = {
    r"\d{4}-\d\d-\d\d([T ]\d.*)?": "ISO8601",
    r"\d{4}/\d\d/\d\d": "%Y/%m/%d",
    r"\d{1,2}\.\d{1,2}\.\d{4}": "%d.%m.%Y",
}


def kind(column: "Column[Any]") -> Kind | None:
    """How a column is read: as numbers (booleans are 0 and 1), as labels, as dates, or not at all (lists, durations).

    A column of objects without a single value counts as labels, and so do dates written as text: see `dates`.

    >>> kind(pd.Series([True, None, False], dtype=object)), kind(pd.Series(["a", 1]))
    ('number', 'category')
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if is_bool_dtype(column.dtype) or is_numeric_dtype(column.dtype):
        return None if is_complex_dtype(column.dtype) else "number"
    if is_datetime64_any_dtype(column.dtype):
        return "date"
    content = infer_dtype(column, skipna=True)
    if content in _NUMBERS:
        return "number"
    if content in ("datetime", "datetime64", "date"):
        return "date"
    if content in ("string", "empty"):
        return "category"
    if content in ("mixed", "mixed-integer") and all(isinstance(value, _SCALARS) for value in column.dropna()):
        return "category"
    return None


def numbers(column: "Column[Any]", what: str) -> npt.NDArray[np.float64]:
    """The column as (n,) float64, NaN where missing; `what` names it in messages, as in "column 'age'".

    Text counts where it is a number throughout. Raises DataError where it holds other text, anything else that is no
    number, or an infinite value.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if kind(column) != "number":
        scalars = column.astype(object).map(lambda value: value if isinstance(value, str | Real | np.bool_) else None)
        read = pd.to_numeric(scalars, errors="coerce")
        _refuse(column, read, what, "numbers were expected: write every value as a number, or leave missing ones empty")
        column = read
    values = np.asarray(column.to_numpy(np.float64, na_value=np.nan, copy=True), dtype=np.float64)
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise DataError(
            f"{what} holds {counted(infinite.size, 'infinite value')}, first in data row {infinite[0] + 1}, "
            "where finite numbers were expected: drop those rows, or leave the value empty"
        )
    return values


def dates(column: "Column[Any]") -> "Column[Any] | None":
    """The column as datetime64, NaT where missing, or None where it holds anything else.

    Text is read as 2024-12-31 (with a time of day or without), 2024/12/31 or 31.12.2024, one form throughout.

    >>> dates(pd.Series(["31.12.2024", None])).dt.day.tolist(), dates(pd.Series(["12/31/2024"]))
    ([31.0, nan], None)
    """
    held, present = kind(column), column.notna()
    form = "ISO8601"
    if held == "category" and present.any():
        text = column[present].astype(str)
        form = next((form for pattern, form in _DATES.items() if text.str.fullmatch(pattern).all()), "")
    elif held != "date":
        form = ""
    if not form:
        return None
    if not is_datetime64_any_dtype(column.dtype):
        column = pd.to_datetime(column.astype(object), format=form, utc=True, errors="coerce")
    return column if bool((column.notna() == present).all()) else None


def days(column: "Column[Any]", what: str) -> npt.NDArray[np.float64]:
    """A column of dates as (n,) days since 1970-01-01 UTC, the time of day as a fraction, NaN where missing.

    Raises DataError, which names the column by `what`, where it holds anything else.

    >>> days(pd.Series(["1970-01-02", "1970-01-03 12:00"]), "column 'd'").tolist()
    [1.0, 2.5]
    """
    if column.isna().all():
        return np.full(len(column), np.nan)
    read = dates(column)
    if read is None:
        each = column.astype(object).map(lambda value: dates(pd.Series([value], dtype=object)) is not None)
        _refuse(column, each.where(each), what, "dates were expected: write every one as 2024-12-31, or leave it empty")
        raise DataError(f"{what} holds dates written in several ways: expected one, so write them all as 2024-12-31")
    moments = read.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 86_400e6)


def measured(column: "Column[Any]", held: Kind | None) -> npt.NDArray[np.float64]:
    """A column of numbers or dates as (n,) float64, NaN where missing; DataError for anything else."""
    return (days if held == "date" else numbers)(column, f"column {str(column.name)!r}")


def _refuse(column: "Column[Any]", read: "Column[Any]", what: str, expected: str) -> None:
    """DataError that names the first value which was there and could not be read."""
    odd = np.flatnonzero(column.notna() & read.isna())
    if odd.size:
        value = column.iloc[odd[0]]
        shown = reprlib.repr(value.item() if isinstance(value, np.generic) else value)
        raise DataError(f"{what} holds {shown} in data row {odd[0] + 1} where {expected}")


def counted(count: int, noun: str) -> str:
    """The count with its noun: "1 row", "2 rows"."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


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


def column_bytes(column: "Column[Any]") -> bytes:
    """The column's contents as bytes, the same in every process and on every machine."""
    held = kind(column)
    if held in ("number", "date"):
        return _canonical(measured(column, held)).astype("<f8").tobytes()
    return json.dumps(labels(column).tolist()).encode()


def value_hashes(column: "Column[Any]") -> npt.NDArray[np.uint64]:
    """A hash (n,) of every value of a column, of its content and the column's name alone."""
    held = kind(column)
    if held in ("number", "date"):
        words = _canonical(measured(column, held)).view(np.uint64)
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
