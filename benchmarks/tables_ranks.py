"""The figures of `tables` put together: splits with everyone's answers, and mean ranks with intervals over tables."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import friedmanchisquare, rankdata

from tauten.evidence import Difference, compare

OWN = ("plain", "usual", "chosen")
PEERS = ("linear", "mlp", "catboost", "xgboost", "realmlp")
EXTRA = ("realmlp5", "realmlpraw")
"""Variants of a contender; they are compared pair by pair and don't stand in the ranking."""
ERRORS = ("rmse", "log_loss")
"""Figures of which less is better."""


@dataclass(frozen=True)
class Answered:
    """One split of one table: `arms` and their figures, `seconds` by contender, `told` what Tauten's part says."""

    table: str
    seed: int
    metric: str
    rows: int
    arms: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, float]
    told: Mapping[str, Any]

    def loss(self, arm: str) -> float:
        """The metric as something of which less is better."""
        value = self.arms[arm][self.metric]
        return value if self.metric in ERRORS else -value


def splits_of(found: Collection[Mapping[str, Any]]) -> list[Answered]:
    """The splits that Tauten has answered, each with the others' answers; `delivered` is what the verdict hands over.

    Raises SystemExit where searches of one table had unlike budgets.
    """
    result = []
    for own in (p for p in found if p["contender"] == "tauten"):
        here = [p for p in found if (p["table"], p["seed"]) == (own["table"], own["seed"])]
        if len({p["budget"] for p in found if p["table"] == own["table"] and "budget" in p}) > 1:
            raise SystemExit(f"the searches of {own['table']} had unlike budgets; run them into a folder of their own.")
        arms = {arm: figures for part in here for arm, figures in part["arms"].items()}
        arms["delivered"] = arms["plain" if own["verdict"] == "no evidence" else "chosen"]
        seconds = {part["contender"]: part["seconds"] for part in here}
        result.append(Answered(own["table"], own["seed"], own["metric"], sum(own["rows"]), arms, seconds, own))
    return result


def by_table(splits: Sequence[Answered]) -> dict[str, list[Answered]]:
    """The splits of each table, in the order of the names."""
    names = sorted({s.table for s in splits})
    return {name: [s for s in splits if s.table == name] for name in names}


def everywhere(splits: Sequence[Answered], arms: Sequence[str]) -> list[str]:
    """Those of the arms that have answered every split."""
    return [arm for arm in arms if all(arm in s.arms for s in splits)]


def places(splits: Sequence[Answered], pool: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Each arm's rank among `pool` (1 is best, equals share), mean over a table's splits: (tables,).

    >>> split = Answered("a", 1, "rmse", 9, {"x": {"rmse": 2.0}, "y": {"rmse": 1.0}}, {}, {})
    >>> places([split], ["x", "y"])["x"].tolist()
    [2.0]
    """
    rows = [
        np.mean([rankdata([s.loss(arm) for arm in pool]) for s in own], axis=0) for own in by_table(splits).values()
    ]
    return dict(zip(pool, np.array(rows).T, strict=True))


def ahead(splits: Sequence[Answered], arm: str, of: str, pool: Sequence[str]) -> Difference | None:
    """How many places `arm` is ahead of another, paired over the tables that both answered; None of fewer than two.

    Both stand in a ranking with `pool`.
    """
    both = [s for s in splits if arm in s.arms and of in s.arms]
    if len(by_table(both)) < 2:
        return None
    found = places(both, list(dict.fromkeys([*pool, arm, of])))
    return compare(found[of], found[arm])


def points_ahead(splits: Sequence[Answered], arm: str, of: str) -> Difference | None:
    """The same in points of balanced accuracy, over the tables of classes."""
    both = [s for s in splits if s.metric == "balanced_accuracy" and arm in s.arms and of in s.arms]
    if len(by_table(both)) < 2:
        return None
    means = [[100 * mean(own, a, "balanced_accuracy") for own in by_table(both).values()] for a in (of, arm)]
    return compare(*means, greater_is_better=True)


def won(splits: Sequence[Answered], arm: str, of: str) -> tuple[int, int, int]:
    """Tables on which an arm's mean is better than another's, as good, and worse."""
    both = by_table([s for s in splits if arm in s.arms and of in s.arms]).values()
    signs = [np.sign(np.mean([s.loss(of) - s.loss(arm) for s in own])) for own in both]
    return signs.count(1), signs.count(0), signs.count(-1)


def mean(splits: Sequence[Answered], arm: str, figure: str) -> float:
    """An arm's mean over the splits of one table."""
    return float(np.mean([s.arms[arm][figure] for s in splits]))


def friedman(splits: Sequence[Answered], pool: Sequence[str]) -> float:
    """p of Friedman's test that all of `pool` are alike, over tables."""
    return float(friedmanchisquare(*places(splits, pool).values()).pvalue)
