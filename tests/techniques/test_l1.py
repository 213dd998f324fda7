import numpy as np
import pytest
import torch

from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.l1 import L1
from tauten.techniques.l2 import L2
from tauten.testing import engine_for, problem, small_setting

LR, L = 0.05, 0.3


def first_step(techniques, optimizer, **setting):
    """Weights before and after one full-batch step of a linear network, and the gradient of the squared error."""
    source = problem(50, 8, 3, "regression")
    recipe = Recipe(techniques, small_setting(1, 0, optimizer, batch_size=64, learning_rate=LR, **setting))
    engine = engine_for(Member(0, recipe, 5), [source], Stacked())
    engine.admit([Member(0, recipe, 5)])
    w0, b0 = (engine.extract(0).w[k].double().numpy() for k in ("out.weight", "out.bias"))
    x, y = (t[source.train].double().numpy() for t in (source.inputs, source.targets))
    residual = x @ w0 + b0 - y
    g = 2 * x.T @ residual / residual.size
    engine.run(1)
    return w0, g, engine.extract(0).w, b0 - LR * 2 * residual.sum(0) / residual.size


def soft(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


def test_under_sgd_it_shrinks_by_rate_times_strength():
    w0, g, end, bias = first_step((L1(strength=3.0),), "sgd", momentum=0.0)
    want = soft(w0 - LR * g, LR * 3.0)
    np.testing.assert_allclose(end["out.weight"], want, atol=1e-6)
    assert np.array_equal(np.asarray(end["out.weight"]) == 0, want == 0)
    assert 0 < (want == 0).sum() < want.size
    np.testing.assert_allclose(end["out.bias"], bias, atol=1e-6)  # biases are not shrunk


def test_under_adam_the_threshold_is_divided_by_the_preconditioner():
    w0, g, end, _ = first_step((L1(strength=L),), "adamw")
    root = np.abs(g) + 1e-8  # √v̂ + ε of the first step
    want = soft(w0 - LR * g / root, LR * L / root)
    np.testing.assert_allclose(end["out.weight"], want, atol=2e-6)
    assert 0 < (want == 0).sum() < want.size


def test_with_l2_it_is_the_elastic_net_step():
    w0, g, end, _ = first_step((L1(strength=3.0), L2(strength=0.2)), "sgd", momentum=0.0)
    want = soft(w0 - LR * (g + 2 * 0.2 * w0), LR * 3.0)
    np.testing.assert_allclose(end["out.weight"], want, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_zeros_are_exact_and_grow_with_the_strength(optimizer):
    source, zeros = problem(60, 12, 3, "classification"), []
    for strength in (1e-4, 1e-2, 0.1):
        recipe = Recipe((L1(strength=strength),), small_setting(16, 1, optimizer, learning_rate=0.02))
        engine = engine_for(Member(0, recipe, 5), [source], Stacked())
        engine.admit([Member(0, recipe, 5)])
        engine.run(200)
        w = engine.extract(0).w
        assert all(torch.isfinite(v).all() for v in w.values())
        zeros.append(int((w["hidden0.weight"] == 0).sum()))
    assert zeros[0] < zeros[1] < zeros[2]
