"""What the procedure is worth: whole searches in the folds of an outer partition, judged on the fold they never saw.

A search's own figures come from rows that also chose; here every choice, down to the verdict, is made anew without
the rows that judge it (Varma and Simon 2006, BMC Bioinformatics 7:91; Cawley and Talbot 2010, JMLR 11:2079-2107). The
outer folds are made of the development rows: the sealed holdout stays out of it, and the main search is as ever.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tauten.budget import Budget
from tauten.data import Table
from tauten.draws import derive_seed
from tauten.errors import DataError, OptionError
from tauten.evidence.record import Record
from tauten.evidence.resampled import CorrectedDifference, corrected_difference
from tauten.found import Found
from tauten.journal import NAME, Journal
from tauten.options import Options
from tauten.replay import fitting
from tauten.searching import Event, Note, Phase, Prepared, Watcher, find, prepare
from tauten.split import SelectionPlan, Split, selection_plan
from tauten.unrecorded import Recorder, Unrecorded

FOLDER = "nested"
"""Where, in a run's folder, each outer search keeps a journal of its own."""
SHORTEST = 1.0
"""Seconds that an outer search gets at least, whatever the main search took."""
ARMS = ("plain", "usual", "chosen", "delivered")


@dataclasses.dataclass(frozen=True)
class Nested(Record):
    """What outer searches handed back, on rows that none of their choices saw.

    `figures` has the metric of plain, usual, chosen and delivered (chosen, or plain where there was no evidence), mean
    over folds. `delivered` and `chosen` are gains over plain, `residual` is what finals B promised of the chosen's gain
    beyond it; intervals hold for folds with searches and seeds of their own (Nadeau and Bengio's corrected t).
    `recurring` counts the searches that chose a technique; `searches` has each one's own figures.
    """

    folds: int
    budget: float | None
    seconds: float
    figures: Mapping[str, float]
    delivered: CorrectedDifference
    chosen: CorrectedDifference
    residual: CorrectedDifference
    recurring: Mapping[str, int]
    searches: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def outer_splits(prepared: Prepared) -> tuple[Split, ...]:
    """The outer folds (by row of the development table) that were asked for, none where none were.

    With groups no group is on two sides; with time what scores is later than what is searched on. OptionError or
    DataError where a fold would leave too little to search on.
    """
    k = prepared.options.nested
    if not k:
        return ()
    dev = prepared.development.table
    try:
        outer = dataclasses.replace(prepared.development, plan=SelectionPlan(k, 1))
        splits = outer.partition("nested", prepared.options.seed)
        for split in splits:
            own = dev.take(split.train)
            selection_plan(own.y, own.task, prepared.options.folds, own.classes, own.together, own.time)
    except (OptionError, DataError) as error:
        raise type(error)(f"nested is {k}, which these rows don't allow: {error}") from None
    return splits


def nested(
    prepared: Prepared,
    splits: Sequence[Split],
    found: Found,
    journal: Recorder,
    folder: str | Path | None,
    watch: Watcher,
) -> Nested:
    """Search in every outer fold after the main search; the time that it left is shared evenly.

    A finished outer search stands in `journal`, one that was cut off goes on by its own, in `folder`.
    """
    searches: list[dict[str, Any]] = []
    main = found.seconds["total"]
    for i, split in enumerate(splits):
        # Saving takes time that no search counts; and the journal doesn't know of an outer search that was cut off.
        spent = max(main + sum(s["seconds"] for s in searches), found.seconds["set-up"] + journal.seconds_used)
        watch(Phase("outer search", spent))
        options = _options(prepared.options, i, spent, len(splits) - i)
        where = None if folder is None else Path(folder) / FOLDER / str(i + 1)
        ask = partial(_search, prepared, split, options, where, watch)
        searches.append(journal.once("outer search", ask, key=i))
    overrun = Budget(prepared.options.budget, 0.0, 1).overrun(main + sum(s["seconds"] for s in searches))
    return _summed(prepared, splits, searches, () if overrun is None else (overrun,))


def _options(options: Options, i: int, spent: float, left: int) -> Options:
    """Those of an outer search: another seed, and an even share of what time is left."""
    budget = None if options.budget is None else max(SHORTEST, (options.budget - spent) / left)
    return dataclasses.replace(options, nested=0, budget=budget, seed=derive_seed("nested", options.seed, i))


def _search(
    prepared: Prepared, split: Split, options: Options, where: Path | None, watch: Watcher
) -> dict[str, object]:
    """One outer search, from its start or from where it was cut off."""

    def quiet(event: Event) -> None:
        if not isinstance(event, Phase | Note):
            watch(event)

    table = _outer(prepared.development.table, split)
    if where is not None and (where / NAME).exists():
        with Journal.resume(where) as journal, fitting(journal):
            own = prepare(table, Options.from_json(journal.header["options"]), prepared.module, own=prepared.own)
            return _figures(find(own, journal, quiet))
    own = prepare(table, options, prepared.module, own=prepared.own)
    if where is None:
        return _figures(find(own, Unrecorded(), quiet))
    with Journal.create(where, {"options": options.to_json()}) as journal:
        return _figures(find(own, journal, quiet))


def _outer(dev: Table, split: Split) -> Table:
    """The rows that an outer search has to do with; those that judge it are its holdout."""
    rows = np.union1d(split.train, split.score)
    return dataclasses.replace(dev.take(rows), held=np.isin(rows, split.score))


def _figures(found: Found) -> dict[str, object]:
    """What is kept of an outer search: losses on its outer fold, mean over seeds, and what it chose."""
    main = found.metrics[0].name
    losses = {name: float(rows[main].mean()) for name, rows in found.holdout.items()}
    delivered = "plain" if found.verdict.name == "no evidence" else "chosen"
    return {
        "rows": found.n_train,
        "scored": found.n_holdout,
        "verdict": found.verdict.name,
        "techniques": found.chosen.recipe.to_dict()["techniques"],
        "losses": {**losses, "delivered": losses[delivered]},
        "finals_gain": found.differences["plain"].mean,
        "trials": len(found.trials),
        "plan": found.plan.name,
        "budget": found.options.budget,
        "seconds": found.seconds["total"],
    }


def _summed(
    prepared: Prepared, splits: Sequence[Split], searches: Sequence[Mapping[str, Any]], notes: tuple[str, ...]
) -> Nested:
    losses = {arm: np.array([s["losses"][arm] for s in searches]) for arm in ARMS}
    ratio = float(np.mean([len(split.score) / len(split.train) for split in splits]))
    chosen = losses["plain"] - losses["chosen"]
    promised = np.array([s["finals_gain"] for s in searches])
    counted = Counter(name for s in searches for name in s["techniques"])
    return Nested(
        folds=len(splits),
        budget=prepared.options.budget,
        seconds=round(sum(s["seconds"] for s in searches), 2),
        figures={arm: prepared.metrics[0].shown(float(own.mean())) for arm, own in losses.items()},
        delivered=corrected_difference(losses["plain"] - losses["delivered"], ratio),
        chosen=corrected_difference(chosen, ratio),
        residual=corrected_difference(promised - chosen, ratio),
        recurring=dict(sorted(counted.items(), key=lambda own: (-own[1], own[0]))),
        searches=tuple(searches),
        notes=notes,
    )
