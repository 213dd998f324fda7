"""Dropout and max-norm: four arms, tuned alike, and sentences that follow the figures."""

import copy
from typing import Any

import pytest

from tauten.experiments import experiments
from tauten.experiments.max_norm import ARMS, reading, recipe_of


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = experiments()["max-norm"]
    size = {"rates": (0.03, 1.0), "limits": (1.0,), "epochs": 20, "rows": (60, 40, 50)}
    return run(tmp_path_factory.mktemp("out"), 3, None, 1, silent, **size)


def test_arms_hold_what_their_names_say() -> None:
    names = {arm: recipe_of(arm, 0.1, 1.0 if arm in ("max-norm", "both") else 0.0, 5).names for arm in ARMS}
    assert names == {
        "neither": (), "max-norm": ("max_norm",), "dropout": ("dropout",), "both": ("dropout", "max_norm"),
    }  # fmt: skip


def test_only_max_norm_survives_an_absurd_learning_rate(figures: dict[str, Any]) -> None:
    arms = figures["arms"]
    assert {arm: own["limit"] for arm, own in arms.items()} == {"neither": 0, "max-norm": 1, "dropout": 0, "both": 1}
    for arm in ("neither", "dropout"):
        assert arms[arm]["curve"][1]["mean"] > arms["max-norm"]["curve"][1]["mean"] + 0.2


def test_gains_are_between_the_arms_at_their_best(figures: dict[str, Any]) -> None:
    for own in figures["gains"]:
        one, base = (figures["arms"][own[key]]["at_best"]["error"]["mean"] for key in ("arm", "base"))
        assert own["error"]["mean"] == pytest.approx(base - one)


def test_the_reading_follows_the_intervals(figures: dict[str, Any]) -> None:
    for low, high, verb in ((0.01, 0.03, "lowers the error"), (-0.03, -0.01, "raises the error")):
        made = copy.deepcopy(figures)
        made["gains"][2]["error"] = {"mean": (low + high) / 2, "low": low, "high": high}
        assert f"both against dropout {verb} (gain {(low + high) * 50:+.2f} [" in reading(made)
