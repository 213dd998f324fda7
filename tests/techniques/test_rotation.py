import numpy as np
import torch
from scipy import ndimage

from tauten.imaging import resample
from tauten.techniques.rotation import Rotation

DEGREES = [20.0, 0.0, 180.0]


def test_every_image_turns_by_its_own_angle_as_scipy_turns_it(digits, place, numbers, each):
    angle = (2 * numbers()[..., 0] - 1) * np.array(DEGREES)[:, None]
    assert len(np.unique(angle[0])) == 40
    rotation = Rotation().with_values({"degrees": torch.tensor(DEGREES)})

    def turned(i, j, image):
        return ndimage.rotate(image[0], angle[i, j], reshape=False, order=1, mode="nearest")[None]

    out = resample(digits.grey, rotation.warp(digits.grey, place()))
    torch.testing.assert_close(out, each(turned, digits.grey), rtol=0, atol=2e-4)
    assert torch.equal(out[1], digits.grey[1])


def test_a_quarter_turn_moves_pixels_and_mixes_none(digits):
    image = digits.colour[0, :1]
    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    torch.testing.assert_close(resample(image, quarter), torch.rot90(image, 1, (-2, -1)), rtol=0, atol=1e-5)


def test_images_that_are_not_square_turn_by_true_angles(place):
    """In pixels, not in shares of the sides: a quarter turn about the centre keeps what lies near it."""
    image = torch.zeros(1, 1, 5, 9)
    image[0, 0, 2, 3:6] = 1.0
    out = resample(image, torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]))
    expected = torch.zeros(1, 1, 5, 9)
    expected[0, 0, 1:4, 4] = 1.0
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-5)
