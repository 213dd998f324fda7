"""Double descent: the rise and fall of curves that are known, and sentences that follow the intervals."""

import copy
from typing import Any

import numpy as np
import pytest

from tauten.experiments import experiments
from tauten.experiments.double_descent import ARMS, BY_HEART, curve_of, reading

WIDTHS = (2, 4, 8, 16)


def silent(line: str) -> None:
    """Hears nothing."""


def curve(arm: str, errors: tuple[float, ...], validation: tuple[float, ...] | None = None) -> dict[str, Any]:
    """What is told of an arm beside a plain one with a hump, of 1,000 test rows and 5 seeds."""
    shapes = {"plain": (0.5, 0.2, 0.4, 0.1), arm: errors}
    random = np.random.default_rng(0)
    tested = {
        (name, width): (random.random((1_000, 5)) < error).astype(float)
        for name, own in shapes.items()
        for width, error in zip(WIDTHS, own, strict=True)
    }
    chosen = {(name, w): e for name, own in shapes.items() for w, e in zip(WIDTHS, own, strict=True)}
    chosen |= {(arm, w): e for w, e in zip(WIDTHS, validation or errors, strict=True)}
    heart = {key: [0.0] * 5 if key[1] >= 8 else [0.2] * 5 for key in tested}
    found = curve_of(arm, WIDTHS, chosen, tested, heart)
    for key, width in (("before", found["from"]), ("top", found["to"]), ("last", WIDTHS[-1])):
        assert found[key]["mean"] == pytest.approx(tested[arm, width].mean())
    return found


def test_a_hump_is_found_and_measured() -> None:
    found = curve("plain", (0.5, 0.2, 0.4, 0.1))
    assert (found["from"], found["to"], found["by_heart"]) == (4, 8, 8)
    assert found["rise"]["low"] < 0.2 < found["rise"]["high"]
    assert found["fall"]["low"] < 0.3 < found["fall"]["high"]
    assert "removed" not in found


def test_a_curve_that_only_falls_has_no_rise() -> None:
    found = curve("falling", (0.5, 0.3, 0.2, 0.1))
    assert found["rise"]["high"] < 0
    assert found["removed"]["low"] > 0.2


def test_places_are_those_of_the_validation_rows() -> None:
    found = curve("other", (0.1, 0.9, 0.1, 0.1), validation=(0.3, 0.3, 0.2, 0.4))
    assert (found["from"], found["to"]) == (8, 16)
    assert abs(found["rise"]["mean"]) < 0.05


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("out")
    return experiments()["double-descent"](out, 3, None, 1, silent, widths=(2, 4, 256), epochs=500, rows=(40, 30, 60))


def test_a_wide_network_learns_wrong_labels_by_heart(figures: dict[str, Any]) -> None:
    plain = figures["arms"]["plain"]
    assert plain["by_heart"] == 256
    assert plain["train"][-1]["mean"] < BY_HEART < plain["train"][0]["mean"]
    # Weights and biases of 64 inputs, 256 units and 10 outputs.
    assert plain["parameters"] == 64 * 256 + 256 + 256 * 10 + 10
    assert set(figures["arms"]) == set(ARMS)


@pytest.mark.parametrize(
    ("rise", "fall", "words"),
    [
        (0.1, 0.1, "double descent is seen"),
        (0.1, -0.1, "a rise is seen, but no second descent"),
        (-0.1, 0.1, "no rise beyond chance is seen, so no double descent"),
        (-0.1, -0.1, "neither rise nor second descent is seen"),
    ],
)
def test_the_reading_follows_the_intervals(figures: dict[str, Any], rise: float, fall: float, words: str) -> None:
    made = copy.deepcopy(figures)
    for key, mean in (("rise", rise), ("fall", fall)):
        made["arms"]["plain"][key] = {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}
    assert words in reading(made)
    made["arms"]["dropout 0.5"] |= {
        "removed": {"mean": 0.2, "low": 0.1, "high": 0.3}, "rise": {"mean": 0.2, "low": 0.1, "high": 0.3},
    }  # fmt: skip
    left = "dropout 0.5 takes away +20.0 [+10.0, +30.0] points of the rise, +20.0 [+10.0, +30.0] points are left"
    assert left in reading(made)
