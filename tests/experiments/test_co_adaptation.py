"""Co-adaptation: its three signs on networks where they are known, and sentences that follow the intervals."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from tauten.experiments import experiments
from tauten.experiments.co_adaptation import HALF, REMOVED, measured_of, reading, without_one, without_some
from tauten.experiments.layers import layers_of
from tauten.experiments.members import scores
from tauten.tensors import Tree

WIDTH = 20


def silent(line: str) -> None:
    """Hears nothing."""


def network(alike: bool) -> tuple[Tree, torch.Tensor, torch.Tensor]:
    """Two networks, inputs and targets; `alike`: all hidden units are copies of one another."""
    random = torch.Generator().manual_seed(1)
    units = 1 if alike else WIDTH
    w = {
        "hidden0.weight": torch.randn(2, 5, units, generator=random).expand(2, 5, WIDTH).double(),
        "hidden0.bias": torch.randn(2, units, generator=random).expand(2, WIDTH).double(),
        "out.weight": torch.randn(2, units, 3, generator=random).expand(2, WIDTH, 3).double(),
        "out.bias": torch.randn(2, 3, generator=random).double(),
    }
    x = torch.randn(80, 5, generator=random)
    return w, x, torch.nn.functional.one_hot(torch.arange(80) % 3).float()


def test_copies_are_correlated_and_can_be_spared() -> None:
    w, x, y = network(alike=True)
    assert measured_of(w, x)["correlation"] == pytest.approx([1, 1])
    found = without_some(w, x, y)
    assert len(found) == len(REMOVED)
    # Those that stay take over what the others did, so nothing changes.
    for own in found:
        np.testing.assert_allclose(own["log_loss"], scores(layers_of(w, x)[-1], y)["log_loss"])


def test_measures_agree_with_numpy() -> None:
    w, x, y = network(alike=False)
    h = np.maximum(x.numpy() @ w["hidden0.weight"][1].numpy() + w["hidden0.bias"][1].numpy(), 0)
    alive = h[:, h.std(0) > 0]
    pairs = [abs(np.corrcoef(a, b)[0, 1]) for i, a in enumerate(alive.T) for b in alive.T[:i]]
    found = measured_of(w, x)
    assert found["correlation"][1] == pytest.approx(np.mean(pairs))
    assert found["active"][1] == pytest.approx((h > 0).mean())
    losses = []
    for gone in [None, *range(WIDTH)]:
        kept = h if gone is None else h * (np.arange(WIDTH) != gone)
        z = kept @ w["out.weight"][1].numpy() + w["out.bias"][1].numpy()
        losses.append(np.mean(np.log(np.exp(z).sum(1)) - (z * y.numpy()).sum(1)))
    assert without_one(w, x, y)[1] == pytest.approx(np.mean(losses[1:]) - losses[0])


def test_units_that_differ_are_missed() -> None:
    w, x, y = network(alike=False)
    found = without_some(w, x, y)
    assert found[HALF]["log_loss"].shape == (80, 2)
    assert not np.allclose(found[HALF]["log_loss"], found[0]["log_loss"])


def test_the_reading_follows_the_intervals(tmp_path: Any) -> None:
    figures = experiments()["co-adaptation"](tmp_path, 3, None, 1, silent, width=8, epochs=3, rows=(60, 0, 50))
    plain = figures["arms"]["plain"]
    for arm, own in figures["arms"].items():
        if arm != "plain":
            less = plain["correlation"]["mean"] - own["correlation"]["mean"]
            assert own["less"]["correlation"]["mean"] == pytest.approx(less)
    for low, high, verb in ((0.1, 0.3, "lowers"), (-0.3, -0.1, "raises"), (-0.1, 0.1, "doesn't change beyond chance")):
        made = copy.deepcopy(figures)
        for own in made["arms"].values():
            if "less" in own:
                own["less"]["correlation"] = {"mean": (low + high) / 2, "low": low, "high": high}
                own["less"]["active"] = own["less"]["correlation"]
        assert f"dropout 0.5 {verb} the correlation of two units" in reading(made)
        assert ("active in fewer rows" in reading(made)) == (low > 0)
