"""Does dropout help a plain network on MNIST? The classic two arms, with seeds, intervals and an honest split.

Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, "Dropout: a simple way to prevent neural
networks from overfitting", JMLR 15:1929-1958, table 2: MNIST test error 1.60 % without and 1.25 % with dropout, from
larger networks and a million updates, so not to be compared directly.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tauten.errors import OptionError
from tauten.experiments import experiment
from tauten.experiments.arms import ARMS, LONG, SETTING, SHORT, TRAIN_ROWS, Parts, Say, time_arms, train_missing
from tauten.experiments.curves import draw
from tauten.experiments.page import page
from tauten.experiments.problem import Cell, Problem, cells, load_problem
from tauten.experiments.rows import Row, reading, row, table

LONG_SEEDS = 4
"""Seeds trained to the last epoch on all rows unless asked otherwise. Measured: on four cores that others use too 550
member-steps a second, so about half an hour in all; ten seeds would take an hour."""
MANY = 10_000
"""Training rows above which the last epoch is for `long_seeds` seeds only."""
SOURCE = {
    "citation": "Srivastava et al. 2014, JMLR 15:1929-1958, table 2",
    "test_error_percent": {"standard": 1.60, "dropout": 1.25},
    "note": "larger networks and a million updates: not to be compared directly",
}


@experiment("dropout-mnist")
def dropout_mnist(
    out: Path, seeds: int, data: Path | None, threads: int, progress: Say, *, long_seeds: int = LONG_SEEDS
) -> dict[str, Any]:
    """Dropout on MNIST: 0.2 or none, on few rows and on all, with the usual and with an honest validation split.

    Runs what is missing, then writes result.json, table.md, curves.png and curves-honest.png into `out`. `data` is a
    folder with IDX files; without it MNIST comes from OpenML, or else the bundled digits stand in.
    `seeds` counts pairs of members; `long_seeds` of them go on from 5 to 30 epochs where there are more than
    10,000 rows; elsewhere all do.
    An interrupted run goes on from its finished parts when called again with the same `out`.
    Raises OptionError for numbers below their bounds, DataError for files that can't be used, RunError for a folder
    with parts of other data.
    """
    for name, value, low in (("seeds", seeds, 1), ("threads", threads, 1), ("long_seeds", long_seeds, 0)):
        if value < low:
            raise OptionError(f"{name} is {value}: expected a whole number from {low} up")
    out.mkdir(parents=True, exist_ok=True)
    problem = load_problem(data, out / "download", progress)
    parts = Parts(out / "parts", _key(problem))
    every = cells(problem)
    for cell in every:
        long = seeds if cell.n <= MANY else min(long_seeds, seeds)
        train_missing(problem, cell, LONG, range(long), parts, threads, progress)
        train_missing(problem, cell, SHORT, range(seeds), parts, threads, progress)
    progress("timing each arm alone")
    timing = time_arms(problem)
    held = {cell.name: [part for s in range(seeds) if (part := parts.read(cell, s))] for cell in every}
    rows = [
        found
        for cell in every
        for epochs in (SHORT, LONG)
        if (found := row(cell, epochs, held[cell.name], parts, timing))
    ]
    result = _result(problem, every, held, rows, timing)
    (out / "result.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    text = table(rows, problem.note) + "\n\n" + result["reading"] + "\n"
    (out / "table.md").write_text(text, encoding="utf-8")
    pictures = {"usual": out / "curves.png", "honest": out / "curves-honest.png"}
    for protocol, path in pictures.items():
        draw(path, {c.n: held[c.name] for c in every if c.protocol == protocol}, protocol, problem.name)
    title = f"Dropout on {problem.name}"
    (out / "report.html").write_text(page(title, text, list(pictures.values())), encoding="utf-8")
    progress(result["reading"])
    return result


def _key(problem: Problem) -> str:
    content = [problem.digest, [recipe.to_dict() for recipe in ARMS.values()], SHORT, LONG, TRAIN_ROWS]
    return hashlib.blake2s(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()


def _result(
    problem: Problem,
    every: list[Cell],
    held: Mapping[str, list[dict[str, Any]]],
    rows: list[Row],
    timing: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    return {
        "experiment": "dropout-mnist",
        "source": SOURCE,
        "data": {"name": problem.name, "note": problem.note, "digest": problem.digest},
        "setting": SETTING.to_dict(),
        "arms": {arm: recipe.to_dict()["techniques"] for arm, recipe in ARMS.items()},
        "reading": reading(rows),
        "rows": [found.to_json() for found in rows],
        "cells": [
            {
                "protocol": cell.protocol,
                "n": cell.n,
                "n_fit": len(cell.fit),
                "n_validation": len(cell.validation),
                "n_test": len(problem.test),
                "seeds": [{k: v for k, v in part.items() if k != "key"} for part in held[cell.name]],
            }
            for cell in every
        ],
        "seconds": {
            "alone_on_one_thread": timing,
            "population_wall": {name: sum(part["wall_seconds"] for part in own) for name, own in held.items()},
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tauten", "torch", "numpy", "scipy", "scikit-learn")},
        },
    }
