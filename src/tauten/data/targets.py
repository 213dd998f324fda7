"""What a table's targets ask for, and their values as the numbers that training reads."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import counted, kind, labels, listed, numbers
from tauten.data.frames import as_frame
from tauten.errors import DataError, OptionError

Task = Literal["classification", "multilabel", "regression"]
TASKS: tuple[Task, ...] = ("classification", "multilabel", "regression")
MAX_GUESSED_CLASSES = 20


class Targets(NamedTuple):
    """Class codes (n,) int64, or float64 numbers (n,) or (n, K); `classes` names the codes."""

    y: npt.NDArray[Any]
    task: Task
    classes: tuple[str, ...] = ()


def beside(rows: int, y: Any, sample_weight: Any) -> tuple[pd.DataFrame, "pd.Series[Any] | None"]:
    """What stands beside an array of so many rows: y, a column for each target, and weights where there are any.

    Several targets may come as a DataFrame or an array of two columns or more. DataError for another number of rows.
    """
    targets, counts = _frame(y), None if sample_weight is None else _vector(sample_weight, "sample_weight")
    for what, given in (("y", targets), ("sample_weight", counts)):
        if given is not None and len(given) != rows:
            raise DataError(
                f"X has {counted(rows, 'row')} and {what} has {counted(len(given), 'value')}: expected one for every "
                "row"
            )
    return targets, counts


def encode(columns: pd.DataFrame, task: str | None, warnings: list[str], as_labels: bool = False) -> Targets:
    """One target column or several, read as `task`, or as what they look like.

    One: labels, and few whole numbers, are classes, other numbers a regression target; `as_labels` takes any value for
    a class. Several: zeros and ones are labels that exclude nobody, other numbers regression targets.
    Raises OptionError for an unknown task, DataError for values that can't be used.
    """
    if task is not None and task not in TASKS:
        raise OptionError(f"task is {task!r}: expected {', '.join(map(repr, TASKS[:-1]))} or {TASKS[-1]!r}")
    for name in columns:
        _refuse_missing(columns[name], f"target {name!r}")
    return _one(columns.iloc[:, 0], task, warnings, as_labels) if columns.shape[1] == 1 else _several(columns, task)


def weights(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """A column of weights as (n,) float64; DataError where one is missing, negative or no number, or all are zero."""
    what = f"weight {str(column.name)!r}"
    values = numbers(column, what)
    bad = np.flatnonzero(~(values >= 0))
    if bad.size or not values.any():
        found = f"is {values[bad[0]]:g} in data row {bad[0] + 1}" if bad.size else "is 0 in every row"
        raise DataError(f"{what} {found}: expected a number from 0 up in every row, and more than 0 in some")
    return values


def _frame(y: Any) -> pd.DataFrame:
    if isinstance(y, pd.DataFrame):
        return as_frame(y)
    shape = _shape(y)
    if len(shape) == 2 and shape[1] > 1:
        return pd.DataFrame(np.asarray(y), columns=[f"y{i}" for i in range(shape[1])])
    return _vector(y, "y").to_frame()


def _shape(y: Any) -> tuple[int, ...]:
    return np.shape(y) if hasattr(y, "ndim") or not isinstance(y, Sequence) else (len(y),)


def _vector(y: Any, what: str) -> "pd.Series[Any]":
    shape = _shape(y)
    if len(shape) != 1:
        raise DataError(f"{what} has shape {shape}: expected one dimension, a value for every row (ravel() makes it)")
    name = "target" if what == "y" else what
    if isinstance(y, pd.Series):
        return y.reset_index(drop=True).rename(name if y.name is None else str(y.name))
    known = isinstance(y, Sequence | pd.Index | pd.api.extensions.ExtensionArray)
    return pd.Series(y if known else np.asarray(y), name=name)


def _refuse_missing(column: "pd.Series[Any]", what: str) -> None:
    missing = np.flatnonzero(column.isna())
    if missing.size:
        raise DataError(
            f"{what} is missing in {counted(missing.size, 'row')}, first in data row {missing[0] + 1}: expected a "
            "value in every row, so drop rows without one"
        )
    if kind(column) not in ("number", "category"):
        raise DataError(f"{what} holds {column.dtype} values: expected numbers or labels, so convert them")


def _one(column: "pd.Series[Any]", task: Task | None, warnings: list[str], as_labels: bool) -> Targets:
    """Class codes stand in the order of the classes: numbers by value, labels by alphabet."""
    what, number = f"target {column.name!r}", kind(column) == "number"
    if task == "multilabel":
        raise DataError(f"{what} is the only one: expected several for multilabel, so name more or leave the task out")
    guess: Task = "classification"
    if number and not as_labels:
        values = numbers(column, what)
        guess = "classification" if _few_whole_numbers(values) else "regression"
        if task is None and np.unique(values).size > 10 and (values == np.floor(values)).all():
            warnings.append(f"{what} holds {np.unique(values).size} whole numbers: taken as {guess}; task= overrides")
    if (task or guess) == "regression":
        values = numbers(column, what)
        _refuse_constant(column, what, "values")
        return Targets(values, "regression")
    names = labels(column)
    _, first, codes = np.unique(numbers(column, what) if number else names, return_index=True, return_inverse=True)
    _refuse_constant(column, what, "classes")
    return Targets(codes.astype(np.int64), "classification", tuple(names[first]))


def _several(columns: pd.DataFrame, task: Task | None) -> Targets:
    names = list(columns)
    if task == "classification":
        raise DataError(
            f"there are {len(names)} targets ({listed(names)}): expected one for classification, or the task "
            "multilabel for zeros and ones"
        )
    y = np.column_stack([numbers(columns[name], f"target {name!r}, one of {len(names)},") for name in names])
    binary = np.isin(y, (0.0, 1.0))
    if task == "multilabel" and not binary.all():
        row, at = np.argwhere(~binary)[0]
        raise DataError(
            f"target {names[at]!r} is {y[row, at]:g} in data row {row + 1}: expected 0 or 1 in every target of "
            "multilabel, so mend it or take task regression"
        )
    task = task or ("multilabel" if binary.all() else "regression")
    for name in names:
        _refuse_constant(columns[name], f"target {name!r}", "classes" if task == "multilabel" else "values")
    return Targets(y, task)


def _refuse_constant(column: "pd.Series[Any]", what: str, things: str) -> None:
    if column.nunique() < 2:
        raise DataError(
            f"{what} is {str(column.iloc[0])!r} in every row: expected at least two {things}, so add rows of another"
        )


def _few_whole_numbers(values: npt.NDArray[np.float64]) -> bool:
    distinct = np.unique(values)
    return bool((distinct == np.floor(distinct)).all()) and distinct.size <= min(MAX_GUESSED_CLASSES, values.size / 3)
