"""A linear network under l2, l1 or both reaches scikit-learn's Ridge, Lasso and ElasticNet on the diabetes data.

Our loss is the mean squared error plus λ₂ Σ w² + λ₁ Σ |w|. With n rows, scikit-learn minimizes
Ridge ‖y − Xw‖² + α ‖w‖², so α = n λ₂; and ElasticNet ‖y − Xw‖² / 2n + α r ‖w‖₁ + α (1 − r) ‖w‖² / 2, so α r = λ₁ / 2
and α (1 − r) = λ₂.
"""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from sklearn.preprocessing import StandardScaler

from tauten.engines.stacked import Stacked
from tauten.member import Member, Source
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.l1 import L1
from tauten.techniques.l2 import L2
from tauten.testing import engine_for

STEPS = 2000
SETTINGS = {
    "sgd": {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.2},
    "sgd with momentum": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.05},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.02, "schedule": "cosine"},
}


@pytest.fixture(scope="module")
def data():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


def ours(data, name, recipes):
    """Weights (members, 10) and biases after full-batch training, all recipes in one population."""
    X, y = (torch.tensor(np.asarray(a), dtype=torch.float32) for a in data)
    setting = Setting(depth=0, batch_size=len(X), epochs=STEPS, **SETTINGS[name])
    members = [Member(i, Recipe(techniques, setting), seed=i, epochs=STEPS) for i, techniques in enumerate(recipes)]
    source = Source(X, y.unsqueeze(-1), torch.arange(len(X)), "regression")
    engine = engine_for(members[0], [source], Stacked())
    engine.admit(members)
    engine.run(STEPS)
    return [engine.extract(m.id).w["out.weight"].squeeze(-1).double().numpy() for m in members]


@pytest.mark.parametrize("name", SETTINGS)
def test_they_reach_scikit_learns_solution_and_select_the_same_features(data, name):
    n = len(data[0])
    cases = [
        ((L2(strength=0.01),), Ridge(alpha=0.01 * n)),
        ((L2(strength=0.3),), Ridge(alpha=0.3 * n)),
        ((L1(strength=0.02),), Lasso(alpha=0.01, tol=1e-10)),
        ((L1(strength=0.2),), Lasso(alpha=0.1, tol=1e-10)),
        ((L1(strength=0.6),), Lasso(alpha=0.3, tol=1e-10)),
        ((L1(strength=0.2), L2(strength=0.2)), ElasticNet(alpha=0.3, l1_ratio=1 / 3, tol=1e-10)),
    ]
    got = ours(data, name, [techniques for techniques, _ in cases])
    selected = []
    for w, (_, model) in zip(got, cases, strict=True):
        want = model.fit(*data).coef_
        np.testing.assert_allclose(w, want, atol=1e-3)
        assert np.array_equal(w == 0, want == 0), (model, w, want)
        selected.append(int((want != 0).sum()))
    assert selected[:2] == [10, 10]
    assert 10 > selected[2] > selected[3] > selected[4] > 0
    assert selected[3] <= selected[5] < 10
