"""A table: features, a target, and what the target asks for; from a file, a bundled data set or arrays."""

import csv
import difflib
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import column_bytes, counted, kind, labels, listed, mix, numbers, usable, value_hashes
from tauten.errors import DataError, OptionError

Task = Literal["classification", "multilabel", "regression"]

BUNDLED: dict[str, Task] = {
    "breast_cancer": "classification",
    "diabetes": "regression",
    "digits": "classification",
    "wine": "classification",
}
MIN_ROWS = 10
MAX_GUESSED_CLASSES = 20


@dataclass(frozen=True, eq=False)
class Table:
    """Features, targets and task. Number columns are float64, category columns objects (`str`, None where missing).

    `y` holds class codes (n,) int64 in classification, 0 and 1 (n, K) float64 in multilabel, and numbers float64 in
    regression: (n,), or (n, K) for several targets. `classes` is empty but in classification. `weights` (n,) float64
    says how much each row counts, None where all count alike.
    """

    name: str
    frame: pd.DataFrame
    y: npt.NDArray[Any]
    task: Task
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    warnings: tuple[str, ...]
    weights: npt.NDArray[np.float64] | None = None

    @property
    def target(self) -> str:
        """The names of the targets, joined by commas."""
        return ",".join(self.targets)

    def content_hash(self) -> str:
        """SHA-256 (hex) of features and target, in their order; the same in every process."""
        names = [str(name) for name in self.frame.columns]
        digest = hashlib.sha256(json.dumps([self.task, self.target, self.classes, names]).encode())
        for part in (*(column_bytes(self.frame[name]) for name in self.frame), column_bytes(pd.Series(self.y))):
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def row_hashes(self) -> npt.NDArray[np.uint64]:
        """A hash (n,) of each row's features and target, whatever the order of rows and of columns."""
        target = np.array(self.classes, dtype=object)[self.y] if self.classes else self.y
        total = mix(value_hashes(pd.Series(target, name="target")))
        for name in self.frame:
            total = total + value_hashes(self.frame[name])
        return mix(total)

    def take(self, rows: npt.ArrayLike) -> "Table":
        """The table of these rows, in this order; it keeps all classes, also those that no row is left of."""
        chosen = np.asarray(rows)
        frame = self.frame.iloc[chosen].reset_index(drop=True)
        weights = None if self.weights is None else self.weights[chosen]
        return replace(self, frame=frame, y=self.y[chosen], weights=weights)


def load(source: str | Path, target: str | None = None, task: str | None = None) -> Table:
    """Read a bundled data set by name, or a CSV file (also gzipped) with a header row.

    `target` is the column to predict: by default the one named "target", else the last one. `task` overrides the guess
    that `from_arrays` describes. Empty cells and "NA", "NaN", "None", "null" count as missing.
    Raises DataError for a file or a target that can't be used, OptionError for an unknown task.

    >>> wine = load("wine")
    >>> wine.frame.shape, wine.task, wine.classes
    ((178, 13), 'classification', ('0', '1', '2'))
    """
    name, warnings = str(source), list[str]()
    if name in BUNDLED:
        import sklearn.datasets

        frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
        if target is None:
            target, task = "target", task or BUNDLED[name]
    else:
        frame = _read_csv(Path(source), warnings)
    if target is None:
        target = "target" if "target" in frame else str(frame.columns[-1])
        warnings.append(f"no target column was named: took {target!r}")
    if target not in frame:
        raise DataError(
            f"{name} has no column {target!r}: expected one of {listed(frame.columns)}"
            + _suggestion(target, [str(column) for column in frame.columns])
        )
    return _table(name, frame.drop(columns=target), frame[target].rename(target), task, warnings)


def from_arrays(X: Any, y: Any, *, name: str = "data", task: str | None = None) -> Table:
    """A table of X (n, d), an array or DataFrame, and y (n,), numbers or labels.

    Without `task`: labels and numbers with fractions speak for themselves; whole numbers are classes where there are at
    most 20 distinct ones and three rows or more to each on average, else a regression target.
    A Series lends the target its name. Raises DataError for data that can't be used, OptionError for an unknown task.

    >>> from_arrays(np.eye(12), ["no", "yes"] * 6).classes
    ('no', 'yes')
    """
    frame = as_frame(X)
    target = _vector(y)
    if len(target) != len(frame):
        raise DataError(
            f"X has {counted(len(frame), 'row')} and y has {counted(len(target), 'value')}: expected one target per row"
        )
    if target.name in frame and frame[str(target.name)].equals(target):
        raise DataError(f"X holds the target itself as column {target.name!r}: drop that column from X")
    return _table(name, frame, target, task, [])


def as_frame(X: Any) -> pd.DataFrame:
    """X (n, d) as a DataFrame with a fresh index and text for column names ("x0", "x1", … for an array)."""
    if not isinstance(X, pd.DataFrame):
        # As objects a list of rows keeps what it holds (numpy would turn [1, "a"] into text), and a ragged one shows.
        array = np.asarray(X, dtype=None if hasattr(X, "dtype") else object)
        if array.ndim != 2:
            raise DataError(
                f"X has shape {array.shape}: expected two dimensions, rows and columns (X.reshape(len(X), -1) or "
                "X.toarray() makes them)"
            )
        return pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    frame = X.reset_index(drop=True)
    frame.columns = pd.Index([str(column) for column in X.columns])
    _refuse_duplicates(list(frame.columns), "X")
    return frame


def _vector(y: Any) -> "pd.Series[Any]":
    shape = np.shape(y) if hasattr(y, "ndim") or not isinstance(y, Sequence) else (len(y),)
    if len(shape) != 1:
        raise DataError(f"y has shape {shape}: expected one dimension, one target for every row (y.ravel() makes it)")
    if isinstance(y, pd.Series):
        return y.reset_index(drop=True).rename("target" if y.name is None else str(y.name))
    known = isinstance(y, Sequence | pd.Index | pd.api.extensions.ExtensionArray)
    return pd.Series(y if known else np.asarray(y), name="target")


def _table(name: str, frame: pd.DataFrame, column: "pd.Series[Any]", task: str | None, warnings: list[str]) -> Table:
    if task not in (None, "classification", "regression"):
        raise OptionError(f"task is {task!r}: expected 'classification' or 'regression'")
    if len(frame) < MIN_ROWS:
        raise DataError(f"{name} has {counted(len(frame), 'row')} of data: expected at least {MIN_ROWS}, so add rows")
    if not frame.shape[1]:
        raise DataError(f"{name} has no feature columns: expected at least one beside the target {column.name!r}")
    y, decided, classes = _encode(column, cast("Task | None", task), warnings)
    features = usable(frame, warnings)
    if not features.shape[1]:
        raise DataError(f"{name} has no feature column left ({'; '.join(warnings)}): add a column that varies")
    return Table(name, features, y, decided, classes, (str(column.name),), tuple(warnings))


def _encode(
    column: "pd.Series[Any]", task: Task | None, warnings: list[str]
) -> tuple[npt.NDArray[Any], Task, tuple[str, ...]]:
    """The target as class codes in the order of the classes (numbers by value, labels by alphabet), or as numbers."""
    what, held = f"target {column.name!r}", kind(column)
    missing = np.flatnonzero(column.isna())
    if missing.size:
        count = counted(missing.size, "row")
        raise DataError(
            f"{what} is missing in {count}, first in data row {missing[0] + 1}: expected a value in every row, so drop "
            "rows without one"
        )
    if held is None:
        raise DataError(f"{what} holds {column.dtype} values: expected numbers or labels, so convert them")
    if held == "number":
        values = numbers(column, what)
        guess: Task = "classification" if _few_whole_numbers(values) else "regression"
        if task is None and np.unique(values).size > 10 and (values == np.floor(values)).all():
            warnings.append(f"{what} holds {np.unique(values).size} whole numbers: taken as {guess}; task= overrides")
    else:
        guess = "classification"
    task = task or guess
    y: npt.NDArray[Any]
    if task == "regression":
        y, distinct, classes = numbers(column, what), column.nunique(), ()
    else:
        names = labels(column)
        _, first, codes = np.unique(values if held == "number" else names, return_index=True, return_inverse=True)
        y, distinct, classes = codes.astype(np.int64), len(first), tuple(names[first])
    if distinct < 2:
        things = "classes" if task == "classification" else "values"
        raise DataError(
            f"{what} is {str(column.iloc[0])!r} in every row: expected at least two {things}, so add rows of another"
        )
    return y, task, classes


def _few_whole_numbers(values: npt.NDArray[np.float64]) -> bool:
    distinct = np.unique(values)
    return bool((distinct == np.floor(distinct)).all()) and distinct.size <= min(MAX_GUESSED_CLASSES, values.size / 3)


def _read_csv(path: Path, warnings: list[str]) -> pd.DataFrame:
    text = _read_text(path)
    header = _header(path, text)
    try:
        frame = pd.read_csv(io.StringIO(text), header=0, names=header, index_col=False, low_memory=False)
    except pd.errors.ParserError as error:
        raise DataError(f"{path} is not a regular CSV table ({str(error).strip()}): mend that line") from error
    if (
        header[0] == ""
        and len(header) > 1
        and frame[""].tolist() in (list(range(len(frame))), list(range(1, len(frame) + 1)))
    ):
        # Many files are sorted by target; a row number would then give the target away.
        warnings.append("dropped the first column: it has no name and counts the rows")
        return frame.drop(columns="")
    return frame


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise DataError(
            f"no file {str(path)!r}: expected a CSV file or one of the bundled sets {', '.join(BUNDLED)}"
            + _suggestion(str(path), list(BUNDLED))
        )
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start + 1}): save it as CSV in UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} can't be read ({error}): expected a readable CSV or gzipped CSV file") from error


def _header(path: Path, text: str) -> list[str]:
    """The column names as they stand (pandas would rename repeated ones), with every line's length checked."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(reader, [])
        if not header:
            found = "starts with an empty line" if text.strip() else "is empty"
            raise DataError(f"{path} {found}: expected column names in its first line, then the data")
        _refuse_duplicates(header, str(path))
        for row in reader:
            if row and len(row) != len(header):
                raise DataError(
                    f"{path} has {counted(len(row), 'value')} in line {reader.line_num}: expected {len(header)}, "
                    "one for each column name in the header, so mend that line"
                )
    except csv.Error as error:
        raise DataError(
            f"{path} is not a regular CSV table (line {reader.line_num}: {error}): mend that line"
        ) from error
    other = next((mark for mark in ";\t|" if mark in header[0]), None)
    if len(header) == 1 and other:
        raise DataError(f"{path} separates its columns by {other!r}: expected commas, so save it with commas")
    return header


def _refuse_duplicates(names: Sequence[str], where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"{where} has more than one column named {listed(twice)}: give every column its own name")


def _suggestion(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
