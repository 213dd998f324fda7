"""How sharply a value was chosen: which others can't be told from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from tauten.evidence.ablation import Gain, simultaneous
from tauten.evidence.record import Record


@dataclass(frozen=True)
class Neighbour(Record):
    """A value that was tried instead of the chosen one, and its gain over that."""

    value: float
    gain: Gain


@dataclass(frozen=True)
class Range(Record):
    """Tried values from `low` to `high` around the chosen one can't be told from it; `worst` is how much they may lose.

    The range ends at the outermost such value: beyond it another was told apart, or none was tried.
    """

    name: str
    chosen: float
    low: float
    high: float
    worst: float
    tried: tuple[Neighbour, ...]


def ranges(
    tried: Sequence[tuple[str, float, Sequence[tuple[float, ArrayLike]]]],
    *,
    test_train_ratio: float,
    level: float = 0.95,
) -> tuple[Range, ...]:
    """Return for each number the values that are within noise of the chosen one, at one simultaneous level for all.

    An entry is (name, chosen value, [(other value, (J,) improvements of it over the chosen one)]), per fold and seed
    on folds that chose nothing. A value counts as told apart, for better or worse, where the simultaneous interval of
    its gain leaves out 0 (see `simultaneous`); within noise is not equal, so `worst` is the largest loss, 0 or more,
    that these intervals allow anywhere in the range. Errors as for `ablation`.

    >>> tried = [("p", 0.3, [(0.2, [0.1, -0.1, 0.0]), (0.4, [0.0, 0.1, -0.1]), (0.8, [-9.0, -9.1, -8.9])])]
    >>> (found,) = ranges(tried, test_train_ratio=0.25)
    >>> found.low, found.high
    (0.2, 0.4)
    """
    gains = iter(simultaneous([d for *_, own in tried for _, d in own], test_train_ratio=test_train_ratio, level=level))
    result = []
    for name, chosen, own in tried:
        neighbours = sorted((Neighbour(value, next(gains)) for value, _ in own), key=lambda n: n.value)
        below = _within([n for n in reversed(neighbours) if n.value < chosen])
        above = _within([n for n in neighbours if n.value > chosen])
        inside = [*below, *above]
        result.append(
            Range(
                name,
                chosen,
                low=min((n.value for n in below), default=chosen),
                high=max((n.value for n in above), default=chosen),
                worst=max((-n.gain.low for n in inside), default=0.0),
                tried=tuple(neighbours),
            )
        )
    return tuple(result)


def _within(outwards: Sequence[Neighbour]) -> list[Neighbour]:
    """Neighbours from the chosen value outwards, until the first that can be told from it."""
    inside = []
    for neighbour in outwards:
        if not neighbour.gain.low <= 0 <= neighbour.gain.high:
            break
        inside.append(neighbour)
    return inside
