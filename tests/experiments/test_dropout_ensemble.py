"""Dropout as an ensemble: all masks against NumPy, drawn masks against all of them, and sentences from the figures."""

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from tauten.experiments import experiments
from tauten.experiments.claim import Run
from tauten.experiments.dropout_ensemble import ARITHMETIC, GEOMETRIC, TINY, WIDE, drawn_masks, enumerated, reading
from tauten.experiments.layers import layers_of, weights
from tauten.experiments.members import images, outputs, trained
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.tensors import Tree


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("out")
    return experiments()["dropout-ensemble"](out, 3, None, 1, silent, masks=(1, 4), epochs=4, rows=(100, 0, 60))


def network(depth: int, width: int) -> tuple[Tree, torch.Tensor]:
    """Two networks with weights large enough for masks to matter, and inputs."""
    random = torch.Generator().manual_seed(0)
    sizes = [4, *[width] * depth, 3]
    names = [*(f"hidden{i}" for i in range(depth)), "out"]
    w = {}
    for name, fan_in, fan_out in zip(names, sizes, sizes[1:], strict=False):
        w[f"{name}.weight"] = torch.randn(2, fan_in, fan_out, generator=random, dtype=torch.float64)
        w[f"{name}.bias"] = torch.randn(2, fan_out, generator=random, dtype=torch.float64)
    return w, torch.randn(7, 4, generator=random)


def by_hand(w: Tree, x: torch.Tensor, depth: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Both averages of the first network, mask by mask: probabilities (R, K)."""
    at = {name: leaf[0].numpy() for name, leaf in w.items()}
    every = []
    for mask in itertools.product((0, 1), repeat=depth * width):
        h = x.numpy().astype(float)
        for i in range(depth):
            h = np.maximum(h @ at[f"hidden{i}.weight"] + at[f"hidden{i}.bias"], 0)
            h = h * np.array(mask[i * width : (i + 1) * width]) * 2
        z = np.exp(h @ at["out.weight"] + at["out.bias"])
        every.append(z / z.sum(1, keepdims=True))
    geometric = np.exp(np.log(every).mean(0))
    return geometric / geometric.sum(1, keepdims=True), np.mean(every, axis=0)


@pytest.mark.parametrize(("depth", "width"), [(1, 4), (2, 3)])
def test_all_masks_are_averaged_as_by_hand(depth: int, width: int) -> None:
    w, x = network(depth, width)
    found = {kind: (count, logs[0].exp().numpy()) for kind, count, logs in enumerated(w, x, depth, width)}
    geometric, arithmetic = by_hand(w, x, depth, width)
    assert {count for count, _ in found.values()} == {2 ** (depth * width)}
    np.testing.assert_allclose(found[GEOMETRIC][1], geometric, atol=1e-12)
    np.testing.assert_allclose(found[ARITHMETIC][1], arithmetic, atol=1e-12)


def test_drawn_masks_come_near_the_average_of_all_of_them() -> None:
    w, x = network(2, 3)
    (_, count, logs), every = drawn_masks(w, x, (5_000,))[0], enumerated(w, x, 2, 3)[1][2]
    assert count == 5_000
    # Four standard errors of a probability's mean, at its largest possible deviation of one half.
    assert float((logs.exp() - every.exp()).abs().max()) < 4 * 0.5 / 5_000**0.5


def test_layers_by_hand_are_those_of_the_engine() -> None:
    data = images(None, 60, 0, 40)
    recipe = Recipe((), Setting(width=16, depth=2, skip=False, epochs=3, batch_size=16))
    done = trained(Run(3, None, 1, silent), "made-up", {0: recipe}, [data.source], data.test, extract=True)[0]
    found = layers_of(weights(done), data.inputs[data.test])
    assert [layer.shape for layer in found] == [(3, 40, 16), (3, 40, 16), (3, 40, 10)]
    torch.testing.assert_close(found[-1].float(), outputs(done), atol=1e-5, rtol=1e-5)


def test_weight_scaling_is_the_geometric_mean_of_one_layer_only(figures: dict[str, Any]) -> None:
    shallow, deep = (figures["networks"][net] for net in TINY)
    off = {own["kind"]: own["off"] for own in shallow if "off" in own}
    assert off[GEOMETRIC] < 1e-14
    assert off[ARITHMETIC] > 1e-4
    assert next(own["off"] for own in deep if own["kind"] == GEOMETRIC) > 1e-5
    assert [own["masks"] for own in figures["networks"][WIDE] if own["kind"] == ARITHMETIC] == [1, 4]


def test_the_reading_follows_the_figures(figures: dict[str, Any]) -> None:
    made = copy.deepcopy(figures)
    one, four = (own for own in made["networks"][WIDE] if own["kind"] == ARITHMETIC)
    one["gain"]["error"] = {"mean": -0.05, "low": -0.06, "high": -0.04}
    four["gain"] = {s: {"mean": 0.0, "low": -0.01, "high": 0.01} for s in ("error", "log_loss")}
    assert "from 4 masks on their average is no longer worse in error beyond chance" in reading(made)
    assert "can't be told from it in log loss" in reading(made)
    four["gain"] = dict.fromkeys(("error", "log_loss"), one["gain"]["error"])
    assert "even the largest average is worse in error" in reading(made)
    assert "is worse than it in log loss" in reading(made)
    made["networks"][next(iter(TINY))][2]["off"] = 0.1
    assert "against what the theory says" in reading(made)
