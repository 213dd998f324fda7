"""What puts a row on one side of a split: its group, its time, or a holdout of the person's own."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import counted, days, kind, labels, listed, numbers
from tauten.data.targets import beside
from tauten.errors import DataError

HELD = "the holdout"
"""What messages call a holdout that came as arrays."""


def group_codes(column: "pd.Series[Any]") -> npt.NDArray[np.int64]:
    """Groups (n,) numbered by their label; DataError where one is missing."""
    _refuse_missing(column, f"groups {str(column.name)!r}", "a group")
    return np.unique(labels(column).astype(str), return_inverse=True)[1].astype(np.int64)


def times(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """Times (n,): numbers as they are, dates in days; DataError where one is missing or is neither."""
    what = f"time {str(column.name)!r}"
    _refuse_missing(column, what, "a time")
    return (numbers if kind(column) == "number" else days)(column, what)


def crossings(
    rows: npt.NDArray[np.uint64],
    held: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.int64] | None,
    time: npt.NDArray[np.float64] | None,
) -> list[str]:
    """What a person should know of rows that repeat, by content `rows`, and of what a holdout of their own shares with
    the data."""
    own, count, found = rows[~held], int(held.sum()), list[str]()
    distinct = np.unique(own).size
    if distinct < len(own):
        kept = (
            "are kept on one side of every split, but"
            if groups is None and time is None
            else "may be on both sides, and"
        )
        found.append(
            f"{len(own) - distinct:,} of {counted(len(own), 'row')} repeat another, target included ({distinct:,} "
            f"distinct): copies of a row {kept} count as often as they occur"
        )
    if same := int(np.isin(rows[held], own).sum()):
        found.append(f"{same:,} of {counted(count, 'row')} of the holdout repeat a row of the data: they flatter")
    if count and groups is not None and (shared := int(np.isin(np.unique(groups[held]), groups[~held]).sum())):
        found.append(f"{counted(shared, 'group')} of the holdout also occur in the data: they flatter")
    if count and time is not None and (early := int((time[held] <= time[~held].max()).sum())):
        found.append(f"{early:,} of {counted(count, 'row')} of the holdout are not later than all of the data")
    return found


def joined(frame: pd.DataFrame, own: pd.DataFrame, where: str) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """The rows of a table with those of the person's holdout after them, and which of them (n,) are held.

    Columns may stand in another order, and further ones are ignored. DataError where one is missing or holds another
    kind of values; `where` names the holdout.
    """
    absent = [str(name) for name in frame if name not in own]
    if absent:
        raise DataError(
            f"{where} lacks {counted(len(absent), 'column')} of the data ({listed(absent)}): add "
            "them, empty where unknown"
        )
    if not len(own):
        raise DataError(f"{where} has no rows: expected at least one")
    for name in frame:
        here, there = (kind(part[name].dropna()) if part[name].notna().any() else None for part in (frame, own))
        if here and there and here != there:
            raise DataError(f"column {str(name)!r} is a {there} in {where} and a {here} in the data: write both alike")
    both = pd.concat([frame, own[list(frame.columns)]], ignore_index=True)
    return both, np.arange(len(both)) >= len(frame)


def joined_targets(targets: pd.DataFrame, rows: int, y: Any) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """The targets of the data with those, y, of a holdout of so many rows, as `joined`; names don't matter."""
    own, _ = beside(rows, y, None)
    if own.shape[1] == targets.shape[1]:
        own.columns = targets.columns
    return joined(targets, own, HELD)


def _refuse_missing(column: "pd.Series[Any]", what: str, expected: str) -> None:
    missing = np.flatnonzero(column.isna())
    if missing.size:
        raise DataError(
            f"{what} is missing in {counted(missing.size, 'row')}, first in data row {missing[0] + 1}: expected "
            f"{expected} in every row, so fill it in or drop those rows"
        )
