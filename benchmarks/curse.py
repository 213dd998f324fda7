"""The winner's curse of whole searches: what race and finals say of the chosen recipe, and what fresh rows say.

python benchmarks/curse.py run --tables DIR [--runs 50] [--only adult]      # goes on where it was cut off
python benchmarks/curse.py table

Each run draws 1,000 rows of a large table for a search, and 20,000 others that it never sees. DIR holds adult.csv.gz
and connect-4.csv.gz (OpenML, last column `target`). Fresh rows judge twice: the networks that the search hands back,
trained on all 1,000 rows, and networks trained on folds of these rows, as race and finals train them; what the latter
leave of an estimate's lead is luck, while the former also had more rows.
"""

import argparse
import dataclasses
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from record import load as figures
from record import missing, save, sentence
from scipy import stats

from tauten import searching
from tauten.builder import Builder
from tauten.cells import Arm
from tauten.data import Table, load
from tauten.evidence import Choice
from tauten.evidence.jackknife import spread
from tauten.finals import Finals, Plan, Scores
from tauten.found import Found
from tauten.heldout import Held, train_arms
from tauten.options import Options
from tauten.searching import Prepared, find, prepare
from tauten.unrecorded import Unrecorded

NAME = "evidence/curse"
TABLES = ("adult", "connect-4")
ROWS, FRESH = 1_000, 20_000
RUNS, BATCH = 50, 5
TRIALS = 40
"""Recipes of a search."""
SEEDS = 2
"""Networks of each fold and arm that fresh rows judge."""
STAGES = {"race": "race", "finals_a": "finals A", "finals_b": "finals B"}
PACKAGES = ("tauten", "torch", "numpy", "scipy", "pandas")


class Watched(Finals):
    """Finals that remember what finals A measured of the two arms they chose."""

    losses: Mapping[str, float] = {}
    seen: Mapping[str, Scores] = {}

    def scores(self, phase: str, *words: Any, **named: Any) -> dict[str, Scores]:
        """As always; kept."""
        found = super().scores(phase, *words, **named)
        self.seen = {**self.seen, **found} if phase == "finals A" else self.seen
        return found

    def choose(self, candidates: Sequence[Arm], plains: Sequence[Arm], plan: Plan) -> tuple[Arm, Arm, Choice | None]:
        """As always; what was measured of chosen and plain stays with the class."""
        chosen, plain, choice = super().choose(candidates, plains, plan)
        named = {"chosen": self.seen[chosen.name], "plain": self.seen[plain.name]}
        Watched.losses = {name: float(np.mean(list(own.means.values()))) for name, own in named.items()}
        return chosen, plain, choice


def drawn(table: Table, run: int) -> Table:
    """The rows of a run: those to search on, and as its holdout those that the search never sees."""
    rows = np.random.default_rng([3, run]).permutation(len(table.y))[: ROWS + FRESH]
    return dataclasses.replace(table.take(rows), held=np.arange(len(rows)) >= ROWS)


def one(table: Table, run: int, **options: Any) -> dict[str, Any]:
    """One search: losses of plain and chosen by every stage, and on the fresh rows."""
    begin = perf_counter()
    prepared = prepare(drawn(table, run), Options(seed=run, **options))
    found = find(prepared, Unrecorded(), lambda _: None)
    return {
        "verdict": found.verdict.name,
        "chosen": list(found.chosen.recipe.names),
        "trials": len(found.trials),
        "plan": found.plan.name,
        "race": {arm.name: _raced(found, arm) for arm in (found.plain, found.chosen)},
        "finals_a": dict(Watched.losses),
        "finals_b": {name: _loss(found.finals[name].rows, found) for name in ("plain", "chosen")},
        "interval": [getattr(found.differences["plain"], end) for end in ("low", "high")],
        "delivered": {name: _loss(found.holdout[name], found) for name in ("plain", "chosen")},
        "alike": alike(prepared, found),
        "seconds": [found.seconds["total"], round(perf_counter() - begin, 2)],
    }


def alike(prepared: Prepared, found: Found) -> dict[str, float]:
    """Losses on the fresh rows of networks trained as race and finals train them: without one fold's rows."""
    table, development = prepared.table, prepared.development
    assert table.held is not None
    fresh = table.take(np.flatnonzero(table.held))
    arms, losses = [found.plain, found.chosen], dict[str, list[float]](plain=[], chosen=[])
    for split in development.partition("curse", found.options.seed):
        fold = development.fold(split)
        builder = Builder(fold.source, None, precision=found.precision)
        models = train_arms(builder, fold, fresh, None, arms, SEEDS, found.options, lambda _: None)
        held = Held.of(fold, fresh)
        for name, own in losses.items():
            own.append(_loss(held.contributions(models[name], found.metrics[:1]), found))
    return {name: float(np.mean(own)) for name, own in losses.items()}


def _loss(rows: Mapping[str, Any], found: Found) -> float:
    return float(rows[found.metrics[0].name].mean())


def _raced(found: Found, arm: Arm) -> float | None:
    """The race's own score; None where it was raced out before it was trained in full on all folds."""
    trial = next(t for t in found.trials if t.recipe.key == arm.recipe.key)
    return trial.score(trial.scores) if len(trial.scores) == found.folds else None


def run(tables: Path, runs: int, only: str, again: bool) -> None:
    """Batch by batch, those that are missing; table by table in turn."""
    searching.Finals = Watched
    warnings.simplefilter("ignore")
    loaded: dict[str, Table] = {}
    parts = [f"{name}_{i:03}" for i in range(0, runs, BATCH) for name in TABLES]
    for part in missing(NAME, parts, only, again):
        name, first = part.rsplit("_", 1)
        if name not in loaded:
            loaded[name] = load(tables / f"{name}.csv.gz", "target")
        own = [one(loaded[name], i, trials=TRIALS) for i in range(int(first), int(first) + BATCH)]
        save(NAME, part, {"table": name, "trials": TRIALS, "rows": ROWS, "fresh": FRESH, "runs": own}, PACKAGES)
        print(part, *(r["verdict"] for r in own), sep=", ", flush=True)


def gain(losses: Mapping[str, float]) -> float:
    """By how much chosen is better than plain."""
    return losses["plain"] - losses["chosen"]


def section() -> str:
    """The table, as far as there are figures."""
    found = figures(NAME)
    if not found:
        return ""
    runs = {name: [r for p in found.values() if p["table"] == name for r in p["runs"]] for name in TABLES}
    everything = [r for own in runs.values() for r in own]
    lines = [line for name, own in runs.items() if own for line in _lines(name, own)]
    coverage = [_kept(name, own) for name, own in [*runs.items(), ("all", everything)] if own]
    first = next(iter(found.values()))
    rows, fresh = f"{first['rows']:,}", f"{first['fresh']:,}"
    return f"""### The winner's curse

`tauten.search` with {first["trials"]} trials on {rows} rows of a large table, drawn anew for every run; {fresh}
others tell the truth. How much too good each stage's log loss of the chosen recipe was, and its gain over plain: the
stage's figure against that of fresh rows on networks trained alike, on folds of the same {rows} rows. Means over runs
with 95 % intervals; a positive figure flatters. The race's are of runs where it trained both to the end on all folds.
The last row is a network of all rows against those of folds: what more rows are worth, which is no luck.

| table | stage | runs | chosen's loss is too good by | its gain was | too good by |
|---|---|---|---|---|---|
{chr(10).join(lines)}

How often finals B's 95 % interval holds the gain that fresh rows show, on networks trained alike and on those that
are handed back (trained on all rows, so not what the interval is for). A proof is false where the networks trained
alike gain nothing on fresh rows.

| table | searches | covered | covered, all rows | proved | of these false | likely | of these false |
|---|---|---|---|---|---|---|---|
{chr(10).join(coverage)}

Made by

    python benchmarks/curse.py run --tables DIR

{sentence(list(found.values()))}.
"""


def _lines(name: str, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each stage that has figures."""
    lines = []
    for stage, words in {**STAGES, "delivered": "fresh rows, trained on all"}.items():
        own = [(r[stage], r["alike"]) for r in runs if None not in r[stage].values()]
        if own:
            loss = [truth["chosen"] - said["chosen"] for said, truth in own]
            gains = [gain(said) for said, _ in own]
            lead = [gain(said) - gain(truth) for said, truth in own]
            cells = [name, words, str(len(own)), _mean(loss), f"{np.mean(gains):+.4f}", _mean(lead)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _mean(values: Sequence[float]) -> str:
    own = spread(values)
    return f"{own.mean:+.4f}" if own.low is None else f"{own.mean:+.4f} ({own.low:+.4f} to {own.high:+.4f})"


def _kept(name: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """Whether finals B kept their promises."""
    cells = [str(len(runs))]
    for truth in ("alike", "delivered"):
        cells.append(_share(sum(r["interval"][0] <= gain(r[truth]) <= r["interval"][1] for r in runs), len(runs)))
    for verdict in ("proved", "likely"):
        own = [r for r in runs if r["verdict"] == verdict]
        cells += [str(len(own)), str(sum(gain(r["alike"]) <= 0 for r in own))]
    return f"| {name} | {' | '.join(cells)} |"


def _share(count: int, runs: int) -> str:
    low, high = stats.binomtest(count, runs).proportion_ci(0.95)
    return f"{100 * count / runs:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def main(words: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--tables", type=Path, help="the folder of the tables")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", default="", help="parts, comma-separated")
    parser.add_argument("--again", action="store_true", help="also those whose figures exist")
    given = parser.parse_args(words)
    if given.what == "table":
        print(section())
    elif given.tables is None:
        sys.exit("say where adult.csv.gz and connect-4.csv.gz lie with --tables DIR.")
    else:
        run(given.tables, given.runs, given.only, given.again)


if __name__ == "__main__":
    main()
