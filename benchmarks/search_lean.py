"""Two peers over the lean loop, one process per core with one thread each: random search, and Optuna's TPE with its
MedianPruner.

The study lives in the parent's memory and the workers ask it through pipes: of the ways to share an Optuna study that
is the fastest (a trial costs milliseconds; in a database, or in a journal file that every worker reads again, tens of
them). The workers are forked, so that they neither import nor load anything once the clock runs.
"""

import multiprocessing
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import torch
from arena import Arena, Incumbents, random_recipe, recipe_of
from lean import cross_validate, train

from tauten.declare import Value
from tauten.draws import derive_seed
from tauten.folds import Fold
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.space import Dimension, Space


class Study(Protocol):
    """Who proposes recipes; it lives in the parent."""

    def ask(self) -> tuple[int, Recipe]: ...

    def pruned(self, trial: int, step: int, score: float) -> bool: ...

    def tell(self, trial: int, score: float | None) -> None: ...


class RandomStudy:
    """Random search: nothing is pruned and nothing learned."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed, self._count = space, seed, 0

    def ask(self) -> tuple[int, Recipe]:
        self._count += 1
        return self._count, random_recipe(self._space, derive_seed("random search", self._seed, self._count))

    def pruned(self, trial: int, step: int, score: float) -> bool:
        return False

    def tell(self, trial: int, score: float | None) -> None:
        """Nothing to learn."""


class OptunaStudy:
    """Optuna's TPE, set as Tauten sets it (multivariate, grouped, told of running trials), and its MedianPruner."""

    def __init__(self, space: Space, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
        self._study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.MedianPruner())
        self._state = optuna.trial.TrialState
        self._space, self._trials = space, dict[int, Any]()

    def ask(self) -> tuple[int, Recipe]:
        trial = self._study.ask()
        self._trials[trial.number] = trial
        return trial.number, recipe_of(self._space, partial(suggested, trial))

    def pruned(self, trial: int, step: int, score: float) -> bool:
        self._trials[trial].report(score, step)
        return bool(self._trials[trial].should_prune())

    def tell(self, trial: int, score: float | None) -> None:
        own = self._trials.pop(trial)
        if score is None:
            self._study.tell(own, state=self._state.PRUNED)
        elif isfinite(score):
            self._study.tell(own, score)
        else:
            self._study.tell(own, state=self._state.FAIL)


def suggested(trial: Any, d: Dimension) -> Value:
    """One value of a space from an Optuna trial."""
    if d.options:
        return str(trial.suggest_categorical(d.key, list(d.options)))
    if d.spec is None:
        return float(trial.suggest_float(d.key, 0.0, 1.0))
    low, high = d.spec.range
    if d.spec.integer:
        return int(trial.suggest_int(d.key, int(low), int(high), log=d.spec.log))
    return float(trial.suggest_float(d.key, low, high, log=d.spec.log))


STUDIES: dict[str, Callable[[Space, int], Study]] = {"random": RandomStudy, "optuna": OptunaStudy}


def search(arena: Arena, kind: str, budget: float, seed: int, cores: int) -> dict[str, Any]:
    """Incumbents of one search of `budget` seconds, and how many trials it took: kind is `random` or `optuna`.

    Only trials with all folds are candidates. What is in training when the time is over is lost.
    """
    torch.set_num_threads(1)
    # What PyTorch imports at the first step is an import too.
    list(train(Recipe((), Setting(epochs=1)), arena.folds[0], seed))
    context = multiprocessing.get_context("fork")
    begin = time.monotonic()
    study, incumbents, trials = STUDIES[kind](arena.space, seed), Incumbents(), Trials()
    pipes: dict[Connection, Any] = {}
    for _ in range(cores):
        ours, theirs = context.Pipe()
        pipes[ours] = context.Process(target=_work, args=(theirs, arena.folds, seed), daemon=True)
        pipes[ours].start()
        theirs.close()
    asked = 0.0
    while (left := begin + budget - time.monotonic()) > 0:
        for ready in wait(list(pipes), timeout=left):
            assert isinstance(ready, Connection)
            message = ready.recv()
            at = time.monotonic()
            if message[0] == "pruned?":
                ready.send(study.pruned(*message[1:]))
            else:
                if message[0] == "told":
                    _, trial, score = message
                    study.tell(trial, score)
                    trials.count(score)
                    if score is not None:
                        incumbents.offer(at - begin, score, trials.recipes.pop(trial))
                trial, recipe = study.ask()
                trials.recipes[trial] = recipe
                ready.send((trial, recipe))
            asked += time.monotonic() - at
    for worker in pipes.values():
        worker.terminate()
    for worker in pipes.values():
        worker.join()
    return {
        "incumbents": incumbents.found,
        "finished": trials.finished,
        "pruned": trials.pruned,
        "diverged": trials.diverged,
        "study_seconds": round(asked, 2),
    }


class Trials:
    """What became of the trials, and the recipes of those in training."""

    def __init__(self) -> None:
        self.finished = self.pruned = self.diverged = 0
        self.recipes: dict[int, Recipe] = {}

    def count(self, score: float | None) -> None:
        """One more is over."""
        if score is None:
            self.pruned += 1
        elif isfinite(score):
            self.finished += 1
        else:
            self.diverged += 1


def _work(parent: Connection, folds: Sequence[Fold], seed: int) -> None:
    """A worker: asks for a recipe, trains it fold by fold, tells its score; until it is ended."""

    def pruned(step: int, score: float) -> bool:
        parent.send(("pruned?", trial, step, score))
        return bool(parent.recv())

    parent.send(("ready",))
    while True:
        trial, recipe = parent.recv()
        score = cross_validate(recipe, folds, derive_seed("lean", seed, trial), pruned)
        parent.send(("told", trial, score))
