import numpy as np
import torch
from scipy import ndimage

from tauten.techniques.blur import Blur

SIGMAS = [0.7, 0.0, 2.0]


def test_every_image_is_blurred_by_its_own_deviation_as_scipy_does(digits, place, numbers, each):
    sigma = np.maximum(numbers()[..., 0] * np.array(SIGMAS)[:, None], 0.01)
    blur = Blur().with_values({"sigma": torch.tensor(SIGMAS)})

    def blurred(i, j, image):
        return ndimage.gaussian_filter(image, sigma[i, j], mode="nearest", radius=(0, 4, 4))

    out, labels = blur.batch(digits.colour, digits.labels, place())
    torch.testing.assert_close(out, each(blurred, digits.colour), rtol=0, atol=1e-5)
    assert torch.equal(out[1], digits.colour[1])
    assert labels is digits.labels
