"""The simplest candidate among the best: one standard error of the paired difference."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.record import Record
from tauten.evidence.resampled import corrected_difference
from tauten.evidence.student import Floats, check_ratio, finite


@dataclass(frozen=True)
class Choice(Record):
    """`index` of the chosen candidate, of the `best` by mean, of all `within` one standard error; a reason for each."""

    index: int
    best: int
    within: tuple[int, ...]
    reasons: tuple[str, ...]


def one_standard_error(
    scores: ArrayLike, techniques: Sequence[int], *, test_train_ratio: float, greater_is_better: bool = False
) -> Choice:
    """Choose the candidate with the fewest techniques among those not clearly behind the best.

    `scores` is (C, J): row c holds candidate c's metric in J cells, each a fold and seed, the same cells in the same
    order for all. `techniques` is (C,): how many techniques each has. A candidate is within one standard error when
    its mean paired difference to the best is no larger than that difference's Nadeau–Bengio corrected standard error
    (Breiman et al. 1984's rule on the paired difference). Ties go to the better mean, then to the earlier row.
    With one cell there is no standard error, and only candidates that equal the best are within.

    Raises DataError for shapes that don't match or scores that are not finite; OptionError for a ratio below 0.

    >>> scores = [[0.30, 0.50, 0.40], [0.31, 0.49, 0.41], [0.60, 0.80, 0.70]]
    >>> one_standard_error(scores, [3, 1, 0], test_train_ratio=0.5).index
    1
    """
    check_ratio(test_train_ratio)
    loss = finite(scores, "scores", (2,)) * (-1 if greater_is_better else 1)
    if loss.size == 0 or len(loss) != len(techniques):
        raise DataError(
            f"scores has shape {loss.shape} for {len(techniques)} technique counts; pass one row of cells per candidate"
        )
    means = [float(mean) for mean in loss.mean(axis=1)]
    best = min(range(len(loss)), key=lambda c: (means[c], techniques[c]))
    within, reasons = [], []
    for c in range(len(loss)):
        behind, standard_error = _behind(loss[c], loss[best], test_train_ratio)
        inside = c == best or behind <= standard_error
        if inside:
            within.append(c)
        place = "best mean" if c == best else f"{'within' if inside else 'beyond'} one standard error of the best"
        numbers = "" if c == best else f": behind by {behind:.3g}, standard error {standard_error:.3g}"
        reasons.append(f"{place}{numbers}; {techniques[c]} technique{'' if techniques[c] == 1 else 's'}")
    index = min(within, key=lambda c: (techniques[c], means[c]))
    reasons[index] += "; chosen"
    return Choice(index=index, best=best, within=tuple(within), reasons=tuple(reasons))


def _behind(loss: Floats, best: Floats, test_train_ratio: float) -> tuple[float, float]:
    if len(loss) < 2:
        return float((loss - best).mean()), 0.0
    difference = corrected_difference(loss - best, test_train_ratio)
    return difference.mean, difference.standard_error
