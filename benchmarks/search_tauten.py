"""Tauten itself as a contender: the race's incumbent over time, and what whole searches of shorter budgets deliver."""

import time
from typing import Any

from arena import FIXED, TECHNIQUES

import tauten
from tauten.api import make_options
from tauten.data import load
from tauten.race import place
from tauten.racing import Standing
from tauten.recipe import Recipe
from tauten.result import result_of
from tauten.searching import Phase, Tick, find, prepare
from tauten.unrecorded import Unrecorded

HALVINGS = 5
"""The shortest whole search has the budget divided by 2 to this power."""


def race(source: str, budget: float, seed: int) -> dict[str, Any]:
    """One whole search, watched: the best trial at the deepest rung after each round, and what was delivered when.

    Seconds are counted from when the table is read, as they are for every contender: the holdout, the folds and the
    finals are in them.
    """
    table = load(source)
    begin = time.monotonic()
    prepared = prepare(table, make_options(budget=budget, techniques=TECHNIQUES, seed=seed, setting=FIXED))
    held: list[dict[str, Any]] = []
    last: Recipe | None = None

    def watch(event: Phase | Standing | Tick) -> None:
        nonlocal last
        if not isinstance(event, Standing):
            return
        racing = prepared.contest.racing
        first = [next(racing.race.leaders(lane), None) for lane in racing.race.lanes]
        leader = min((racing.race.standing(id) for id in first if id is not None), key=place, default=None)
        if leader and racing.trials[leader.trial].recipe is not last:
            last = racing.trials[leader.trial].recipe
            seconds = round(time.monotonic() - begin, 3)
            held.append({"seconds": seconds, "score": leader.score, "recipe": last.dumps()})

    result = result_of(find(prepared, Unrecorded(), watch))
    return {"incumbents": held, "delivered": [_delivered(result, begin)], "finished": result.evidence["trials"]}


def whole(source: str, budget: float, seed: int) -> list[dict[str, Any]]:
    """Searches as a person runs them, with the budget halved again and again, shortest first."""
    found = []
    for halved in range(HALVINGS, 0, -1):
        begin = time.monotonic()
        own = budget / 2**halved
        result = tauten.search(source, budget=own, techniques=TECHNIQUES, seed=seed, setting=FIXED)
        found.append(_delivered(result, begin))
    return found


def _delivered(result: tauten.Result, begin: float) -> dict[str, Any]:
    return {
        "seconds": round(time.monotonic() - begin, 3),
        "verdict": result.verdict,
        "recipe": result.recipe.dumps(),
        "phases": result.evidence["seconds"],
    }


def search(source: str, budget: float, seed: int) -> dict[str, Any]:
    """The race of the whole budget, and the shorter searches."""
    figures = race(source, budget, seed)
    return {**figures, "delivered": whole(source, budget, seed) + figures["delivered"]}
