import numpy as np
import torch
from scipy import ndimage

from tauten.imaging import resample
from tauten.techniques.shear import Shear

DEGREES = [15.0, 0.0, 60.0]


def test_every_image_is_slanted_by_its_own_angle_as_scipy_does(digits, place, numbers, each):
    tangent = np.tan(np.radians((2 * numbers()[..., 0] - 1) * np.array(DEGREES)[:, None]))
    shear = Shear().with_values({"degrees": torch.tensor(DEGREES)})

    def slanted(i, j, image):
        # What lies a row below the centre moves to the right by the tangent: it is read from so much further left.
        matrix = np.array([[1.0, 0.0], [-tangent[i, j], 1.0]])
        return ndimage.affine_transform(image[0], matrix, 3.5 - matrix @ [3.5, 3.5], order=1, mode="nearest")[None]

    out = resample(digits.grey, shear.warp(digits.grey, place()))
    torch.testing.assert_close(out, each(slanted, digits.grey), rtol=0, atol=5e-5)
    assert torch.equal(out[1], digits.grey[1])
