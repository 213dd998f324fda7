"""Bundles: rows that stay together, such as copies of one row or all rows of one patient, shared out among parts.

`bundles` (n,) numbers each row's bundle, `strata` (n,) its class or quantile bin. What is balanced is each part's share
of every stratum, and of all rows; large bundles leave that as near as it goes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tauten.errors import DataError
from tauten.strata import Ints


def alike(row_hashes: npt.NDArray[np.uint64], classes: Ints | None) -> Ints:
    """Bundles (n,) of rows with equal content.

    Where all rows of a class are alike they stay rows of their own: as one bundle, none could train while one scores.

    >>> alike(np.array([7, 7, 5, 9, 9], np.uint64), np.array([0, 0, 0, 1, 1])).tolist()
    [1, 1, 0, 2, 3]
    """
    _, bundles = np.unique(row_hashes, return_inverse=True)
    if classes is not None:
        kinds = _kinds(bundles, classes)
        alone = np.isin(classes, np.flatnonzero(np.bincount(kinds[:, 1]) == 1))
        bundles = np.where(alone, bundles.max() + 1 + np.arange(len(bundles)), bundles)
        _, bundles = np.unique(bundles, return_inverse=True)
    return bundles.astype(np.int64)


def holders(bundles: Ints, classes: Ints) -> tuple[Ints, Ints]:
    """The classes that occur, and in how many bundles each does."""
    held = np.bincount(_kinds(bundles, classes)[:, 1])
    return np.flatnonzero(held), held[held > 0]


def deal(strata: Ints, bundles: Ints, shares: Sequence[float], random: np.random.Generator) -> Ints:
    """The part (n,) of each row, for parts of these shares of the rows.

    Bundles of several rows go first, the largest before the others, each to the part where the sum over parts and
    strata of (rows there / rows of the stratum)² / share grows least. Then single rows fill up each stratum; without
    any larger bundle and with equal shares that is dealing cards.
    """
    sizes, total = np.bincount(strata), len(strata)
    share = np.asarray(shares, dtype=np.float64)
    there, filled = np.zeros((len(share), len(sizes)), np.int64), np.zeros(len(share), np.int64)
    part = np.full(total, -1, np.int64)
    rows_of = _members(bundles)
    many = [rows for rows in rows_of if len(rows) > 1]
    if many:
        many = sorted((many[i] for i in random.permutation(len(many))), key=len, reverse=True)
    for i, rows in enumerate(many):
        own, counts = np.unique(strata[rows], return_counts=True)
        after = there[:, own] + counts
        growth = ((after**2 - there[:, own] ** 2) / sizes[own] ** 2).sum(1)
        growth = (growth + (2 * filled + len(rows)) * len(rows) / total**2) / share
        last = (filled > 0) & (len(rows_of) - i <= (filled == 0).sum())
        best = np.lexsort((filled, growth, last))[0]
        part[rows] = best
        there[best, own] += counts
        filled[best] += len(rows)
    single = np.flatnonzero(part < 0)
    shuffled = [random.permutation(single[strata[single] == s]) for s in np.unique(strata[single])]
    for rows in shuffled:
        stratum = strata[rows[0]]
        level = (there[:, stratum, None] + np.arange(len(rows)) + 0.5) / share[:, None]
        # Places in the order of their level; between equals, the part with fewest rows.
        parts = np.broadcast_to(np.arange(len(share))[:, None], level.shape)
        taken = np.lexsort((parts.ravel(), np.broadcast_to(filled[:, None], level.shape).ravel(), level.ravel()))
        part[rows] = parts.ravel()[taken[: len(rows)]]
        got = np.bincount(part[rows], minlength=len(share))
        there[:, stratum] += got
        filled += got
    return part


def hold(
    row_hashes: npt.NDArray[np.uint64], strata: Ints, bundles: Ints, fraction: float, whole_classes: bool
) -> npt.NDArray[np.bool_]:
    """Which rows (n,) are held out, by bundle: those with the smallest hash of their rows' contents that bring the held
    share of their strata, and of all rows, nearer to `fraction`; then those that bring the share of all rows nearer.

    At least two bundles stay for development, and two of every class where strata are `whole_classes`.
    """
    members = _members(bundles)
    sums = np.zeros(len(members), np.uint64)
    np.add.at(sums, bundles, row_hashes)
    sizes, held = np.bincount(strata), np.zeros(len(strata), bool)
    # Still to be held of each stratum, and of all rows; below zero where too many are.
    missing, missing_rows = fraction * sizes, fraction * len(strata)
    _, spare = holders(bundles, strata) if whole_classes else (None, np.full(len(sizes), len(members)))
    left = len(members)
    for balanced in (True, False):
        for equals in _equals(sums):
            rows = np.concatenate([members[bundle] for bundle in equals])
            own, counts = np.unique(strata[rows], return_counts=True)
            nearer = len(rows) * (2 * missing_rows - len(rows)) / len(strata) ** 2
            nearer += balanced * (counts * (2 * missing[own] - counts) / sizes[own] ** 2).sum()
            kept = min(left, *spare[own]) - len(equals)
            if nearer <= 0 or kept < 2 or held[rows[0]]:
                continue
            held[rows] = True
            missing[own] -= counts
            missing_rows -= len(rows)
            spare[own] -= len(equals)
            left -= len(equals)
    if not held.any():
        raise DataError(
            f"none of {len(members)} groups can be held out with a fraction of {fraction}: expected more or smaller "
            "groups, so add data or name another column"
        )
    return held


def _members(bundles: Ints) -> list[Ints]:
    """The rows of each bundle."""
    order = np.argsort(bundles, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(bundles[order])) + 1)


def _kinds(bundles: Ints, classes: Ints) -> Ints:
    """Each (bundle, class) that occurs, once."""
    return np.unique(np.stack([bundles, classes], 1), axis=0)


def _equals(sums: npt.NDArray[np.uint64]) -> Iterator[Ints]:
    """Bundles in the order of their hash, those of equal content together."""
    mixed = sums * np.uint64(0x9E3779B97F4A7C15)
    order = np.argsort(mixed, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(mixed[order])) + 1)
