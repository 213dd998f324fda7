"""Which rows train, which score, which stop, and which nobody sees before the end.

Random parts are drawn from a seed. The holdout is not: a hash of the rows' contents chooses it, so that nobody shops
for a lucky one. Rows are balanced over **strata**: the classes, or up to ten quantile bins of a regression target.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from tauten.errors import DataError, OptionError, RunError

Task = Literal["classification", "multilabel", "regression"]
Rows = npt.NDArray[np.int64]

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
    row_hashes: npt.NDArray[np.uint64], y: npt.NDArray[Any], task: Task, fraction: float = 0.2
) -> tuple[Rows, Rows]:
    """(development rows, holdout rows), sorted: in each stratum the rows with the smallest hash are held out.

    The same rows whatever their order, and rows of equal content on one side (so that a stratum with many copies can
    fall short of its share). A class keeps at least two rows for development.
    Raises OptionError for a fraction outside (0, 0.5], DataError where no class can spare a row.

    >>> dev, held = holdout(np.arange(10, dtype=np.uint64), np.arange(10) % 2, "classification")
    >>> dev.tolist(), held.tolist()
    ([1, 2, 3, 4, 6, 7, 8, 9], [0, 5])
    """
    if not 0 < fraction <= MAX_HOLDOUT:
        raise OptionError(f"the holdout's fraction is {fraction}: expected more than 0 and at most {MAX_HOLDOUT}")
    strata = _strata(y, task)
    wanted = _allot([len(rows) for rows in strata], fraction, spare=2)
    # Multiplying by 2⁶⁴/φ keeps equal hashes equal and spreads also those that a caller has merely counted up.
    order = np.asarray(row_hashes, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    held = np.zeros(len(y), dtype=bool)
    for rows, room in zip(strata, wanted, strict=True):
        for copies in _equal(rows, order):
            if room == 0:
                break
            if len(copies) <= room:
                held[copies] = True
                room -= len(copies)
    if not held.any():
        raise DataError(
            f"no row of {len(y)} can be held out with a fraction of {fraction}: expected more rows, so add data"
        )
    return np.flatnonzero(~held), np.flatnonzero(held)


def folds(y: npt.NDArray[Any], task: Task, k: int, seed: int) -> tuple[Split, ...]:
    """k stratified folds: each row scores once; fold sizes differ by one at most, within a stratum and overall.

    Raises OptionError for k outside 2 … n, DataError for a class of a single row.

    >>> [fold.score.size for fold in folds(np.arange(11) % 2, "classification", k=3, seed=0)]
    [4, 4, 3]
    """
    if not 2 <= k <= len(y):
        raise OptionError(f"the number of folds is {k}: expected 2 to {len(y)}, the number of rows")
    _refuse_single(y, task, ())
    random = _random(seed)
    # Dealt like cards, each stratum from where the one before it ended.
    dealt = np.concatenate([random.permutation(rows) for rows in _strata(y, task)])
    fold = np.empty(len(y), dtype=np.int64)
    fold[dealt] = np.arange(len(y)) % k
    return tuple(Split(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k))


def one_split(y: npt.NDArray[Any], task: Task, seed: int, score: float = 0.2, stop: float = 0.1) -> Split:
    """One stratified split into three: fractions `score` and `stop` of the rows, and training rows of every class.

    Raises OptionError for fractions that are not above 0 or leave training less than half, DataError for a class of a
    single row.

    >>> parts = one_split(np.arange(100) % 4, "classification", seed=0)
    >>> parts.train.size, parts.score.size, parts.stop.size
    (70, 20, 10)
    """
    if not (score > 0 and stop > 0 and score + stop <= 0.5):
        raise OptionError(
            f"the fractions are {score} to score and {stop} to stop: expected both above 0, together at most 0.5"
        )
    _refuse_single(y, task, ())
    random = _random(seed)
    strata = [random.permutation(rows) for rows in _strata(y, task)]
    scoring = _allot([len(rows) for rows in strata], score, spare=1)
    stopping = _allot([len(rows) for rows in strata], stop, spare=[1 + s for s in scoring])
    parts = [(rows[:s], rows[s : s + t], rows[s + t :]) for rows, s, t in zip(strata, scoring, stopping, strict=True)]
    first, second, rest = (np.sort(np.concatenate(part)) for part in zip(*parts, strict=True))
    return Split(train=rest, score=first, stop=second)


def selection_plan(
    y: npt.NDArray[Any], task: Task, folds: int | None = None, classes: Sequence[str] = ()
) -> SelectionPlan:
    """How many folds and repeats n rows deserve: under 2,000 rows 5 × 2, under 20,000 rows 5 × 1, above one split.

    `folds` overrides their number (1: one split); a class smaller than the folds lowers it, with a warning. `classes`
    are the labels for messages, by code. Raises OptionError for folds outside 1 … n, DataError for a class of one row.

    >>> selection_plan(np.arange(150) % 3, "classification")
    SelectionPlan(folds=5, repeats=2, warnings=())
    """
    n = len(y)
    if folds is not None and not 1 <= folds <= n:
        raise OptionError(f"the number of folds is {folds}: expected 1 (one split) to {n}, the number of rows")
    _refuse_single(y, task, classes)
    k = folds or (5 if n < ONCE_BELOW else 1)
    if k == 1:
        return SelectionPlan(folds=1, repeats=1)
    repeats = 2 if n < TWICE_BELOW else 1
    codes, sizes = np.unique(y, return_counts=True) if task == "classification" else (np.zeros(1), np.array([n]))
    smallest = int(sizes.min())
    if smallest >= k:
        return SelectionPlan(k, repeats)
    warning = f"{smallest} folds instead of {k}: class {_name(codes[sizes.argmin()], classes)} has {smallest} rows"
    return SelectionPlan(smallest, repeats, (warning,))


def _random(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def _strata(y: npt.NDArray[Any], task: Task) -> list[Rows]:
    """The rows of each class, or of each quantile bin of the target: never of fewer than ten rows without ties."""
    if task == "classification":
        _, bins = np.unique(y, return_inverse=True)
    else:
        count = max(1, min(10, len(y) // 10))
        edges = np.sort(y)[np.arange(1, count) * len(y) // count]
        bins = np.searchsorted(edges, y, side="right")
    by_bin = np.argsort(bins, kind="stable")
    return np.split(by_bin, np.flatnonzero(np.diff(bins[by_bin])) + 1)


def _allot(sizes: Sequence[int], fraction: float, spare: int | Sequence[int]) -> list[int]:
    """Whole shares of each stratum by largest remainder; each leaves `spare` rows, and all sum to the rounded fraction
    of all rows where that allows."""
    exact = fraction * np.asarray(sizes)
    most = np.clip(np.asarray(sizes) - np.asarray(spare), 0, np.ceil(exact).astype(np.int64))
    shares = np.minimum(np.floor(exact).astype(np.int64), most)
    for stratum in np.argsort(shares - exact, kind="stable"):
        if shares.sum() < round(fraction * sum(sizes)) and shares[stratum] < most[stratum]:
            shares[stratum] += 1
    return [int(share) for share in shares]


def _equal(rows: Rows, order: npt.NDArray[np.uint64]) -> Iterator[Rows]:
    """The rows in groups of equal `order`, the smallest first."""
    by_order = rows[np.argsort(order[rows], kind="stable")]
    yield from np.split(by_order, np.flatnonzero(np.diff(order[by_order])) + 1)


def _refuse_single(y: npt.NDArray[Any], task: Task, classes: Sequence[str]) -> None:
    if task == "classification":
        codes, sizes = np.unique(y, return_counts=True)
        if sizes.min() < 2:
            raise DataError(
                f"class {_name(codes[sizes.argmin()], classes)} has a single row: expected at least two, one to train "
                "and one to score, so add rows of that class, merge it with another, or drop it"
            )


def _name(code: Any, classes: Sequence[str]) -> str:
    return repr(classes[int(code)]) if classes else str(code)
