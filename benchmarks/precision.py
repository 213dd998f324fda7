"""What bf16 products do to the ranking of recipes: each trained in both precisions, from two sets of seeds.

    python benchmarks/precision.py run --tables DIR [--only digits] [--again] [--threads 2]
    python benchmarks/precision.py table

A part is one data set; DIR holds phoneme.csv.gz and vehicle.csv.gz (OpenML, last column `target`). The recipes come
from the random sampler over the space that a search of that table has, are trained to the end on the race's folds and
scored as the race scores them; a **draw** is a recipe's score from one set of seeds in one precision. The processor
needs AVX512-BF16.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ours
import record
from arena import Arena
from ranking import (
    OTHER,
    OWN,
    PRECISIONS,
    RESAMPLES,
    SAME,
    SEEDS,
    YARDSTICK,
    Draws,
    changes,
    rankings,
    resamples,
    told,
    verdict,
    winners,
)  # fmt: skip
from replay import Recorded
from rungs import numbers, text

from tauten.builder import Builder
from tauten.draws import derive_seed
from tauten.folds import Fold
from tauten.member import Member
from tauten.metrics import metric
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.sampler import make_sampler

NAME = "precision"
BUNDLED, TABLES = ("digits", "diabetes"), ("phoneme", "vehicle")
RECIPES, CHUNK = 100, 20
"""Recipes of a data set, and how many train together: the draws take turns chunk by chunk, so that speeds compare."""
HEAD = f"""## Precision

Does a race in bf16 rank recipes as one in fp32 does? {RECIPES} recipes of the random sampler (all techniques, learning
rate, schedule, duration), each trained to the end on the race's folds in both precisions, from two sets of seeds, and
scored as the race does: the mean over the folds of log loss (squared error for *diabetes*) on rows held out of
training, evaluated in fp32. Made by

    python benchmarks/precision.py run --tables DIR

Kendall's τ between two such draws, over all recipes and over the third that is best by its mean rank in all draws
(that is where a race decides). *fp32 – fp32* is the yardstick: two sets of seeds; *same seeds* share start weights,
batches and masks, so that only the rounding differs; the others do not. Each is the mean of both ways to pair the sets
of seeds. In brackets 95 % intervals from {RESAMPLES:,} bootstraps over recipes, given these seeds and folds.
"""
NOTE = """
*bf16 − fp32*: mean over recipes of the score's difference, with its interval, in % of the median recipe's score;
*moved by*: median of a recipe's absolute change, in the same unit. *another winner*: share of bootstraps in which the
draws from the same seeds have unlike best recipes. *regret*: how far the winner of a draw is from the best recipe, both
by fp32 scores from the other seeds, in % of the way from the best to the median recipe. *diverged*: members with a
score that is no finite number, which ranks last. *speed*: gradient evaluations a second of training alone, in the
search's own networks and batches; medians of chunks in which both precisions took turns.
"""


def run(tables: Path | None, only: str, again: bool, threads: int) -> None:
    """Measure the data sets asked for, each written when it is finished."""
    for data in record.missing(NAME, [*BUNDLED, *TABLES], only, again):
        if data in TABLES and tables is None:
            raise SystemExit(f"{data} is a table: say where {data}.csv.gz lies with --tables DIR.")
        load_before = os.getloadavg()[0]
        arena = Arena.of(f"{tables}/{data}.csv.gz" if data in TABLES else data, 0, techniques=None)
        sampler = make_sampler("random", arena.space, 0)
        recipes = [sampler.build(sampler.ask()) for _ in range(RECIPES)]
        found = measure(recipes, arena.folds, threads)
        base = arena.space.base
        about = {"folds": len(arena.folds), "threads": threads, "engine": ours.engine(), "load": round(load_before, 2)}
        net = {"width": base.width, "depth": base.depth, "batch": base.batch_size, "epochs": base.epochs}
        record.save(NAME, data, {**about, **net, **found})


def measure(recipes: Sequence[Recipe], folds: Sequence[Fold], threads: int) -> dict[str, Any]:
    """Every draw of every recipe; by precision how many members diverged, and the rate of each chunk."""
    scores: dict[tuple[str, str], list[float]] = {draw: [] for draw in itertools.product(PRECISIONS, SEEDS)}
    diverged = dict.fromkeys(PRECISIONS, 0)
    rates: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for begin in range(0, len(recipes), CHUNK):
        chunk = recipes[begin : begin + CHUNK]
        for seeds, precision in itertools.product(SEEDS, PRECISIONS):
            curves, rate = train(chunk, folds, precision, seeds, threads)
            truths = [Recorded(r, tuple(map(tuple, own)), 1, 0.0) for r, own in zip(chunk, curves, strict=True)]
            scores[precision, seeds] += [one.score(1.0, len(folds)) for one in truths]
            diverged[precision] += sum(not np.isfinite(curve[-1]) for own in curves for curve in own)
            rates[precision].append(round(rate, 1))
        print(f"{begin + len(chunk)} recipes: {rates}", file=sys.stderr, flush=True)
    lines = [
        {"recipe": r.dumps(), **{p: text([scores[p, s][i] for s in SEEDS]) for p in PRECISIONS}}
        for i, r in enumerate(recipes)
    ]
    return {"recipes": lines, "diverged": diverged, "rates": rates}


def train(
    recipes: Sequence[Recipe], folds: Sequence[Fold], precision: str, seeds: str, threads: int
) -> tuple[list[list[list[float]]], float]:
    """curves[recipe][fold], one score an epoch, and gradient evaluations a second; all recipes share a fold's seed."""
    main = metric("auto", folds[0].source.task)
    builder = Builder(folds[0].source, precision=precision)
    where = list(itertools.product(range(len(recipes)), range(len(folds))))
    if not all(map(builder.native, recipes)):
        raise RuntimeError(f"every recipe must train on the native engine to be compared; here is {ours.engine()}.")
    members = [
        Member(i, recipes[r], derive_seed("precision", seeds, f), f, recipes[r].setting.epochs)
        for i, (r, f) in enumerate(where)
    ]
    curves: list[list[list[float]]] = [[[] for _ in folds] for _ in recipes]
    seconds = 0.0
    with Population(builder, [f.source for f in folds], threads) as population:
        population.enter(members)
        while len(population):
            begin = time.perf_counter()
            progress = population.advance()
            seconds += time.perf_counter() - begin
            for i, out in population.evaluate({i: folds[where[i][1]].score for i in progress}).items():
                r, f = where[i]
                curves[r][f].append(float(folds[f].contributions(main, out, folds[f].score).mean()))
            population.leave([i for i, after in progress.items() if after.done])
        return curves, population.gradient_evaluations / seconds


def draws_of(part: Mapping[str, Any]) -> Draws:
    """What a part holds, by precision and set of seeds."""
    columns = {p: np.array([numbers(line[p]) for line in part["recipes"]]) for p in PRECISIONS}
    return {(p, s): columns[p][:, i] for p in PRECISIONS for i, s in enumerate(SEEDS)}


def section() -> str:
    """The part of docs/performance.md; empty where nothing was measured."""
    parts = record.load(NAME)
    if not parts:
        return ""
    found = {data: draws_of(part) for data, part in parts.items()}
    ranked = rankings(found)
    lines = [HEAD, f"| data | recipes | τ {YARDSTICK} | τ {SAME} | τ {OTHER} | τ {OWN} |", "|---" * 6 + "|"]
    lines += [
        f"| {data} | {name} | {' | '.join(map(told, kinds.values()))} |"
        for name, own in ranked.items()
        for data, kinds in own.items()
    ]
    lines += ["", "| data | recipes | same seeds less yardstick | other seeds less yardstick |", "|---" * 4 + "|"]
    lines += [
        f"| {data} | {name} | {told(k[SAME] - k[YARDSTICK], '{:+.3f}')} | {told(k[OTHER] - k[YARDSTICK], '{:+.3f}')} |"
        for name, own in ranked.items()
        for data, k in own.items()
    ]
    head = ["data", "bf16 − fp32, %", "moved by bf16", "by other seeds", "another winner", "regret fp32", "regret bf16"]
    head += ["diverged fp32", "diverged bf16", "speed fp32", "speed bf16", "×"]
    lines += ["", verdict(ranked), "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [_row(data, part, found[data]) for data, part in parts.items()]
    where = record.sentence([*parts.values()])
    threads = {
        f"{part['depth']} × {part['width']} hidden units; {part['engine']}, {part['threads']} threads"
        for part in parts.values()
    }
    loaded = max(part["load"] for part in parts.values())
    return "\n".join([*lines, NOTE, f"{' and '.join(sorted(threads))}; {where}; load before at most {loaded:.1f}.", ""])


def _row(data: str, part: Mapping[str, Any], draws: Draws) -> str:
    weights = resamples(len(part["recipes"]))
    moved, won = changes(draws, weights), winners(draws, weights[1:])
    members = len(SEEDS) * len(part["recipes"]) * part["folds"]
    rates = [statistics.median(part["rates"][p]) for p in PRECISIONS]
    ratio = statistics.median(b / a for a, b in zip(*(part["rates"][p] for p in PRECISIONS), strict=True))
    cells = [data, told(100 * moved["mean"], "{:+.2f}"), f"{moved['precision']:.2%}", f"{moved['seed']:.2%}"]
    cells += [f"{won['another']:.0%}", *(f"{won[p]:.1%}" for p in PRECISIONS)]
    cells += [*(f"{part['diverged'][p]} of {members:,}" for p in PRECISIONS), *(f"{r:,.0f}" for r in rates)]
    return f"| {' | '.join([*cells, f'{ratio:.2f}'])} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--tables", type=Path, help="the folder of the tables")
    parser.add_argument("--only", default="", help="data sets whose names hold one of these, comma-separated")
    parser.add_argument("--again", action="store_true", help="also those whose figures exist")
    parser.add_argument("--threads", type=int, default=record.cores())
    given = parser.parse_args()
    if given.what == "run":
        run(given.tables, given.only, given.again, given.threads)
    else:
        print(section())
