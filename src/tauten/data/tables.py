"""Tables from a file, a bundled data set, a frame or arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import counted, listed
from tauten.data.features import usable, without_copies
from tauten.data.frames import as_frame
from tauten.data.read import FORMATS, read, suggestion
from tauten.data.sides import HELD, crossings, group_codes, joined, joined_targets, times
from tauten.data.table import Table
from tauten.data.targets import Task, beside, encode, weights
from tauten.data.texts import with_texts
from tauten.data.vectors import Encoder, VectorTable
from tauten.errors import DataError

T = TypeVar("T", bound="Table")
BUNDLED: dict[str, Task] = {
    "breast_cancer": "classification",
    "diabetes": "regression",
    "digits": "classification",
    "wine": "classification",
}
MIN_ROWS = 10


Names = str | Sequence[str]


def load(
    source: str | Path | pd.DataFrame,
    target: Names | None = None,
    task: str | None = None,
    *,
    categorical: Names = (),
    drop: Names = (),
    text: Names = (),
    embed: str | None = None,
    weight: str | None = None,
    groups: str | None = None,
    time: str | None = None,
    holdout_file: str | Path | None = None,
) -> Table:
    """A table from a bundled data set by name, a file that `read` knows, or a DataFrame that holds its targets.

    `target` is the column to predict, or several (also as "a,b"): by default the one named "target", else the last one.
    `task` overrides the guess that `from_arrays` describes. `categorical` names columns whose values are labels,
    whatever they look like, `drop` columns to leave out, `text` those read as words, or where `embed` names a
    function (FILE.py:NAME) as its vectors of whole texts, `weight` the column that says how much each row counts,
    `groups` the one whose equal values belong together, `time` the one that says what comes later: none is a feature.
    `holdout_file` has more rows with the same columns, the person's own holdout.
    Raises DataError for a file or a column that can't be used, OptionError for an unknown task.

    >>> wine = load("wine")
    >>> wine.frame.shape, wine.task, wine.classes
    ((178, 13), 'classification', ('0', '1', '2'))
    """
    name, warnings = "data" if isinstance(source, pd.DataFrame) else str(source), list[str]()
    if name in BUNDLED and target is None:
        target, task = "target", task or BUNDLED[name]
    frame, held = _source(source, name, warnings), None
    if holdout_file is not None:
        frame, held = joined(frame, read(holdout_file), f"holdout file {str(holdout_file)!r}")
    written = _known(text, frame, name)
    if target is None:
        others = [str(column) for column in frame if column not in written] or [""]
        target = "target" if "target" in frame else others[-1]
        warnings.append(f"no target column was named: took {target!r}")
    targets = _known(target, frame, name)
    left_out = {*_known(drop, frame, name), *_known([c for c in (weight, groups, time) if c is not None], frame, name)}
    both = (left_out | set(written)) & set(targets)
    if both or not targets:
        also = "read as text" if both & set(written) else "left out"
        found = f"{listed(sorted(both))} is a target and {also} as well" if both else "no target is named"
        raise DataError(f"{name}: {found}: expected a column of its own to predict")
    features = frame.drop(columns=[*targets, *left_out])
    declared = frozenset(_known(categorical, frame, name))
    counts = None if weight is None else frame[weight]
    table = _table(name, features, frame[list(targets)], task, declared, counts, warnings, written, embed)
    return _beside_columns(table, frame, groups, time, held)


def sided(
    table: T,
    held: npt.NDArray[np.bool_] | None = None,
    groups: npt.NDArray[np.int64] | None = None,
    time: npt.NDArray[np.float64] | None = None,
) -> T:
    """The table with what puts its rows (n,) on one side of a split, and with a warning of rows that repeat.

    DataError for a class of which the holdout alone has rows.
    """
    said = crossings(table.row_hashes(), np.zeros(len(table.y), bool) if held is None else held, groups, time)
    if held is not None and table.classes and (new := set(table.y[held]) - set(table.y[~held])):
        raise DataError(
            f"class {table.classes[min(new)]!r} is in the holdout alone: expected rows of it in {table.name} too"
        )
    return replace(table, groups=groups, time=time, held=held, warnings=(*table.warnings, *said))


def _beside_columns(
    table: Table, frame: pd.DataFrame, groups: str | None, time: str | None, held: npt.NDArray[np.bool_] | None
) -> Table:
    codes = None if groups is None else group_codes(frame[groups])
    return sided(table, held, codes, None if time is None else times(frame[time]))


def from_arrays(
    X: Any,
    y: Any,
    *,
    name: str = "data",
    task: str | None = None,
    categorical: Names = (),
    drop: Names = (),
    text: Names = (),
    embed: str | None = None,
    sample_weight: Any = None,
    groups: str | None = None,
    time: str | None = None,
    held: tuple[Any, Any] | None = None,
) -> Table:
    """A table of X (n, d), an array or DataFrame, and y (n,), numbers or labels, or several targets (n, K).

    Without `task`: labels and numbers with fractions speak for themselves; whole numbers are classes where there are at
    most 20 distinct ones and three rows or more to each on average, else a regression target. Several targets of zeros
    and ones are labels that exclude nobody, "multilabel", others regression targets. `categorical`, `drop`, `text`,
    `groups`, `time` name columns of X and `embed` a function as in `load`, `sample_weight` (n,) says how much each row
    counts. A Series or DataFrame lends the targets its names. `held` is the person's own holdout, more rows X and y.
    Raises DataError for data that can't be used, OptionError for an unknown task.

    >>> from_arrays(np.eye(12), ["no", "yes"] * 6).classes
    ('no', 'yes')
    """
    frame = as_frame(X)
    targets, counts = beside(len(frame), y, sample_weight)
    mask = None
    if held is not None:
        own = as_frame(held[0])
        targets, mask = joined_targets(targets, len(own), held[1])
        frame, _ = joined(frame, own, HELD)
    declared, left_out = frozenset(_known(categorical, frame, name)), {*_known(drop, frame, name)}
    left_out |= {*_known([c for c in (groups, time) if c is not None], frame, name)}
    written = _known(text, frame, name)
    table = _table(name, frame.drop(columns=[*left_out]), targets, task, declared, counts, [], written, embed)
    return _beside_columns(table, frame, groups, time, mask)


def _source(source: str | Path | pd.DataFrame, name: str, warnings: list[str]) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return as_frame(source)
    if name in BUNDLED:
        import sklearn.datasets

        bundled: pd.DataFrame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
        return bundled
    if not Path(source).is_file():
        raise DataError(
            f"no file {name!r}: expected {FORMATS}, images, or one of the bundled sets {', '.join(BUNDLED)}"
            + suggestion(name, list(BUNDLED))
        )
    frame = read(source)
    first, n = frame.iloc[:, 0], len(frame)
    if first.name in ("", "Unnamed: 0") and frame.shape[1] > 1 and first.tolist() in ([*range(n)], [*range(1, n + 1)]):
        # Many files are sorted by target; a row number would then give the target away.
        warnings.append("dropped the first column: it has no name and counts the rows")
        return frame.iloc[:, 1:]
    return frame


def _known(names: Names, frame: pd.DataFrame, where: str) -> tuple[str, ...]:
    """The names, also from "a,b"; DataError where one is no column."""
    given: Iterable[str] = names
    if isinstance(names, str):
        given = [names] if names in frame else [part.strip() for part in names.split(",") if part.strip()]
    for name in given:
        if name not in frame:
            raise DataError(
                f"{where} has no column {name!r}: expected one of {listed(frame.columns)}"
                + suggestion(name, [str(column) for column in frame.columns])
            )
    return tuple(dict.fromkeys(given))


def _table(
    name: str,
    frame: pd.DataFrame,
    columns: pd.DataFrame,
    task: str | None,
    declared: frozenset[str],
    counts: "pd.Series[Any] | None",
    warnings: list[str],
    written: Sequence[str],
    embed: str | None,
) -> Table:
    if len(frame) < MIN_ROWS:
        raise DataError(f"{name} has {counted(len(frame), 'row')} of data: expected at least {MIN_ROWS}, so add rows")
    if not frame.shape[1]:
        raise DataError(
            f"{name} has no feature columns: expected at least one beside the target {listed(columns.columns)}"
        )
    targets = encode(columns, task, warnings, as_labels=str(columns.columns[0]) in declared)
    encoder = None if embed is None else Encoder.of(embed)
    if encoder is not None and not written:
        raise DataError(f"{name}: embed is {embed!r} and no column of text is named: expected one, so name it by text")
    others = encoder.vectors(frame, written) if encoder else frame.drop(columns=[*written])
    features = usable(others, declared, warnings)
    if not features.shape[1] and (encoder or not written):
        raise DataError(f"{name} has no feature column left ({'; '.join(warnings)}): add a column that varies")
    names = tuple(map(str, columns.columns))
    table = Table(name, features, targets.y, targets.task, targets.classes, names, ())
    if features.shape[1]:
        features = without_copies(features, table.by_target(), targets.task != "regression", warnings)
    table = replace(table, frame=features, weights=None if counts is None else weights(counts))
    table = replace(table, warnings=tuple(warnings))
    if encoder is not None:
        own = {part: getattr(table, part) for part in table.__dataclass_fields__}
        return VectorTable(**own, text=tuple(written), encoder=encoder)
    return with_texts(table, {column: frame[column] for column in written}) if written else table
