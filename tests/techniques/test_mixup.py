import numpy as np
import pytest
import torch
from scipy import stats

from tauten.draws import Draws
from tauten.techniques.mixup import Mixup

ROWS = 400


def draws(members, step=0):
    return Draws(torch.arange(members), torch.full((members,), step), "here")


def coefficients(alpha, step=0):
    """How much of each row (columns) stands in each mixed row, read off from unit vectors as inputs."""
    unit = torch.eye(ROWS).expand(len(alpha), ROWS, ROWS)
    x, y = Mixup().with_values({"alpha": torch.tensor(alpha)}).batch(unit, unit, draws(len(alpha), step))
    assert torch.equal(x, y)
    return x


def test_every_row_is_a_mixture_of_itself_and_one_partner_and_partners_are_a_permutation():
    mixed = coefficients([0.5, 1.0])
    torch.testing.assert_close(mixed.sum(-1), torch.ones(2, ROWS))
    for one in mixed:
        assert ((one > 0).sum(-1) <= 2).all()
        assert (one >= 0).all()
        partner = one - torch.diag(torch.diagonal(one))
        assert ((partner > 0).sum(0) <= 1).all()
        assert (partner.sum(-1) > 0).sum() > 0.9 * ROWS  # a random order keeps about one row at its place


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_are_beta_and_each_row_draws_its_own(alpha):
    shares = []
    for step in range(10):
        own = coefficients([alpha], step)[0]
        share = torch.diagonal(own)
        alone = own.max(-1).values == 1  # its own partner, or a share that is rounded to 0 or 1
        shares.append(share[~alone])
    sample = np.asarray(torch.cat(shares).double())
    low, high = 1e-6, 1 - 1e-6
    sample = sample[(sample > low) & (sample < high)]
    law = stats.beta(alpha, alpha)
    assert len(np.unique(sample)) > 0.95 * len(sample)
    start, width = law.cdf(low), law.cdf(high) - law.cdf(low)
    assert stats.kstest(sample, lambda s: (law.cdf(s) - start) / width).pvalue > 0.001


def test_inputs_and_soft_labels_are_mixed_by_the_same_shares():
    g = torch.Generator().manual_seed(0)
    alpha = [0.4, 0.0, 2.0]
    x = torch.randn(3, ROWS, 3, 2, generator=g)
    y = torch.softmax(torch.randn(3, ROWS, 5, generator=g), -1)
    out_x, out_y = Mixup().with_values({"alpha": torch.tensor(alpha)}).batch(x, y, draws(3))
    mixed = coefficients(alpha)
    torch.testing.assert_close(out_y, mixed @ y, rtol=0, atol=1e-6)
    torch.testing.assert_close(out_x, (mixed @ x.flatten(2)).reshape(x.shape), rtol=0, atol=2e-6)
    torch.testing.assert_close(out_y.sum(-1), torch.ones(3, ROWS))
    assert torch.equal(out_x[1], x[1])
    assert torch.equal(out_y[1], y[1])
