"""Metrics agree with scikit-learn, and a member's figures don't depend on who is scored with it."""

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
)

from tauten.member import one_hot
from tauten.metrics import METRICS


def outputs(task, members, rows, classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    out = 5 * torch.randn(members, rows, classes if task == "classification" else 1, generator=generator)
    if task == "classification":
        return out, one_hot(torch.randint(0, classes, (rows,), generator=generator), classes)
    return out, torch.randn(rows, 1, generator=generator)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(("members", "rows", "classes"), [(2, 7, 3), (5, 33, 10), (17, 288, 2), (8, 1000, 5)])
def test_a_members_bits_do_not_depend_on_its_company(name, members, rows, classes):
    metric = METRICS[name]
    out, y = outputs(metric.task, members, rows, classes)
    together = metric.contributions(out, y, 3.0)
    for i in range(members):
        alone = metric.contributions(out[i], y, 3.0)
        assert np.array_equal(together[i], alone)
        assert together[:, : rows - 3].mean(-1)[i] == alone[: rows - 3].mean(-1)
        assert np.array_equal(metric.contributions(out[i : i + 1], y, 3.0)[0], alone)


def test_metrics_agree_with_scikit_learn():
    out, y = outputs("classification", 1, 200, 4)
    truth, probability = y.argmax(1).numpy(), torch.softmax(out[0].double(), 1).numpy()
    shown = {n: m.shown(m.contributions(out[0], y).mean()) for n, m in METRICS.items() if m.task == "classification"}
    assert shown["log_loss"] == pytest.approx(log_loss(truth, probability))
    assert shown["accuracy"] == pytest.approx(accuracy_score(truth, probability.argmax(1)))
    assert shown["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, probability.argmax(1)))
    assert shown["brier"] == pytest.approx(((probability - y.numpy()) ** 2).sum(1).mean())
    out, y = outputs("regression", 1, 200, 1)
    a, b = 2.5 * y[:, 0].double().numpy(), 2.5 * out[0, :, 0].double().numpy()
    shown = {n: m.shown(m.contributions(out[0], y, 2.5).mean()) for n, m in METRICS.items() if m.task == "regression"}
    assert shown["mse"] == pytest.approx(mean_squared_error(a, b))
    assert shown["rmse"] == pytest.approx(mean_squared_error(a, b) ** 0.5)
    assert shown["mae"] == pytest.approx(mean_absolute_error(a, b))


def test_a_sick_member_is_nan_and_leaves_the_others_alone():
    out, y = outputs("classification", 3, 20, 4)
    well = METRICS["log_loss"].contributions(out, y)
    out[1, 5] = torch.inf
    found = METRICS["log_loss"].contributions(out, y)
    assert np.isnan(found[1, 5])
    assert np.array_equal(found[[0, 2]], well[[0, 2]])
