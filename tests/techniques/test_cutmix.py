import numpy as np
import torch
from scipy import stats

from tauten.techniques.cutmix import Cutmix


def test_boxes_of_a_partner_are_put_in_and_labels_follow_the_pixels(digits, place, numbers):
    p = [0.5, 0.0, 1.0]
    u, s, down, across = np.moveaxis(numbers("here/box", 4), -1, 0)
    partner = place("here/partner").permutation(40).numpy()
    out, labels = Cutmix().with_values({"p": torch.tensor(p)}).batch(digits.colour, digits.labels, place())
    cut = 0
    for m, row in np.ndindex(3, 40):
        image, label = digits.colour[m, row].clone(), digits.labels[m, row].double()
        other = digits.colour[m, partner[m, row]]
        taken, side = 0, 8 * np.sqrt(1 - s[m, row])
        if u[m, row] < p[m]:
            for i, j in np.ndindex(8, 8):
                if abs(i + 0.5 - 8 * down[m, row]) < side / 2 and abs(j + 0.5 - 8 * across[m, row]) < side / 2:
                    image[:, i, j], taken = other[:, i, j], taken + 1
        label = label * (1 - taken / 64) + digits.labels[m, partner[m, row]] * taken / 64
        cut += taken > 0
        assert torch.equal(out[m, row], image)
        torch.testing.assert_close(labels[m, row], label.float())
    assert cut > 45
    assert torch.equal(out[1], digits.colour[1])
    assert torch.equal(labels[1], digits.labels[1])


def test_the_area_before_it_is_cut_off_is_uniform(place):
    """Beta(1, 1), as in the paper: boxes that lie inside tell the side, and all the share of the label."""
    x = torch.arange(400.0).reshape(1, 400, 1, 1, 1).expand(3, 400, 1, 32, 32)
    y = torch.eye(400).expand(3, 400, 400)
    out, labels = Cutmix(p=1.0).batch(x, y, place())
    kept = (out == x).float().mean((-3, -2, -1))
    own = torch.diagonal(labels, dim1=-2, dim2=-1)
    mixed = own < 1
    torch.testing.assert_close(kept[mixed], own[mixed])
    torch.testing.assert_close(labels.sum(-1), torch.ones(3, 400))
    # E(1 − kept) for sides √a of the unit square with uniform centre and area: ∫ (√a − a/4)² da = 1/2 − 1/5 + 1/48.
    area = 1 - kept.double().numpy().ravel()
    expected = 1 / 2 - 1 / 5 + 1 / 48
    assert abs(area.mean() - expected) < 4 * stats.sem(area)


def test_rows_weights_are_mixed_as_columns_of_the_labels(digits, place):
    weights = torch.rand(3, 40, 1, generator=torch.Generator().manual_seed(0))
    _, both = Cutmix(p=1.0).batch(digits.grey, torch.cat((digits.labels * weights, weights), -1), place())
    _, alone = Cutmix(p=1.0).batch(digits.grey, weights, place())
    torch.testing.assert_close(both[..., -1:], alone)
    torch.testing.assert_close(both[..., :-1].sum(-1, keepdim=True), alone)
