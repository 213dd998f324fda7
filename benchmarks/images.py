"""Images: what Tauten's search finds in ten minutes, beside a recipe written by hand and Optuna over a lean loop.

    python benchmarks/images.py run --images DIR [--budget 600] [--only mnist,optuna]
    python benchmarks/images.py table
    python benchmarks/datasets.py table

DIR holds the folders mnist and fashion_mnist with their four IDX files. `run` is resumable: a part is one contender on
one data set, in a process of its own, and a part whose figures exist is skipped. All of Fashion-MNIST, searched six
times as long and trained with one seed, is run only where `--only` names it: full. Optuna needs `pip install
tauten[bench]`. The last command writes the page, with this benchmark as a section.
"""

import argparse
import time
from collections.abc import Sequence
from importlib import import_module

import record

NAME, BUDGET, SEEDS = "images", 600.0, 10
LONG = {"full": 6.0}
"""Searched so many times as long, and only where it is asked for; its recipes are trained once."""
DATA = ("mnist", "fashion", "full")
CONTENDERS = ("tauten", "hand", "optuna")
PACKAGES = (*record.PACKAGES, "optuna")
NEEDS = {"optuna": "optuna"}


def parts(only: str) -> list[str]:
    """The names of all parts, data set by data set; those that take long where `only` names them.

    >>> parts("")[:3], parts("full")[-1]
    (['mnist_tauten', 'mnist_hand', 'mnist_optuna'], 'full_optuna')
    """
    return [f"{data}_{own}" for data in DATA if data not in LONG or data in only for own in CONTENDERS]


def run(given: argparse.Namespace) -> None:
    """Run every part that has no figures yet, each in a process of its own."""
    for part in record.missing(given.into, parts(given.only), given.only):
        record.apart(__file__, part, given)


def run_part(given: argparse.Namespace) -> None:
    """One contender on one data set: its search, then its recipes trained on all training images and tested."""
    data, contender = given.part.split("_")
    try:
        import_module(NEEDS.get(contender, "tauten"))
    except ImportError as error:
        print(f"{given.part}: left out, {error.name} is not installed; pip install 'tauten[bench]'.", flush=True)
        return
    from images_contenders import CHOOSE
    from images_data import Problem, difference, figures, retrained

    from tauten.api import make_options

    problem, options = Problem.of(data, given.images), make_options(trials=3)
    budget = given.budget * LONG.get(data, 1.0)
    begin = time.monotonic()
    arms, told = CHOOSE[contender](problem, budget)
    seconds = round(time.monotonic() - begin, 2)
    begin = time.monotonic()
    correct = retrained(problem, arms, 1 if data in LONG else given.seeds, options)
    about = {"data": data, "contender": contender, "budget": budget, "rows": [len(problem.y), len(problem.test_codes)]}
    about |= {"seconds": seconds, "training_seconds": round(time.monotonic() - begin, 2), **told}
    about["recipes"] = {arm.name: {"epochs": arm.epochs, **arm.recipe.to_dict()} for arm in arms}
    about["arms"] = figures(correct)
    if len(arms) > 1:
        about["gain"] = difference(correct, arms[0].name, arms[-1].name)
    record.save(given.into, given.part, about, PACKAGES)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = record.parser(__doc__, NAME, BUDGET, "images")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each recipe")
    return parser.parse_args(words)


if __name__ == "__main__":
    record.obey(arguments(), run, run_part, "images_figures")
