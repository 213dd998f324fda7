import pytest
import torch

from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.ema import EMA
from tauten.testing import engine_for, problem, small_setting

STEPS = 60


def engine_with(techniques, source, setting):
    member = Member(0, Recipe(techniques, setting), 5)
    engine = engine_for(member, [source], Stacked())
    engine.admit([member])
    return engine


@pytest.mark.parametrize("decay", [0.5, 0.8, 0.999])
def test_it_delivers_the_recursion_over_weights_and_running_averages(decay):
    """The trajectory is that of plain training, so the average can be taken by hand along a plain run."""
    source, setting = problem(40, 6, 3, "classification"), small_setting(9, 2)
    plain = engine_with((BatchNorm(),), source, setting)
    averaged = engine_with((BatchNorm(), EMA(decay=decay)), source, setting)
    start = plain.extract(0)
    average = {k: v.double() for k, v in (start.w | start.buffers).items()}
    for t in range(STEPS):
        plain.run(1)
        averaged.run(1)
        now = plain.extract(0)
        d = min(decay, (1 + t) / (10 + t))
        for k, v in (now.w | now.buffers).items():
            average[k] = d * average[k] + (1 - d) * v.double()
    got = averaged.extract(0)
    for k, v in (got.w | got.buffers).items():
        torch.testing.assert_close(v.double(), average[k], rtol=1e-5, atol=1e-6)
    assert any((v - got.w[k]).abs().max() > 1e-3 for k, v in plain.extract(0).w.items())


def test_outputs_come_from_the_average():
    source, setting = problem(40, 6, 3, "regression"), small_setting(1, 0)
    engine = engine_with((EMA(decay=0.9),), source, setting)
    engine.run(20)
    w = engine.extract(0).w
    want = source.inputs @ w["out.weight"] + w["out.bias"]
    torch.testing.assert_close(engine.evaluate({0: torch.arange(40)})[0], want, rtol=1e-5, atol=1e-6)
