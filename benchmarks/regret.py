"""What race and the rule of one standard error give away, on recipes trained to the end (recorded by rungs.py).

python benchmarks/regret.py run        # --only digits; --again
python benchmarks/regret.py table

**race**: `tauten.race` replayed on the recorded curves. **choice**: six finalists are handed on by one measurement of
all recipes, chosen among by another, and judged by a third; each has partitions and seeds of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt
import record
import rungs
from replay import CANDIDATES, Pool, ladder

from tauten.evidence import one_standard_error
from tauten.recipe import Recipe
from tauten.trial import Trial

NAME = "evidence/regret"
ORDERS = 400
RACED = 100
"""Recipes of an order that hand their best six on to the choice."""
RULES = {"leader": "none: the leader", "mean": "best mean", "rule": "one standard error"}
PACKAGES = ("tauten", "numpy", "scipy")


@dataclass(frozen=True, eq=False)
class Measured:
    """Recipes measured three times, R of them: to be handed on (R,), in finals A by fold (R, folds), and in truth (R,).

    `techniques` (R,) counts those of each.
    """

    race: npt.NDArray[np.float64]
    cells: npt.NDArray[np.float64]
    truth: npt.NDArray[np.float64]
    techniques: Sequence[int]

    @classmethod
    def of(cls, lines: Sequence[Mapping[str, Any]]) -> "Measured":
        """From recorded lines; a fold is scored at the epoch that the others choose, as in a search."""
        recipes = [Recipe.loads(line["recipe"]) for line in lines]
        curves = [{f: list(rungs.numbers(c)) for f, c in enumerate(line["curves"])} for line in lines]
        trials = [Trial(0, "recipes", r, scores=own) for r, own in zip(recipes, curves, strict=True)]
        race, truth = np.array([rungs.numbers(line["truth"]) for line in lines]).T
        cells = np.array([[t.score([f]) for f in t.scores] for t in trials])
        return cls(race, cells, truth, [len(r.techniques) for r in recipes])

    def regret(self, chosen: int) -> float:
        """As of `Pool`: behind the best of all, in units of the way from the best to the median."""
        best, middle = self.truth.min(), float(np.median(self.truth[np.isfinite(self.truth)]))
        return float((self.truth[chosen] - best) / (middle - best))

    def choices(self, orders: int) -> Iterator[dict[str, int]]:
        """By rule: whom it takes of the six that a race among the first of an order hands on."""
        random = np.random.default_rng(0)
        for _ in range(orders):
            entered = random.permutation(len(self.race))[:RACED]
            able = [i for i in entered if np.isfinite(self.cells[i]).all() and np.isfinite(self.truth[i])]
            six = sorted(able, key=lambda i: self.race[i])[:CANDIDATES]
            ratio = 1 / (self.cells.shape[1] - 1)
            choice = one_standard_error(self.cells[six], [self.techniques[i] for i in six], test_train_ratio=ratio)
            yield {"leader": six[0], "mean": six[choice.best], "rule": six[choice.index]}


def race(pool: Pool) -> list[dict[str, Any]]:
    """For each budget: regret of the leader and of the best of six, by the race and by training as many to the end."""
    first, reduction, folds = rungs.PRESENT
    steps = ladder(first, folds, pool.full, pool.folds)
    found = []
    for budget in rungs.BUDGETS:
        orders = list(pool.orders(rungs.ORDERS))
        races = [pool.replay(order, steps, reduction, budget * pool.training) for order in orders]
        undropped = [sorted(order[:budget], key=lambda i: pool.recorded[i].score(1.0, pool.folds)) for order in orders]
        own = {
            "leader": [pool.regret(r.leaders[:1]) for r in races],
            "six": [pool.regret(r.leaders) for r in races],
            "undropped": [pool.regret(trained[:1]) for trained in undropped],
            "undropped six": [pool.regret(trained[:CANDIDATES]) for trained in undropped],
        }
        entered = fmean(r.entered for r in races)
        found.append({"budget": budget, "entered": entered, **{name: _mean(values) for name, values in own.items()}})
    return found


def choice(measured: Measured) -> dict[str, Any]:
    """Regret and number of techniques of what each rule takes, over orders; and the rule's regret less the mean's."""
    taken = list(measured.choices(ORDERS))
    regrets = {name: [measured.regret(own[name]) for own in taken] for name in RULES}
    techniques = {name: fmean(measured.techniques[own[name]] for own in taken) for name in RULES}
    costs = [a - b for a, b in zip(regrets["rule"], regrets["mean"], strict=True)]
    return {
        "regret": {name: _mean(values) for name, values in regrets.items()},
        "techniques": techniques,
        "cost": _mean(costs),
        "alike": fmean(own["rule"] == own["mean"] for own in taken),
    }


def _mean(values: Sequence[float]) -> list[float]:
    """Mean and its standard error over orders."""
    return [fmean(values), stdev(values) / len(values) ** 0.5]


def run(only: str, again: bool) -> None:
    """Data set by data set, those that are missing."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for part in record.load(rungs.NAME).values():
        lines.setdefault(part["data"], []).extend(part["recipes"])
    pools = rungs.pools()
    for data in record.missing(NAME, list(lines), only, again):
        own = {"recipes": len(lines[data]), "race": race(pools[data]), "choice": choice(Measured.of(lines[data]))}
        record.save(NAME, data, own, PACKAGES)
        print(data, flush=True)


def section() -> str:
    """Both tables, as far as there are figures."""
    found = record.load(NAME)
    if not found:
        return ""
    raced = [_raced(data, own, part["recipes"]) for data, part in found.items() for own in part["race"]]
    chosen = [_chosen(data, name, part["choice"]) for data, part in found.items() for name in RULES]
    costs = [part["choice"]["cost"][0] for part in found.values()]
    fewer = [part["choice"]["techniques"]["mean"] - part["choice"]["techniques"]["rule"] for part in found.values()]
    return f"""### What race and choice give away

Random recipes of the search's own space, trained to the end on five folds whatever a race would say, and measured
again on two fresh partitions with other seeds (`benchmarks/rungs.py`). Regret is how far what was taken is from the
best of all, in units of the way from the best to the median recipe, ± the standard error over orders. The truth is
measured too, so the best of all looks better than it is, and regret larger.

**The race**, replayed in {rungs.ORDERS} orders of the recipes on a budget of so many full trainings of a recipe; beside
it what the same budget buys where as many recipes are trained to the end: the leader by score, and the best of the
six that would go on to finals A, which is what finals could make of it.

| data (recipes) | budget | entered | leader | best of its six | undropped: leader | undropped: best of six |
|---|---|---|---|---|---|---|
{chr(10).join(raced)}

**The choice** among six finalists, the best of {RACED} recipes by one fresh partition, by the scores of five folds (as
the shortest plan of finals A has them), judged by the other fresh partition; {ORDERS} orders.

| data | rule | regret | techniques | same as the best mean |
|---|---|---|---|---|
{chr(10).join(chosen)}

Against the best mean the rule of one standard error costs {fmean(costs):+.3f} of regret, on average over these data
sets ({min(costs):+.3f} to {max(costs):+.3f}), and takes {fmean(fewer):.1f} techniques fewer.

Made by

    python benchmarks/rungs.py record --tables DIR
    python benchmarks/regret.py run

{record.sentence(list(found.values()))}.
"""


def _raced(data: str, own: Mapping[str, Any], recipes: int) -> str:
    cells = [f"{own[name][0]:.3f} ± {own[name][1]:.3f}" for name in ("leader", "six", "undropped", "undropped six")]
    return f"| {data} ({recipes}) | {own['budget']} | {own['entered']:.0f} | {' | '.join(cells)} |"


def _chosen(data: str, name: str, own: Mapping[str, Any]) -> str:
    mean, error = own["regret"][name]
    same = f"{100 * own['alike']:.0f} %" if name == "rule" else ""
    return f"| {data} | {RULES[name]} | {mean:.3f} ± {error:.3f} | {own['techniques'][name]:.1f} | {same} |"


if __name__ == "__main__":
    record.command(__doc__, run, section, "data sets")
