"""L1 as a choice of features: the linear model is scikit-learn's Lasso, and irrelevant inputs are irrelevant."""

from typing import Any

import numpy as np
import pytest

from tauten.experiments import experiments
from tauten.experiments.l1_features import reading, widened
from tauten.experiments.members import images


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = experiments()["l1-features"]
    size = {"strengths": (1e-3, 1.0), "copies": (0, 1), "epochs": 4, "rows": (60, 40, 50)}
    return run(tmp_path_factory.mktemp("out"), 3, None, 1, silent, **size)


def test_the_linear_model_is_lasso_with_its_exact_zeros(figures: dict[str, Any]) -> None:
    assert figures["linear"]["off"] < 1e-4
    assert figures["linear"]["unlike"] == 0
    assert figures["linear"]["all"] == 6 * 3 * 40
    shares = [own["mean"] for own in figures["linear"]["zeros"]]
    assert shares == sorted(shares)
    assert shares[0] < 0.5 < 0.9 < shares[-1]


def test_l1_drops_inputs_and_l2_none(figures: dict[str, Any]) -> None:
    cells = figures["network"]["cells"]
    assert all(cell[m]["mean"] == 0 for cell in cells["L2"] for m in ("irrelevant", "relevant", "weights"))
    weak, strong = cells["L1"]
    assert strong["irrelevant"]["mean"] == strong["relevant"]["mean"] == 1
    assert 0 < weak["weights"]["mean"] < 1
    assert weak["irrelevant"]["mean"] <= weak["weights"]["mean"]


def test_copies_keep_a_pixel_s_values_and_lose_its_rows() -> None:
    data = images(None, 300, 100, 100)
    varies = np.array([20, 21, 28])
    x = widened(data, varies, 2, 3).inputs.numpy()
    pixels = data.inputs.numpy()
    assert x.shape == (len(pixels), 64 + 9)
    assert np.array_equal(x[:, :64], pixels)
    for at, pixel in enumerate([*varies, *varies]):
        assert np.array_equal(np.sort(x[:, 64 + at]), np.sort(pixels[:, pixel]))
        assert abs(np.corrcoef(x[:, 64 + at], pixels[:, pixel])[0, 1]) < 0.1
    assert not x[:, -3:].any()


def test_the_reading_follows_the_intervals(figures: dict[str, Any]) -> None:
    count = figures["network"]["counts"][1]
    for sign, verb in ((1, "lower than"), (-1, "higher than")):
        figures["network"]["gain"][1]["log_loss"] = {
            "mean": 0.2 * sign,
            "low": 0.2 * sign - 0.1,
            "high": 0.2 * sign + 0.1,
        }
        assert f"with {count} irrelevant inputs its log loss is {verb} L2's (gain {0.2 * sign:+.4f}" in reading(figures)
