import numpy as np
import pytest
import torch

from tauten.techniques.cutout import Cutout


def square(height, width, centre, side):
    """Pixels whose centres are within half a side of the centre, counted one by one."""
    return [
        (i, j)
        for i in range(height)
        for j in range(width)
        if abs(i + 0.5 - centre[0] * height) < side / 2 and abs(j + 0.5 - centre[1] * width) < side / 2
    ]


def test_every_image_has_its_own_square_at_the_mean_of_its_channels(digits, place, numbers, each):
    shares = [0.5, 0.0, 1.0]
    centre = numbers(count=2)
    cutout = Cutout().with_values({"share": torch.tensor(shares)})

    def covered(i, j, image):
        for row, column in square(8, 8, centre[i, j], shares[i] * 8):
            image[:, row, column] = 0.0
        return image

    x = digits.colour + 10.0  # nowhere 0 by itself
    out, labels = cutout.batch(x, digits.labels, place())
    assert torch.equal(out, each(covered, x))
    assert torch.equal(out[1], x[1])
    assert labels is digits.labels
    counts = (out[0] == 0).sum((-3, -2, -1)) / 3
    assert counts.max() <= 25
    assert len(np.unique(counts)) > 3  # cut off at the border


@pytest.mark.parametrize("size", [(8, 20), (20, 8)])
def test_the_side_is_a_share_of_the_shorter_one(place, size):
    out, _ = Cutout(share=0.5).batch(torch.ones(3, 40, 1, *size), torch.zeros(3, 40, 2), place())
    assert (out == 0).sum((-3, -2, -1)).max() == 16
