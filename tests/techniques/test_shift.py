import numpy as np
import torch
from scipy import ndimage

from tauten.imaging import resample
from tauten.techniques.shift import Shift

SHARES = [0.1, 0.0, 0.5]


def test_every_image_moves_by_its_own_distances_as_scipy_moves_it(digits, place, numbers, each):
    moves = (2 * numbers(count=2) - 1) * np.array(SHARES)[:, None, None] * 8
    shift = Shift().with_values({"share": torch.tensor(SHARES)})

    def moved(i, j, image):
        return ndimage.shift(image[0], -moves[i, j, ::-1], order=1, mode="nearest")[None]

    out = resample(digits.grey, shift.warp(digits.grey, place()))
    torch.testing.assert_close(out, each(moved, digits.grey), rtol=0, atol=2e-5)
    assert torch.equal(out[1], digits.grey[1])


def test_distances_are_shares_of_the_width_and_of_the_height(place):
    maps = Shift(share=0.25).warp(torch.zeros(3, 4000, 1, 4, 20), place())
    across, down = maps[..., 0, 2].abs(), maps[..., 1, 2].abs()
    assert 4.99 < float(across.max()) <= 5
    assert 0.998 < float(down.max()) <= 1
    assert abs(float(np.corrcoef(maps[..., 0, 2].flatten(), maps[..., 1, 2].flatten())[0, 1])) < 0.03
