"""Training the two arms of the dropout experiment, seed by seed into part files, so that a run can be interrupted."""

import io
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tauten.builder import Builder
from tauten.draws import derive_seed
from tauten.errors import RunError
from tauten.experiments.problem import Cell, Problem
from tauten.member import Member, Source
from tauten.metrics import METRICS
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.dropout import Dropout

SHORT, LONG = 5, 30
"""Epochs after which the test set is scored: the usual ones, and enough for overfitting to show."""
TRAIN_ROWS = 2_000
"""Training rows that are scored in evaluation mode after every epoch, always the same."""
BLOCK = 4
"""Slots of a block. Measured at 407k weights, batch 32: all from 1 to 16 take 3.1 to 3.4 ms a member-step on one
thread; small blocks leave more parts finished when a run is interrupted, blocks of 1 or 2 wait for each other on
four threads."""
TIMED_STEPS, TIMED_TRIES = 200, 3

SETTING = Setting(
    width=512, depth=1, batch_size=32, epochs=LONG, skip=False, optimizer="adam", learning_rate=1e-3,
)  # fmt: skip
ARMS = {"plain": Recipe((), SETTING), "dropout": Recipe((Dropout(p=0.2),), SETTING)}
SCORES = {"error": METRICS["accuracy"], "log_loss": METRICS["log_loss"]}
"""What is kept of every example, lower is better: 1 for a wrong class, and −log of the true one's probability."""

Floats = NDArray[np.float64]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Parts:
    """The figures of every (cell, seed) as files in one folder: JSON for epochs, NPZ for the scores of test examples.

    `key` stands for data and recipes: what another run left there is refused.
    """

    folder: Path
    key: str

    def read(self, cell: Cell, seed: int) -> dict[str, Any] | None:
        """What is there of one seed, both arms; None where nothing is."""
        path = self.folder / f"{cell.name}-seed{seed}.json"
        if not path.is_file():
            return None
        try:
            part: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            key, tested = part["key"], part["tested"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} can't be read ({error!r}): delete it, then it is computed again") from None
        if key != self.key:
            raise RunError(f"{path} belongs to other data or recipes: expected an empty folder, so name another --out")
        # Without its scores a part is no part; the test epochs are what it is kept for.
        return part if all(self._scores(cell, seed, int(epoch)).is_file() for epoch in tested) else None

    def write(self, cell: Cell, part: dict[str, Any]) -> None:
        """Keep a part, unless more epochs of the same seed are there already."""
        held = self.read(cell, part["seed"])
        if held is None or held["epochs"] < part["epochs"]:
            body = json.dumps({"key": self.key, **part}, allow_nan=False).encode()
            _replace(self.folder / f"{cell.name}-seed{part['seed']}.json", body)

    def read_scores(self, cell: Cell, seed: int, epoch: int) -> dict[str, dict[str, Floats]]:
        """Arm → score → one number per test example (n_test,)."""
        path = self._scores(cell, seed, epoch)
        try:
            with np.load(path, allow_pickle=False) as held:
                return {arm: {s: held[f"{arm}_{s}"].astype(np.float64) for s in SCORES} for arm in ARMS}
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{path} can't be read ({error!r}): delete it, then it is computed again") from None

    def write_scores(self, cell: Cell, seed: int, epoch: int, scores: dict[str, dict[str, Floats]]) -> None:
        """Keep the scores of the test examples, as float32."""
        buffer = io.BytesIO()
        arrays = {f"{arm}_{s}": v.astype(np.float32) for arm, own in scores.items() for s, v in own.items()}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        _replace(self._scores(cell, seed, epoch), buffer.getvalue())

    def _scores(self, cell: Cell, seed: int, epoch: int) -> Path:
        return self.folder / f"{cell.name}-seed{seed}-epoch{epoch}.npz"


def train_missing(
    problem: Problem, cell: Cell, epochs: int, seeds: Sequence[int], parts: Parts, threads: int, say: Say
) -> None:
    """Train every seed that has fewer epochs than wanted, a chunk of seeds at a time, both arms in one population."""
    missing = [s for s in seeds if (held := parts.read(cell, s)) is None or held["epochs"] < epochs]
    chunks = math.ceil(len(missing) * len(ARMS) / (BLOCK * threads))
    for chunk in np.array_split(np.array(missing, dtype=int), max(chunks, 1)):
        if chunk.size:
            _train(problem, cell, epochs, chunk.tolist(), parts, threads, say)


def _train(problem: Problem, cell: Cell, epochs: int, seeds: list[int], parts: Parts, threads: int, say: Say) -> None:
    source = Source(problem.inputs, problem.targets, cell.fit, "classification")
    # Same seed, same start, same batches: the arms differ by dropout alone.
    pairs = [(seed, arm) for seed in seeds for arm in ARMS]
    members = [
        Member(i, ARMS[arm], derive_seed("dropout-mnist", seed), epochs=epochs) for i, (seed, arm) in enumerate(pairs)
    ]
    found: dict[int, dict[str, Any]] = {
        seed: {"seed": seed, "epochs": 0, "curves": {arm: {} for arm in ARMS}, "tested": {}, "wall_seconds": 0.0}
        for seed in seeds
    }
    began = time.perf_counter()
    block = math.ceil(len(members) / threads)
    with Population(Builder(source), [source], threads=threads, block=block) as population:
        population.enter(members)
        for epoch in range(1, epochs + 1):
            running = {i: after.loss for i, after in population.advance().items()}
            scored = _evaluate(problem, cell, population, len(members), tested=epoch in (SHORT, LONG))
            for i, (seed, arm) in enumerate(pairs):
                _note(found[seed]["curves"][arm], running[i], scored[i])
            for seed in seeds:
                if epoch in (SHORT, LONG):
                    scores = {arm: scored[pairs.index((seed, arm))]["test"] for arm in ARMS}
                    parts.write_scores(cell, seed, epoch, scores)
                    found[seed]["tested"][str(epoch)] = {
                        arm: {name: float(rows.mean()) for name, rows in own.items()} for arm, own in scores.items()
                    }
                seconds = time.perf_counter() - began
                parts.write(cell, found[seed] | {"epochs": epoch, "wall_seconds": seconds / len(seeds)})
            say(
                f"{cell.protocol}, {cell.n:,} rows, seeds {seeds[0]} to {seeds[-1]}: "
                f"epoch {epoch} of {epochs}, {seconds:.0f} s"
            )


def _evaluate(
    problem: Problem, cell: Cell, population: Population, members: int, tested: bool
) -> dict[int, dict[str, dict[str, Floats]]]:
    """Member → part of the data → score → one number per row. Under `honest` the test set waits for the end."""
    places = {"train": cell.fit[:TRAIN_ROWS], "validation": cell.validation}
    if tested:
        places["test"] = problem.test
    outputs = population.evaluate({i: torch.cat(list(places.values())) for i in range(members)})
    sizes = [len(rows) for rows in places.values()]
    return {
        i: {place: _score(part, problem.targets[places[place]]) for place, part in zip(places, parts, strict=True)}
        for i, out in outputs.items()
        for parts in [torch.split(out, sizes)]
    }


def _score(out: Tensor, targets: Tensor) -> dict[str, Floats]:
    return {name: score.contributions(out, targets) for name, score in SCORES.items()}


def _note(curve: dict[str, list[float]], running: float, scored: dict[str, dict[str, Floats]]) -> None:
    curve.setdefault("running_loss", []).append(running)
    for place in ("train", "validation"):
        for name, rows in scored[place].items():
            curve.setdefault(f"{place}_{name}", []).append(float(rows.mean()))


def time_arms(problem: Problem) -> dict[str, dict[str, float]]:
    """Milliseconds a step of each arm trained alone on one thread: the median of a few tries in turns."""
    steps = min(TIMED_STEPS, math.ceil(problem.n_train / SETTING.batch_size))
    rows = torch.arange(min(steps * SETTING.batch_size, problem.n_train))
    source = Source(problem.inputs, problem.targets, rows, "classification")
    tries: dict[str, list[float]] = {arm: [] for arm in ARMS}
    builder = Builder(source)
    with Population(builder, [source]) as first, Population(builder, [source]) as second:
        alone = dict(zip(ARMS, (first, second), strict=True))
        for arm, population in alone.items():
            population.enter([Member(0, ARMS[arm], seed=0, epochs=TIMED_TRIES + 1)])
            population.advance()
        for _ in range(TIMED_TRIES):
            for arm, population in alone.items():
                began = time.perf_counter()
                population.advance()
                tries[arm].append((time.perf_counter() - began) * 1e3 / steps)
    return {arm: {"ms_per_step": float(np.median(ms)), "low": min(ms), "high": max(ms)} for arm, ms in tries.items()}


def _replace(path: Path, content: bytes) -> None:
    """Write in one move, so that an interruption leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    draft.write_bytes(content)
    os.replace(draft, path)
