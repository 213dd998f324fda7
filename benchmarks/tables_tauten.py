"""Tauten itself as a contender of `tables`: a search, then its three recipes trained on all training rows."""

import time
from typing import Any

from tables_split import TARGET, Answer, Split

import tauten

ARMS = ("plain", "usual", "chosen")


def arms(split: Split, budget: float) -> tuple[dict[str, Answer], dict[str, Any]]:
    """Answers of plain, usual and chosen, and what is to be told of the search; `seconds` of both steps are in it.

    The holdout of the search is a part of the training rows; `tauten.compare(deliver=True)`, which is `tauten train`,
    then trains on all of them.
    """
    asked: dict[str, Any] = {"target": TARGET, "task": split.task, "metric": split.metric, "seed": split.seed}
    asked |= {"categorical": split.categorical, "class_weight": "balanced" if split.balanced else None}
    begin = time.monotonic()
    evidence = tauten.search(split.train, budget=budget, **asked).evidence
    searched = time.monotonic() - begin
    recipes = {
        name: tauten.Recipe.from_dict({k: evidence[name][k] for k in ("techniques", "setting")}) for name in ARMS
    }
    measured = tauten.compare(split.train, recipes=recipes, deliver=True, **asked)
    answers = {name: _answer(split, measured.models[name]) for name in ARMS}
    about = {
        "verdict": evidence["verdict"]["name"],
        "techniques": evidence["chosen"]["techniques"],
        "search_seconds": round(searched, 2),
        "trials": evidence["trials"],
        "finals": evidence["difference"]["mean"],
        "notes": evidence["warnings"],
        "gain": split.gain(answers["plain"], answers["chosen"]),
    }
    return answers, about


def _answer(split: Split, model: Any) -> Answer:
    features = split.test.drop(columns=TARGET)
    if split.task == "regression":
        return Answer(model.predict(features))
    return Answer(model.predict_proba(features), model.classes)
