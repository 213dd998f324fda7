import numpy as np
import pytest
import torch

from tauten.techniques.flip import Flip


@pytest.mark.parametrize(("axis", "numpy_axis"), [("horizontal", -1), ("vertical", -2)])
def test_images_are_mirrored_each_on_its_own_and_to_the_bit(digits, place, numbers, each, axis, numpy_axis):
    p = [0.5, 0.0, 1.0]
    flipped = numbers()[..., 0] < np.array(p)[:, None]
    assert 5 < flipped[0].sum() < 35
    flip = Flip(axis=axis).with_values({"p": torch.tensor(p)})
    out, labels = flip.batch(digits.colour, digits.labels, place())
    expected = each(lambda i, j, image: np.flip(image, numpy_axis) if flipped[i, j] else image, digits.colour)
    assert torch.equal(out, expected)
    assert labels is digits.labels
