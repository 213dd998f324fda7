"""Which columns of a table are fed to the network, and what a person should know about the others.

Everything is decided by the features alone, over all rows; only a copy of the target is found by looking at the target.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_integer_dtype

from tauten.data.columns import MAX_CATEGORIES, Kind, counted, dates, kind, labels, listed, numbers
from tauten.errors import DataError

COUNTER_ROWS = 50
"""From so many rows on, whole numbers without a gap or a repetition are taken for row numbers whatever their name."""
_ID = re.compile(r"(^|[_\W])(id|Id|ID|uuid|UUID|guid|index|key)$|[a-z](Id|ID)$")
_CODE = re.compile(r"(^|[_\W])(zip|zipcode|postcode|code|type|category|class|cluster|region)([_\W]|$)", re.IGNORECASE)
_SLASHED = r"\d{1,2}/\d{1,2}/\d{2,4}( .*)?"


def usable(frame: pd.DataFrame, declared: Collection[str], warnings: list[str]) -> pd.DataFrame:
    """The columns that can carry information: float64 numbers, datetime64 dates, or objects (`str`, None).

    `declared` names columns to be read as labels. `warnings` receives a sentence for each reason why columns were
    dropped, and for what was read in a way that a person may want otherwise. Raises DataError for infinite values.
    """
    kept: dict[str, pd.Series[Any]] = {}
    dropped: dict[str, list[str]] = {}
    found = {name: _dated(frame[name]) for name in map(str, frame.columns) if name not in declared}
    for name in map(str, frame.columns):
        column = found.get(name, frame[name])
        held: Kind | None = "category" if name in declared else kind(column)
        why = _useless(name, column, held, name in declared)
        if why:
            dropped.setdefault(why, []).append(name)
        elif held == "number":
            kept[name] = pd.Series(numbers(column, f"column {name!r}"))
        else:
            kept[name] = column if held == "date" else pd.Series(labels(column), dtype=object)
    warnings += [f"dropped {counted(len(names), 'column')} {why}: {listed(names)}" for why, names in dropped.items()]
    warnings += _told(kept, {name: frame[name] for name in kept if name not in declared})
    return pd.DataFrame(kept, index=frame.index)


def _dated(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """The column as datetime64 if it holds dates, also as text, else as it is."""
    if isinstance(column.dtype, pd.CategoricalDtype) or kind(column) not in ("category", "date"):
        return column
    read = dates(column)
    return column if read is None else read


def _useless(name: str, column: "pd.Series[Any]", held: Kind | None, declared: bool) -> str | None:
    """Why a column is dropped, None where it is kept."""
    if column.isna().all():
        return "without any value"
    if held is None:
        return "of values that are neither numbers, labels nor dates"
    if column.nunique(dropna=False) == 1:
        return "with the same value in every row"
    if declared or isinstance(column.dtype, pd.CategoricalDtype) or held == "date":
        return None
    return _number_or_name(name, column) if held == "number" else _prose(name, column)


def _number_or_name(name: str, column: "pd.Series[Any]") -> str | None:
    whole = is_integer_dtype(column.dtype) and not column.isna().any()
    if not whole or not column.is_unique:
        return None
    gapless = int(column.max()) - int(column.min()) == len(column) - 1
    if not (_ID.search(name) or (gapless and len(column) >= COUNTER_ROWS)):
        return None
    return "of row numbers or identifiers (to keep one, write its numbers as 1.0, 2.0, …)"


def _prose(name: str, column: "pd.Series[Any]") -> str | None:
    text = column.dropna().astype(str)
    if text.str.fullmatch(_SLASHED).all():
        return "of dates whose day and month can't be told apart (to keep one, write 2024-12-31)"
    distinct, words = text.nunique(), text.str.count(r"\S+").mean()
    if distinct > len(text) / 2 and words >= 3:
        return "of free text (to read it, name it as text)"
    if distinct > max(COUNTER_ROWS, len(text) / 2) or (distinct == len(column) and _ID.search(name)):
        return "of names or identifiers, another in nearly every row (to keep one, name it as categorical)"
    return None


def _told(kept: Mapping[str, "pd.Series[Any]"], given: Mapping[str, "pd.Series[Any]"]) -> list[str]:
    """Sentences about readings that are guesses, and about labels that share an input."""
    sentences = []
    dated = [name for name, column in kept.items() if kind(column) == "date"]
    if dated:
        sentences.append(f"read {counted(len(dated), 'column')} of dates as days: {listed(dated)}")
    codes = [name for name, column in given.items() if is_integer_dtype(column.dtype) and _may_be_code(name, column)]
    if codes:
        sentences.append(
            f"read {counted(len(codes), 'column')} of few whole numbers as numbers: {listed(codes)}; if they are "
            "codes, name them as categorical"
        )
    sizes = {name: column.nunique() for name, column in kept.items() if kind(column) == "category"}
    many = {name: size for name, size in sizes.items() if size > MAX_CATEGORIES}
    if many:
        shown = listed([f"{name} ({size:,})" for name, size in many.items()])
        sentences.append(
            f"{counted(len(many), 'column')} of more than {MAX_CATEGORIES} labels: the {MAX_CATEGORIES} most frequent "
            f"have an input each, the rarer ones share one: {shown}"
        )
    return sentences


def _may_be_code(name: str, column: "pd.Series[Any]") -> bool:
    distinct = column.nunique()
    few = 3 <= distinct <= 10 and int(column.min()) >= 0 and len(column) >= 30 * distinct
    return few or (distinct >= 3 and _CODE.search(name) is not None)


def without_copies(
    frame: pd.DataFrame, targets: Mapping[str, npt.NDArray[Any]], classes: bool, warnings: list[str]
) -> pd.DataFrame:
    """The features that are no copy of a target: one to one with its labels, or equal to its numbers.

    Copies are dropped, and told in the first of the `warnings`; numbers on a straight line with a target are told only.
    Raises DataError where nothing else is left.
    """
    copies, lines = dict[str, str](), dict[str, str]()
    for target, y in targets.items():
        codes = pd.factorize(y)[0]
        for name in map(str, frame.columns):
            if classes:
                if _one_to_one(pd.factorize(frame[name], use_na_sentinel=False)[0], codes):
                    copies[name] = target
            elif kind(frame[name]) == "number":
                values = frame[name].to_numpy(np.float64)
                if np.array_equal(values, y):
                    copies[name] = target
                elif _on_a_line(values, y):
                    lines[name] = target
    for name, target in lines.items():
        warnings.insert(
            0, f"LEAK? column {name!r} is a straight line of target {target!r}: drop it unless known before"
        )
    for name, target in copies.items():
        warnings.insert(0, f"LEAK: column {name!r} is a copy of target {target!r}, value for value, and was dropped")
    if len(copies) == frame.shape[1]:
        raise DataError(
            f"{counted(len(copies), 'feature column')} ({listed(list(copies))}) and no other: each is a copy of the "
            "target, value for value, where features were expected that are known before it, so add some"
        )
    return frame.drop(columns=list(copies))


def _one_to_one(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> bool:
    distinct = int(b.max()) + 1
    return int(a.max()) + 1 == distinct and np.unique(a * distinct + b).size == distinct


def _on_a_line(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> bool:
    if np.isnan(a).any() or len(np.unique(a)) < 3:
        return False
    with np.errstate(all="ignore"):  # values whose squares leave the range of float64 are on no line
        x, y = ((v - v.mean()) / v.std() for v in (a, b))
        return bool(min(np.abs(x - y).max(), np.abs(x + y).max()) < 1e-9)
