"""Label smoothing and calibration: the temperature, the measures, and sentences that follow the figures."""

import copy
from typing import Any

import numpy as np
import pytest

from tauten.experiments import experiments
from tauten.experiments.label_smoothing import measured, reading, temperature_of

CASES = {"2 epochs": (2, 0.0), "2 epochs, half wrong": (2, 0.5)}


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("out")
    run = experiments()["label-smoothing"]
    return run(out, 3, None, 1, silent, epsilons=(0.0, 0.1), cases=CASES, rows=(60, 40, 50))


def drawn(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure by a factor, and labels drawn from what they should say."""
    random = np.random.default_rng(0)
    out = random.standard_normal((20_000, 3)) * 2
    p = np.exp(out) / np.exp(out).sum(1, keepdims=True)
    labels = (p.cumsum(1) < random.random((len(p), 1))).sum(1)
    return out * scale, labels


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_is_the_factor_by_which_logits_are_too_sure(scale: float) -> None:
    out, labels = drawn(scale)
    assert temperature_of(out, labels) == pytest.approx(scale, rel=0.05)


def test_measures_tell_too_sure_from_too_unsure() -> None:
    sure, right, unsure = (measured(*drawn(scale), 10_000) for scale in (3.0, 1.0, 0.4))
    assert sure["sureness"] > 0.05
    assert abs(right["sureness"]) < 0.01
    assert unsure["sureness"] < -0.05
    assert max(sure["ece_scaled"], unsure["ece_scaled"]) < 0.02 < min(sure["ece"], unsure["ece"])
    # A network that is all too sure or all too unsure errs by as much in every bin as on average.
    assert sure["ece"] == pytest.approx(sure["sureness"], abs=0.01)
    assert sure["error"] == right["error"] == unsure["error"]


def test_wrong_labels_and_smoothing_have_an_effect(figures: dict[str, Any]) -> None:
    (plain, smooth), (noisy, _) = figures["cells"]["2 epochs"], figures["cells"]["2 epochs, half wrong"]
    assert smooth["sureness"]["mean"] < plain["sureness"]["mean"]
    assert noisy["log_loss"]["mean"] > plain["log_loss"]["mean"]
    gain = figures["gains"]["2 epochs"]["log_loss"]["mean"]
    assert gain == pytest.approx(plain["log_loss"]["mean"] - smooth["log_loss"]["mean"])


def test_the_reading_follows_the_intervals(figures: dict[str, Any]) -> None:
    for low, high, verb in ((0.01, 0.03, "lowers"), (-0.03, -0.01, "raises"), (-0.01, 0.01, "makes no difference")):
        made = copy.deepcopy(figures)
        for own in made["gains"].values():
            own["ece"] = {"mean": (low + high) / 2, "low": low, "high": high}
        assert f"{verb} {'beyond chance to ' if low < 0 < high else ''}ECE ({(low + high) * 50:+.2f} [" in reading(made)
