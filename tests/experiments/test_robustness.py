"""Noise and resamples: measures against hand-written ones, halves without copies, and sentences after the figures."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from tauten.experiments import experiments
from tauten.experiments.robustness import half, measured, reading
from tauten.techniques.dropout import Dropout
from tauten.techniques.label_smoothing import LabelSmoothing

KINDS = (Dropout, LabelSmoothing)


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = experiments()["robustness"]
    return run(tmp_path_factory.mktemp("out"), 3, None, 1, silent, kinds=KINDS, epochs=4, rows=(120, 0, 60))


def test_measures_are_those_written_out() -> None:
    random = np.random.default_rng(0)
    out, labels = random.standard_normal((4, 40, 3)) * 2, random.integers(0, 3, 20)
    found = measured(out, labels)
    p = np.exp(out) / np.exp(out).sum(-1, keepdims=True)
    clean, noisy = p[:, :20], p[:, 20:]
    assert found["noise_distance"] == pytest.approx(np.abs(clean - noisy).sum(-1).mean(-1) / 2)
    assert found["noise_disagreement"] == pytest.approx((clean.argmax(-1) != noisy.argmax(-1)).mean(-1))
    wrong = [(side.argmax(-1) != labels).mean(-1) for side in (clean, noisy)]
    assert found["noisy_error"] == pytest.approx(wrong[1] - wrong[0])
    two = [(clean[a].argmax(-1) != clean[b].argmax(-1)).mean() for a, b in itertools.combinations(range(4), 2)]
    assert found["resample_disagreement"].mean() == pytest.approx(np.mean(two))


def test_without_noise_nothing_moves(tmp_path: Any) -> None:
    found = experiments()["robustness"](
        tmp_path, 3, None, 1, silent, kinds=(Dropout,), epochs=1, rows=(60, 0, 50), noise=0.0
    )
    for own in found["techniques"].values():
        assert all(own[m]["mean"] == 0 for m in ("noisy_error", "noise_disagreement", "noise_distance"))
        assert own["resample_distance"]["mean"] > 0


def test_halves_hold_no_copies_and_differ() -> None:
    rows = torch.arange(100, 200)
    halves = [set(half(rows, replicate).tolist()) for replicate in range(3)]
    assert [len(own) for own in halves] == [50, 50, 50]
    assert len({frozenset(own) for own in halves}) == 3
    assert halves[0] <= set(rows.tolist())


def test_the_reading_names_who_changes_less(figures: dict[str, Any]) -> None:
    assert set(figures["techniques"]) == {"plain", "dropout", "label_smoothing"}
    for m, own in figures["gains"]["dropout"].items():
        mean = figures["techniques"]["plain"][m]["mean"] - figures["techniques"]["dropout"][m]["mean"]
        assert own["mean"] == pytest.approx(mean)
    for name, sign in (("dropout", 1), ("label_smoothing", -1)):
        for m in figures["gains"][name]:
            figures["gains"][name][m] = {"mean": sign * 0.1, "low": sign * 0.1 - 0.05, "high": sign * 0.1 + 0.05}
    text = reading(figures)
    assert text.count("lower with 1 (dropout) and higher with 1 (label_smoothing)") == 5
    assert "Lower than plain in every one of these: dropout." in text
