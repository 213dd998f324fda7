"""Bias and variance against strength: parts that sum to the error, and sentences that follow the intervals."""

import copy
from typing import Any

import numpy as np
import pytest

from tauten.experiments import experiments
from tauten.experiments.bias_variance import IMAGES, TRUTH, expected, reading


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    strengths = {"dropout": (0.0, 0.3, 0.6)}
    out = tmp_path_factory.mktemp("out")
    epochs = {TRUTH: 5, IMAGES: 1}
    return experiments()["bias-variance"](out, 3, None, 1, silent, strengths=strengths, epochs=epochs)


def test_parts_sum_to_the_error(figures: dict[str, Any]) -> None:
    known, images = figures["decompositions"]
    assert (known["problem"], images["problem"]) == (TRUTH, IMAGES)
    for found, noise in ((known, 0.5**2), (images, 0.0)):
        for parts in found["strengths"]:
            total = parts["bias"]["mean"] + parts["variance"]["mean"] + noise
            assert parts["error"]["mean"] == pytest.approx(total)


def test_the_truth_is_what_the_page_says() -> None:
    assert expected(np.array([[0.5, 2.0, 3.0, 9.0]])) == pytest.approx([np.sin(1.0) + 6])


def spread(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}


def test_the_reading_follows_the_intervals(figures: dict[str, Any]) -> None:
    made = copy.deepcopy(figures)
    made["decompositions"] = made["decompositions"][:1]
    strengths = made["decompositions"][0]["strengths"]
    for parts, (error, bias, variance) in zip(strengths, ((2, 0, 2), (1, 0.15, 0.5), (3, 3, 0)), strict=True):
        parts |= {"error": spread(error), "bias": spread(bias), "variance": spread(variance)}
    text = reading(made)
    assert text.startswith(f"On {TRUTH}, from no dropout to 0.6, variance falls (2.000 to 0.000) and bias rises")
    assert "the error is lowest in between, at 0.3, lower than without (2.000 to 1.000)" in text
    assert "and there bias doesn't change beyond its intervals (to 0.150), variance falls (to 0.500)" in text
    assert "though" not in text
    strengths[1]["variance"] = spread(3)
    assert "though variance rises to 3.000 on the way, at 0.3; the error" in reading(made)
    strengths[0]["error"] = spread(0.5)
    assert "the error is lowest at an end, at 0, not apart from without" in reading(made)
