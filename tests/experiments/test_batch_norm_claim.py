"""Batch norm: its noise, the largest rate, gradients against torch.nn, and sentences that follow the intervals."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from tauten.draws import derive_seed
from tauten.engines.block import Completed
from tauten.experiments import experiments
from tauten.experiments.batch_norm import ARMS, DEEP, SIZED, gradients_of, largest_rates, noise_of, reading
from tauten.experiments.claim import Run
from tauten.experiments.members import images, trained
from tauten.nets.mlp import MLP
from tauten.recipe import Recipe

DATA = images(None, 128, 0, 60)


def silent(line: str) -> None:
    """Hears nothing."""


RUN = Run(3, None, 1, silent)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("out")
    return experiments()["batch-norm"](
        out, 3, None, 1, silent, sizes=(16, 64), steps=16, rates=(0.01, 0.1), fast_steps=16, depths=(2, 3),
        rows=(64, 0, 60),
    )  # fmt: skip


def test_a_batch_of_all_rows_has_no_noise_and_smaller_ones_have_more() -> None:
    recipe = Recipe(ARMS["batch norm"], SIZED).with_setting(epochs=4, batch_size=32)
    done = trained(RUN, "made-up", {0: recipe}, [DATA.source], DATA.test, extract=True)[0]
    whole, half, few = (noise_of(size, DATA, done) for size in (128, 64, 16))
    assert whole == pytest.approx([0, 0, 0], abs=1e-6)
    assert all(a < b for a, b in zip(half, few, strict=True))
    # A mean over B of n rows has a variance of (1 / B) (n − B) / (n − 1).
    expected = ((1 / 16 * (128 - 16)) / (1 / 64 * (128 - 64))) ** 0.5
    assert sum(few) / sum(half) == pytest.approx(expected, rel=0.4)


def test_the_largest_rate_is_that_of_each_seed() -> None:
    right = torch.cat([DATA.targets[DATA.train], DATA.targets[DATA.test]]) * 5
    wrong = right.roll(1, dims=1)
    sick = torch.full_like(right, torch.nan)
    done = {
        rate: [Completed(out, None) for out in outs]
        for rate, outs in {0.5: (right, right, wrong), 1.0: (wrong, right, wrong), 2.0: (right, sick, wrong)}.items()
    }
    assert largest_rates(done, DATA) == [1.0, 0.0, -2.0]


@pytest.mark.parametrize("arm", ARMS)
def test_gradients_at_the_start_are_those_of_torch(arm: str) -> None:
    depth = 3
    found = gradients_of(RUN, DATA, arm, depth)
    net = MLP(64, 10, Recipe((), DEEP).with_setting(depth=depth).setting, ARMS[arm])
    logs = []
    for seed in range(3):
        w = net.unpadded({k: v[0] for k, v in net.init([derive_seed("batch-norm", seed)])[0].items()})
        layers: list[nn.Module] = []
        for i in range(depth):
            layers.append(linear := nn.Linear(*w[f"hidden{i}.weight"].shape))
            linear.weight.data = w[f"hidden{i}.weight"].T.clone()
            linear.bias.data = w.get(f"hidden{i}.bias", torch.zeros(128)).clone()
            layers += [nn.BatchNorm1d(128)] * (arm == "batch norm") + [nn.ReLU()]
        layers.append(last := nn.Linear(128, 10))
        last.weight.data, last.bias.data = w["out.weight"].T.clone(), w["out.bias"].clone()
        rows = DATA.train[: DEEP.batch_size]
        out = nn.Sequential(*layers)(DATA.inputs[rows])
        nn.functional.cross_entropy(out, DATA.targets[rows].argmax(1)).backward()
        kernels = [layer.weight.grad for layer in layers[:-1] if isinstance(layer, nn.Linear)]
        logs.append([float(g.norm().log10()) for g in kernels if g is not None])
    means = torch.tensor(logs).mean(0).tolist()
    assert [layer["mean"] for layer in found["norms"]] == pytest.approx(means, abs=1e-4)
    assert found["ratio"]["mean"] == pytest.approx(means[0] - means[-1], abs=1e-4)


def test_gaps_and_gains_fit_together(figures: dict[str, Any]) -> None:
    for own in figures["sizes"]:
        for key in ("gap", "log_loss"):
            less = own["plain"][key]["mean"] - own["batch norm"][key]["mean"]
            assert own["less"][key]["mean"] == pytest.approx(less)
    small, large = (own["less"]["log_loss"]["mean"] for own in figures["sizes"])
    assert figures["trend"]["mean"] == pytest.approx(small - large)


def test_the_reading_follows_the_intervals(figures: dict[str, Any]) -> None:
    made = copy.deepcopy(figures)
    small, large = made["sizes"]
    small["less"]["log_loss"] = {"mean": 0.2, "low": 0.1, "high": 0.3}
    large["less"]["log_loss"] = {"mean": -0.2, "low": -0.3, "high": -0.1}
    made["trend"] = {"mean": 0.4, "low": 0.3, "high": 0.5}
    made["rates"]["more"] = {"mean": 2.0, "low": 1.0, "high": 3.0}
    made["depths"][-1]["plain"]["ratio"] = {"mean": -2.0, "low": -3.0, "high": -1.0}
    made["depths"][-1]["batch norm"]["ratio"] = {"mean": 0.0, "low": -0.1, "high": 0.1}
    text = reading(made)
    assert "better than plain at batches of 16 and worse at batches of 64, and it gains more at 16 than at 64" in text
    assert "the noise is gone, it is worse: what batch norm gains may come from that noise" in text
    assert "batch norm trains at 4 [2, 8] times the largest rate" in text
    assert "without they fade, with it they keep their size towards the first layer" in text
    large["batch norm"]["noise"]["mean"] = 0.1
    assert "can't be told from it" in reading(made)
