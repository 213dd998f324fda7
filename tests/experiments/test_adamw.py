"""AdamW against Adam + L2: how separable a map is, and sentences that follow the figures."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tauten.builder import Builder
from tauten.draws import derive_seed
from tauten.experiments import experiments
from tauten.experiments.adamw import Cell, lost, reading, slope
from tauten.experiments.members import images
from tauten.member import Member
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.weight_decay import WeightDecay

RATES, ROWS = (0.003, 0.03), (60, 40, 50)
STRENGTHS = {"Adam + L2": (1e-4, 1e-2), "AdamW": (0.1, 1.0), "AdamW, decay apart": (1e-3, 0.1)}


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out: Path = tmp_path_factory.mktemp("out")
    return experiments()["adamw"](out, 3, None, 1, silent, rates=RATES, strengths=STRENGTHS, epochs=3, rows=ROWS)


def test_a_cell_is_the_mean_error_of_members_trained_alone(figures: dict[str, Any]) -> None:
    data = images(None, *ROWS)
    setting = Setting(width=64, depth=2, skip=False, batch_size=32, schedule="cosine", epochs=3, learning_rate=RATES[1])
    errors = []
    for seed in range(3):
        with Population(Builder(data.source), [data.source]) as population:
            population.enter(
                [Member(0, Recipe((WeightDecay(strength=1.0),), setting), derive_seed("adamw", seed), 0, 3)]
            )
            out = population.complete({0: data.test})[0].outputs
        assert out is not None
        errors.append((out.argmax(1) != data.targets[data.test].argmax(1)).double().mean())
    assert figures["arms"]["AdamW"]["map"]["error"][1][1] == pytest.approx(float(torch.stack(errors).mean()))


def test_the_same_step_stands_at_other_places_of_the_two_decoupled_maps(figures: dict[str, Any]) -> None:
    # 0.03 · λ of 1 is a share of 0.03; 0.1 / 0.003 is beyond the bound, so that cell is left out.
    assert figures["arms"]["AdamW, decay apart"]["map"]["error"][0][1] is None
    assert figures["arms"]["AdamW, decay apart"]["map"]["error"][1][1] is not None


def made_map(best: list[int]) -> tuple[dict[int, Cell], dict[Cell, dict[str, np.ndarray]]]:
    """A map of three rates and decays; a cell's scores are how far it lies from its rate's best decay."""
    tested = {
        ("a", i, j): {s: np.full((5, 3), float(abs(j - best[i]))) for s in ("error", "log_loss")}
        for i in range(3)
        for j in range(3)
    }
    return {i: ("a", i, best[i]) for i in range(3)}, tested


def test_a_separable_map_loses_nothing_and_another_what_the_pairs_lose() -> None:
    assert lost(*made_map([1, 1, 1]))["error"].max() == 0
    # Ordered pairs of places 0, 1 and 2 are 1, 2, 1, 1, 2 and 1 apart.
    assert lost(*made_map([0, 1, 2]))["log_loss"].min() == pytest.approx(8 / 6)
    assert slope([0.001, 0.01, 0.1], [1.0, 0.1, 0.01]) == pytest.approx(-1)
    assert slope([0.001, 0.01, 0.1], [1.0, 1.0, 1.0]) == pytest.approx(0)


def test_the_reading_follows_the_intervals(figures: dict[str, Any]) -> None:
    for sign, better, apart in ((1, "is better than", "less than"), (-1, "is worse than", "more than")):
        made = copy.deepcopy(figures)
        for part in ("gain", "separation"):
            for own in made[part].values():
                own["log_loss"] = {"mean": 0.02 * sign, "low": 0.02 * sign - 0.01, "high": 0.02 * sign + 0.01}
        text = reading(made)
        assert f"AdamW {better} Adam + L2 in log loss (gain {0.02 * sign:+.4f}" in text
        assert f"with AdamW it loses {apart} with Adam + L2 (saved {0.02 * sign:+.4f}" in text
