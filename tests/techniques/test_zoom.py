import numpy as np
import torch
from scipy import ndimage, stats

from tauten.imaging import resample
from tauten.techniques.zoom import Zoom

AMOUNTS = [0.3, 0.0, 2.0]


def test_every_image_is_magnified_by_its_own_factor_as_scipy_does(digits, place, numbers, each):
    factor = (1 + np.array(AMOUNTS)[:, None]) ** (2 * numbers()[..., 0] - 1)
    zoom = Zoom().with_values({"amount": torch.tensor(AMOUNTS)})

    def magnified(i, j, image):
        matrix = np.eye(2) / factor[i, j]
        return ndimage.affine_transform(image[0], matrix, 3.5 - matrix @ [3.5, 3.5], order=1, mode="nearest")[None]

    out = resample(digits.grey, zoom.warp(digits.grey, place()))
    torch.testing.assert_close(out, each(magnified, digits.grey), rtol=0, atol=2e-5)
    assert torch.equal(out[1], digits.grey[1])


def test_as_often_larger_as_smaller_and_even_in_the_logarithm(place):
    maps = Zoom(amount=1.0).warp(torch.zeros(3, 500, 1, 2, 2), place())
    logarithms = -np.log2(maps[..., 0, 0].double().numpy().ravel())
    assert stats.kstest(logarithms, stats.uniform(-1, 2).cdf).pvalue > 0.001
