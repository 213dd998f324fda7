import numpy as np
import torch
from scipy import stats

from tauten.draws import Draws
from tauten.techniques.input_noise import InputNoise


def draws(members, step=0):
    return Draws(torch.arange(members), torch.full((members,), step), "here")


def test_the_noise_is_normal_with_each_members_own_deviation():
    sigma = [0.0, 0.1, 2.0]
    x = torch.randn(3, 200, 50, generator=torch.Generator().manual_seed(0))
    y = torch.zeros(3, 200, 2)
    out, same = InputNoise().with_values({"sigma": torch.tensor(sigma)}).batch(x, y, draws(3))
    assert same is y
    assert torch.equal(out[0], x[0])
    for i in (1, 2):
        noise = np.asarray((out[i] - x[i]).double()).ravel() / sigma[i]
        assert stats.kstest(noise, stats.norm.cdf).pvalue > 0.001
        assert abs(noise.mean()) < 4 / len(noise) ** 0.5
        assert abs(noise.var() - 1) < 4 * (2 / len(noise)) ** 0.5


def test_rows_inputs_and_steps_get_independent_noise():
    x = torch.zeros(1, 2000, 4)
    a, b = (np.asarray(InputNoise(sigma=1.0).batch(x, x, draws(1, step))[0][0]) for step in (0, 1))
    correlation = np.corrcoef(np.concatenate([a, b], 1).T)
    assert np.abs(correlation - np.eye(8)).max() < 4.5 / 2000**0.5
    assert np.abs(np.corrcoef(a[:-1, 0], a[1:, 0])[0, 1]) < 4.5 / 2000**0.5
