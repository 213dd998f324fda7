"""Which ladder the race should climb: recipes trained to the end undropped, and the race replayed on their curves.

    python benchmarks/rungs.py record --tables DIR [--recipes 200] [--only digits] [--threads 4]
    python benchmarks/rungs.py table

`record` is resumable: a part is a chunk of a data set's recipes, and a part whose figures exist is skipped. DIR holds
vehicle.csv.gz, credit-g.csv.gz and phoneme.csv.gz (OpenML, last column `target`). The recipes are drawn at random from
the space that a search has by default.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import record
from arena import random_recipe
from replay import Pool, Recorded, ladder
from scipy.stats import kendalltau

from tauten.builder import Builder
from tauten.cores import free_cores
from tauten.data import load
from tauten.draws import derive_seed
from tauten.folds import Development, Fold
from tauten.member import Group, Member
from tauten.metrics import metric
from tauten.options import Options
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.space import Space
from tauten.split import holdout, selection_plan
from tauten.trial import Trial

NAME = "rungs"
BUNDLED, TABLES = ("digits", "diabetes"), ("phoneme", "vehicle", "credit-g")
CHUNK = 20
"""Recipes of a part."""
TRUTHS = 2
"""Fresh partitions that a recipe's true value is the mean of."""
FIRSTS, REDUCTIONS, FOLDS = (1 / 16, 1 / 8, 1 / 4, 1 / 2), (2, 3, 4), ((1,), (1, 2), (2,), (5,))
PRESENT = (1 / 4, 3, (1,))
"""First rung, reduction and folds of `tauten.race.ladder`."""
BUDGETS = (5, 15)
"""Of a replay, in full trainings of a recipe on all folds."""
ORDERS = 100


def run(data: str, source: str, recipes: int, threads: int, into: str) -> None:
    """Record the parts of a data set that have no figures yet."""
    options = Options(trials=3, threads=threads)
    table = load(source)
    rows, _ = holdout(table.row_hashes(), table.y, table.task, options.holdout)
    dev = table.take(rows)
    development = Development.of(dev, selection_plan(dev.y, dev.task, None, dev.classes))
    folds = [development.fold(split) for split in development.partition("race", options.seed)]
    setting = options.setting_for(len(folds[0].source.train))
    space = Space(setting, options.kinds(dev.task, True), options.tuned())
    drawn = [random_recipe(space, derive_seed("rungs", options.seed, i)) for i in range(recipes)]
    names = [f"{data}_{begin:03d}" for begin in range(0, len(drawn), CHUNK)]
    for name in record.missing(into, names):
        begin = int(name.rsplit("_", 1)[1])
        own = drawn[begin : begin + CHUNK]
        curves = train(own, folds, threads, "race")
        fresh = [again(development, own, threads, number) for number in range(TRUTHS)]
        lines = [
            {
                "recipe": recipe.dumps(),
                "curves": [text(curve) for curve in curves[i]],
                "truth": text([truth(recipe, found[i]) for found in fresh]),
                "cost": cost(recipe, folds[0]),
            }
            for i, recipe in enumerate(own)
        ]
        record.save(into, name, {"data": data, "epochs": setting.epochs, "recipes": lines})
        print(f"{name}: {len(own)} recipes", flush=True)


def again(development: Development, recipes: Sequence[Recipe], threads: int, number: int) -> list[list[list[float]]]:
    """Curves on another partition with other seeds."""
    folds = [development.fold(split) for split in development.partition("rungs", number)]
    return train(recipes, folds, threads, f"rungs {number}")


def train(recipes: Sequence[Recipe], folds: Sequence[Fold], threads: int, name: str) -> list[list[list[float]]]:
    """Every recipe on every fold to its full length, undropped: curves[recipe][fold] of the metric, epoch by epoch."""
    main = metric("auto", folds[0].source.task)
    where = list(product(range(len(recipes)), range(len(folds))))
    members = [
        Member(i, recipes[r], derive_seed(name, 0, f), f, recipes[r].setting.epochs) for i, (r, f) in enumerate(where)
    ]
    curves: list[list[list[float]]] = [[[] for _ in folds] for _ in recipes]
    with Population(Builder(folds[0].source), [f.source for f in folds], threads) as population:
        population.enter(members)
        while len(population):
            progress = population.advance()
            for i, out in population.evaluate({i: folds[where[i][1]].score for i in progress}).items():
                r, f = where[i]
                curves[r][f].append(float(folds[f].contributions(main, out, folds[f].score).mean()))
            population.leave([i for i, after in progress.items() if after.done])
    return curves


def truth(recipe: Recipe, curves: Sequence[Sequence[float]]) -> float:
    """What the race would say of it at full length on all folds; inf where it diverged."""
    return Trial(0, "recipes", recipe, scores={f: list(c) for f, c in enumerate(curves)}).score(range(len(curves)))


def cost(recipe: Recipe, fold: Fold) -> int:
    """Gradient evaluations of an epoch of one fold."""
    group = Group.of(Member(0, recipe, 0), fold.source)
    return group.epoch_steps * group.passes


def text(values: Sequence[float]) -> str:
    """Numbers to five significant digits, in a line."""
    return " ".join(f"{v:.5g}" for v in values)


def numbers(line: str) -> tuple[float, ...]:
    """The inverse of `text`.

    >>> numbers("0.25 inf")
    (0.25, inf)
    """
    return tuple(map(float, line.split()))


def pools(into: str = NAME) -> dict[str, Pool]:
    """What was recorded, by data set."""
    lines: dict[str, list[Recorded]] = {}
    epochs: dict[str, int] = {}
    for part in record.load(into).values():
        epochs[part["data"]] = part["epochs"]
        lines.setdefault(part["data"], []).extend(
            Recorded(Recipe.loads(r["recipe"]), tuple(map(numbers, r["curves"])), r["cost"], fmean(numbers(r["truth"])))
            for r in part["recipes"]
        )
    return {data: Pool(own, epochs[data]) for data, own in lines.items()}


def correlation(pool: Pool, share: float, folds: int) -> float:
    """Kendall's τ between the score at a rung and the true value, over the recipes that are healthy in both."""
    pairs = [(r.score(share, folds), r.truth) for r in pool.recorded]
    healthy = np.array([p for p in pairs if all(map(isfinite, p))])
    return float(kendalltau(healthy[:, 0], healthy[:, 1]).statistic)


def regrets(pool: Pool, first: float, reduction: int, folds: tuple[int, ...]) -> list[list[list[float]]]:
    """By budget and order of the recipes: the leader's regret, that of the best of those in the finals, who entered."""
    rungs = ladder(first, folds, pool.full, pool.folds)
    result = []
    for budget in BUDGETS:
        races = [pool.replay(order, rungs, reduction, budget * pool.training) for order in pool.orders(ORDERS)]
        result.append([[pool.regret(r.leaders[:1]), pool.regret(r.leaders), float(r.entered)] for r in races])
    return result


def table(into: str = NAME) -> str:
    """Both tables as Markdown: τ by rung, and the ladders' regret; empty where nothing was recorded."""
    found = pools(into)
    if not found:
        return ""
    shares = (*FIRSTS, 1.0)
    head = ["data (recipes)", "folds", *(f"{s:g} of the length" for s in shares)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for (data, pool), folds in product(found.items(), (1, 2, 5)):
        own = " | ".join(f"{correlation(pool, s, min(folds, pool.folds)):.2f}" for s in shares)
        lines.append(f"| {data} ({len(pool.recorded)}) | {folds} | {own} |")
    head = ["first rung", "keeps one in", "folds first"]
    head += [word for b in BUDGETS for word in (f"regret at {b}", f"of six at {b}", f"recipes at {b}")]
    lines += ["", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    ranked = sorted((_ladder(found, *rung) for rung in product(FIRSTS, REDUCTIONS, FOLDS)), key=lambda row: row[0])
    lines += [row for _, row in ranked]
    return "\n".join(
        [*lines, NOTE.format(orders=ORDERS, truths=TRUTHS), record.sentence([*record.load(into).values()])]
    )


def section() -> str:
    """What docs/performance.md says of it, as `replay` left it; empty where nothing has been replayed."""
    kept = record.load("replay").get("rungs")
    if kept is None:
        return ""
    commands = "    python benchmarks/rungs.py record --tables DIR\n    python benchmarks/rungs.py replay"
    return "\n".join(["## The race's rungs", "", commands, "", *kept["lines"], ""])


NOTE = """
First table: Kendall's τ between the score at a rung and the true value: the mean over {truths} fresh partitions with
other seeds, at full length. Second: the race replayed in {orders} orders of the recipes with a budget of so many full
trainings on all folds. Regret: the true value of the race's leader (or of the best of its six finalists) less the best
of all recipes, in units of the way from the best to the median recipe; mean over data sets, ± its standard error over
orders; best ladder first. **Bold** is the ladder of `tauten.race`.
"""


def _ladder(found: dict[str, Pool], first: float, reduction: int, folds: tuple[int, ...]) -> tuple[float, str]:
    figures = np.mean([regrets(pool, first, reduction, folds) for pool in found.values()], 0)
    cells = []
    for own in figures:
        leader, six, entered = own.T
        error = stdev(leader) / len(leader) ** 0.5
        cells += [f"{leader.mean():.3f} ± {error:.3f}", f"{six.mean():.3f}", f"{entered.mean():.0f}"]
    words = [f"1/{1 / first:g}", str(reduction), ", ".join(map(str, folds)), *cells]
    if (first, reduction, folds) == PRESENT:
        words = [f"**{word}**" for word in words]
    return float(figures[:, :, 0].mean()), "| " + " | ".join(words) + " |"


def main(words: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "replay", "table"])
    parser.add_argument("--tables", type=Path, help="the folder of the tables")
    parser.add_argument("--recipes", type=int, default=200)
    parser.add_argument("--only", default="", help="data sets, comma-separated")
    parser.add_argument("--threads", type=int, default=free_cores())
    parser.add_argument("--into", default=NAME, help="the folder of the figures; another one for tries")
    given: Any = parser.parse_args(words)
    if given.what == "table":
        print(table(given.into), end="")
        return
    if given.what == "replay":
        record.save("replay", "rungs", {"lines": table(given.into).splitlines()})
        return
    for data in given.only.split(",") if given.only else (*BUNDLED, *TABLES):
        if data in TABLES and given.tables is None:
            raise SystemExit(f"{data} is a table: say where {data}.csv.gz lies with --tables DIR.")
        source = f"{given.tables}/{data}.csv.gz" if data in TABLES else data
        run(data, source, given.recipes, given.threads, given.into)


if __name__ == "__main__":
    main()
