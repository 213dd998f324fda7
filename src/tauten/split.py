"""Which rows train, which score, which stop, and which nobody sees before the end.

Random parts are drawn from a seed. The holdout is not: a hash of the rows' contents chooses it, so that nobody shops
for a lucky one. Rows are balanced over **strata**: the classes, or up to ten quantile bins of a regression target.

With `groups` (n,) all rows of a group lie on one side. With `time` (n,) what scores is later than what trains: the
holdout is the latest part, folds are expanding windows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tauten import timeline
from tauten.bundles import deal, hold, holders
from tauten.errors import DataError, OptionError, RunError
from tauten.strata import Ints, Task, allot, rows_of, strata
from tauten.timeline import Times

Rows = Ints

MAX_HOLDOUT = 0.5
TWICE_BELOW = 2_000
ONCE_BELOW = 20_000


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers, each part sorted and apart from the others; one split also has rows to `stop` early by."""

    train: Rows
    score: Rows
    stop: Rows | None = None


@dataclass(frozen=True)
class SelectionPlan:
    """How candidates are scored: `folds` × `repeats`; one fold means one split with a stopping part."""

    folds: int
    repeats: int
    warnings: tuple[str, ...] = ()


class Sealed:
    """The holdout's rows, which only a single, journaled opening gives out.

    >>> sealed = Sealed(np.array([3, 5]))
    >>> len(sealed), sealed.open(lambda: None).tolist()
    (2, [3, 5])
    """

    __slots__ = ("__opened", "__rows")

    def __init__(self, rows: Rows) -> None:
        self.__rows = np.array(rows, dtype=np.int64)
        self.__opened = False

    def __len__(self) -> int:
        return len(self.__rows)

    def __reduce__(self) -> NoReturn:
        raise RunError("a sealed holdout was copied or stored: it can't be, so pass the one object on")

    def open(self, journal: Callable[[], object]) -> Rows:
        """Call `journal()`, which writes the opening down, then give out the rows.

        Where the journal raises, the holdout stays sealed. Raises RunError at a second opening.
        """
        if self.__opened:
            raise RunError(
                "the holdout was opened a second time: expected one opening, so start a new run with new data"
            )
        journal()
        self.__opened = True
        return self.__rows


def holdout(
    row_hashes: npt.NDArray[np.uint64],
    y: npt.NDArray[Any],
    task: Task,
    fraction: float = 0.2,
    groups: Rows | None = None,
    time: Times | None = None,
) -> tuple[Rows, Rows]:
    """(development rows, holdout rows), sorted: in each stratum the rows with the smallest hash are held out.

    The same rows whatever their order, and rows of equal content on one side (so that a stratum with many copies can
    fall short of its share). A class keeps at least two rows for development. With `groups`, groups are held out whole,
    by the hash of their rows; with `time`, the latest rows.
    Raises OptionError for a fraction outside (0, 0.5], DataError where no class can spare a row.

    >>> dev, held = holdout(np.arange(10, dtype=np.uint64), np.arange(10) % 2, "classification")
    >>> dev.tolist(), held.tolist()
    ([1, 2, 3, 4, 6, 7, 8, 9], [0, 5])
    >>> holdout(np.arange(10, dtype=np.uint64), np.arange(10) % 2, "classification", time=-np.arange(10))[1].tolist()
    [0, 1]
    """
    if not 0 < fraction <= MAX_HOLDOUT:
        raise OptionError(f"the holdout's fraction is {fraction}: expected more than 0 and at most {MAX_HOLDOUT}")
    if time is not None:
        held = timeline.parts(time, [(1 - fraction) * len(y)]) == 1
    elif groups is not None:
        held = hold(row_hashes, strata(y, task), groups, fraction, task == "classification")
    else:
        held = _held(row_hashes, rows_of(strata(y, task)), fraction)
    return np.flatnonzero(~held), np.flatnonzero(held)


def _held(row_hashes: npt.NDArray[np.uint64], each: list[Rows], fraction: float) -> npt.NDArray[np.bool_]:
    wanted = allot([len(rows) for rows in each], fraction, spare=2)
    # Multiplying by 2⁶⁴/φ keeps equal hashes equal and spreads also those that a caller has merely counted up.
    order = np.asarray(row_hashes, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    held = np.zeros(len(order), dtype=bool)
    for rows, room in zip(each, wanted, strict=True):
        for copies in _equal(rows, order):
            if room == 0:
                break
            if len(copies) <= room:
                held[copies] = True
                room -= len(copies)
    if not held.any():
        unlike = len(np.unique(order))
        alike = f", since copies stay together and only {unlike} differ" if unlike < len(order) else ""
        raise DataError(
            f"no row of {len(order)} can be held out with a fraction of {fraction}{alike}: expected more rows, so add "
            "data"
        )
    return held


def folds(
    y: npt.NDArray[Any],
    task: Task,
    k: int,
    seed: int,
    groups: Rows | None = None,
    time: Times | None = None,
) -> tuple[Split, ...]:
    """k stratified folds: each row scores once; fold sizes differ by one at most, within a stratum and overall.

    With `groups` no group is on two sides of a fold, and sizes are as near as groups let them be. With `time` each fold
    trains on an expanding window and scores the block after it, the longest window first; the earliest block is never
    scored. Raises OptionError for k outside 2 … n, DataError for a class of a single row or too few groups or times.

    >>> [fold.score.size for fold in folds(np.arange(11) % 2, "classification", k=3, seed=0)]
    [4, 4, 3]
    >>> [(f.train.size, f.score.size) for f in folds(np.zeros(30), "regression", k=2, seed=0, time=np.arange(30) // 10)]
    [(20, 10), (10, 10)]
    """
    if not 2 <= k <= len(y):
        raise OptionError(f"the number of folds is {k}: expected 2 to {len(y)}, the number of rows")
    random = _random(seed)
    if time is not None:
        block = timeline.windows(time, k, random)
        return tuple(Split(np.flatnonzero(block < i), np.flatnonzero(block == i)) for i in range(k, 0, -1))
    own = _groups(y, task, groups, k)
    fold = deal(strata(y, task), own, [1 / k] * k, random)
    return tuple(Split(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k))


def one_split(
    y: npt.NDArray[Any],
    task: Task,
    seed: int,
    score: float = 0.2,
    stop: float = 0.1,
    groups: Rows | None = None,
    time: Times | None = None,
) -> Split:
    """One stratified split into three: fractions `score` and `stop` of the rows, and training rows of every class.

    With `groups` each group is in one part. With `time` training rows are the earliest, scored ones the latest, and
    those to stop by lie between them.
    Raises OptionError for fractions that are not above 0 or leave training less than half, DataError for a class of a
    single row, or too few groups or times.

    >>> parts = one_split(np.arange(100) % 4, "classification", seed=0)
    >>> parts.train.size, parts.score.size, parts.stop.size
    (70, 20, 10)
    """
    if not (score > 0 and stop > 0 and score + stop <= 0.5):
        raise OptionError(
            f"the fractions are {score} to score and {stop} to stop: expected both above 0, together at most 0.5"
        )
    if time is not None:
        part = 2 - timeline.parts(time, [(1 - score - stop) * len(y), (1 - score) * len(y)])
    else:
        own = _groups(y, task, groups, 3)
        part = _dealt(y, task, own, (score, stop), _random(seed))
    first, second, rest = (np.flatnonzero(part == i) for i in range(3))
    return Split(train=rest, score=first, stop=second)


def _dealt(
    y: npt.NDArray[Any], task: Task, groups: Rows, shares: tuple[float, float], random: np.random.Generator
) -> Rows:
    """Part 0, 1 or 2 (n,): the two shares of every stratum, and the rest."""
    if groups.max() + 1 < len(y):
        return deal(strata(y, task), groups, [*shares, 1 - sum(shares)], random)
    each = [random.permutation(rows) for rows in rows_of(strata(y, task))]
    first = allot([len(rows) for rows in each], shares[0], spare=1)
    second = allot([len(rows) for rows in each], shares[1], spare=[1 + s for s in first])
    part = np.full(len(y), 2)
    for rows, s, t in zip(each, first, second, strict=True):
        part[rows[:s]], part[rows[s : s + t]] = 0, 1
    return part


def selection_plan(
    y: npt.NDArray[Any],
    task: Task,
    folds: int | None = None,
    classes: Sequence[str] = (),
    groups: Rows | None = None,
    time: Times | None = None,
) -> SelectionPlan:
    """How many folds and repeats n rows deserve: under 2,000 rows 5 × 2, under 20,000 rows 5 × 1, above one split.

    `folds` overrides their number (1: one split); a class smaller than the folds, fewer groups, or fewer times lower
    it, with a warning. `classes` are the labels for messages, by code. Raises OptionError for folds outside 1 … n,
    DataError for a class of one row or group, for one group and for one time.

    >>> selection_plan(np.arange(150) % 3, "classification")
    SelectionPlan(folds=5, repeats=2, warnings=())
    """
    n = len(y)
    if folds is not None and not 1 <= folds <= n:
        raise OptionError(f"the number of folds is {folds}: expected 1 (one split) to {n}, the number of rows")
    k = folds or (5 if n < ONCE_BELOW else 1)
    if time is None:
        most, why = _most(y, task, _groups(y, task, groups, 2, classes), classes)
    else:
        times = len(np.unique(time))
        most, why = times - 1, f"the rows have {times} distinct times"
    if k == 1:
        return SelectionPlan(folds=1, repeats=1)
    repeats = 2 if n < TWICE_BELOW else 1
    if most >= k:
        return SelectionPlan(k, repeats)
    return SelectionPlan(most, repeats, (f"{most} folds instead of {k}: {why}",))


def _random(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def _equal(rows: Rows, order: npt.NDArray[np.uint64]) -> Iterator[Rows]:
    """The rows in groups of equal `order`, the smallest first."""
    by_order = rows[np.argsort(order[rows], kind="stable")]
    yield from np.split(by_order, np.flatnonzero(np.diff(order[by_order])) + 1)


def _groups(y: npt.NDArray[Any], task: Task, groups: Rows | None, least: int, classes: Sequence[str] = ()) -> Rows:
    """Groups numbered from 0, or each row its own; DataError for fewer than `least`, or a class in a single one."""
    own = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)
    if task == "classification":
        codes, held = holders(own, y)
        if held.min() < 2:
            where = (
                "has a single row" if groups is None or (y == codes[held.argmin()]).sum() == 1 else "is in one group"
            )
            raise DataError(
                f"class {_name(codes[held.argmin()], classes)} {where}: expected at least two, one to train and one to "
                "score, so add rows of that class, merge it with another, or drop it"
            )
    if own.max() + 1 < least:
        raise DataError(f"the rows form {own.max() + 1} group(s): expected at least {least}, so name another column")
    return own


def _most(y: npt.NDArray[Any], task: Task, groups: Rows, classes: Sequence[str]) -> tuple[int, str]:
    """How many folds there may be at most, and why."""
    count = int(groups.max()) + 1
    alone = count == len(y)
    if task != "classification":
        return count, f"there are {count} groups of rows"
    codes, held = holders(groups, y)
    smallest, name = int(held.min()), _name(codes[held.argmin()], classes)
    return smallest, f"class {name} has {smallest} rows" if alone else f"class {name} is in {smallest} groups of rows"


def _name(code: Any, classes: Sequence[str]) -> str:
    return repr(classes[int(code)]) if classes else str(code)
