"""Early stopping against L2: the formulas by NumPy and scikit-learn, and that members take the way they say."""

import copy
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tauten.experiments import experiments
from tauten.experiments.early_stopping import INPUTS, RATE, formula, problem_of, reading

VARIANCES = np.geomspace(1, 0.01, INPUTS)


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = experiments()["early-stopping"]
    return run(tmp_path_factory.mktemp("out"), 3, None, 1, silent, steps=(1, 8, 64), epochs=(1, 4), rows=(60, 40, 50))


def test_descent_from_zero_has_the_coefficients_of_the_formula() -> None:
    x, y, _ = problem_of(0, VARIANCES)
    w = np.zeros(INPUTS)
    for _ in range(50):
        w -= RATE * 2 * x.T @ (x @ w - y) / len(x)
    assert formula("stopped", (x, y, w), 50, 0.0) == pytest.approx(w)


def test_the_penalty_is_that_of_ridge() -> None:
    x, y, beta = problem_of(1, VARIANCES)
    # Scikit-learn sums over rows where the loss here is a mean.
    wanted = Ridge(alpha=len(x) / 5.0, fit_intercept=False).fit(x, y).coef_
    assert formula("penalized", (x, y, beta), 0, 5.0) == pytest.approx(wanted)


def test_members_arrive_where_the_formulas_do(figures: dict[str, Any]) -> None:
    assert figures["linear"]["off_descent"] < 1e-4
    assert figures["linear"]["off_ridge"] < 1e-4
    assert figures["linear"]["places"] == pytest.approx([0.1, 0.8, 6.4])
    assert figures["linear"]["ratio"] < 1.69


def test_equal_places_are_equal_times_of_the_network(figures: dict[str, Any]) -> None:
    # 60 rows in batches of 32 are two steps an epoch, at a rate of 0.1.
    assert figures["network"]["places"] == pytest.approx([0.4, 1.6])
    own = figures["network"]
    assert own["end"]["log_loss"] == own["paths"]["stopped"][-1]
    gap = own["stopped"]["log_loss"]["mean"] - own["penalized"]["log_loss"]["mean"]
    assert own["difference"]["log_loss"]["mean"] == pytest.approx(gap)


def test_the_reading_follows_the_intervals(figures: dict[str, Any]) -> None:
    for low, high, words in ((0.1, 0.3, "is worse than L2"), (-0.3, -0.1, "is better than L2")):
        made = copy.deepcopy(figures)
        made["linear"]["difference"] = {"mean": (low + high) / 2, "low": low, "high": high}
        assert f"On the quadratic, stopping at its best {words}" in reading(made)
        made["linear"]["ratio"] = 1.7
        assert "beyond the proved bound" in reading(made)
