"""What is trained in `text`: TF-IDF with logistic regression, Tauten's search, single techniques, and EDA."""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from shutil import which
from typing import Any

import numpy as np
import numpy.typing as npt
import text_eda
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from text_data import SETS, TARGET, TEXT, Problem

import tauten
from tauten.api import make_options
from tauten.cells import Arm
from tauten.evidence import compare, interval
from tauten.folds import Development
from tauten.heldout import train_arms
from tauten.partners import misfit
from tauten.population import Builder
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.sources import table_of
from tauten.split import selection_plan
from tauten.supplies import for_recipes
from tauten.technique import technique, techniques
from tauten.translating import translator_of, with_translations

GRID = {
    "words__ngram_range": [(1, 1), (1, 2)],
    "words__token_pattern": [r"(?u)\b\w\w+\b", r"\S+"],
    "fit__C": [0.1, 1.0, 10.0, 100.0, 1000.0],
}
FOLDS = 5
VIA = "spa"
"""The language by way of which Apertium translates."""
SEARCHED = ("plain", "usual", "chosen")
COPIED, SHORT = "EDA", "EDA, as many steps"
Scores = Mapping[str, npt.NDArray[np.float64]]
"""Contributions (test texts, seeds) by metric."""


def tfidf(problem: Problem, threads: int) -> dict[str, Any]:
    """TF-IDF and logistic regression: n-grams, tokens and C by cross-validation for the set's metric.

    `answers` are the classes of the test texts by their numbers, as one string.
    """
    begin = time.monotonic()
    main = problem.metrics[0]
    steps = [("words", TfidfVectorizer(sublinear_tf=True)), ("fit", LogisticRegression(max_iter=5000))]

    def score(model: Pipeline, texts: Sequence[str], labels: npt.NDArray[np.str_]) -> float:
        found = main.losses(problem.one_hot(model.predict(texts)), problem.one_hot(labels))
        return -float(found)

    split = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(Pipeline(steps), GRID, scoring=score, cv=split, n_jobs=threads)
    search.fit(problem.train[TEXT], problem.train[TARGET].to_numpy(dtype=str))
    predicted = search.predict(problem.test[TEXT])
    best = {name.split("__")[1]: value for name, value in search.best_params_.items()}
    codes = np.searchsorted(problem.classes, predicted)
    return {
        "seconds": round(time.monotonic() - begin, 2),
        "chosen": best,
        "answers": "".join(map(str, codes)),
        "figures": _figures(problem, _scores(problem, [problem.one_hot(predicted)])),
    }


def search(problem: Problem, budget: float) -> dict[str, Any]:
    """Tauten's search with its defaults for the set's metric: what it chose, usual, and plain, tuned by the same."""
    begin = time.monotonic()
    told = tauten.search(problem.train, target=TARGET, text=TEXT, metric=SETS[problem.name], budget=budget).evidence
    arms = {name: {key: told[name][key] for key in ("techniques", "setting", "epochs_trained")} for name in SEARCHED}
    about = {key: told[key] for key in ("trials", "warnings", "plan")}
    verdict = {"verdict": told["verdict"]["name"], "finals": told["difference"]["mean"]}
    return {"budget": budget, "seconds": round(time.monotonic() - begin, 2), **verdict, **about, "arms": arms}


def arms(problem: Problem, searched: Mapping[str, Any], answers: str, seeds: int) -> dict[str, Any]:
    """Every recipe trained on all training texts, so many times: what the search found, plain with each technique of
    text at its card's value, and plain on EDA's copies. `answers` are TF-IDF's, as `tfidf` gives them."""
    found = {name: _arm(name, told) for name, told in searched["arms"].items()}
    plain = found["plain"]
    trained: dict[str, tuple[Scores, float]] = {}
    for arm in [*found.values(), *_singles(plain)]:
        trained[arm.name] = _trained(problem, arm, seeds)
    alpha, copies = text_eda.fixed(len(problem.train))
    larger = dataclasses.replace(problem, train=text_eda.augmented(problem.train, alpha, copies))
    for arm in (dataclasses.replace(plain, name=COPIED), _shortened(plain, 1 + copies)):
        trained[arm.name] = _trained(larger, arm, seeds)
    scores = {name: own for name, (own, _) in trained.items()}
    codes = np.array([int(digit) for digit in answers])
    linear = _scores(problem, [np.eye(len(problem.classes))[codes]] * seeds)
    return {
        "seeds": seeds,
        "eda": {"alpha": alpha, "copies": copies},
        "arms": {
            name: {
                "seconds": seconds,
                "figures": _figures(problem, own),
                "over_plain": _difference(problem, own, scores["plain"]),
            }
            for name, (own, seconds) in trained.items()
        },
        "chosen_over": {
            name: _difference(problem, scores["chosen"], own)
            for name, own in {**scores, "tfidf": linear}.items()
            if name != "chosen"
        },
    }


def of_text() -> list[str]:
    """The techniques that are there that are for text alone."""
    return sorted(name for name, kind in techniques().items() if kind.data == ("text",))


def _singles(plain: Arm) -> Iterator[Arm]:
    """Plain with each technique of text at its card's value."""
    for name in of_text():
        absent = "translations" in technique(name).planes and which("apertium") is None
        if not absent and not misfit(technique(name), "classification", "text"):
            recipe = Recipe((technique(name).from_dict({}),), plain.recipe.setting)
            yield Arm(name, recipe, plain.epochs)


def _shortened(plain: Arm, times: int) -> Arm:
    """Plain for so many fewer epochs."""
    setting, epochs = plain.recipe.setting, max(1, round(plain.epochs / times))
    whole = Setting.from_dict({**setting.to_dict(), "epochs": max(1, round(setting.epochs / times))})
    return Arm(SHORT, Recipe((), whole), epochs)


def _arm(name: str, told: Mapping[str, Any]) -> Arm:
    recipe = Recipe.from_dict({key: told[key] for key in ("techniques", "setting")})
    return Arm(name, recipe, told["epochs_trained"])


def _trained(problem: Problem, arm: Arm, seeds: int) -> tuple[Scores, float]:
    """The scores of so many trainings on all training texts, the same seeds for every arm, and their seconds."""
    begin = time.monotonic()
    through = VIA if any("translations" in t.planes for t in arm.recipe.techniques) else None
    options = make_options(trials=3, text=TEXT, back_translate=through)
    read = table_of(problem.train, None, TARGET, options)
    table = for_recipes(with_translations(read, options, translator_of(None), lambda _: None), [arm.recipe], options)
    plan = selection_plan(table.y, table.task, options.folds, table.classes)
    whole = Development.of(table, plan).whole()
    builder = Builder(whole.source, precision=options.precision)
    models = train_arms(builder, whole, table, None, [arm], seeds, options, lambda _: None, "benchmark of text")
    seconds = round(time.monotonic() - begin, 2)
    return _scores(problem, [model.outputs(problem.test).numpy() for model in models[arm.name]]), seconds


def _scores(problem: Problem, outputs: Sequence[npt.NDArray[np.float64]]) -> Scores:
    return {own.name: np.stack([problem.contributions(out, own) for out in outputs], 1) for own in problem.metrics}


def _figures(problem: Problem, scores: Scores) -> dict[str, dict[str, Any]]:
    """By metric: each seed's figure, and with its interval over test texts and, where there are several, seeds."""
    found = {}
    for own in problem.metrics:
        shown = own.shown(scores[own.name])
        told = interval(shown)
        found[own.name] = {"seeds": shown.mean(0).round(5).tolist(), **_rounded(told.mean, told.low, told.high)}
    return found


def _difference(problem: Problem, of: Scores, over: Scores) -> dict[str, float]:
    """How much more of the set's metric one arm has than another, paired, with its interval and p."""
    main = problem.metrics[0].name
    told = compare(over[main], of[main])
    return {**_rounded(told.mean, told.low, told.high), "p": round(float(told.p), 6)}


def _rounded(mean: float, low: float, high: float) -> dict[str, float]:
    return {key: round(float(v), 5) for key, v in (("mean", mean), ("low", low), ("high", high))}
