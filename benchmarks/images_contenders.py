"""How each contender of `images` comes by its recipes: a search, a habit, or Optuna."""

from collections.abc import Callable
from typing import Any

from arena import Arena
from images_data import FLIPPED, Problem
from lean_images import AUGMENTATIONS

import tauten
from tauten.cells import Arm
from tauten.cores import free_cores
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.space import Space
from tauten.technique import Technique, technique

EPOCHS = {"full": 20}
"""Of the recipe by hand; otherwise a hundred."""
TECHNIQUES = ("batch_norm", "dropout", "input_noise", "l2", "label_smoothing", "mixup", "weight_decay", *AUGMENTATIONS)
"""Those that the lean loop has too."""
LONGEST = 4
"""The most that a search of Tauten's lengthens a full training by itself; Optuna's space has all of it at once."""

Chosen = tuple[list[Arm], dict[str, Any]]


def search(problem: Problem, budget: float) -> Chosen:
    """Tauten's search for accuracy on all cores: what it chose, usual, and plain, tuned by the same search."""
    told = tauten.search(problem.X, problem.y, metric="accuracy", budget=budget).evidence
    arms = [_arm(name, told[name]) for name in ("chosen", "usual", "plain")]
    about = {key: told[key] for key in ("metric", "trials", "warnings", "precision", "plan")}
    return arms, {
        **about,
        "verdict": told["verdict"]["name"],
        "phases": told["seconds"],
        "finals": told["difference"]["mean"],
    }


def by_hand(problem: Problem, budget: float) -> Chosen:
    """The recipe that the network gets without a search, and without a look at what it does."""
    setting = _setting(problem)
    layers = 3 * (1 + setting.depth)
    values: dict[str, dict[str, Any]] = {
        "batch_norm": {},
        "dropout": {"p": [0.0] * (layers - 1) + [0.5]},
        "label_smoothing": {"epsilon": 0.1},
        **({"flip": {"p": 0.5}} if problem.name in FLIPPED else {}),
    }
    chosen: list[Technique] = [technique(name).from_dict(own) for name, own in values.items()]
    epochs = EPOCHS.get(problem.name, 100)
    habit = {"learning_rate": 0.001, "schedule": "cosine", "batch_size": 128, "epochs": epochs}
    own = Setting.from_dict({**setting.to_dict(), **habit})
    return [Arm("by hand", Recipe(tuple(chosen), own), epochs)], {}


def optuna(problem: Problem, budget: float) -> Chosen:
    """Optuna over the lean loop for as long, one process per core, on folds of all training images."""
    from search_lean import search

    options = Options(trials=3, techniques=TECHNIQUES, setting={"numeric": "plain"})
    development = problem.development(options)
    folds = tuple(development.fold(split) for split in development.partition("race", 0))
    base = _setting(problem)
    longest = Setting.from_dict({**base.to_dict(), "epochs": LONGEST * base.epochs})
    arena = Arena(development, folds, Space(longest, options.kinds("classification", True, "images"), options.tuned()))
    found = search(arena, "optuna", budget, 0, free_cores())
    if not found["incumbents"]:
        raise SystemExit(f"no trial of Optuna's came to its end in {budget:g} s; give more with --budget.")
    best = Recipe.loads(found["incumbents"][-1]["recipe"])
    told = {key: found[key] for key in ("finished", "pruned", "diverged")}
    return [Arm("Optuna", best, best.setting.epochs)], told


CHOOSE: dict[str, Callable[[Problem, float], Chosen]] = {"tauten": search, "hand": by_hand, "optuna": optuna}


def _setting(problem: Problem) -> Setting:
    """The setting that a search of so many images begins with, so the same network for everyone."""
    return Options(trials=3).setting_for(len(problem.y) * 4 // 5, "images")


def _arm(name: str, told: dict[str, Any]) -> Arm:
    recipe = Recipe.from_dict({key: told[key] for key in ("techniques", "setting")})
    return Arm(name, recipe, told["epochs_trained"])
